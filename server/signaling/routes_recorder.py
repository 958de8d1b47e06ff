"""Starting and stopping a meeting's recording over REST; what was recorded is the archive's (``routes_recordings``)."""

from aiohttp import web

from server.errors import Conflict, Forbidden, NotFound
from server.room.commands import MeetingRole, StartRecording
from server.signaling.auth import account_of
from server.signaling.bodies import RecorderStatus, RecordingStarted
from server.signaling.body_io import answer
from server.signaling.routing import Route
from server.signaling.services import services_of

_LEADING = frozenset({MeetingRole.CHAIR, MeetingRole.DEPUTY, MeetingRole.OPERATOR})


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


async def show_recorder(request: web.Request) -> web.Response:
    """How it is written, for those who lead or serve the meeting. Raises NotFound("not_recording")."""
    services, meeting_id = services_of(request), request.match_info["meeting_id"]
    actor = await services.book.actor(account_of(request), meeting_id)
    if actor.role not in _LEADING:
        raise Forbidden("not_allowed", "Only the chair, deputies and operators see how a recording is written.")
    recording = (await services.hub.view(meeting_id)).meeting.recording
    stats = services.hub.recordings().get(meeting_id)
    if recording is None or stats is None:
        raise NotFound("not_recording", "Nothing is being recorded.")
    return answer(
        RecorderStatus(
            recording_id=recording.recording_id,
            since=recording.since,
            state=stats.state,
            detail=stats.detail,
            backlog_s=round(stats.backlog_s, 3),
            dropped_packets=stats.dropped_packets,
            lost_packets=stats.lost_packets,
            written_octets=stats.written_octets,
            restarts=stats.restarts,
            hours_left=stats.hours_left,
        )
    )


ROUTES = (
    Route(
        method="GET",
        path="/api/meetings/{meeting_id}/recording",
        handler=show_recorder,
        summary="How the running recording is written",
        response=RecorderStatus,
        statuses={404: "not_recording"},
    ),
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
