"""Coming and going: seats, lobby, lock, removal, leases."""

import pytest

from server.errors import Conflict, Forbidden, InvalidInput, NotFound
from server.room.commands import (
    Actor,
    AddSeat,
    Admit,
    Drop,
    GrantFloor,
    Join,
    Leave,
    MeetingRole,
    RemoveSeat,
    RequestFloor,
    SetDevices,
    SetLobby,
    SetLock,
    SetStage,
)
from server.room.effects import Expel
from server.room.views import Presence, SeatRole, SeatView
from tests.room.virtual_meeting import (
    CHAIR,
    DEPUTY,
    MAIN,
    OBSERVER,
    OPERATOR,
    START,
    SYSTEM,
    A,
    B,
    C,
    VirtualMeeting,
    endpoint,
    small_setup,
)

CHAIR_AT_DESK = Actor(CHAIR.account_id, CHAIR.name, MeetingRole.CHAIR, "desk")


def test_everybody_is_absent_at_first() -> None:
    meeting = VirtualMeeting()
    assert {seat.presence for seat in meeting.room.view().seats} == {Presence.ABSENT}
    assert meeting.seat("a") == SeatView(
        "a", "Xã A", ("Tỉnh", "Huyện"), SeatRole.BRANCH, Presence.ABSENT, False, False, False, 0.0
    )
    assert meeting.room.present == 0
    assert meeting.room.next_deadline() is None


def test_joining_takes_the_seat_and_joining_again_changes_nothing() -> None:
    meeting = VirtualMeeting()
    meeting.join(A)
    assert (meeting.presence("a"), meeting.seat("a").since) == (Presence.PRESENT, START)
    assert meeting.do(A, Join()) == []
    assert meeting.room.present == 1


def test_an_endpoint_needs_a_seat_that_is_invited() -> None:
    meeting = VirtualMeeting()
    meeting.refuse(Actor("acc_x", "X", MeetingRole.ENDPOINT), Join(), Forbidden, "no_seat")
    meeting.refuse(endpoint("x"), Join(), NotFound, "no_such_seat")
    assert meeting.presence("x") is None


def test_a_loss_suspends_for_the_lease_and_then_empties_the_seat() -> None:
    meeting = VirtualMeeting(small_setup(lease_s=20.0))
    meeting.join(A)
    meeting.do(A, SetDevices(mic_muted=True, camera_off=True))
    meeting.now += 5
    meeting.drop(A)
    assert (meeting.presence("a"), meeting.seat("a").since) == (Presence.SUSPENDED, START + 5)
    assert meeting.do(A, Drop()) == []
    assert meeting.room.next_deadline() == START + 25
    meeting.pass_time(20)
    assert (meeting.presence("a"), meeting.seat("a").since) == (Presence.ABSENT, START + 25)
    assert not meeting.seat("a").mic_muted


def test_a_return_within_the_lease_keeps_devices_and_ends_the_lease() -> None:
    meeting = VirtualMeeting()
    meeting.join(A)
    meeting.do(A, SetDevices(mic_muted=True, camera_off=False))
    meeting.drop(A)
    meeting.pass_time(29)
    meeting.join(A)
    assert meeting.seat("a").mic_muted
    assert meeting.room.next_deadline() is None


def test_a_return_after_the_lease_whose_tick_is_late_is_a_new_arrival() -> None:
    meeting = VirtualMeeting()
    meeting.join(CHAIR, A)
    meeting.do(CHAIR, GrantFloor("a"))
    meeting.drop(A)
    meeting.now += 30
    meeting.do(CHAIR, SetLock(locked=True))
    meeting.refuse(A, Join(), Conflict, "locked")
    assert meeting.gates == set()


def test_who_is_not_here_neither_drops_nor_leaves() -> None:
    meeting = VirtualMeeting()
    for actor in (A, CHAIR, OPERATOR, OBSERVER):
        assert meeting.do(actor, Drop()) == []
        assert meeting.do(actor, Leave()) == []


# --- lobby ----------------------------------------------------------------------------------------


def test_newcomers_wait_in_the_lobby_until_admitted_by_name() -> None:
    meeting = VirtualMeeting(small_setup(lobby=True))
    meeting.join(A, B)
    assert (meeting.presence("a"), meeting.presence("b")) == (Presence.LOBBY, Presence.LOBBY)
    meeting.refuse(A, RequestFloor(), Conflict, "not_joined")
    assert meeting.do(A, Join()) == []
    meeting.do(OPERATOR, Admit("a"))
    assert (meeting.presence("a"), meeting.presence("b")) == (Presence.PRESENT, Presence.LOBBY)
    assert meeting.do(OPERATOR, Admit("a")) == []


