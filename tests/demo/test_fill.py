"""The sample province on a real store: what the fixed contract promises, and a second run."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from server.config import Config, HttpConfig
from server.demo.fill import DemoResult, fill_demo
from server.demo.result import DemoEndpoint, DemoPerson
from server.directory.accounts import Accounts, Role, RoleGrant
from server.errors import Conflict, InvalidInput, NotAuthenticated
from server.meetings.book import MeetingBook
from server.room.commands import FloorMode, MeetingRole
from server.room.views import SeatRole
from server.store.meetings import MeetingShelf, MeetingState
from server.store.store import Store, sqlite_url
from tests.support.house import HOUR, NOW, PASSWORD, quick_passwords

PEOPLE = ("chair", "deputy", "operator", "archivist", "observer", "administrator")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store(sqlite_url(tmp_path / "demo.sqlite3"))
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def accounts(store: Store) -> Accounts:
    return Accounts(store, HttpConfig(), quick_passwords())


async def fill(
    store: Store, endpoints: int, now: float = NOW, *, again: bool = False, password: str | None = None
) -> DemoResult:
    return await fill_demo(store, endpoints, now, again=again, password=password, passwords=quick_passwords())


def sign_ins(demo: DemoResult) -> list[tuple[str, str, str]]:
    people: list[DemoPerson | DemoEndpoint] = [getattr(demo, each) for each in PEOPLE]
    return [(one.username, one.password, one.token) for one in [*people, *demo.endpoints]]


async def test_the_printed_line_is_the_fixed_contract(store: Store) -> None:
    printed = msgspec.json.decode(msgspec.json.encode(await fill(store, 5)))

    assert set(printed) == {"meeting", "endpoints", *PEOPLE}
    assert all(set(printed[each]) == {"name", "username", "password", "token"} for each in PEOPLE)
    assert all(set(each) == {"id", "name", "role", "username", "password", "token"} for each in printed["endpoints"])
    assert [each["role"] for each in printed["endpoints"]] == ["main", "branch", "branch", "branch", "branch"]


async def test_everybody_can_sign_in_and_every_token_works(store: Store, accounts: Accounts) -> None:
    demo = await fill(store, 6)

    for username, password, token in sign_ins(demo):
        session = await accounts.sign_in(username, password, "10.0.0.1", NOW)
        assert session.account == await accounts.account_for(token, NOW)
    assert len({password for _, password, _ in sign_ins(demo)}) == 12


async def test_everybody_is_what_the_contract_says(store: Store, accounts: Accounts) -> None:
    demo = await fill(store, 4)
    book = MeetingBook(store)

    async def role(person: DemoPerson) -> MeetingRole | None:
        known = await book.list_for(await accounts.account_for(person.token, NOW), NOW, NOW + 60)
        return next((one.my_role for one in known if one.meeting_id == demo.meeting), None)

    assert {each: await role(getattr(demo, each)) for each in PEOPLE} == {
        "chair": MeetingRole.CHAIR,
        "deputy": MeetingRole.DEPUTY,
        "operator": MeetingRole.OPERATOR,
        "archivist": None,
        "observer": MeetingRole.OBSERVER,
        "administrator": None,
    }
    for endpoint in demo.endpoints:
        actor = await book.actor(await accounts.account_for(endpoint.token, NOW), demo.meeting)
        assert (actor.role, actor.seat_id) == (MeetingRole.ENDPOINT, endpoint.id)


async def test_the_meeting_is_open_with_the_chairs_own_desk(store: Store, accounts: Accounts) -> None:
    demo = await fill(store, 12)

    setup = await MeetingShelf(store, Config()).load_setup(demo.meeting)

    assert (setup.mode, setup.max_holders, setup.lobby) == (FloorMode.DISCUSSION, 12, False)
    assert setup.host_agency == "Văn phòng UBND tỉnh"
    assert setup.title.startswith("Hội nghị giao ban trực tuyến")
    assert [moderator.deputy for moderator in setup.moderators] == [False, True]
    seats = {seat.role: seat for seat in setup.seats if seat.role is not SeatRole.BRANCH}
    assert seats[SeatRole.MAIN].seat_id == demo.endpoints[0].id
    chair = await MeetingBook(store).actor(await accounts.account_for(demo.chair.token, NOW), demo.meeting)
    assert (seats[SeatRole.CHAIR].seat_id, seats[SeatRole.CHAIR].name) == (chair.seat_id, "Bàn chủ tọa")
    branches = [seat for seat in setup.seats if seat.role is SeatRole.BRANCH]
    assert [seat.seat_id for seat in branches] == [endpoint.id for endpoint in demo.endpoints[1:]]
    assert {len(seat.unit_path) for seat in branches} == {2, 3}
    assert {seat.unit_path[0] for seat in setup.seats} == {"Tỉnh Điện Sơn"}


async def test_the_day_has_an_ended_an_open_and_a_coming_meeting(store: Store, accounts: Accounts) -> None:
    demo = await fill(store, 3)
    branch = await accounts.account_for(demo.endpoints[1].token, NOW)

    listed = await MeetingBook(store).list_for(branch, NOW - 12 * HOUR, NOW + 12 * HOUR)

    assert [one.state for one in listed] == [MeetingState.ENDED, MeetingState.OPEN, MeetingState.SCHEDULED]
    assert len({one.title for one in listed}) == 3
    assert listed[1].starts_at <= NOW < listed[1].ends_at


async def test_one_endpoint_is_a_meeting_too(store: Store) -> None:
    assert [each.role for each in (await fill(store, 1)).endpoints] == ["main"]


@pytest.mark.parametrize("count", [0, -1, 1_001])
async def test_a_count_out_of_range_is_refused_before_anything_is_made(store: Store, count: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        await fill(store, count)

    assert caught.value.code == "bad_count"
    assert (await fill(store, 1)).meeting


async def test_one_password_for_all_may_be_given(store: Store) -> None:
    assert {password for _, password, _ in sign_ins(await fill(store, 2, password=PASSWORD))} == {PASSWORD}


async def test_a_second_run_is_refused_and_harms_nobody(store: Store, accounts: Accounts) -> None:
    demo = await fill(store, 2)

    with pytest.raises(Conflict, match="--again") as caught:
        await fill(store, 2)

    assert caught.value.code == "demo_exists"
    assert (await accounts.account_for(demo.chair.token, NOW)).username == demo.chair.username


async def test_again_makes_new_sign_ins_and_ends_the_old(store: Store, accounts: Accounts) -> None:
    before = await fill(store, 3)
    after = await fill(store, 5, again=True)

    assert after.meeting == before.meeting
    assert [one.id for one in after.endpoints[:3]] == [one.id for one in before.endpoints]
    for username, password, token in sign_ins(before):
        with pytest.raises(NotAuthenticated):
            await accounts.account_for(token, NOW)
        with pytest.raises(NotAuthenticated):
            await accounts.sign_in(username, password, "10.0.0.1", NOW)
    for _, _, token in sign_ins(after):
        await accounts.account_for(token, NOW)
    setup = await MeetingShelf(store, Config()).load_setup(after.meeting)
    assert len(setup.seats) == 6


async def test_again_after_the_meeting_has_ended_opens_a_new_one(store: Store) -> None:
    before = await fill(store, 3)
    await MeetingShelf(store, Config()).mark_ended(before.meeting, NOW)

    after = await fill(store, 3, NOW + 24 * HOUR, again=True)

    assert after.meeting != before.meeting
    assert await MeetingShelf(store, Config()).open_ids() == (after.meeting,)


async def test_a_house_in_use_gets_the_province_beside_its_own(store: Store, accounts: Accounts) -> None:
    mine = await accounts.create("quantri", "Quản trị", PASSWORD, [RoleGrant(Role.ADMINISTRATOR)], NOW)

    await fill(store, 2, again=True)

    assert (await accounts.sign_in("quantri", PASSWORD, "10.0.0.1", NOW)).account == mine


async def test_somebody_elses_account_is_never_taken_over(store: Store, accounts: Accounts) -> None:
    await accounts.create("chutoa", "Người khác", PASSWORD, [], NOW)

    with pytest.raises(Conflict) as caught:
        await fill(store, 2, again=True)

    assert caught.value.code == "username_taken"
    assert (await accounts.sign_in("chutoa", PASSWORD, "10.0.0.1", NOW)).account.name == "Người khác"
