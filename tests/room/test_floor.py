"""The floor's rules, one by one, on a running room."""

from typing import Any

import pytest

from server.errors import Conflict, NotFound
from server.room.commands import (
    Actor,
    Admit,
    CancelRequest,
    DenyRequest,
    ExtendFloor,
    FloorMode,
    GrantFloor,
    Join,
    MoveRequest,
    MuteAll,
    ReleaseFloor,
    RemoveSeat,
    RequestFloor,
    RevokeFloor,
    SetLobby,
    SetLock,
    SetMode,
    SetPriority,
    SetScreen,
    UnmuteByRight,
)
from server.room.floor import Floor, FloorState
from server.room.views import HolderView, Presence, RequestView
from tests.room.virtual_meeting import CHAIR, MAIN, OPERATOR, START, A, B, C, D, VirtualMeeting, endpoint, small_setup

DESK = endpoint("desk")


def meeting_of(*actors: Actor, mode: FloorMode = FloorMode.LECTURE, **rules: Any) -> VirtualMeeting:
    """The chair, the main endpoint and these are in."""
    meeting = VirtualMeeting(small_setup(mode=mode, **rules))
    meeting.join(CHAIR, MAIN, *actors)
    return meeting


def grant(meeting: VirtualMeeting, *seat_ids: str, duration_s: float | None = None) -> None:
    for seat_id in seat_ids:
        meeting.do(CHAIR, GrantFloor(seat_id, duration_s))


# --- by right -------------------------------------------------------------------------------------


def test_main_endpoint_and_chairs_desk_are_heard_from_the_start_and_branches_are_not() -> None:
    meeting = meeting_of(A, DESK)
    assert meeting.gates == {"main", "desk"}
    assert meeting.room.view().floor.holders == (
        HolderView("main", True, START, None, None, ""),
        HolderView("desk", True, START, None, None, ""),
    )


def test_a_floor_by_right_waits_for_its_seat() -> None:
    meeting = VirtualMeeting()
    assert meeting.holders == []
    meeting.join(MAIN)
    assert meeting.holders == ["main"]
    meeting.leave(MAIN)
    assert (meeting.holders, meeting.gates) == ([], set())


@pytest.mark.parametrize("way", [RevokeFloor("main"), MuteAll(by_right=True)])
@pytest.mark.parametrize("actor", [CHAIR, OPERATOR])
def test_a_muted_right_stays_muted_over_leaving_and_coming_back(actor: Actor, way: RevokeFloor | MuteAll) -> None:
    meeting = meeting_of()
    meeting.do(actor, way)
    assert meeting.gates == set()
    meeting.drop(MAIN)
    meeting.join(MAIN)
    meeting.leave(MAIN)
    meeting.join(MAIN)
    assert (meeting.gates, meeting.holders) == (set(), [])
    meeting.refuse(CHAIR, RevokeFloor("main"), Conflict, "not_holder")


@pytest.mark.parametrize("way", [GrantFloor("main"), UnmuteByRight()])
def test_a_muted_right_is_restored_by_a_grant_or_by_unmuting(way: GrantFloor | UnmuteByRight) -> None:
    meeting = meeting_of()
    meeting.do(CHAIR, MuteAll(by_right=True))
    assert meeting.room.view().floor.all_muted
    meeting.do(CHAIR, way)
    assert meeting.gates == {"main"}
    assert not meeting.room.view().floor.all_muted
    assert "floor_restored" in meeting.events


def test_restoring_a_right_does_not_outrun_the_seat() -> None:
    """Restored while its connection is lost, it is heard when it is back; while it is out, when it comes."""
    meeting = meeting_of(DESK)
    meeting.do(CHAIR, MuteAll(by_right=True))
    meeting.drop(MAIN)
    meeting.leave(DESK)
    meeting.do(CHAIR, UnmuteByRight())
    assert meeting.gates == set()
    assert meeting.holder("main").suspended_until == START + 30
    assert meeting.holders == ["main"]
    meeting.join(MAIN, DESK)
    assert meeting.gates == {"main", "desk"}


def test_granting_who_holds_by_right_changes_nothing() -> None:
    meeting = meeting_of(A)
    grant(meeting, "a")
    assert meeting.do(CHAIR, GrantFloor("main", 60.0)) == []
    assert meeting.gates == {"main", "a"}


