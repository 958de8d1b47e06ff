"""Who may do what in the archive: exactly the table of docs/roles.md, by role and by unit."""

from contextlib import suppress
from pathlib import Path

import pytest

from server.archive.access import BY_ROLE, OF_MODERATORS, Right, load_sight
from server.archive.archive import Archive
from server.archive.desk import Visitor
from server.errors import Conflict, Forbidden, NotFound
from server.store.records import Account, Role
from tests.archive.conftest import Place
from tests.archive.recorded import write_recording

DOC = (Path(__file__).parents[2] / "docs" / "roles.md").read_text(encoding="utf-8")
COLUMNS = ("archivist", "administrator", "operator", "chair, deputy")
HERE, ELSEWHERE = "rec_here", "rec_elsewhere"


def table() -> dict[str, dict[str, bool]]:
    """right -> column -> whether."""
    part = DOC.split("## The archive\n")[1].split("\n## ")[0]
    head, _, *rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")]
    assert [cell.strip() for cell in head] == ["right", "means", *COLUMNS]
    return {
        row[0].strip(): dict(zip(COLUMNS, (cell.strip() == "yes" for cell in row[2:]), strict=True)) for row in rows
    }


def test_the_document_says_what_the_code_does() -> None:
    rights = {"archivist": BY_ROLE[Role.ARCHIVIST], "administrator": BY_ROLE[Role.ADMINISTRATOR]}
    rights |= {"operator": BY_ROLE[Role.OPERATOR], "chair, deputy": OF_MODERATORS}
    assert table() == {right.value: {column: right in rights[column] for column in COLUMNS} for right in Right}


@pytest.fixture
async def two(place: Place) -> tuple[Place, Account]:
    """A recording of the office's meeting with its chair, and one from another house."""
    meeting_id, chair = await place.meeting()
    write_recording(place.recordings_dir, place.key, recording_id=HERE, meeting_id=meeting_id)
    write_recording(place.recordings_dir, place.key, recording_id=ELSEWHERE)
    await place.archive._catalogue.reconcile()
    return place, chair


async def known(place: Place, account: Account) -> set[str]:
    """Said alike by the list and by each recording alone."""
    listed, shown = set(await place.found(account)), set()
    for recording_id in (HERE, ELSEWHERE):
        with suppress(NotFound):
            await place.archive.finder.show(Visitor(account, ""), recording_id)
            shown.add(recording_id)
    assert listed == shown
    return listed


@pytest.mark.parametrize("role", list(BY_ROLE))
@pytest.mark.parametrize(
    ("unit", "expected"),
    [(None, {HERE, ELSEWHERE}), ("province", {HERE}), ("office", {HERE}), ("north", set())],
)
async def test_a_role_reaches_its_unit(
    two: tuple[Place, Account], role: Role, unit: str | None, expected: set[str]
) -> None:
    place, _ = two
    unit_id = getattr(place.house, unit).unit_id if unit else None
    assert await known(place, await place.account("somebody", role, unit_id)) == expected


@pytest.mark.parametrize("role", [Role.CHAIR, Role.ENDPOINT, Role.OBSERVER])
async def test_the_other_roles_reach_nothing(two: tuple[Place, Account], role: Role) -> None:
    place, _ = two
    endpoint = place.house.north_room if role is Role.ENDPOINT else None  # which is invited
    assert await known(place, await place.house.account("somebody", role, endpoint=endpoint)) == set()


async def test_a_chair_has_the_own_meetings(two: tuple[Place, Account]) -> None:
    place, chair = two
    assert await known(place, chair) == {HERE}


async def test_a_disabled_account_sees_nothing(two: tuple[Place, Account]) -> None:
    place, _ = two
    async with place.house.store.read() as session:
        disabled = Account("acc", "a", "A", place.archivist.grants, disabled=True)
        assert (await load_sight(session, disabled)).rights("mtg", None) is None


async def test_every_action_holds_to_the_rights(two: tuple[Place, Account]) -> None:
    """Each role tries everything; refusals name no more than that they are refusals."""
    place, chair = two
    people = {
        "archivist": await place.account("arc", Role.ARCHIVIST),
        "administrator": await place.account("adm", Role.ADMINISTRATOR),
        "operator": await place.account("ope", Role.OPERATOR),
        "chair, deputy": chair,
    }
    expected, got = table(), dict[str, dict[str, bool]]()
    for right in Right:
        got[right.value] = {}
        for column in reversed(COLUMNS):  # the archivist, who destroys, is the last
            got[right.value][column] = await is_let(place, Visitor(people[column], ""), right)
    assert got == expected


async def is_let(place: Place, visitor: Visitor, right: Right) -> bool:
    try:
        await act(place.archive, visitor, right)
    except Forbidden:
        return False
    return True


async def act(archive: Archive, visitor: Visitor, right: Right) -> None:
    with suppress(Conflict):  # "not_rendered": the film may be played, once there is one
        match right:
            case Right.PLAY:
                async with archive.lending.open_film(visitor, HERE, taken=False):
                    pass
            case Right.DOWNLOAD:
                async with archive.lending.open_package(visitor, HERE):
                    pass
            case Right.RENDER:
                await archive.workshop.render(visitor, HERE)
            case Right.VERIFY:
                await archive.workshop.verify(visitor, HERE)
            case Right.KEEP:
                await archive.keeper.keep(visitor, HERE, "years_5", False, "")
            case Right.HOLD:
                await archive.keeper.keep(visitor, HERE, "years_5", True, "thanh tra")
                await archive.keeper.keep(visitor, HERE, "years_5", False, "xong")
            case Right.DESTROY:
                # A copy of its own, so that what follows still has something to try.
                await archive.keeper.destroy(
                    visitor, ELSEWHERE if Role.ARCHIVIST in visitor.account.roles else HERE, "x"
                )
                await archive.keeper.settled()
            case Right.CAPTIONS:
                await archive.lending.set_captions(visitor, HERE, b"WEBVTT\n")
