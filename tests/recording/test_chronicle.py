"""What happens in a room makes the right lines, once, whatever order people come in."""

from server.recording.chronicle import Chronicle
from server.recording.events import (
    Chatted,
    EndpointAdded,
    Event,
    FloorEnded,
    Granted,
    Presence,
    Screen,
    Staged,
)
from server.room.commands import (
    Actor,
    AddSeat,
    Body,
    FloorMode,
    GrantFloor,
    Join,
    LayoutName,
    RequestFloor,
    RevokeFloor,
    Say,
    SetDevices,
    SetScreen,
    SetStage,
)
from server.room.effects import Tell
from tests.room.virtual_meeting import CHAIR, MAIN, OPERATOR, SYSTEM, A, B, VirtualMeeting, small_setup


class Log:
    """A chronicle that follows a meeting from where it stands."""

    def __init__(self, meeting: VirtualMeeting) -> None:
        self.meeting = meeting
        self.chronicle = Chronicle(meeting.room.view())
        self.opening = self.chronicle.begin(meeting.room.view())

    def do(self, actor: Actor, body: Body) -> list[Event]:
        events: list[Event] = []
        for effect in self.meeting.do(actor, body):
            if isinstance(effect, Tell):
                events += self.chronicle.tell(effect.section)
        return events


def meeting(*present: Actor) -> VirtualMeeting:
    held = VirtualMeeting(small_setup(mode=FloorMode.DISCUSSION))
    held.join(CHAIR, MAIN, *present)
    return held


def of(kind: type[Event], events: list[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, kind)]


def test_it_opens_with_how_things_stand() -> None:
    held = meeting(A, B)
    held.do(A, RequestFloor("Kinh phí"))
    held.do(CHAIR, GrantFloor("a"))
    held.do(A, SetScreen(True))
    opening = Log(held).opening
    assert of(Presence, opening) == [Presence(seat, "present") for seat in ("main", "a", "b")]
    assert of(Granted, opening) == [Granted("main", by_right=True), Granted("a", subject="Kinh phí")]
    assert of(Screen, opening) == [Screen("a", True)]
    assert len(of(Staged, opening)) == 1


def test_a_grant_with_its_subject_and_its_end() -> None:
    log = Log(meeting(A))
    assert log.do(A, RequestFloor("Kinh phí làm đường")) == []
    assert of(Granted, log.do(CHAIR, GrantFloor("a"))) == [Granted("a", subject="Kinh phí làm đường")]
    assert log.do(CHAIR, GrantFloor("a", 60.0)) == []
    assert of(FloorEnded, log.do(CHAIR, RevokeFloor("a"))) == [FloorEnded("a")]


def test_joins_screens_chat_and_the_stage() -> None:
    log = Log(meeting())
    assert of(Presence, log.do(A, Join())) == [Presence("a", "present")]
    assert log.do(A, SetDevices(mic_muted=True, camera_off=True)) == []
    log.do(CHAIR, GrantFloor("a"))
    assert of(Screen, log.do(A, SetScreen(True))) == [Screen("a", True)]
    assert of(Screen, log.do(A, SetScreen(False))) == [Screen("a", False)]
    assert log.do(A, Say("Đã nhận")) == [Chatted(log.meeting.seat("a").name, "Đã nhận", "a")]
    assert [type(event) for event in log.do(OPERATOR, SetStage(LayoutName.GRID_4))] == [Staged]


def test_an_endpoint_invited_later_is_named() -> None:
    log = Log(meeting())
    added = log.do(SYSTEM, AddSeat("late", "Xã muộn", ("Tỉnh",), "branch"))
    assert [event.endpoint.name for event in added if isinstance(event, EndpointAdded)] == ["Xã muộn"]


def test_after_a_restart_it_says_what_ended_meanwhile_and_how_things_stand() -> None:
    held = meeting(A, B)
    held.do(CHAIR, GrantFloor("a"))
    held.do(CHAIR, GrantFloor("b", 10.0))
    chronicle = Chronicle(held.replayed().view())
    held.crash(15.0)
    again = chronicle.resume(held.room.view())
    assert again[0] == FloorEnded("b")
    assert of(Granted, again) == [Granted("main", by_right=True), Granted("a")]
    assert of(Presence, again) == [Presence(seat, "suspended") for seat in ("main", "a", "b")]
