"""WHIP and WHEP (RFC 9725, draft-ietf-wish-whep): publish or view with one HTTP exchange of SDP.

Bearer tokens only travel in headers, so a page of any origin may use these routes (CORS without credentials);
a request that comes with our cookie still needs our own origin.
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from server.errors import InvalidInput
from server.signaling.auth import account_of, is_https
from server.signaling.body_io import read_body
from server.signaling.problems import HttpRefusal
from server.signaling.routing import Route
from server.signaling.services import services_of
from server.signaling.turn import link_values

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"

_MAX_SDP_OCTETS = 100_000
_MAX_FRAGMENT_OCTETS = 20_000
_MAX_TAGS = 8_192
_ICE_CREDENTIALS = re.compile(r"^a=ice-(?:ufrag|pwd):(\S+)", re.MULTILINE)
_PREFLIGHT_S = 3_600
_METHODS = "POST, PATCH, DELETE, OPTIONS"

Handler = Callable[[web.Request], Awaitable[web.Response]]


class IceTags:
    """The entity tag of each session's current ICE credentials (RFC 9725 4.3.1), the oldest forgotten first."""

    def __init__(self, max_tags: int = _MAX_TAGS) -> None:
        self._max_tags = max_tags
        self._tags: OrderedDict[str, str] = OrderedDict()

    def set(self, session_id: str, sdp: str) -> str:
        """Note the session's answer (or restart fragment); returns the new tag, quoted."""
        credentials = "\n".join(_ICE_CREDENTIALS.findall(sdp))
        self._tags[session_id] = f'"{hashlib.sha256(credentials.encode()).hexdigest()[:24]}"'
        self._tags.move_to_end(session_id)
        if len(self._tags) > self._max_tags:
            self._tags.popitem(last=False)
        return self._tags[session_id]

    def forget(self, session_id: str) -> None:
        self._tags.pop(session_id, None)

    def check(self, session_id: str, if_match: str | None) -> None:
        """Raises HttpRefusal 428 without If-Match, 412 for another tag than the session's; ``*`` always matches."""
        if if_match is None:
            raise HttpRefusal(428, "if_match_missing", "PATCH needs If-Match with the session's ETag, or *.")
        tag = self._tags.get(session_id)
        if tag is not None and if_match != "*" and tag not in re.split(r"\s*,\s*", if_match):
            raise HttpRefusal(412, "ice_session_changed", "If-Match names another ICE session.")


ICE_TAGS = web.AppKey("ice_tags", IceTags)


async def publish(request: web.Request) -> web.Response:
    return await _open(request, publish=True)


async def view(request: web.Request) -> web.Response:
    return await _open(request, publish=False)


async def _open(request: web.Request, *, publish: bool) -> web.Response:
    services = services_of(request)
    meeting_id = request.match_info["meeting_id"]
    offer = await read_offer(request)
    actor = await services.book.actor(account_of(request), meeting_id)
    session = await services.hub.open_media(meeting_id, actor, offer, publish=publish)
    headers = {
        # Absolute: ffmpeg's WHIP muxer takes it as it stands.
        hdrs.LOCATION: f"{'https' if is_https(request) else 'http'}://{request.host}{request.path}/{session.session_id}",
        hdrs.ETAG: request.app[ICE_TAGS].set(session.session_id, session.sdp),
        "Accept-Patch": FRAGMENT,
        hdrs.CACHE_CONTROL: "no-store",
    }
    response = web.Response(status=201, body=session.sdp.encode(), content_type=SDP, headers=headers)
    for link in link_values(services.relay.servers_for(actor.account_id, services.clock.now())):
        response.headers.add(hdrs.LINK, link)
    return response


async def patch_session(request: web.Request) -> web.Response:
    """Trickled candidates: 204. An ICE restart: 200 with our new credentials and a new ETag (RFC 9725 4.3.3)."""
    services = services_of(request)
    meeting_id, session_id = request.match_info["meeting_id"], request.match_info["session_id"]
    fragment = await _read_text(request, FRAGMENT, _MAX_FRAGMENT_OCTETS)
    tags = request.app[ICE_TAGS]
    tags.check(session_id, request.headers.get(hdrs.IF_MATCH))
    actor = await services.book.actor(account_of(request), meeting_id)
    reply = await services.hub.patch_media(meeting_id, session_id, actor, fragment)
    if not reply:
        return web.Response(status=204)
    headers = {hdrs.ETAG: tags.set(session_id, reply), hdrs.CACHE_CONTROL: "no-store"}
    return web.Response(body=reply.encode(), content_type=FRAGMENT, headers=headers)


