"""The floor over REST: the same room commands as over the WebSocket, for scripts and other rooms' controls."""

from aiohttp import web

from server.errors import DiemcauError
from server.room.commands import (
    Actor,
    CancelRequest,
    GrantFloor,
    MeetingRole,
    PersonCommand,
    ReleaseFloor,
    RequestFloor,
    RevokeFloor,
)
from server.room.views import FloorView
from server.signaling.auth import account_of
from server.signaling.bodies import FloorRequestBody, GrantBody
from server.signaling.body_io import answer, read_struct
from server.signaling.routes_meetings import look_into_room
from server.signaling.routing import Route
from server.signaling.services import services_of


async def show_floor(request: web.Request) -> web.Response:
    return answer((await look_into_room(request)).floor)


async def grant_floor(request: web.Request) -> web.Response:
    """Give the floor; one who has it keeps it with the new end: PUT is idempotent (RFC 9110)."""
    body = await read_struct(request, GrantBody, empty=GrantBody())
    actor = await _actor(request)
    grant = GrantFloor(request.match_info["endpoint_id"], body.duration_s)
    return answer(await _command(request, actor, grant))


async def withdraw_floor(request: web.Request) -> web.Response:
    """Withdraw a floor, or give back one's own; nothing to withdraw is as good."""
    actor = await _actor(request)
    endpoint_id = request.match_info["endpoint_id"]
    is_own = actor.role is MeetingRole.ENDPOINT and actor.seat_id == endpoint_id
    body = ReleaseFloor() if is_own else RevokeFloor(endpoint_id)
    return answer(await _command(request, actor, body, already="not_holder"))


async def request_floor(request: web.Request) -> web.Response:
    body = await read_struct(request, FloorRequestBody, empty=FloorRequestBody())
    return answer(await _command(request, await _actor(request), RequestFloor(body.subject)), 201)


async def cancel_request(request: web.Request) -> web.Response:
    return answer(await _command(request, await _actor(request), CancelRequest(), already="no_request"))


async def _actor(request: web.Request) -> Actor:
    return await services_of(request).book.actor(account_of(request), request.match_info["meeting_id"])


async def _command(request: web.Request, actor: Actor, body: PersonCommand, already: str = "") -> FloorView:
    """Carry it out; a refusal with the code ``already`` says that everything is as asked."""
    hub, meeting_id = services_of(request).hub, request.match_info["meeting_id"]
    try:
        room = await hub.command(meeting_id, actor, body)
    except DiemcauError as refusal:
        if refusal.code != already:
            raise
        room = await hub.view(meeting_id)
    return room.floor


ROUTES = (
    Route(
        method="GET",
        path="/api/meetings/{meeting_id}/floor",
        handler=show_floor,
        summary="Who has the floor, and the queue",
        response=FloorView,
    ),
    Route(
        method="POST",
        path="/api/meetings/{meeting_id}/floor/requests",
        handler=request_floor,
        summary="Ask for the floor with one's own seat",
        status=201,
        request=FloorRequestBody,
        request_optional=True,
        response=FloorView,
    ),
    Route(
        method="DELETE",
        path="/api/meetings/{meeting_id}/floor/requests",
        handler=cancel_request,
        summary="Take one's own request back",
        response=FloorView,
    ),
    Route(
        method="PUT",
        path="/api/meetings/{meeting_id}/floor/{endpoint_id}",
        handler=grant_floor,
        summary="Give an endpoint the floor",
        request=GrantBody,
        request_optional=True,
        response=FloorView,
    ),
    Route(
        method="DELETE",
        path="/api/meetings/{meeting_id}/floor/{endpoint_id}",
        handler=withdraw_floor,
        summary="Withdraw the floor; of one's own endpoint: give it back",
        response=FloorView,
    ),
)
