"""The stage: the same order for every layout, and what it must never show."""

from typing import Any

import pytest

from server.room.commands import (
    Actor,
    Admit,
    FloorMode,
    GrantFloor,
    LayoutName,
    ReleaseFloor,
    RemoveSeat,
    RequestFloor,
    SetScreen,
    SetStage,
)
from server.room.stage import CAPACITY
from tests.room.virtual_meeting import CHAIR, MAIN, OPERATOR, A, B, C, D, VirtualMeeting, endpoint, small_setup

DESK = endpoint("desk")


def meeting_of(*actors: Actor, **rules: Any) -> VirtualMeeting:
    meeting = VirtualMeeting(small_setup(mode=FloorMode.DISCUSSION, **rules))
    meeting.join(CHAIR, *actors)
    return meeting


def pictures(meeting: VirtualMeeting) -> list[str]:
    """Seat ids, a screen marked with a star."""
    return [picture.seat_id + {"camera": "", "screen": "*"}[picture.track] for picture in meeting.room.stage.pictures]


def test_the_main_endpoint_is_first_even_before_it_comes() -> None:
    meeting = meeting_of(A)
    assert pictures(meeting) == ["main", "a"]
    meeting.join(DESK, B)
    assert pictures(meeting) == ["main", "desk", "a", "b"]
    meeting.join(MAIN)
    assert pictures(meeting) == ["main", "desk", "a", "b"]


def test_then_chair_then_who_was_granted_then_the_queue_then_who_spoke_then_the_rest() -> None:
    meeting = meeting_of(MAIN, A, B, C, D, DESK)
    assert pictures(meeting) == ["main", "desk", "a", "b", "c", "d"]
    meeting.do(D, RequestFloor())
    assert pictures(meeting) == ["main", "desk", "d", "a", "b", "c"]
    meeting.do(CHAIR, GrantFloor("c"))
    meeting.do(CHAIR, GrantFloor("b"))
    assert pictures(meeting) == ["main", "desk", "c", "b", "d", "a"]
    meeting.do(B, ReleaseFloor())
    meeting.do(C, ReleaseFloor())
    assert pictures(meeting) == ["main", "desk", "d", "c", "b", "a"]
    meeting.do(CHAIR, GrantFloor("b"))
    meeting.do(B, ReleaseFloor())
    assert pictures(meeting) == ["main", "desk", "d", "b", "c", "a"]


def test_a_screen_comes_before_the_main_endpoint_and_beside_its_camera() -> None:
    meeting = meeting_of(MAIN, A, B)
    meeting.do(CHAIR, GrantFloor("b"))
    meeting.do(B, SetScreen(sharing=True))
    assert pictures(meeting) == ["b*", "main", "b", "a"]
    meeting.drop(B)
    assert pictures(meeting) == ["main", "b", "a"]


def test_pinned_pictures_come_first_in_their_order_also_absent_ones() -> None:
    meeting = meeting_of(MAIN, A, B)
    meeting.do(MAIN, SetScreen(sharing=True))
    meeting.do(OPERATOR, SetStage(LayoutName.GRID_9, ["d", "b", "d"]))
    assert pictures(meeting) == ["d", "b", "main*", "main", "a"]
    assert meeting.room.stage.pinned == ("d", "b")
    meeting.do(CHAIR, SetStage(LayoutName.AUTO, ["a", "main"]))
    assert pictures(meeting) == ["a", "main", "main*", "b"]


def test_nobody_is_shown_from_the_lobby_or_after_removal() -> None:
    meeting = meeting_of(MAIN, A, B, lobby=True)
    meeting.do(CHAIR, SetStage(LayoutName.AUTO, ["a", "b"]))
    assert pictures(meeting) == ["main"]
    meeting.do(CHAIR, Admit())
    assert pictures(meeting) == ["a", "b", "main"]
    meeting.do(CHAIR, RemoveSeat("a"))
    meeting.do(CHAIR, RemoveSeat("main"))
    assert pictures(meeting) == ["b"]


def test_a_short_loss_moves_nobodys_picture() -> None:
    meeting = meeting_of(MAIN, A, B, C)
    meeting.do(CHAIR, GrantFloor("b"))
    meeting.drop(B, A, MAIN)
    assert pictures(meeting) == ["main", "b", "a", "c"]
    meeting.pass_time(30)
    assert pictures(meeting) == ["main", "c"]


def test_who_was_called_is_shown_when_it_is_here() -> None:
    meeting = meeting_of(MAIN, A)
    meeting.do(CHAIR, GrantFloor("b"))
    assert pictures(meeting) == ["main", "a"]
    meeting.join(B)
    assert pictures(meeting) == ["main", "b", "a"]


@pytest.mark.parametrize(
    ("layout", "count"),
    [
        ("auto", 16),
        ("single", 1),
        ("side_by_side", 2),
        ("grid_4", 4),
        ("grid_9", 9),
        ("grid_16", 16),
        ("main_strip", 8),
    ],
)
def test_a_layout_says_how_many(layout: str, count: int) -> None:
    names = [f"b{number}" for number in range(30)]
    meeting = VirtualMeeting(small_setup(names))
    meeting.join(MAIN, *(endpoint(name) for name in names))
    meeting.do(OPERATOR, SetStage(LayoutName(layout)))
    assert pictures(meeting) == ["main", *names][:count]
    assert CAPACITY[LayoutName(layout)] == count
    assert len(CAPACITY) == len(LayoutName)
