"""The acting chair: who may grant now, and what the change of chair does not change."""

import pytest

from server.errors import Forbidden
from server.room.commands import GrantFloor, MuteAll, RequestFloor, SetLock
from server.room.views import ModeratorView
from tests.room.virtual_meeting import CHAIR, DEPUTY, MAIN, SECOND_DEPUTY, START, A, B, VirtualMeeting, small_setup


def test_moderators_are_listed_chair_first_then_deputies_in_order() -> None:
    meeting = VirtualMeeting()
    meeting.join(SECOND_DEPUTY)
    assert meeting.room.view().meeting.moderators == (
        ModeratorView(CHAIR.account_id, CHAIR.name, False, False),
        ModeratorView(DEPUTY.account_id, DEPUTY.name, True, False),
        ModeratorView(SECOND_DEPUTY.account_id, SECOND_DEPUTY.name, True, True),
    )


def test_nobody_there_is_nobody_chairing() -> None:
    meeting = VirtualMeeting()
    assert meeting.room.acting_chair is None
    assert meeting.room.view().meeting.acting_chair is None


def test_the_first_deputy_there_chairs_until_the_chair_comes() -> None:
    meeting = VirtualMeeting()
    meeting.join(SECOND_DEPUTY)
    assert meeting.room.acting_chair == SECOND_DEPUTY.account_id
    meeting.join(DEPUTY)
    assert meeting.room.acting_chair == DEPUTY.account_id
    meeting.join(CHAIR)
    assert meeting.room.acting_chair == CHAIR.account_id
    assert meeting.events == ["chair_taken_over", "chair_taken_over", "chair_taken"]


def test_a_lost_chair_keeps_the_chair_for_the_grace() -> None:
    meeting = VirtualMeeting(small_setup(chair_grace_s=10.0))
    meeting.join(CHAIR, DEPUTY)
    meeting.drop(CHAIR)
    assert not meeting.room.view().meeting.moderators[0].present
    assert meeting.room.next_deadline() == START + 10
    meeting.pass_time(9.9)
    assert meeting.room.acting_chair == CHAIR.account_id
    meeting.refuse(DEPUTY, GrantFloor("a"), Forbidden, "not_acting_chair")
    meeting.pass_time(0.1)
    assert meeting.room.acting_chair == DEPUTY.account_id
    meeting.do(DEPUTY, GrantFloor("a"))
    assert meeting.room.next_deadline() == START + 40


def test_a_chair_that_leaves_is_followed_at_once() -> None:
    meeting = VirtualMeeting()
    meeting.join(CHAIR, DEPUTY)
    meeting.leave(CHAIR)
    assert meeting.room.acting_chair == DEPUTY.account_id


def test_a_chair_back_within_the_grace_never_stopped_chairing() -> None:
    meeting = VirtualMeeting()
    meeting.join(CHAIR, DEPUTY)
    meeting.drop(CHAIR)
    assert meeting.do(CHAIR, SetLock(locked=True))
    meeting.pass_time(5)
    meeting.join(CHAIR)
    meeting.pass_time(60)
    assert meeting.events == ["chair_taken", "locked"]


def test_a_late_tick_does_not_keep_the_deputy_waiting() -> None:
    meeting = VirtualMeeting()
    meeting.join(CHAIR, DEPUTY)
    meeting.drop(CHAIR)
    meeting.now += 11
    meeting.do(DEPUTY, GrantFloor("a"))
    assert meeting.room.acting_chair == DEPUTY.account_id


def test_an_acting_deputy_has_the_grace_too() -> None:
    meeting = VirtualMeeting()
    meeting.join(DEPUTY, SECOND_DEPUTY)
    meeting.drop(DEPUTY)
    meeting.pass_time(9)
    assert meeting.room.acting_chair == DEPUTY.account_id
    meeting.pass_time(1)
    assert meeting.room.acting_chair == SECOND_DEPUTY.account_id


def test_a_lost_deputy_that_does_not_chair_is_not_waited_for() -> None:
    meeting = VirtualMeeting()
    meeting.join(CHAIR, DEPUTY, SECOND_DEPUTY)
    meeting.drop(DEPUTY)
    assert meeting.room.next_deadline() is None
    meeting.leave(CHAIR)
    assert meeting.room.acting_chair == SECOND_DEPUTY.account_id


def test_the_chair_gone_and_no_deputy_there_nothing_is_granted_but_requests_queue() -> None:
    meeting = VirtualMeeting()
    meeting.join(CHAIR, MAIN, A, B)
    meeting.do(CHAIR, GrantFloor("a", 60.0))
    meeting.drop(CHAIR)
    meeting.pass_time(10)
    assert meeting.room.acting_chair is None
    assert meeting.events[-1] == "chair_vacant"
    meeting.refuse(DEPUTY, GrantFloor("b"), Forbidden, "not_acting_chair")
    meeting.do(B, RequestFloor())
    assert (meeting.gates, meeting.queue) == ({"main", "a"}, ["b"])
    meeting.pass_time(50)
    assert meeting.gates == {"main"}


def test_the_chairs_own_account_commands_without_being_connected() -> None:
    meeting = VirtualMeeting()
    meeting.join(DEPUTY, A)
    meeting.do(CHAIR, GrantFloor("a"))
    assert meeting.gates == {"a"}
    assert meeting.room.acting_chair == DEPUTY.account_id


@pytest.mark.parametrize("by_right", [True, False])
def test_a_change_of_chair_unmutes_nobody(by_right: bool) -> None:
    meeting = VirtualMeeting()
    meeting.join(CHAIR, DEPUTY, MAIN, A, B)
    meeting.do(CHAIR, GrantFloor("a"))
    meeting.do(B, RequestFloor())
    meeting.do(CHAIR, MuteAll(by_right=by_right))
    before = meeting.room.view().floor
    meeting.leave(CHAIR)
    assert meeting.room.view().floor == before
    meeting.join(CHAIR)
    assert meeting.room.view().floor == before
