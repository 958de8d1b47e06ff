"""SCENARIOS rows 2 and 37 for the meeting rules, as plans of steps on virtual time.

The media and the sockets of the same rows are tested end to end; here it is what the room makes of them.
"""

import pytest

from server.errors import Conflict, Forbidden, NotFound
from server.room.commands import (
    Drop,
    EndMeeting,
    ExtendFloor,
    FloorMode,
    GrantFloor,
    Join,
    MuteAll,
    ReleaseFloor,
    RemoveSeat,
    RequestFloor,
    SetLobby,
    SetLock,
    SetMode,
    SetScreen,
)
from server.room.effects import Effect, SetGate, Tell
from server.room.views import Presence, SeatView
from tests.room.virtual_meeting import (
    CHAIR,
    DEPUTY,
    MAIN,
    OPERATOR,
    SECOND_DEPUTY,
    START,
    A,
    B,
    C,
    D,
    VirtualMeeting,
    endpoint,
    small_setup,
)


def a_discussion() -> VirtualMeeting:
    """Everybody in; A speaks for ten minutes and shows its screen, B without an end, C and D wait."""
    meeting = VirtualMeeting(small_setup(mode=FloorMode.DISCUSSION, max_holders=3))
    meeting.join(CHAIR, DEPUTY, MAIN, A, B, C, D)
    meeting.do(A, RequestFloor("Giải ngân"))
    meeting.do(CHAIR, GrantFloor("a", 600.0))
    meeting.do(A, SetScreen(sharing=True))
    meeting.do(CHAIR, GrantFloor("b"))
    meeting.do(C, RequestFloor("Đường sá"))
    meeting.do(D, RequestFloor())
    return meeting


def told_of_others(effects: list[Effect], seat_id: str) -> list[SeatView]:
    sections = [effect.section for effect in effects if isinstance(effect, Tell)]
    return [section for section in sections if isinstance(section, SeatView) and section.seat_id != seat_id]


# --- row 2: a link is cut for 5, 30 and 120 s ---------------------------------------------------------


@pytest.mark.parametrize("cut_s", [5.0, 29.9])
def test_a_speaker_cut_off_within_the_lease_speaks_on(cut_s: float) -> None:
    meeting = a_discussion()
    before, screens, stage = meeting.room.view().floor, meeting.room.screens, meeting.room.stage
    effects = meeting.do(A, Drop())
    assert [effect for effect in effects if isinstance(effect, SetGate)] == [SetGate("a", False)]
    assert told_of_others(effects, "a") == []
    meeting.pass_time(cut_s)
    assert meeting.gates == {"main", "b"}
    effects = meeting.do(A, Join())
    assert [effect for effect in effects if isinstance(effect, SetGate)] == [SetGate("a", True)]
    assert told_of_others(effects, "a") == []
    assert (meeting.room.view().floor, meeting.room.screens, meeting.room.stage) == (before, screens, stage)
    meeting.pass_time(600.0 - cut_s)
    assert meeting.gates == {"main", "b"}


@pytest.mark.parametrize("cut_s", [30.0, 120.0])
def test_a_speaker_cut_off_for_longer_takes_its_seat_again_without_the_floor(cut_s: float) -> None:
    meeting = a_discussion()
    meeting.drop(A)
    meeting.pass_time(cut_s)
    assert meeting.holders == ["main", "b"]
    meeting.join(A)
    assert meeting.presence("a") is Presence.PRESENT
    assert meeting.gates == {"main", "b"}
    assert meeting.room.screens == set()
    meeting.do(A, RequestFloor("Giải ngân"))
    assert meeting.queue == ["c", "d", "a"]


@pytest.mark.parametrize(("cut_s", "queue"), [(5.0, ["c", "d"]), (29.9, ["c", "d"]), (30.0, ["d"]), (120.0, ["d"])])
def test_who_waits_keeps_its_place_within_the_lease(cut_s: float, queue: list[str]) -> None:
    meeting = a_discussion()
    meeting.drop(C)
    meeting.pass_time(cut_s)
    meeting.join(C)
    assert meeting.queue == queue


@pytest.mark.parametrize("cut_s", [5.0, 30.0, 120.0])
def test_the_main_endpoint_is_heard_again_whenever_it_is_back(cut_s: float) -> None:
    meeting = a_discussion()
    meeting.drop(MAIN)
    meeting.pass_time(cut_s)
    assert "main" not in meeting.gates
    assert meeting.room.stage.pictures[1].seat_id == "main"
    meeting.join(MAIN)
    assert "main" in meeting.gates


