"""The meeting book on a real store: planning, booking, opening, ending, and who may know."""

import asyncio
import math
from dataclasses import dataclass

import pytest

from server.errors import Conflict, DiemcauError, Forbidden, InvalidInput, NotFound
from server.meetings.book import NewMeeting
from server.room.commands import Actor, FloorMode, MeetingRole
from server.room.setup import SeatSetup
from server.room.views import SeatRole
from server.store.audit import AuditLog
from server.store.meetings import MeetingState
from server.store.records import Account, Role
from tests.support.house import HOUR, NOW, House


@dataclass(frozen=True)
class People:
    """One of each role; the scope of all but the administrator is the province."""

    chair: Account
    deputy: Account
    operator: Account
    north: Account
    south: Account
    observer: Account
    archivist: Account
    administrator: Account

    def everybody(self) -> dict[str, Account]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@pytest.fixture
async def people(house: House) -> People:
    scope = house.province.unit_id
    return People(
        chair=await house.account("chair", Role.CHAIR, unit_id=scope, endpoint=house.desk),
        deputy=await house.account("deputy", Role.CHAIR, unit_id=scope),
        operator=await house.account("operator", Role.OPERATOR, unit_id=scope),
        north=await house.account("north", Role.ENDPOINT, unit_id=scope, endpoint=house.north_room),
        south=await house.account("south", Role.ENDPOINT, unit_id=scope, endpoint=house.south_room),
        observer=await house.account("observer", Role.OBSERVER, unit_id=scope),
        archivist=await house.account("archivist", Role.ARCHIVIST, unit_id=scope),
        administrator=await house.account("administrator", Role.ADMINISTRATOR),
    )


@pytest.fixture
def plan(house: House, people: People) -> NewMeeting:
    return house.plan(
        people.chair,
        deputy_account_ids=(people.deputy.account_id,),
        chair_endpoint_id=house.desk.endpoint_id,
        mode=FloorMode.DISCUSSION,
    )


@pytest.fixture
async def meeting(house: House, people: People, plan: NewMeeting) -> str:
    """An open meeting to which the north is invited and the south is not."""
    meeting_id = (await house.book.create(people.operator, plan, NOW)).meeting_id
    await house.book.open(people.operator, meeting_id, NOW)
    return meeting_id


async def answer_to(house: House, account: Account, meeting_id: str) -> Actor | tuple[type[DiemcauError], str]:
    try:
        return await house.book.actor(account, meeting_id)
    except DiemcauError as error:
        return type(error), error.code


# --- who is what ------------------------------------------------------------------------------------


async def test_everybody_is_what_the_meeting_says(house: House, people: People, meeting: str) -> None:
    def actor(account: Account, role: MeetingRole, seat_id: str | None = None) -> Actor:
        return Actor(account.account_id, account.name, role, seat_id)

    assert {name: await answer_to(house, account, meeting) for name, account in people.everybody().items()} == {
        "chair": actor(people.chair, MeetingRole.CHAIR, house.desk.endpoint_id),
        "deputy": actor(people.deputy, MeetingRole.DEPUTY),
        "operator": actor(people.operator, MeetingRole.OPERATOR),
        "north": actor(people.north, MeetingRole.ENDPOINT, house.north_room.endpoint_id),
        "south": (NotFound, "meeting_unknown"),
        "observer": actor(people.observer, MeetingRole.OBSERVER),
        "archivist": (NotFound, "meeting_unknown"),
        "administrator": (Forbidden, "may_not_attend"),
    }


async def test_an_archivist_learns_of_a_meeting_once_it_has_ended(house: House, people: People, meeting: str) -> None:
    await house.book.end(people.operator, meeting, NOW)

    assert await answer_to(house, people.archivist, meeting) == (Forbidden, "may_not_attend")
    assert (await house.book.summary(people.archivist, meeting)).my_role is None


async def test_a_meeting_one_may_not_know_of_looks_like_none(house: House, people: People, meeting: str) -> None:
    """SCENARIOS row 31: the token of another meeting's endpoint."""
    refusals = []
    for meeting_id in (meeting, "mtg_none", "", "../etc"):
        with pytest.raises(NotFound) as caught:
            await house.book.actor(people.south, meeting_id)
        refusals.append((caught.value.code, caught.value.detail))
        with pytest.raises(NotFound):
            await house.book.summary(people.south, meeting_id)

    assert set(refusals) == {("meeting_unknown", "no such meeting")}


