"""The day's meetings, planning them, opening and ending them, and a look into a room."""

from datetime import UTC, datetime, timedelta

import msgspec
from aiohttp import web

from server.errors import Forbidden, InvalidInput
from server.meetings.book import NewMeeting, Summary
from server.room.commands import Actor, EndMeeting, MeetingRole
from server.room.views import Presence, RoomView
from server.signaling.auth import account_of
from server.signaling.bodies import CreateMeeting, InviteBody, Meetings, MeetingSummary
from server.signaling.body_io import answer, read_struct
from server.signaling.routing import Route
from server.signaling.services import Services, services_of
from server.store.meetings import MeetingState

_IN_THE_ROOM = frozenset({Presence.PRESENT, Presence.SUSPENDED})
_DAY_S = 86_400.0


async def list_meetings(request: web.Request) -> web.Response:
    """Meetings of one day, of which the account may know."""
    services = services_of(request)
    starts_at = _start_of_day(request, services)
    found = await services.book.list_for(account_of(request), starts_at, starts_at + _DAY_S)
    return answer(Meetings(tuple(_summary(services, meeting) for meeting in found)))


async def show_meeting(request: web.Request) -> web.Response:
    services = services_of(request)
    meeting = await services.book.summary(account_of(request), request.match_info["meeting_id"])
    return answer(_summary(services, meeting))


async def create_meeting(request: web.Request) -> web.Response:
    services = services_of(request)
    body = await read_struct(request, CreateMeeting)
    plan = msgspec.convert(msgspec.structs.asdict(body), NewMeeting)
    meeting = await services.book.create(account_of(request), plan, services.clock.now())
    response = answer(_summary(services, meeting), 201)
    response.headers["Location"] = f"/api/meetings/{meeting.meeting_id}"
    return response


async def invite_endpoints(request: web.Request) -> web.Response:
    """Add branches; a running room is told at once."""
    services = services_of(request)
    account, meeting_id = account_of(request), request.match_info["meeting_id"]
    body = await read_struct(request, InviteBody)
    seats = await services.book.invite(account, meeting_id, body.endpoint_ids, services.clock.now())
    await services.hub.add_seats(meeting_id, seats)
    return answer(_summary(services, await services.book.summary(account, meeting_id)))


async def open_meeting(request: web.Request) -> web.Response:
    services = services_of(request)
    meeting = await services.book.open(account_of(request), request.match_info["meeting_id"], services.clock.now())
    return answer(_summary(services, meeting))


async def end_meeting(request: web.Request) -> web.Response:
    """End it: a running room by its own command (its people are told), one that never opened in the book."""
    services = services_of(request)
    account, meeting_id = account_of(request), request.match_info["meeting_id"]
    meeting = await services.book.summary(account, meeting_id)
    if meeting.state is MeetingState.OPEN:
        actor = await services.book.actor(account, meeting_id)
        await services.hub.command(meeting_id, actor, EndMeeting())
        meeting = msgspec.structs.replace(meeting, state=MeetingState.ENDED)
    else:
        meeting = await services.book.end(account, meeting_id, services.clock.now())
    return answer(_summary(services, meeting))


async def show_room(request: web.Request) -> web.Response:
    return answer(await look_into_room(request))


async def look_into_room(request: web.Request) -> RoomView:
    """The room as it is. Raises Forbidden("not_in_room") to an endpoint that waits outside."""
    services = services_of(request)
    meeting_id = request.match_info["meeting_id"]
    actor = await services.book.actor(account_of(request), meeting_id)
    room = await services.hub.view(meeting_id)
    if actor.role is MeetingRole.ENDPOINT and not _may_look(actor, room):
        raise Forbidden("not_in_room", "An endpoint sees the room once it has been let in.")
    return room


def _may_look(actor: Actor, room: RoomView) -> bool:
    """In a meeting with a lobby or a lock, or after a removal, nothing is seen from outside."""
    presence = next((seat.presence for seat in room.seats if seat.seat_id == actor.seat_id), None)
    closed = room.meeting.lobby or room.meeting.locked
    return presence in _IN_THE_ROOM or (presence is Presence.ABSENT and not closed)


def _start_of_day(request: web.Request, services: Services) -> float:
    """Unix time at which ``?day=YYYY-MM-DD`` (today without it) starts at the configured place."""
    offset = timedelta(minutes=services.config.utc_offset_minutes)
    text = request.query.get("day")
    if text is None:
        day = (datetime.fromtimestamp(services.clock.now(), UTC) + offset).replace(hour=0, minute=0, second=0)
        day = day.replace(microsecond=0)
    else:
        try:
            day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            raise InvalidInput("invalid_day", "day is YYYY-MM-DD.") from None
    return (day - offset).timestamp()


def _summary(services: Services, meeting: Summary) -> MeetingSummary:
    return MeetingSummary(
        meeting_id=meeting.meeting_id,
        title=meeting.title,
        host_agency=meeting.host_agency,
        starts_at=meeting.starts_at,
        ends_at=meeting.ends_at,
        state=meeting.state.value,
        my_role=meeting.my_role.value if meeting.my_role is not None else None,
        endpoints=meeting.endpoints,
        present=services.hub.present(meeting.meeting_id),
    )


ROUTES = (
    Route(
        method="GET",
        path="/api/meetings",
        handler=list_meetings,
        summary="The meetings of one day",
        response=Meetings,
        query={"day": "YYYY-MM-DD; today without it"},
        statuses={400: "invalid_day"},
    ),
    Route(
        method="POST",
        path="/api/meetings",
        handler=create_meeting,
        summary="Plan a meeting",
        status=201,
        request=CreateMeeting,
        response=MeetingSummary,
        statuses={409: "endpoint_booked"},
    ),
    Route(
        method="GET",
        path="/api/meetings/{meeting_id}",
        handler=show_meeting,
        summary="One meeting",
        response=MeetingSummary,
    ),
    Route(
        method="POST",
        path="/api/meetings/{meeting_id}/endpoints",
        handler=invite_endpoints,
        summary="Invite more endpoints, also into a running meeting",
        request=InviteBody,
        response=MeetingSummary,
    ),
    Route(
        method="POST",
        path="/api/meetings/{meeting_id}/open",
        handler=open_meeting,
        summary="Open a planned meeting",
        response=MeetingSummary,
        statuses={409: "meeting_ended"},
    ),
    Route(
        method="POST",
        path="/api/meetings/{meeting_id}/end",
        handler=end_meeting,
        summary="End a meeting for everybody",
        response=MeetingSummary,
        statuses={409: "meeting_ended"},
    ),
    Route(
        method="GET",
        path="/api/meetings/{meeting_id}/room",
        handler=show_room,
        summary="The room: seats, floor, stage, chat",
        response=RoomView,
        statuses={409: "meeting_not_open"},
    ),
)
