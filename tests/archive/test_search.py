"""Finding recordings: all words, whatever their diacritics, with the second at which they were said."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, make_url, select, text

from server.archive.access import load_sight
from server.archive.search import MOST_WORDS, Order, Query, conditions, parse
from server.errors import InvalidInput
from server.recording.events import Chatted, FloorEnded, Granted
from server.store.records import Role, RoleGrant
from server.store.tables import RecordingRow
from tests.archive.conftest import Place
from tests.archive.recorded import MAIN, NORTH, SOUTH, STARTS_AT, write_recording
from tests.bench.archive import ARCHIVIST as BENCH_ARCHIVIST
from tests.bench.archive import QUESTIONS, opened_archive

DAY = 86_400.0
FIRST, SECOND, THIRD = "rec_first", "rec_second", "rec_third"


@pytest.fixture
async def three(place: Place) -> Place:
    """Three days, three meetings."""
    write_recording(place.recordings_dir, place.key, recording_id=FIRST, meeting_id="mtg_1")
    write_recording(
        place.recordings_dir,
        place.key,
        recording_id=SECOND,
        meeting_id="mtg_2",
        title="Ứng phó bão số 3",
        host_agency="Sở Nông nghiệp và Môi trường",
        chair="Trần Thị Hạnh Yên",
        starts_at=STARTS_AT + DAY,
        length_s=600.0,
        endpoints=(MAIN, SOUTH),
        happened=(
            (0.0, Granted("ep_main", by_right=True)),
            (120.0, Granted("ep_south", subject="Di dân khỏi vùng sạt lở")),
            (300.0, FloorEnded("ep_south")),
            (310.0, Chatted("Văn phòng", "Xin số liệu di dân 🌧 sạt lở", "ep_main")),
        ),
    )
    write_recording(
        place.recordings_dir,
        place.key,
        recording_id=THIRD,
        meeting_id="mtg_3",
        title="An toàn giao thông",
        chair="Quàng Văn Pâng",
        starts_at=STARTS_AT + 2 * DAY,
        length_s=90.0,
        endpoints=(MAIN, NORTH),
        happened=(),
    )
    await place.archive._catalogue.reconcile()
    return place


FOUND: list[tuple[dict[str, Any], list[str]]] = [
    ({}, [THIRD, SECOND, FIRST]),
    ({"text": "  ?! "}, [THIRD, SECOND, FIRST]),
    ({"text": "bao so 3"}, [SECOND]),
    ({"text": "BÃO"}, [SECOND, FIRST]),  # "báo cáo" is in the first one's chat
    ({"text": "giai ngan"}, [FIRST]),
    ({"text": "thanh yen"}, [THIRD, FIRST]),
    ({"text": "thanh yen giai"}, [FIRST]),
    ({"text": "hanh so nong"}, [SECOND]),  # words of different lines
    ({"text": "hạnh"}, [SECOND, FIRST]),
    ({"text": "han"}, [SECOND, FIRST]),  # may be half typed
    ({"text": "han nguyen"}, []),
    ({"text": "han* nguyen"}, [FIRST]),
    ({"text": '"di dan"'}, [SECOND]),
    ({"text": '"dan di"'}, []),
    ({"text": '"giai"'}, [FIRST]),
    ({"text": '"gia"'}, []),
    ({"text": "khong co dau"}, []),
    ({"agency": "nong nghiep"}, [SECOND]),
    ({"agency": "giai ngan"}, []),
    ({"endpoint": "thanh yen"}, [THIRD, FIRST]),
    ({"endpoint": "thanh nhe"}, []),  # of two endpoints' names
    ({"person": "van hanh"}, [FIRST]),
    ({"person": "mai"}, [THIRD, SECOND, FIRST]),  # who started them
    ({"meeting_id": "mtg_2"}, [SECOND]),
    ({"starts_at": STARTS_AT + 1}, [THIRD, SECOND]),
    ({"ends_at": STARTS_AT + DAY}, [FIRST]),
    ({"state": "closed"}, [THIRD, SECOND, FIRST]),
    ({"state": "destroyed"}, []),
    ({"sort": "oldest"}, [FIRST, SECOND, THIRD]),
    ({"sort": "title"}, [THIRD, FIRST, SECOND]),
    ({"sort": "longest"}, [SECOND, THIRD, FIRST]),
    ({"text": "xa", "endpoint": "muong", "sort": "oldest"}, [FIRST, SECOND]),
]


async def test_found(three: Place) -> None:
    wrong = []
    for query, found in FOUND:
        page = await three.find(**query)
        if ([one.recording_id for one in page.recordings], page.total, page.next) != (found, len(found), None):
            wrong.append((query, page))
    assert wrong == []


async def test_hits_lead_to_the_second_with_the_words_marked(three: Place) -> None:
    (found,) = (await three.find(text="di dân mường nhé")).recordings
    best, *others = found.hits
    assert (best.kind, best.at_s, best.text) == ("subject", 120.0, "Điểm cầu xã Mường Nhé – Di dân khỏi vùng sạt lở")
    assert [best.text[one:other] for one, other in best.marks] == ["Mường", "Nhé", "Di", "dân"]
    assert [(hit.kind, hit.at_s) for hit in others] == [("endpoint", 120.0), ("chat", 310.0)]
    assert [others[1].text[one:other] for one, other in others[1].marks] == ["di", "dân"]


async def test_there_are_five_hits_at_most_and_none_without_words(place: Place) -> None:
    said = tuple((float(at_s), Chatted("Văn thư", f"Nhận tài liệu {at_s}")) for at_s in range(20))
    write_recording(place.recordings_dir, place.key, happened=said)
    await place.archive._catalogue.reconcile()
    (found,) = (await place.find(text="tài liệu 7")).recordings
    assert (found.hits[0].at_s, found.hits[0].kind) == (7.0, "chat")
    assert len(found.hits) == 5
    assert (await place.find()).recordings[0].hits == ()


@pytest.mark.parametrize("sort", ["newest", "oldest", "title", "longest"])
async def test_pages_have_everything_once_in_order(place: Place, sort: str) -> None:
    for number in range(7):
        await place.archive.opened(f"rec_{number}", f"mtg_{number}", STARTS_AT + number // 2)
    whole = await place.found(sort=sort)
    assert len(whole) == 7
    paged, cursor = [], ""
    while True:
        page = await place.find(sort=sort, limit=3, cursor=cursor)
        assert page.total == 7
        paged += [one.recording_id for one in page.recordings]
        if page.next is None:
            break
        cursor = page.next
    assert paged == whole


@pytest.mark.parametrize(
    "query",
    [
        {"sort": "best"},
        {"state": "lost"},
        {"cursor": "zz"},
        {"cursor": "00"},
        {"cursor": b'["oldest",1.0,1,7]'.hex()},
        {"cursor": b'["newest","x",1,7]'.hex()},
        {"cursor": b'["newest",1.0,99999999999,7]'.hex()},
        {"text": " ".join(map(str, range(MOST_WORDS + 1)))},
    ],
)
async def test_what_cannot_be_asked(place: Place, query: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        await place.find(**query)
    assert refused.value.code == "invalid_query"


@settings(max_examples=60)
@given(st.text(max_size=60))
def test_any_text_can_be_asked_for(asked: str) -> None:
    try:
        wanted = parse(asked)
    except InvalidInput:
        return
    assert all(term.folded and " " not in term.folded for term in wanted.terms)
    assert all(set(phrase) <= {term.folded for term in wanted.terms} for phrase in wanted.phrases)


async def test_no_character_is_a_wildcard(three: Place) -> None:
    for asked in ("%", "_", "\\", "*", "''"):
        assert (await three.find(text=asked)).total == 3, "these are no words, so nothing is asked for"
    for asked in ("g%n", "giai_", "'; DROP TABLE recordings; --"):
        assert await three.found(text=asked) == ([FIRST] if asked == "giai_" else []), asked


async def test_an_administrator_does_not_find_what_was_written_in_the_chat(three: Place) -> None:
    administrator = await three.account("admin2", Role.ADMINISTRATOR)
    assert await three.found(administrator, text="giai ngan") == [FIRST]
    assert await three.found(administrator, text="tài liệu") == []
    assert await three.found(administrator, text='"số liệu"') == []
    assert await three.found(text="số liệu") == [SECOND]
    (found,) = (await three.find(administrator, text="di dan")).recordings
    assert {hit.kind for hit in found.hits} == {"subject"}


async def test_an_archivist_of_one_unit_who_administers_all_finds_chat_in_that_unit(place: Place) -> None:
    meeting_id, _ = await place.meeting()
    write_recording(place.recordings_dir, place.key, recording_id=FIRST, meeting_id=meeting_id)
    write_recording(place.recordings_dir, place.key, recording_id=SECOND)
    await place.archive._catalogue.reconcile()
    both = await place.house.accounts.create(
        "both",
        "Both",
        "sen-vang-4821-ruong",
        [RoleGrant(Role.ADMINISTRATOR), RoleGrant(Role.ARCHIVIST, place.house.office.unit_id)],
        STARTS_AT,
    )
    assert await place.found(both, text="quy iii") == [FIRST]
    assert set(await place.found(both, text="giai ngan")) == {FIRST, SECOND}


async def test_words_are_looked_up_in_the_index_not_by_looking_through_everything(three: Place) -> None:
    """The plan of the database, not its speed: that is ``tests.bench``."""
    wanted = parse("thanh yen giai")
    async with three.house.store.read() as session:
        sight = await load_sight(session, three.archivist)
        asked = select(func.count()).select_from(RecordingRow).where(*conditions(Query(), wanted, sight, 0.0))
        sql = str(asked.compile((await session.connection()).sync_engine, compile_kwargs={"literal_binds": True}))
        plan = [row[3] for row in await session.execute(text(f"EXPLAIN QUERY PLAN {sql}"))]
    looked_up = [step for step in plan if "recording_words" in step]
    assert len(looked_up) == 3
    assert sum("USING PRIMARY KEY (word=?)" in step for step in looked_up) == 2, plan
    assert sum("USING PRIMARY KEY (word>? AND word<?)" in step for step in looked_up) == 1, plan
    assert not any("SCAN recording_lines" in step for step in plan)


def test_both_databases_are_asked_alike() -> None:
    order = Order("title", "")
    asked = order.apply(select(RecordingRow.number, func.count().over()))
    for url in ("sqlite://", "postgresql+asyncpg://localhost/x"):
        sql = str(asked.compile(dialect=make_url(url).get_dialect()()))
        assert "ORDER BY recordings.title_key ASC, recordings.number ASC" in sql


async def test_the_bench_asks_what_is_found() -> None:
    """A small one of the archive that ``tests.bench archive`` measures."""
    async with opened_archive(60) as archive:
        totals = {
            name: (await archive.finder.search(BENCH_ARCHIVIST, Query(text=asked))).total
            for name, asked in QUESTIONS.items()
        }
    assert totals["nothing"] == 0
    assert totals["no words"] == totals["a word that everybody has"] == 60
    assert 0 < totals["a commune and a subject"] < 60
    assert min(total for name, total in totals.items() if name not in ("nothing", "a phrase")) > 0