def test_a_muted_right_may_ask_and_is_denied_or_restored() -> None:
    meeting = meeting_of(mode=FloorMode.OPEN)
    meeting.refuse(MAIN, RequestFloor(), Conflict, "already_holder")
    meeting.do(CHAIR, RevokeFloor("main"))
    meeting.do(MAIN, RequestFloor())
    assert (meeting.queue, meeting.gates) == (["main"], set())
    meeting.do(CHAIR, DenyRequest("main"))
    assert (meeting.queue, meeting.gates) == ([], set())
    meeting.do(MAIN, RequestFloor())
    meeting.do(MAIN, CancelRequest())
    meeting.do(MAIN, RequestFloor("Xin nói"))
    meeting.do(CHAIR, MuteAll(by_right=True))
    assert meeting.queue == ["main"]
    grant(meeting, "main")
    assert (meeting.queue, meeting.gates) == ([], {"main"})


def test_a_right_is_not_given_back_by_its_holder() -> None:
    meeting = meeting_of()
    meeting.refuse(MAIN, ReleaseFloor(), Conflict, "held_by_right")
    meeting.do(CHAIR, RevokeFloor("main"))
    meeting.refuse(MAIN, ReleaseFloor(), Conflict, "not_holder")


def test_a_right_can_be_muted_before_it_comes() -> None:
    meeting = VirtualMeeting()
    meeting.do(CHAIR, RevokeFloor("main"))
    meeting.join(MAIN)
    assert meeting.gates == set()


# --- asking ---------------------------------------------------------------------------------------


def test_requests_wait_in_the_order_in_which_they_came() -> None:
    meeting = meeting_of(A, B, C)
    for actor, subject in ((B, "Kinh\n phí "), (A, ""), (C, "Đường")):
        meeting.now += 1
        meeting.do(actor, RequestFloor(subject))
    assert meeting.room.view().floor.queue == (
        RequestView("b", "Kinh phí", 2, START + 1),
        RequestView("a", "", 2, START + 2),
        RequestView("c", "Đường", 2, START + 3),
    )
    meeting.do(B, RequestFloor("Nước sạch"))
    assert meeting.queue == ["b", "a", "c"]
    assert meeting.room.view().floor.queue[0] == RequestView("b", "Nước sạch", 2, START + 1)
    assert meeting.do(A, RequestFloor()) == []


def test_a_granted_request_leaves_the_queue_and_brings_its_subject() -> None:
    meeting = meeting_of(A, B)
    meeting.do(A, RequestFloor("Kinh phí"))
    meeting.do(B, RequestFloor())
    grant(meeting, "a")
    assert meeting.holder("a") == HolderView("a", False, START, None, None, "Kinh phí")
    assert meeting.queue == ["b"]
    meeting.refuse(A, RequestFloor(), Conflict, "already_holder")


def test_requests_are_cancelled_denied_moved_and_weighed() -> None:
    meeting = meeting_of(A, B, C, D)
    for actor in (A, B, C, D):
        meeting.now += 1
        meeting.do(actor, RequestFloor())
    meeting.do(CHAIR, MoveRequest("d", 0))
    assert meeting.queue == ["d", "a", "b", "c"]
    meeting.do(CHAIR, SetPriority("c", 3))
    assert meeting.queue == ["c", "d", "a", "b"]
    meeting.do(A, CancelRequest())
    meeting.do(CHAIR, DenyRequest("c", "Hết \x00 giờ"))
    assert meeting.queue == ["d", "b"]
    assert meeting.notes[-1].detail == "Hết giờ"


def test_who_has_not_asked_is_not_found() -> None:
    meeting = meeting_of(A)
    meeting.refuse(A, CancelRequest(), NotFound, "no_request")
    for body in (DenyRequest("a"), MoveRequest("a", 0), SetPriority("a", 4)):
        meeting.refuse(CHAIR, body, NotFound, "no_request")


def test_the_queue_is_bounded() -> None:
    meeting = meeting_of(A, B, C, max_queue=2)
    meeting.do(A, RequestFloor())
    meeting.do(B, RequestFloor())
    meeting.refuse(C, RequestFloor(), Conflict, "queue_full")
    meeting.do(A, RequestFloor("Vẫn là tôi"))
    assert meeting.queue == ["a", "b"]