@pytest.mark.parametrize("cut_s", [5.0, 30.0, 120.0])
def test_a_cut_line_concerns_nobody_else(cut_s: float) -> None:
    meeting = a_discussion()
    meeting.drop(A)
    meeting.pass_time(cut_s)
    assert {"main", "b"} <= meeting.gates
    assert [meeting.presence(seat_id) for seat_id in ("main", "b", "c", "d")] == [Presence.PRESENT] * 4
    meeting.do(B, ReleaseFloor())
    meeting.do(CHAIR, GrantFloor("c"))
    assert meeting.gates == {"main", "c"}


@pytest.mark.parametrize("cut_s", [5.0, 29.0])
def test_a_cut_line_comes_back_into_a_locked_meeting_with_a_lobby(cut_s: float) -> None:
    meeting = a_discussion()
    meeting.drop(A)
    meeting.do(CHAIR, SetLock(locked=True))
    meeting.do(CHAIR, SetLobby(lobby=True))
    meeting.pass_time(cut_s)
    meeting.join(A)
    assert "a" in meeting.gates


def test_after_the_lease_a_locked_meeting_says_so() -> None:
    meeting = a_discussion()
    meeting.drop(A)
    meeting.do(CHAIR, SetLock(locked=True))
    meeting.pass_time(120)
    meeting.refuse(A, Join(), Conflict, "locked")


def test_a_flapping_line_widens_nothing() -> None:
    """Up and down for the whole ten minutes: the end of the grant stays where it was."""
    meeting = a_discussion()
    for _ in range(23):
        meeting.drop(A)
        meeting.pass_time(20)
        meeting.join(A)
        meeting.pass_time(5)
        assert meeting.holder("a").ends_at == START + 600
    meeting.pass_time(25)
    assert meeting.gates == {"main", "b"}


def test_what_was_withdrawn_during_the_cut_stays_withdrawn() -> None:
    meeting = a_discussion()
    meeting.drop(A, MAIN)
    meeting.do(OPERATOR, MuteAll(by_right=True))
    meeting.pass_time(5)
    meeting.join(A, MAIN)
    assert meeting.gates == set()


def test_a_whole_district_is_cut_off_and_comes_back() -> None:
    names = [f"b{number}" for number in range(100)]
    meeting = VirtualMeeting(small_setup(names))
    people = [endpoint(name) for name in names]
    meeting.join(CHAIR, MAIN, *people)
    for person in people[:20]:
        meeting.do(person, RequestFloor())
    meeting.do(CHAIR, GrantFloor("b0", 300.0))
    before = meeting.room.view().floor
    meeting.drop(*people)
    meeting.pass_time(29)
    meeting.join(*reversed(people))
    assert meeting.room.view().floor == before
    assert meeting.gates == {"main", "b0"}
    assert meeting.room.present == 101


# --- row 37: the chair vanishes; races ---------------------------------------------------------------------


def test_the_chair_vanishes_and_a_deputy_takes_over_the_exact_state() -> None:
    meeting = a_discussion()
    meeting.drop(CHAIR)
    before = meeting.room.view().floor
    meeting.pass_time(9.9)
    meeting.refuse(DEPUTY, GrantFloor("c"), Forbidden, "not_acting_chair")
    meeting.pass_time(0.1)
    assert meeting.room.acting_chair == DEPUTY.account_id
    assert meeting.room.view().floor == before
    meeting.do(DEPUTY, ExtendFloor("a", 60.0))
    meeting.do(DEPUTY, GrantFloor("c"))
    assert meeting.gates == {"main", "a", "b", "c"}
    assert meeting.holder("a").ends_at == START + 660


def test_the_chair_vanishes_and_nobody_is_there_to_take_over() -> None:
    meeting = a_discussion()
    meeting.leave(DEPUTY)
    meeting.drop(CHAIR)
    meeting.pass_time(10)
    assert meeting.room.acting_chair is None
    for actor in (DEPUTY, SECOND_DEPUTY):
        meeting.refuse(actor, GrantFloor("c"), Forbidden, "not_acting_chair")
    meeting.refuse(OPERATOR, GrantFloor("c"), Forbidden, "not_allowed")
    meeting.do(OPERATOR, MuteAll())
    assert meeting.gates == {"main"}
    meeting.join(SECOND_DEPUTY)
    assert meeting.gates == {"main"}
    meeting.do(SECOND_DEPUTY, GrantFloor("c"))
    assert meeting.gates == {"main", "c"}