@pytest.mark.parametrize("open_doors", [Admit(), SetLobby(lobby=False)])
def test_everybody_waiting_is_admitted_at_once(open_doors: Admit | SetLobby) -> None:
    meeting = VirtualMeeting(small_setup(lobby=True))
    meeting.join(A, B)
    meeting.do(CHAIR, open_doors)
    assert (meeting.presence("a"), meeting.presence("b")) == (Presence.PRESENT, Presence.PRESENT)
    assert meeting.presence("c") is Presence.ABSENT
    assert meeting.events.count("seat_admitted") == 2


def test_the_main_endpoint_and_moderators_do_not_wait() -> None:
    meeting = VirtualMeeting(small_setup(lobby=True))
    meeting.join(MAIN, CHAIR_AT_DESK)
    assert meeting.presence("main") is Presence.PRESENT
    assert meeting.presence("desk") is Presence.PRESENT
    assert meeting.gates == {"main", "desk"}


def test_a_chair_lets_the_seat_in_at_which_it_sits_down() -> None:
    meeting = VirtualMeeting(small_setup(lobby=True))
    meeting.join(endpoint("desk"))
    assert meeting.gates == set()
    meeting.join(CHAIR_AT_DESK)
    assert meeting.gates == {"desk"}


def test_who_was_admitted_does_not_wait_again() -> None:
    meeting = VirtualMeeting()
    meeting.join(A)
    meeting.do(CHAIR, SetLobby(lobby=True))
    assert meeting.presence("a") is Presence.PRESENT
    meeting.leave(A)
    meeting.join(A)
    assert meeting.presence("a") is Presence.PRESENT


def test_a_loss_in_the_lobby_has_no_lease() -> None:
    meeting = VirtualMeeting(small_setup(lobby=True))
    meeting.join(A, B)
    meeting.drop(A)
    meeting.leave(B)
    assert (meeting.presence("a"), meeting.presence("b")) == (Presence.ABSENT, Presence.ABSENT)
    meeting.join(A)
    assert meeting.presence("a") is Presence.LOBBY


# --- lock -----------------------------------------------------------------------------------------


def test_a_locked_meeting_takes_back_who_is_in_and_nobody_else() -> None:
    meeting = VirtualMeeting()
    meeting.join(A, B)
    meeting.drop(B)
    meeting.do(OPERATOR, SetLock(locked=True))
    meeting.join(A, B)
    assert meeting.presence("b") is Presence.PRESENT
    meeting.refuse(C, Join(), Conflict, "locked")
    meeting.refuse(MAIN, Join(), Conflict, "locked")
    meeting.leave(B)
    meeting.refuse(B, Join(), Conflict, "locked")
    meeting.do(OPERATOR, SetLock(locked=False))
    meeting.join(B, C)
    assert "unlocked" in meeting.events


def test_who_is_admitted_by_name_passes_the_lock_once() -> None:
    meeting = VirtualMeeting(small_setup(lobby=True))
    meeting.do(CHAIR, SetLock(locked=True))
    meeting.do(CHAIR, Admit("a"))
    assert meeting.presence("a") is Presence.ABSENT
    meeting.join(A)
    assert meeting.presence("a") is Presence.PRESENT
    meeting.leave(A)
    meeting.refuse(A, Join(), Conflict, "locked")


def test_moderators_and_operators_pass_the_lock() -> None:
    meeting = VirtualMeeting()
    meeting.do(CHAIR, SetLock(locked=True))
    meeting.join(CHAIR_AT_DESK, DEPUTY, OPERATOR)
    assert meeting.presence("desk") is Presence.PRESENT