# --- granting -------------------------------------------------------------------------------------


def test_in_a_lecture_a_grant_withdraws_the_one_before() -> None:
    meeting = meeting_of(A, B)
    grant(meeting, "a", "b")
    assert meeting.gates == {"main", "b"}
    assert meeting.events[-3:] == ["floor_granted", "floor_withdrawn", "floor_granted"]


def test_in_a_discussion_there_are_as_many_as_agreed() -> None:
    meeting = meeting_of(A, B, C, mode=FloorMode.DISCUSSION, max_holders=2)
    grant(meeting, "a", "b")
    meeting.refuse(CHAIR, GrantFloor("c"), Conflict, "floor_full")
    grant(meeting, "a", duration_s=60.0)
    assert meeting.gates == {"main", "a", "b"}
    meeting.do(A, ReleaseFloor())
    grant(meeting, "c")
    assert meeting.gates == {"main", "b", "c"}


def test_granting_again_sets_the_time_anew_and_keeps_the_rest() -> None:
    meeting = meeting_of(A)
    meeting.do(A, RequestFloor("Kinh phí"))
    grant(meeting, "a", duration_s=60.0)
    meeting.now += 10
    grant(meeting, "a", duration_s=20.0)
    assert meeting.holder("a") == HolderView("a", False, START, START + 30, None, "Kinh phí")
    grant(meeting, "a")
    assert meeting.holder("a").ends_at is None


def test_a_timed_grant_ends_by_itself() -> None:
    meeting = meeting_of(A)
    grant(meeting, "a", duration_s=60.0)
    meeting.pass_time(59.9)
    assert meeting.gates == {"main", "a"}
    meeting.pass_time(0.1)
    assert meeting.gates == {"main"}
    assert meeting.events[-1] == "floor_expired"


def test_an_extension_moves_the_end() -> None:
    meeting = meeting_of(A)
    grant(meeting, "a", duration_s=60.0)
    meeting.do(CHAIR, ExtendFloor("a", 30.0))
    assert meeting.holder("a").ends_at == START + 90
    meeting.pass_time(89.0)
    assert "a" in meeting.gates
    meeting.pass_time(1.0)
    assert "a" not in meeting.gates


def test_neither_grant_nor_extension_goes_beyond_the_longest_time() -> None:
    meeting = meeting_of(A, max_grant_s=100.0)
    grant(meeting, "a", duration_s=500.0)
    assert meeting.holder("a").ends_at == START + 100
    assert meeting.do(CHAIR, ExtendFloor("a", 50.0)) == []
    meeting.now += 30
    meeting.do(CHAIR, ExtendFloor("a", 50.0))
    assert meeting.holder("a").ends_at == START + 130


def test_only_a_timed_floor_is_extended() -> None:
    meeting = meeting_of(A)
    meeting.refuse(CHAIR, ExtendFloor("a", 30.0), NotFound, "not_holder")
    grant(meeting, "a")
    meeting.refuse(CHAIR, ExtendFloor("a", 30.0), Conflict, "not_timed")
    meeting.refuse(CHAIR, ExtendFloor("main", 30.0), Conflict, "not_timed")


def test_the_floor_is_given_back_or_withdrawn_once() -> None:
    meeting = meeting_of(A)
    grant(meeting, "a")
    meeting.do(A, ReleaseFloor())
    assert meeting.gates == {"main"}
    meeting.refuse(A, ReleaseFloor(), Conflict, "not_holder")
    grant(meeting, "a")
    meeting.do(OPERATOR, RevokeFloor("a", "Ồn"))
    assert meeting.gates == {"main"}
    assert meeting.notes[-1].detail == "Ồn"
    meeting.refuse(CHAIR, RevokeFloor("a"), Conflict, "not_holder")


