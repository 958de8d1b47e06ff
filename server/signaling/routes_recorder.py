"""Starting and stopping a meeting's recording over REST; what was recorded is the archive's (``routes_recordings``)."""

from aiohttp import web

from server.errors import Conflict
from server.room.commands import StartRecording
from server.signaling.auth import account_of
from server.signaling.bodies import RecordingStarted
from server.signaling.body_io import answer
from server.signaling.routing import Route
from server.signaling.services import services_of


async def start_recording(request: web.Request) -> web.Response:
    """201 with the new recording's id; one that runs already is answered with 200 and its id."""
    services, meeting_id = services_of(request), request.match_info["meeting_id"]
    actor = await services.book.actor(account_of(request), meeting_id)
    status = 201
    try:
        view = await services.hub.command(meeting_id, actor, StartRecording())
    except Conflict as refusal:
        if refusal.code != "already_recording":
            raise
        view, status = await services.hub.view(meeting_id), 200
    recording = view.meeting.recording
    if recording is None:
        raise Conflict("not_recording", "The recording was stopped in the same moment.")
    return answer(RecordingStarted(recording.recording_id), status)


async def stop_recording(request: web.Request) -> web.Response:
    """Answers when the signed log is on the disk; nothing to stop is as good."""
    services, meeting_id = services_of(request), request.match_info["meeting_id"]
    actor = await services.book.actor(account_of(request), meeting_id)
    try:
        await services.hub.stop_recording(meeting_id, actor)
    except Conflict as refusal:
        if refusal.code != "not_recording":
            raise
    return web.Response(status=204)


ROUTES = (
    Route(
        method="POST",
        path="/api/meetings/{meeting_id}/recording",
        handler=start_recording,
        summary="Start recording the meeting",
        status=201,
        response=RecordingStarted,
        statuses={200: "it runs already", 409: "meeting_not_open"},
    ),
    Route(
        method="DELETE",
        path="/api/meetings/{meeting_id}/recording",
        handler=stop_recording,
        summary="Stop recording; answers when the signed log is on the disk",
        status=204,
        statuses={409: "meeting_not_open"},
    ),
)
