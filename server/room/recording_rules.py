"""Whether the meeting is recorded. The rules only say so; ``hub.recorder`` does it."""

from collections.abc import Mapping
from typing import Final

import msgspec

from server.errors import Conflict
from server.room import commands
from server.room.commands import Actor, Body
from server.room.draft import Draft
from server.room.floor_rules import Rule
from server.room.views import Presence, RecordingView


def start_recording(draft: Draft, actor: Actor, body: commands.StartRecording) -> None:
    if draft.state.recording is not None:
        raise Conflict("already_recording", "The meeting is being recorded.")
    begin(draft, actor)


def stop_recording(draft: Draft, actor: Actor, body: commands.StopRecording) -> None:
    if draft.state.recording is None:
        raise Conflict("not_recording", "The meeting is not being recorded.")
    end(draft, actor)


def suspend_recording(draft: Draft, actor: Actor, body: commands.SuspendRecording) -> None:
    """What the recorder says of itself; too late for a recording that has ended."""
    recording = draft.state.recording
    if recording is None or recording.reason == body.reason:
        return
    state = "paused" if body.reason else "on"
    draft.state.recording = msgspec.structs.replace(recording, state=state, reason=body.reason)
    draft.note("recording_paused" if body.reason else "recording_resumed", None, None, body.reason)


def begin_with_meeting(draft: Draft) -> None:
    """Where the meeting is to be recorded from its first endpoint on; a recording stopped since stays so."""
    wanted = draft.setup.record and not draft.state.recordings
    if wanted and any(seat.presence is Presence.PRESENT for seat in draft.state.seats.values()):
        begin(draft, None)


def begin(draft: Draft, actor: Actor | None) -> None:
    """``actor`` None: by the meeting's own setting."""
    state = draft.state
    state.recordings += 1
    recording_id = name_recording(draft.setup.meeting_id, state.recordings)
    state.recording = RecordingView(recording_id, draft.now, "on", "", actor.name if actor is not None else "")
    draft.note("recording_started", None, actor, recording_id)


def end(draft: Draft, actor: Actor) -> None:
    recording = draft.state.recording
    assert recording is not None
    draft.state.recording = None
    draft.note("recording_stopped", None, actor, recording.recording_id)


def look_again(draft: Draft) -> None:
    """After a restart of the server: whether the disk still refuses is for the new recorder to find out."""
    if draft.state.recording is not None:
        draft.state.recording = msgspec.structs.replace(draft.state.recording, state="on", reason="")


def name_recording(meeting_id: str, number: int) -> str:
    """The id of a meeting's ``number``-th recording, the same at every replay; as hard to guess as the meeting's."""
    return f"rec_{meeting_id.partition('_')[2] or meeting_id}_{number}"


RULES: Final[Mapping[type[Body], Rule]] = {
    commands.StartRecording: start_recording,
    commands.StopRecording: stop_recording,
    commands.SuspendRecording: suspend_recording,
}