def test_a_floor_is_given_only_to_who_is_invited_and_let_in() -> None:
    meeting = meeting_of(A, lobby=True)
    assert meeting.presence("a") is Presence.LOBBY
    meeting.refuse(CHAIR, GrantFloor("a"), Conflict, "in_lobby")
    meeting.do(CHAIR, RemoveSeat("b"))
    meeting.refuse(CHAIR, GrantFloor("b"), Conflict, "removed")
    meeting.do(CHAIR, RemoveSeat("main"))
    meeting.refuse(CHAIR, GrantFloor("main"), Conflict, "removed")
    for body in (GrantFloor("x"), RevokeFloor("x"), DenyRequest("x"), ExtendFloor("x", 5.0), MoveRequest("x", 0)):
        meeting.refuse(CHAIR, body, NotFound, "no_such_seat")


# --- calling who is not here ----------------------------------------------------------------------


def test_a_called_endpoint_has_the_floor_when_it_comes_in_time() -> None:
    meeting = meeting_of()
    grant(meeting, "a", duration_s=60.0)
    assert meeting.holder("a").suspended_until == START + 30
    assert meeting.gates == {"main"}
    meeting.pass_time(29.9)
    meeting.join(A)
    assert meeting.gates == {"main", "a"}
    assert meeting.holder("a").ends_at == START + 60


def test_a_called_endpoint_that_does_not_come_loses_the_floor() -> None:
    meeting = meeting_of()
    grant(meeting, "a")
    meeting.pass_time(20)
    grant(meeting, "a")
    meeting.pass_time(29.9)
    assert meeting.holders == ["main", "a"]
    meeting.pass_time(0.1)
    assert meeting.holders == ["main"]
    assert meeting.events[-1] == "floor_lapsed"
    meeting.join(A)
    assert meeting.gates == {"main"}


def test_a_called_endpoint_passes_lock_and_lobby() -> None:
    meeting = meeting_of(lobby=True)
    meeting.do(CHAIR, SetLock(locked=True))
    meeting.refuse(A, Join(), Conflict, "locked")
    grant(meeting, "a")
    meeting.join(A)
    assert meeting.gates == {"main", "a"}


def test_a_call_can_be_withdrawn() -> None:
    meeting = meeting_of()
    grant(meeting, "a")
    meeting.do(CHAIR, RevokeFloor("a"))
    meeting.join(A)
    assert meeting.gates == {"main"}


# --- muting all -----------------------------------------------------------------------------------


def test_mute_all_withdraws_grants_and_leaves_rights_and_queue() -> None:
    meeting = meeting_of(A, B, C, mode=FloorMode.DISCUSSION)
    grant(meeting, "a", "b")
    meeting.do(C, RequestFloor())
    meeting.do(OPERATOR, MuteAll())
    assert meeting.gates == {"main"}
    assert meeting.queue == ["c"]
    assert meeting.room.view().floor.all_muted
    grant(meeting, "a")
    assert not meeting.room.view().floor.all_muted


def test_mute_all_also_mutes_rights_on_request() -> None:
    meeting = meeting_of(A)
    grant(meeting, "a")
    meeting.do(CHAIR, MuteAll(by_right=True))
    assert meeting.gates == set()
    meeting.join(DESK)
    assert meeting.gates == set()
    assert meeting.do(CHAIR, MuteAll(by_right=True)) == []
    grant(meeting, "a")
    assert meeting.gates == {"a"}


# --- modes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "max_holders", "left"),
    [
        (FloorMode.LECTURE, 3, {"c"}),
        (FloorMode.DISCUSSION, 1, {"c"}),
        (FloorMode.DISCUSSION, 2, {"b", "c"}),
        (FloorMode.OPEN, 2, {"b", "c"}),
        (FloorMode.OPEN, 5, {"a", "b", "c"}),
    ],
)
def test_a_new_mode_keeps_the_newest_and_unmutes_nobody(mode: FloorMode, max_holders: int, left: set[str]) -> None:
    meeting = meeting_of(A, B, C, D, mode=FloorMode.DISCUSSION)
    grant(meeting, "a", "b", "c")
    meeting.do(D, RequestFloor())
    meeting.do(CHAIR, SetMode(mode, max_holders))
    assert meeting.gates == {"main"} | left
    assert meeting.queue == ["d"]


def test_open_gives_the_floor_to_who_asks_while_a_place_is_free() -> None:
    meeting = meeting_of(A, B, C, mode=FloorMode.OPEN, max_holders=2)
    meeting.do(A, RequestFloor("Kinh phí"))
    meeting.do(B, RequestFloor())
    meeting.do(C, RequestFloor())
    assert meeting.gates == {"main", "a", "b"}
    assert meeting.holder("a").subject == "Kinh phí"
    assert meeting.queue == ["c"]