def test_an_open_floor_closes_with_the_chair_gone_and_opens_nobody_when_it_is_back() -> None:
    meeting = VirtualMeeting(small_setup(mode=FloorMode.OPEN))
    meeting.join(CHAIR, MAIN, A, B)
    meeting.drop(CHAIR)
    meeting.do(A, RequestFloor())
    meeting.pass_time(15)
    meeting.do(B, RequestFloor())
    meeting.join(CHAIR)
    assert (meeting.gates, meeting.queue) == ({"main"}, ["a", "b"])


def test_the_chair_comes_back_while_the_deputy_commands() -> None:
    """The two race: the first command counts, the later deputy's is refused, and there is one acting chair."""
    meeting = a_discussion()
    meeting.drop(CHAIR)
    meeting.pass_time(10)
    meeting.do(DEPUTY, SetMode(FloorMode.LECTURE))
    meeting.join(CHAIR)
    assert meeting.room.acting_chair == CHAIR.account_id
    meeting.refuse(DEPUTY, GrantFloor("c"), Forbidden, "not_acting_chair")
    meeting.do(CHAIR, GrantFloor("d"))
    assert meeting.gates == {"main", "d"}


def test_a_chair_that_flaps_never_loses_the_chair() -> None:
    meeting = a_discussion()
    for _ in range(20):
        meeting.drop(CHAIR)
        meeting.pass_time(9)
        meeting.join(CHAIR)
        meeting.pass_time(1)
    assert meeting.events.count("chair_taken_over") == 0


@pytest.mark.parametrize("order", ["request first", "grant first"])
def test_a_request_and_a_grant_cross(order: str) -> None:
    meeting = VirtualMeeting()
    meeting.join(CHAIR, A)
    if order == "request first":
        meeting.do(A, RequestFloor())
        meeting.do(CHAIR, GrantFloor("a"))
    else:
        meeting.do(CHAIR, GrantFloor("a"))
        meeting.refuse(A, RequestFloor(), Conflict, "already_holder")
    assert (meeting.gates, meeting.queue) == ({"a"}, [])


def test_a_grant_ends_in_the_moment_it_is_extended() -> None:
    """At the deadline the time is up, whichever of tick and command is first."""
    for tick_first in (True, False):
        meeting = VirtualMeeting()
        meeting.join(CHAIR, A)
        meeting.do(CHAIR, GrantFloor("a", 60.0))
        meeting.now += 60
        if tick_first:
            meeting.tick()
        meeting.refuse(CHAIR, ExtendFloor("a", 30.0), NotFound, "not_holder")
        meeting.tick()
        assert meeting.gates == set()


def test_a_grant_and_a_lost_line_cross() -> None:
    """The chair grants in the moment the line breaks: not heard, and heard on return."""
    meeting = VirtualMeeting()
    meeting.join(CHAIR, A)
    meeting.drop(A)
    meeting.do(CHAIR, GrantFloor("a"))
    assert meeting.gates == set()
    meeting.pass_time(5)
    meeting.join(A)
    assert meeting.gates == {"a"}


def test_two_tabs_of_the_chair_are_one_chair() -> None:
    meeting = VirtualMeeting()
    meeting.join(CHAIR, A)
    assert meeting.do(CHAIR, Join()) == []
    meeting.do(CHAIR, GrantFloor("a"))
    assert meeting.do(CHAIR, Join()) == []
    assert meeting.room.acting_chair == CHAIR.account_id
    assert meeting.gates == {"a"}


def test_removal_wins_over_every_way_back() -> None:
    meeting = a_discussion()
    meeting.drop(A)
    meeting.do(OPERATOR, RemoveSeat("a"))
    meeting.refuse(A, Join(), Forbidden, "removed")
    meeting.refuse(CHAIR, GrantFloor("a"), Conflict, "removed")
    meeting.crash(away_s=5)
    meeting.refuse(A, Join(), Forbidden, "removed")


def test_two_end_the_meeting_at_once() -> None:
    meeting = a_discussion()
    meeting.do(OPERATOR, EndMeeting())
    meeting.refuse(CHAIR, EndMeeting(), Conflict, "ended")
    assert [expel.code for expel in meeting.expelled] == ["ended"]


def test_the_server_dies_in_the_middle_and_everything_is_where_it_was() -> None:
    meeting = a_discussion()
    meeting.pass_time(100)
    before = meeting.room.view()
    meeting.crash(away_s=8)
    assert meeting.gates == set()
    meeting.pass_time(2)
    meeting.join(CHAIR, DEPUTY, MAIN, A, B, C, D)
    after = meeting.room.view()
    assert (after.floor, after.stage, after.meeting) == (before.floor, before.stage, before.meeting)
    assert meeting.gates == {"main", "a", "b"}
    assert meeting.room.screens == {"a"}
    meeting.pass_time(490)
    assert meeting.gates == {"main", "b"}