async def test_a_seat_in_one_meeting_is_none_in_another(
    house: House, people: People, meeting: str, plan: NewMeeting
) -> None:
    other = house.plan(people.deputy, main_endpoint_id=house.south_room.endpoint_id, endpoint_ids=())
    other_id = (await house.book.create(people.operator, other, NOW)).meeting_id

    assert await answer_to(house, people.north, other_id) == (NotFound, "meeting_unknown")
    assert await answer_to(house, people.chair, other_id) == (NotFound, "meeting_unknown")
    south = await house.book.actor(people.south, other_id)
    assert (south.role, south.seat_id) == (MeetingRole.ENDPOINT, house.south_room.endpoint_id)


async def test_a_disabled_account_is_nobody(house: House, people: People, meeting: str) -> None:
    await house.accounts.set_disabled(people.chair.account_id, True, NOW)
    chair = await house.accounts.get(people.chair.account_id)

    assert await answer_to(house, chair, meeting) == (NotFound, "meeting_unknown")


# --- lists ------------------------------------------------------------------------------------------


async def test_the_list_shows_what_one_may_know(house: House, people: People, meeting: str) -> None:
    roles = {}
    for name, account in people.everybody().items():
        listed = await house.book.list_for(account, NOW, NOW + 24 * HOUR)
        roles[name] = [one.my_role for one in listed]
        assert [await house.book.summary(account, one.meeting_id) for one in listed] == list(listed)

    assert roles == {
        "chair": [MeetingRole.CHAIR],
        "deputy": [MeetingRole.DEPUTY],
        "operator": [MeetingRole.OPERATOR],
        "north": [MeetingRole.ENDPOINT],
        "south": [],
        "observer": [MeetingRole.OBSERVER],
        "archivist": [],
        "administrator": [None],
    }


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "listed"),
    [
        (0, 1, False),
        (-24, 1, False),
        (-24, 1.01, True),
        (1.5, 1.6, True),
        (1.99, 3, True),
        (2, 3, False),
        (24, 48, False),
    ],
)
async def test_a_day_has_the_meetings_that_touch_it(
    house: House, people: People, plan: NewMeeting, starts_at: float, ends_at: float, listed: bool
) -> None:
    await house.book.create(people.operator, plan, NOW)

    found = await house.book.list_for(people.north, NOW + starts_at * HOUR, NOW + ends_at * HOUR)

    assert bool(found) is listed


async def test_an_open_meeting_goes_on_past_its_planned_end(house: House, people: People, meeting: str) -> None:
    tomorrow = NOW + 24 * HOUR
    assert len(await house.book.list_for(people.north, tomorrow, tomorrow + 24 * HOUR)) == 1

    await house.book.end(people.chair, meeting, tomorrow)

    assert await house.book.list_for(people.north, tomorrow, tomorrow + 24 * HOUR) == ()


async def test_meetings_are_listed_in_order_of_time(house: House, people: People) -> None:
    for hour, title in [(5, "ba"), (1, "một"), (3, "hai")]:
        starts_at = NOW + hour * HOUR
        plan = house.plan(people.chair, title=title, starts_at=starts_at, ends_at=starts_at + HOUR)
        await house.book.create(people.operator, plan, NOW)

    listed = await house.book.list_for(people.operator, NOW, NOW + 24 * HOUR)

    assert [(one.title, one.endpoints) for one in listed] == [("một", 2), ("hai", 2), ("ba", 2)]
    assert {one.host_agency for one in listed} == {"Văn phòng UBND tỉnh"}


# --- planning ---------------------------------------------------------------------------------------