def test_open_hands_a_place_on_to_the_first_who_is_here() -> None:
    meeting = meeting_of(A, B, C, D, mode=FloorMode.OPEN, max_holders=1)
    for actor in (A, B, C, D):
        meeting.do(actor, RequestFloor())
    meeting.drop(B)
    meeting.do(A, ReleaseFloor())
    assert meeting.gates == {"main", "c"}
    assert meeting.queue == ["b", "d"]
    meeting.join(B)
    meeting.leave(C)
    assert meeting.gates == {"main", "b"}


def test_open_hands_on_a_place_that_time_gave_back() -> None:
    meeting = meeting_of(A, B, mode=FloorMode.OPEN, max_holders=1)
    grant(meeting, "a", duration_s=10.0)
    meeting.do(B, RequestFloor())
    meeting.pass_time(10)
    assert meeting.gates == {"main", "b"}
    assert meeting.holder("b").granted_at == START + 10


def test_a_late_timer_lets_nobody_pass_who_asked_before() -> None:
    """A's time is up, its tick is late; C asks in between and does not get B's place."""
    meeting = meeting_of(A, B, C, mode=FloorMode.OPEN, max_holders=1)
    grant(meeting, "a", duration_s=10.0)
    meeting.do(B, RequestFloor())
    meeting.now += 11
    meeting.do(C, RequestFloor())
    assert meeting.gates == {"main", "b"}
    assert meeting.queue == ["c"]


def test_a_grant_by_the_chair_takes_the_place_that_came_free_in_the_same_step() -> None:
    meeting = meeting_of(A, B, C, mode=FloorMode.OPEN, max_holders=1)
    grant(meeting, "a", duration_s=10.0)
    meeting.do(B, RequestFloor())
    meeting.now += 11
    grant(meeting, "c")
    assert meeting.gates == {"main", "c"}
    assert meeting.queue == ["b"]


def test_open_lets_nobody_pass_who_asked_before() -> None:
    meeting = meeting_of(A, B)
    meeting.do(A, RequestFloor())
    meeting.do(CHAIR, SetMode(FloorMode.OPEN, 3))
    meeting.do(B, RequestFloor())
    assert (meeting.gates, meeting.queue) == ({"main"}, ["a", "b"])
    meeting.do(A, RequestFloor())
    meeting.do(B, RequestFloor())
    assert (meeting.gates, meeting.queue) == ({"main", "a", "b"}, [])


def test_open_only_queues_without_an_acting_chair_or_while_all_are_muted() -> None:
    meeting = meeting_of(A, B, mode=FloorMode.OPEN)
    meeting.drop(CHAIR)
    meeting.do(A, RequestFloor())
    assert meeting.gates == {"main"}
    meeting.join(CHAIR)
    assert meeting.gates == {"main"}
    meeting.do(CHAIR, MuteAll())
    meeting.do(A, RequestFloor())
    assert meeting.gates == {"main"}
    meeting.do(CHAIR, UnmuteByRight())
    meeting.do(A, RequestFloor())
    assert meeting.gates == {"main", "a"}


def test_muting_all_hands_no_place_on() -> None:
    meeting = meeting_of(A, B, mode=FloorMode.OPEN, max_holders=1)
    meeting.do(A, RequestFloor())
    meeting.do(B, RequestFloor())
    meeting.do(CHAIR, MuteAll())
    assert (meeting.gates, meeting.queue) == ({"main"}, ["b"])


# --- losing the connection ------------------------------------------------------------------------


def test_a_lost_holder_is_not_heard_and_comes_back_to_what_it_had() -> None:
    meeting = meeting_of(A)
    grant(meeting, "a", duration_s=60.0)
    meeting.pass_time(5)
    meeting.drop(A)
    assert meeting.gates == {"main"}
    assert meeting.holder("a").suspended_until == START + 35
    meeting.pass_time(20)
    meeting.join(A)
    assert meeting.holder("a") == HolderView("a", False, START, START + 60, None, "")
    assert meeting.gates == {"main", "a"}


