"""For machines and technicians: health, metrics, the line test."""

import asyncio
import os

from aiohttp import hdrs, web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from server.errors import DiemcauError, InvalidInput, TooLarge
from server.signaling.auth import account_of
from server.signaling.bodies import Health, LineTestResult, MediaLineTest
from server.signaling.body_io import answer
from server.signaling.connections import CONNECTIONS
from server.signaling.problems import HttpRefusal
from server.signaling.routing import Route
from server.signaling.services import Services, services_of
from server.signaling.whip import SDP, read_offer

_STORE_ANSWERS_S = 2.0
_MAX_DOWN_OCTETS = 1_000_000
_MAX_UP_OCTETS = 10_000_000
_LINE_TEST_S = 60.0
_OCTETS = "application/octet-stream"


async def show_health(request: web.Request) -> web.Response:
    """200 while the server can do its work, 503 with the reasons while it cannot."""
    services, connections = services_of(request), request.app[CONNECTIONS]
    reasons = [*(["draining"] if connections.draining else []), *await _store_troubles(services)]
    status = "unavailable" if reasons else "ok"
    health = Health(status, tuple(reasons), services.hub.meetings, len(connections))
    return answer(health, 503 if reasons else 200)


async def _store_troubles(services: Services) -> list[str]:
    try:
        async with asyncio.timeout(_STORE_ANSWERS_S):
            await services.audit.latest(1)
    except DiemcauError as error:
        return [error.code]
    except TimeoutError:
        return ["store_slow"]
    return []


async def show_metrics(request: web.Request) -> web.Response:
    """Prometheus text format. Counts only: nothing about people or meetings."""
    body = generate_latest(services_of(request).registry)
    return web.Response(body=body, headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST})


async def send_octets(request: web.Request) -> web.Response:
    """Random octets (nothing on the way can compress them), to time a download."""
    try:
        octets = int(request.query.get("octets", "100000"))
    except ValueError:
        raise InvalidInput("invalid_octets", "octets is a number.") from None
    if not 0 <= octets <= _MAX_DOWN_OCTETS:
        raise InvalidInput("invalid_octets", f"octets is 0 to {_MAX_DOWN_OCTETS}.")
    headers = {hdrs.CACHE_CONTROL: "no-store"}
    return web.Response(body=os.urandom(octets), content_type=_OCTETS, headers=headers)


async def take_octets(request: web.Request) -> web.Response:
    """Read and discard, to time an upload."""
    octets = 0
    try:
        async with asyncio.timeout(_LINE_TEST_S):
            async for part in request.content.iter_any():
                octets += len(part)
                if octets > _MAX_UP_OCTETS:
                    raise TooLarge("too_large", f"At most {_MAX_UP_OCTETS} octets.")
    except TimeoutError:
        raise HttpRefusal(408, "body_timeout", "The upload took too long.", {hdrs.CONNECTION: "close"}) from None
    return answer(LineTestResult(octets, services_of(request).clock.now()))


async def show_ways(request: web.Request) -> web.Response:
    """The ways round a firewall, for a device check: not in a meeting yet."""
    services = services_of(request)
    servers = services.relay.servers_for(account_of(request).account_id, services.clock.now())
    return answer(MediaLineTest(servers))


async def try_media(request: web.Request) -> web.Response:
    """A media connection that carries nothing and is soon over: whether it connects is the answer."""
    services = services_of(request)
    sdp = services.hub.try_media(account_of(request).account_id, await read_offer(request))
    return web.Response(status=201, body=sdp.encode(), content_type=SDP, headers={hdrs.CACHE_CONTROL: "no-store"})


ROUTES = (
    Route(
        method="GET",
        path="/healthz",
        handler=show_health,
        summary="Whether the server can do its work",
        public=True,
        response=Health,
        statuses={503: "unavailable, with reasons"},
    ),
    Route(
        method="GET",
        path="/metrics",
        handler=show_metrics,
        summary="Prometheus metrics",
        public=True,
        response="text/plain",
    ),
    Route(
        method="GET",
        path="/api/line-test",
        handler=send_octets,
        summary="Random octets, to time a download",
        response=_OCTETS,
        query={"octets": f"how many, up to {_MAX_DOWN_OCTETS}"},
        statuses={400: "invalid_octets"},
    ),
    Route(
        method="POST",
        path="/api/line-test",
        handler=take_octets,
        summary="Discards the body, to time an upload",
        request=_OCTETS,
        response=LineTestResult,
        audited=False,
    ),
    Route(
        method="GET",
        path="/api/line-test/media",
        handler=show_ways,
        summary="Relays to try the media port through",
        response=MediaLineTest,
    ),
    Route(
        method="POST",
        path="/api/line-test/media",
        handler=try_media,
        summary="A media connection outside every meeting, to see whether it comes about",
        status=201,
        request=SDP,
        response=SDP,
        statuses={400: "bad_sdp", 413: "too_large", 415: "unsupported_media_type", 429: "too_many_trials"},
        audited=False,
    ),
)