async def test_only_operators_and_administrators_of_the_host_plan(
    house: House, people: People, plan: NewMeeting
) -> None:
    stranger = await house.account("stranger", Role.OPERATOR, unit_id=house.north.unit_id)
    for account in (people.chair, people.north, people.observer, people.archivist, stranger):
        with pytest.raises(Forbidden) as caught:
            await house.book.create(account, plan, NOW)
        assert caught.value.code == "may_not_manage"

    made = await house.book.create(people.administrator, plan, NOW)
    assert (made.state, made.my_role, made.endpoints) == (MeetingState.SCHEDULED, None, 3)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"title": ""}, "bad_text"),
        ({"title": "a\nb"}, "bad_text"),
        ({"ends_at": NOW + HOUR}, "bad_times"),
        ({"ends_at": NOW + 9 * 24 * HOUR}, "bad_times"),
        ({"starts_at": math.nan}, "bad_times"),
        ({"ends_at": math.inf}, "bad_times"),
        ({"max_holders": 0}, "bad_max_holders"),
        ({"max_holders": 33}, "bad_max_holders"),
        ({"endpoint_ids": ("ept_1", "ept_1")}, "bad_endpoints"),
        ({"endpoint_ids": tuple(f"ept_{number}" for number in range(2_000))}, "bad_endpoints"),
        ({"deputy_account_ids": ("acc_1", "acc_1")}, "bad_moderators"),
        ({"chair_account_id": "acc_none"}, "not_a_chair"),
    ],
)
async def test_a_plan_that_cannot_be_is_refused(
    house: House, people: People, changes: dict[str, object], code: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await house.book.create(people.operator, house.plan(people.chair, **changes), NOW)

    assert caught.value.code == code
    assert await house.book.list_for(people.administrator, 0, NOW * 2) == ()


async def test_the_same_endpoint_cannot_have_two_seats(house: House, people: People) -> None:
    main = house.main.endpoint_id
    twice: list[dict[str, object]] = [{"chair_endpoint_id": main}, {"endpoint_ids": (main,)}]
    for changes in twice:
        with pytest.raises(InvalidInput):
            await house.book.create(people.operator, house.plan(people.chair, **changes), NOW)


async def test_only_chairs_of_the_host_unit_chair(house: House, people: People) -> None:
    northern = await house.account("northern", Role.CHAIR, unit_id=house.north.unit_id)
    await house.accounts.set_disabled(people.deputy.account_id, True, NOW)

    for account in (northern, people.operator, people.deputy):
        with pytest.raises(InvalidInput) as caught:
            await house.book.create(people.operator, house.plan(account), NOW)
        assert caught.value.code == "not_a_chair"


async def test_what_a_plan_points_to_must_be_there(house: House, people: People) -> None:
    cases: list[tuple[dict[str, object], str]] = [
        ({"host_unit_id": "unt_none"}, "unit_unknown"),
        ({"main_endpoint_id": "ept_none"}, "endpoint_unknown"),
        ({"endpoint_ids": ("ept_none",)}, "endpoint_unknown"),
    ]
    for changes, code in cases:
        with pytest.raises(NotFound) as caught:
            await house.book.create(people.operator, house.plan(people.chair, **changes), NOW)
        assert caught.value.code == code


# --- booking: article 6.2, SCENARIOS row 37 ---------------------------------------------------------


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "booked"),
    [(0, 1, False), (0, 1.1, True), (1.2, 1.4, True), (0, 3, True), (1.9, 3, True), (2, 3, False)],
)
async def test_an_endpoint_is_in_one_meeting_at_a_time(
    house: House, people: People, plan: NewMeeting, starts_at: float, ends_at: float, booked: bool
) -> None:
    await house.book.create(people.operator, plan, NOW)
    other = house.plan(
        people.deputy,
        title="Hội ý",
        starts_at=NOW + starts_at * HOUR,
        ends_at=NOW + ends_at * HOUR,
        main_endpoint_id=house.south_room.endpoint_id,
    )
    refusals = []
    try:
        await house.book.create(people.operator, other, NOW)
    except Conflict as error:
        refusals.append((error.code, error.detail))

    assert refusals == ([("endpoint_booked", "UBND huyện Bắc is booked for Giao ban")] if booked else [])


async def test_of_two_bookings_at_the_same_moment_one_is_made(house: House, people: People, plan: NewMeeting) -> None:
    answers = await asyncio.gather(
        *(house.book.create(people.operator, plan, NOW) for _ in range(6)), return_exceptions=True
    )

    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict"] * 5 + ["Summary"]
    assert len(await house.book.list_for(people.administrator, NOW, NOW + 24 * HOUR)) == 1