async def end_session(request: web.Request) -> web.Response:
    services = services_of(request)
    meeting_id, session_id = request.match_info["meeting_id"], request.match_info["session_id"]
    actor = await services.book.actor(account_of(request), meeting_id)
    await services.hub.close_media(meeting_id, session_id, actor)
    request.app[ICE_TAGS].forget(session_id)
    return web.Response()


async def describe_endpoint(request: web.Request) -> web.Response:
    """OPTIONS: what may be posted here (RFC 9725 4.1), and the CORS preflight."""
    headers = {
        "Accept-Post": SDP,
        hdrs.ALLOW: _METHODS,
        hdrs.ACCESS_CONTROL_ALLOW_METHODS: _METHODS,
        hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "Authorization, Content-Type, If-Match",
        hdrs.ACCESS_CONTROL_MAX_AGE: str(_PREFLIGHT_S),
    }
    return web.Response(status=204, headers=headers)


async def allow_other_origins(request: web.Request, response: web.StreamResponse) -> None:
    """An ``on_response_prepare`` handler: answers of these routes, refusals too, may be read by any page."""
    resource = request.match_info.route.resource
    if resource is not None and resource.canonical in PATHS:
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
        response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = "Location, ETag, Accept-Patch, Accept-Post, Link"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"


async def read_offer(request: web.Request) -> str:
    """The body as an SDP offer. Raises HttpRefusal 415, InvalidInput("bad_sdp"), TooLarge."""
    return await _read_text(request, SDP, _MAX_SDP_OCTETS)


async def _read_text(request: web.Request, content_type: str, max_octets: int) -> str:
    if request.content_type != content_type:
        accepted = {"Accept-Post" if request.method == hdrs.METH_POST else "Accept-Patch": content_type}
        raise HttpRefusal(415, "unsupported_media_type", f"Send {content_type}.", accepted)
    data = await read_body(request, max_octets)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput("bad_sdp", "The SDP is not UTF-8.") from error
    if not text.strip():
        raise InvalidInput("bad_sdp", "There is no SDP. Server-offered sessions are not supported: send an offer.")
    return text


def _routes(kind: str, handler: Handler, summary: str) -> tuple[Route, ...]:
    endpoint = f"/api/meetings/{{meeting_id}}/{kind}"
    session = f"{endpoint}/{{session_id}}"
    return (
        Route(
            method="POST",
            path=endpoint,
            handler=handler,
            summary=summary,
            status=201,
            request=SDP,
            response=SDP,
            statuses={
                400: "bad_sdp",
                409: "in_lobby, meeting_not_open",
                413: "too_large",
                415: "unsupported_media_type",
            },
        ),
        Route(
            method="OPTIONS",
            path=endpoint,
            handler=describe_endpoint,
            summary=f"What {kind.upper()} takes",
            status=204,
            public=True,
        ),
        Route(
            method="PATCH",
            path=session,
            handler=patch_session,
            summary="Trickle ICE (204) or an ICE restart (200)",
            request=FRAGMENT,
            response=FRAGMENT,
            statuses={204: "candidates taken", 412: "ice_session_changed", 428: "if_match_missing"},
            audited=False,
        ),
        Route(method="DELETE", path=session, handler=end_session, summary=f"End the {kind.upper()} session"),
        Route(
            method="OPTIONS",
            path=session,
            handler=describe_endpoint,
            summary="What the session takes",
            status=204,
            public=True,
        ),
    )


ROUTES = (
    *_routes("whip", publish, "Publish as one's endpoint (WHIP, RFC 9725)"),
    *_routes("whep", view, "View the meeting (WHEP)"),
)
PATHS = frozenset(route.path for route in ROUTES)