def test_observers_pass_the_lock_only_while_they_count_as_in() -> None:
    meeting = VirtualMeeting()
    late = Actor("acc_late", "Đến muộn", MeetingRole.OBSERVER)
    meeting.join(OBSERVER)
    assert meeting.do(OBSERVER, Join()) == []
    meeting.do(CHAIR, SetLock(locked=True))
    meeting.refuse(late, Join(), Conflict, "locked")
    meeting.drop(OBSERVER)
    meeting.pass_time(29)
    meeting.join(OBSERVER)
    meeting.drop(OBSERVER)
    meeting.pass_time(29)
    assert meeting.do(OBSERVER, Drop()) == []
    meeting.pass_time(1)
    meeting.refuse(OBSERVER, Join(), Conflict, "locked")
    meeting.do(CHAIR, SetLock(locked=False))
    meeting.join(OBSERVER)
    meeting.leave(OBSERVER)
    meeting.do(CHAIR, SetLock(locked=True))
    meeting.refuse(OBSERVER, Join(), Conflict, "locked")


def test_operators_and_observers_take_no_seat() -> None:
    meeting = VirtualMeeting()
    for role in (MeetingRole.OPERATOR, MeetingRole.OBSERVER):
        visitor = Actor("acc_visitor", "Khách", role, "a")
        meeting.join(visitor)
        assert meeting.presence("a") is Presence.ABSENT
        meeting.drop(visitor)
        meeting.leave(visitor)


# --- removal --------------------------------------------------------------------------------------


def test_a_removed_seat_stays_out_until_admitted_by_name() -> None:
    meeting = VirtualMeeting(small_setup(lobby=True))
    meeting.join(CHAIR, A)
    meeting.do(CHAIR, Admit())
    meeting.do(CHAIR, GrantFloor("a"))
    meeting.do(OPERATOR, RemoveSeat("a", " Sai\nphòng "))
    assert meeting.presence("a") is Presence.REMOVED
    assert meeting.expelled == [Expel("a", None, "removed", "Sai phòng")]
    assert meeting.gates == set()
    assert meeting.do(OPERATOR, RemoveSeat("a")) == []
    meeting.refuse(A, Join(), Forbidden, "removed")
    assert meeting.do(A, Leave()) == []
    assert meeting.do(A, Drop()) == []
    assert meeting.do(CHAIR, Admit()) == []
    meeting.do(CHAIR, Admit("a"))
    assert meeting.presence("a") is Presence.ABSENT
    meeting.join(A)
    assert meeting.presence("a") is Presence.PRESENT


def test_an_absent_seat_can_be_barred() -> None:
    meeting = VirtualMeeting()
    meeting.do(CHAIR, RemoveSeat("a"))
    meeting.refuse(A, Join(), Forbidden, "removed")


def test_a_chair_whose_seat_was_removed_keeps_the_chair_and_can_undo_it() -> None:
    meeting = VirtualMeeting()
    meeting.join(CHAIR_AT_DESK, DEPUTY)
    meeting.do(OPERATOR, RemoveSeat("desk"))
    assert meeting.room.acting_chair == DEPUTY.account_id
    meeting.join(CHAIR_AT_DESK)
    assert meeting.room.acting_chair == CHAIR.account_id
    assert (meeting.presence("desk"), meeting.gates) == (Presence.REMOVED, set())
    meeting.do(CHAIR_AT_DESK, Admit("desk"))
    meeting.join(CHAIR_AT_DESK)
    assert meeting.gates == {"desk"}


def test_seats_that_are_not_invited_are_not_found() -> None:
    meeting = VirtualMeeting()
    for body in (Admit("x"), RemoveSeat("x"), SetStage(meeting.room.stage.layout, ["x"])):
        meeting.refuse(CHAIR, body, NotFound, "no_such_seat")


# --- invited later --------------------------------------------------------------------------------


def test_a_seat_can_be_added_while_the_meeting_runs() -> None:
    meeting = VirtualMeeting()
    meeting.do(SYSTEM, AddSeat("e", "Xã E", ("Tỉnh",), "branch"))
    meeting.do(SYSTEM, AddSeat("guest", "Bàn khách", ("Tỉnh",), "chair"))
    assert meeting.seat("e").name == "Xã E"
    meeting.join(endpoint("e"), endpoint("guest"))
    assert meeting.gates == {"guest"}


def test_adding_a_seat_again_changes_nothing_as_a_restart_finds_it_in_the_setup() -> None:
    meeting = VirtualMeeting(small_setup("abcde"))
    assert meeting.do(SYSTEM, AddSeat("e", "Xã E", ("Tỉnh",), "branch")) == []
    meeting.refuse(SYSTEM, AddSeat("f", "Xã F", (), "throne"), InvalidInput, "bad_seat_role")