async def test_a_meeting_that_runs_late_keeps_its_endpoints_until_now(
    house: House, people: People, meeting: str
) -> None:
    late = NOW + 3 * HOUR
    at_once = house.plan(people.deputy, starts_at=late - 60, ends_at=late + HOUR)
    tomorrow = house.plan(people.deputy, starts_at=late + 24 * HOUR, ends_at=late + 25 * HOUR)

    with pytest.raises(Conflict):
        await house.book.create(people.operator, at_once, late)
    await house.book.create(people.operator, tomorrow, late)
    await house.book.end(people.operator, meeting, late)
    await house.book.create(people.operator, at_once, late)


# --- inviting, opening, ending ----------------------------------------------------------------------


async def test_new_branches_come_last_and_old_ones_are_passed_over(house: House, people: People, meeting: str) -> None:
    ids = (house.north_room.endpoint_id, house.south_room.endpoint_id, house.south_room.endpoint_id)

    seats = await house.book.invite(people.chair, meeting, ids, NOW)

    path = ("Tỉnh Điện Sơn", "Huyện Nam")
    assert seats == (SeatSetup(house.south_room.endpoint_id, "UBND huyện Nam", path, SeatRole.BRANCH),)
    assert await house.book.invite(people.chair, meeting, ids, NOW) == ()
    south = await house.book.actor(people.south, meeting)
    assert south.role is MeetingRole.ENDPOINT
    assert (await house.book.summary(people.chair, meeting)).endpoints == 4


async def test_an_invitation_can_be_refused(house: House, people: People, meeting: str) -> None:
    south = (house.south_room.endpoint_id,)
    with pytest.raises(NotFound) as unknown:
        await house.book.invite(people.operator, meeting, ("ept_none",), NOW)
    other = house.plan(people.deputy, main_endpoint_id=house.south_room.endpoint_id, endpoint_ids=())
    other_id = (await house.book.create(people.operator, other, NOW)).meeting_id
    with pytest.raises(Conflict) as booked:
        await house.book.invite(people.operator, meeting, south, NOW)
    await house.book.end(people.operator, other_id, NOW)
    await house.book.end(people.operator, meeting, NOW)
    with pytest.raises(Conflict) as ended:
        await house.book.invite(people.operator, meeting, south, NOW)

    assert [error.value.code for error in (unknown, booked, ended)] == [
        "endpoint_unknown",
        "endpoint_booked",
        "meeting_ended",
    ]


async def test_a_meeting_is_opened_and_ended_once(house: House, people: People, plan: NewMeeting) -> None:
    meeting = (await house.book.create(people.operator, plan, NOW)).meeting_id
    states = [
        (await house.book.open(people.deputy, meeting, NOW + 1)).state,
        (await house.book.open(people.chair, meeting, NOW + 2)).state,
        (await house.book.end(people.chair, meeting, NOW + 3)).state,
        (await house.book.end(people.operator, meeting, NOW + 4)).state,
    ]
    with pytest.raises(Conflict) as caught:
        await house.book.open(people.operator, meeting, NOW + 5)

    assert states == [MeetingState.OPEN, MeetingState.OPEN, MeetingState.ENDED, MeetingState.ENDED]
    assert caught.value.code == "meeting_ended"
    lines = (await AuditLog(house.store).latest(3))[::-1]
    assert [(line.at - NOW, line.action, line.account_id, line.target) for line in lines] == [
        (0, "meeting_created", people.operator.account_id, meeting),
        (1, "meeting_opened", people.deputy.account_id, meeting),
        (3, "meeting_ended", people.chair.account_id, meeting),
    ]


async def test_who_does_not_manage_changes_nothing(house: House, people: People, meeting: str) -> None:
    for account, error in [
        (people.north, Forbidden),
        (people.observer, Forbidden),
        (people.south, NotFound),
        (people.archivist, NotFound),
    ]:
        for attempt in (
            house.book.open(account, meeting, NOW),
            house.book.end(account, meeting, NOW),
            house.book.invite(account, meeting, (house.south_room.endpoint_id,), NOW),
        ):
            with pytest.raises(error):
                await attempt

    kept = await house.book.summary(people.administrator, meeting)
    assert (kept.state, kept.endpoints) == (MeetingState.OPEN, 3)