def test_a_time_runs_out_during_the_loss() -> None:
    meeting = meeting_of(A)
    grant(meeting, "a", duration_s=10.0)
    meeting.drop(A)
    meeting.pass_time(15)
    meeting.join(A)
    assert meeting.gates == {"main"}


def test_the_place_in_the_queue_survives_the_lease_and_not_longer() -> None:
    meeting = meeting_of(A, B)
    meeting.do(A, RequestFloor("Kinh phí"))
    meeting.do(B, RequestFloor())
    meeting.drop(A, B)
    meeting.pass_time(29)
    meeting.join(A)
    assert meeting.queue == ["a", "b"]
    meeting.pass_time(1)
    assert meeting.queue == ["a"]


def test_a_lost_seat_can_be_granted_and_is_heard_when_it_is_back() -> None:
    meeting = meeting_of(A)
    meeting.do(A, RequestFloor())
    meeting.drop(A)
    meeting.pass_time(10)
    grant(meeting, "a")
    grant(meeting, "a", duration_s=60.0)
    assert meeting.gates == {"main"}
    assert meeting.holder("a").suspended_until == START + 30
    meeting.do(CHAIR, ExtendFloor("a", 5.0))
    meeting.join(A)
    assert meeting.gates == {"main", "a"}


def test_a_lost_seat_may_give_back_but_not_ask() -> None:
    meeting = meeting_of(A, B)
    grant(meeting, "a")
    meeting.do(B, RequestFloor())
    meeting.drop(A, B)
    meeting.do(A, ReleaseFloor())
    meeting.do(B, CancelRequest())
    assert (meeting.holders, meeting.queue) == (["main"], [])
    meeting.refuse(A, RequestFloor(), Conflict, "not_joined")


def test_leaving_gives_everything_up_at_once() -> None:
    meeting = meeting_of(A, B)
    grant(meeting, "a")
    meeting.do(B, RequestFloor())
    meeting.leave(A, B)
    assert (meeting.holders, meeting.queue) == (["main"], [])
    meeting.join(A, B)
    assert (meeting.gates, meeting.queue) == ({"main"}, [])


# --- screens --------------------------------------------------------------------------------------


def test_a_screen_needs_the_floor_and_ends_with_it() -> None:
    meeting = meeting_of(A)
    meeting.refuse(A, SetScreen(sharing=True), Conflict, "no_floor")
    grant(meeting, "a")
    meeting.do(A, SetScreen(sharing=True))
    meeting.do(MAIN, SetScreen(sharing=True))
    assert meeting.room.screens == {"a", "main"}
    assert meeting.seat("a").sharing
    meeting.do(CHAIR, RevokeFloor("a"))
    assert meeting.room.screens == {"main"}
    assert not meeting.seat("a").sharing
    meeting.do(MAIN, SetScreen(sharing=False))
    assert meeting.room.screens == set()


def test_a_screen_is_kept_over_a_loss_and_shown_only_while_connected() -> None:
    meeting = meeting_of(A)
    grant(meeting, "a", duration_s=60.0)
    meeting.do(A, SetScreen(sharing=True))
    meeting.drop(A)
    assert meeting.room.screens == set()
    meeting.join(A)
    assert meeting.room.screens == {"a"}
    meeting.drop(A)
    meeting.do(CHAIR, RevokeFloor("a"))
    meeting.join(A)
    assert meeting.room.screens == set()


def test_removal_and_lobby_close_what_was_open() -> None:
    meeting = meeting_of(A)
    grant(meeting, "a")
    meeting.do(A, SetScreen(sharing=True))
    meeting.do(CHAIR, SetLobby(lobby=True))
    meeting.do(CHAIR, RemoveSeat("a"))
    assert meeting.gates == {"main"}
    assert meeting.room.screens == set()
    meeting.do(CHAIR, Admit("a"))
    meeting.join(A)
    assert meeting.gates == {"main"}
    assert meeting.room.screens == set()


def test_an_event_that_nobody_asks_for_and_the_table_does_not_have_is_our_own_bug() -> None:
    floor = Floor(FloorMode.LECTURE, 1, by_right=("main",))
    assert floor.state_of("main") is FloorState.AWAY
    with pytest.raises(KeyError):
        floor.expire("a")
    with pytest.raises(KeyError):
        floor.unmute("main")
