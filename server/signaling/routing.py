"""The route table: what each route is, for aiohttp, for OpenAPI and for the guard before every handler."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
from aiohttp import hdrs, web

from server.errors import DiemcauError
from server.signaling import audit
from server.signaling.auth import authenticate

_UNSAFE_METHODS = frozenset({hdrs.METH_POST, hdrs.METH_PUT, hdrs.METH_PATCH, hdrs.METH_DELETE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method on one path. ``public``: without a sign-in. ``request`` and ``response``: a Struct for JSON, else
    a media type. ``statuses``: what it may answer besides ``status`` and the problems every route may have. ``head``:
    a GET that may be asked for its head only."""

    method: str
    path: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    summary: str
    status: int = 200
    public: bool = False
    request: type[msgspec.Struct] | str | None = None
    request_optional: bool = False
    response: type[msgspec.Struct] | str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[int, str] = field(default_factory=dict)
    audited: bool = True
    head: bool = False


def add_routes(app: web.Application, routes: Iterable[Route]) -> None:
    """Register every route behind its guard; a route that is not public cannot be reached without an account."""
    for route in routes:
        handler = _guard(route)
        app.router.add_route(route.method, route.path, handler)
        if route.head:
            app.router.add_route(hdrs.METH_HEAD, route.path, handler)


def _guard(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    action = f"{route.method} {route.path}"
    is_unsafe = route.method in _UNSAFE_METHODS and route.audited

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            if not route.public:
                await authenticate(request)
            response = await route.handler(request)
        except DiemcauError as refusal:
            await audit.record_refusal(request, action, refusal)
            raise
        if is_unsafe:
            audit.record(request, action)
        return response

    return handle
