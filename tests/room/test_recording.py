"""Whether a meeting is recorded: said by the chair or the control centre, seen by everybody, kept over a restart."""

import msgspec
import pytest

from server.errors import Conflict
from server.room.commands import EndMeeting, StartRecording, StopRecording, SuspendRecording
from server.room.views import RecordingView
from tests.room.virtual_meeting import CHAIR, MAIN, OPERATOR, SYSTEM, A, VirtualMeeting, small_setup


def recording(meeting: VirtualMeeting) -> RecordingView | None:
    """As everybody in the meeting was told."""
    return meeting.told.meeting.recording


def test_it_runs_from_the_start_to_the_stop() -> None:
    meeting = VirtualMeeting()
    meeting.join(MAIN, A)
    assert recording(meeting) is None
    meeting.do(CHAIR, StartRecording())
    began = meeting.now
    meeting.pass_time(60.0)
    first = recording(meeting)
    assert first is not None
    assert (first.since, first.state, first.reason, first.started_by) == (began, "on", "", CHAIR.name)
    meeting.refuse(OPERATOR, StartRecording(), Conflict, "already_recording")
    meeting.do(OPERATOR, StopRecording())
    assert recording(meeting) is None
    meeting.refuse(CHAIR, StopRecording(), Conflict, "not_recording")
    assert meeting.events[-2:] == ["recording_started", "recording_stopped"]


def test_every_start_is_a_recording_of_its_own() -> None:
    meeting = VirtualMeeting()
    names = []
    for _ in range(3):
        meeting.do(CHAIR, StartRecording())
        running = recording(meeting)
        assert running is not None
        names.append(running.recording_id)
        meeting.do(CHAIR, StopRecording())
    assert len(set(names)) == 3


def test_the_end_of_the_meeting_ends_it() -> None:
    meeting = VirtualMeeting()
    meeting.do(CHAIR, StartRecording())
    meeting.do(CHAIR, EndMeeting())
    assert recording(meeting) is None
    assert "recording_stopped" in meeting.events


def test_a_full_disk_pauses_it_and_everybody_sees_why() -> None:
    meeting = VirtualMeeting()
    meeting.do(SYSTEM, SuspendRecording("disk_full"))
    assert recording(meeting) is None
    meeting.do(CHAIR, StartRecording())
    meeting.do(SYSTEM, SuspendRecording("disk_full"))
    paused = recording(meeting)
    assert paused is not None
    assert (paused.state, paused.reason) == ("paused", "disk_full")
    assert meeting.do(SYSTEM, SuspendRecording("disk_full")) == []
    meeting.do(SYSTEM, SuspendRecording(""))
    again = recording(meeting)
    assert again == msgspec.structs.replace(paused, state="on", reason="")
    assert meeting.events[-2:] == ["recording_paused", "recording_resumed"]


@pytest.mark.parametrize("was_paused", [False, True])
def test_it_goes_on_in_the_same_recording_after_a_restart(was_paused: bool) -> None:
    meeting = VirtualMeeting()
    meeting.do(CHAIR, StartRecording())
    before = recording(meeting)
    if was_paused:
        meeting.do(SYSTEM, SuspendRecording("disk_full"))
    meeting.crash(7.0)
    assert recording(meeting) == before


def test_with_the_meeting_it_begins_with_the_first_endpoint_and_only_once() -> None:
    meeting = VirtualMeeting(msgspec.structs.replace(small_setup(), record=True))
    meeting.join(CHAIR, OPERATOR)
    assert recording(meeting) is None
    meeting.join(MAIN)
    assert recording(meeting) is not None
    meeting.do(CHAIR, StopRecording())
    meeting.join(A)
    assert recording(meeting) is None
