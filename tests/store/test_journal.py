"""The journal gives back what it was given, or says which line it cannot."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from zlib import crc32

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from server.errors import Conflict, Unavailable
from server.room.commands import (
    Actor,
    Command,
    GrantFloor,
    Join,
    LayoutName,
    MeetingRole,
    PersonCommand,
    RequestFloor,
    Say,
    SetStage,
    SystemCommand,
)
from server.store.journal import Entry, Journal
from server.store.records import Role
from server.store.tables import RoomEventRow
from tests.support.house import NOW, House

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
actors = st.builds(Actor, texts, texts, st.sampled_from(MeetingRole), st.none() | texts)
bodies = st.one_of(
    st.builds(Say, texts),
    st.builds(RequestFloor, texts),
    st.builds(GrantFloor, texts, st.none() | st.floats(5, 86_400)),
    st.builds(SetStage, st.sampled_from(LayoutName), st.lists(texts, max_size=3)),
    st.builds(Join),
)
commands = st.none() | st.builds(Command, actors, bodies)
times = st.floats(0, 4e9)
Lines = list[tuple[float, Command | None]]


def say(text: str) -> Command:
    return Command(Actor("acc_1", "Lò Văn Thành", MeetingRole.CHAIR), Say(text))


def ask(body: PersonCommand | SystemCommand) -> Command:
    return Command(Actor("acc_1", "Lò Văn Thành", MeetingRole.CHAIR, "ept_1"), body)


def add_up(*line: object) -> str:
    """The sum kept with a line."""
    return format(crc32(msgspec.json.encode(line)), "08x")


async def make_meeting(house: House) -> str:
    chair = await house.account("chair", Role.CHAIR)
    operator = await house.account("operator", Role.OPERATOR)
    return (await house.book.create(operator, house.plan(chair), NOW)).meeting_id


@pytest.fixture
async def meeting(house: House) -> str:
    return await make_meeting(house)


@pytest.fixture
def journal(house: House) -> Journal:
    return Journal(house.store)


async def test_lines_come_back_in_order(journal: Journal, meeting: str) -> None:
    await journal.append(meeting, [(1, 10.5, ask(Join())), (2, 11.25, None)])
    await journal.append(meeting, [])
    await journal.append(meeting, [(3, 12.0, say("Kính thưa các đồng chí"))])

    assert await journal.load(meeting) == [
        Entry(1, 10.5, ask(Join())),
        Entry(2, 11.25, None),
        Entry(3, 12.0, say("Kính thưa các đồng chí")),
    ]


async def test_meetings_do_not_mix(house: House, journal: Journal, meeting: str) -> None:
    assert await journal.load("mtg_other") == []


@pytest.fixture
def kept_lines(tmp_path: Path) -> Iterator[Callable[[Lines], list[Entry]]]:
    """Appends lines to an empty journal and loads them; one house for many examples."""
    with asyncio.Runner() as runner:
        house = runner.run(House.build(tmp_path / "examples.sqlite3"))
        meeting_id = runner.run(make_meeting(house))
        journal = Journal(house.store)

        async def keep(lines: Lines) -> list[Entry]:
            async with house.store.write() as session:
                await session.execute(delete(RoomEventRow))
            await journal.append(meeting_id, [(seq, *line) for seq, line in enumerate(lines, 1)])
            return await journal.load(meeting_id)

        yield lambda lines: runner.run(keep(lines))
        runner.run(house.store.close())


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.tuples(times, commands), max_size=6))
def test_whatever_is_appended_comes_back_equal(kept_lines: Callable[[Lines], list[Entry]], lines: Lines) -> None:
    assert kept_lines(lines) == [Entry(seq, *line) for seq, line in enumerate(lines, 1)]


async def test_the_same_lines_again_change_nothing(journal: Journal, meeting: str) -> None:
    """A commit whose answer was lost is tried again, perhaps with newer lines behind it."""
    await journal.append(meeting, [(1, 1.0, say("a")), (2, 2.0, None)])
    await journal.append(meeting, [(1, 1.0, say("a")), (2, 2.0, None)])
    await journal.append(meeting, [(2, 2.0, None), (3, 3.0, say("b"))])

    assert [entry.seq for entry in await journal.load(meeting)] == [1, 2, 3]


async def test_a_number_that_is_taken_is_refused_with_all_that_came_with_it(journal: Journal, meeting: str) -> None:
    await journal.append(meeting, [(1, 1.0, say("a"))])

    with pytest.raises(Conflict) as caught:
        await journal.append(meeting, [(1, 1.0, say("b")), (2, 2.0, None)])

    assert caught.value.code == "journal_conflict"
    assert await journal.load(meeting) == [Entry(1, 1.0, say("a"))]


async def test_a_meeting_that_does_not_exist_has_no_journal(journal: Journal, meeting: str) -> None:
    with pytest.raises(Conflict):
        await journal.append("mtg_none", [(1, 1.0, None)])


async def test_two_servers_cannot_write_the_same_line(journal: Journal, meeting: str) -> None:
    answers = await asyncio.gather(
        *(journal.append(meeting, [(1, 1.0, say(f"server {number}"))]) for number in range(4)), return_exceptions=True
    )

    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "Conflict", "Conflict", "NoneType"]


@pytest.mark.parametrize(
    ("sql", "line", "how"),
    [
        ("UPDATE room_events SET command = replace(command, 'xin', 'sin') WHERE seq = 2", 2, "changed"),
        ("UPDATE room_events SET at = at + 1 WHERE seq = 1", 1, "changed"),
        ("UPDATE room_events SET command = NULL WHERE seq = 2", 2, "changed"),
        ("DELETE FROM room_events WHERE seq = 2", 2, "missing"),
        ("DELETE FROM room_events WHERE seq = 1", 1, "missing"),
        ("UPDATE room_events SET seq = 9 WHERE seq = 3", 3, "missing"),
    ],
)
async def test_a_line_that_was_changed_or_lost_is_named(
    house: House, journal: Journal, meeting: str, path: Path, sql: str, line: int, how: str
) -> None:
    await journal.append(meeting, [(1, 1.0, say("xin chào")), (2, 2.0, say("xin mời")), (3, 3.0, None)])
    with sqlite3.connect(path) as other:
        other.execute(sql)
    other.close()

    with pytest.raises(Unavailable, match=f"line {line}: {how}") as caught:
        await journal.load(meeting)

    assert caught.value.code == "journal_damaged"


async def test_a_command_of_another_version_is_named(journal: Journal, meeting: str, path: Path) -> None:
    """Well kept, but not understood: the sum is right."""
    text = '{"actor":{"account_id":"a","name":"b","role":"chair"},"body":{"type":"dance"}}'
    with sqlite3.connect(path) as other:
        line = (meeting, 1, 1.0, text)
        other.execute("INSERT INTO room_events VALUES (?, ?, ?, ?, ?)", (*line, add_up(*line)))
    other.close()

    with pytest.raises(Unavailable, match="dance"):
        await journal.load(meeting)
