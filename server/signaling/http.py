"""The HTTP application: every route behind its guard, every refusal a problem, every answer protected."""

from aiohttp import web

from server.signaling import (
    openapi,
    routes_directory,
    routes_floor,
    routes_meetings,
    routes_recorder,
    routes_recording_files,
    routes_recordings,
    routes_service,
    routes_session,
    websocket,
    whip,
)
from server.signaling.access_log import METRICS, RequestMetrics, log_access
from server.signaling.auth import BUCKETS
from server.signaling.connections import CONNECTIONS, Connections
from server.signaling.encoding import SharedEncoder
from server.signaling.problems import answer_problems
from server.signaling.ratelimit import KeyedBuckets
from server.signaling.routing import Route, add_routes
from server.signaling.services import SERVICES, Services
from server.signaling.static import OTHER_PATHS, protect, serve_client

__all__ = ["Services", "create_app", "route_table"]


def create_app(services: Services) -> web.Application:
    """Build the application. It is drained at shutdown: every WebSocket hears ``draining``."""
    config = services.config
    app = web.Application(middlewares=[log_access, answer_problems], client_max_size=config.max_body_bytes)
    app[SERVICES] = services
    app[CONNECTIONS] = Connections(config, services.registry)
    app[METRICS] = RequestMetrics(services.registry)
    app[BUCKETS] = KeyedBuckets(config.requests_per_s, config.request_burst)
    app[websocket.ENCODER] = SharedEncoder()
    app[whip.ICE_TAGS] = whip.IceTags()
    add_routes(app, route_table())
    app.router.add_get(OTHER_PATHS, serve_client)
    app.on_response_prepare.append(protect)
    app.on_response_prepare.append(whip.allow_other_origins)
    app.on_shutdown.append(_drain)
    return app


def route_table() -> tuple[Route, ...]:
    """Every route but the web client's own pages."""
    routes = (
        *routes_session.ROUTES,
        *routes_meetings.ROUTES,
        *routes_floor.ROUTES,
        *routes_recorder.ROUTES,
        *routes_recordings.ROUTES,
        *routes_recording_files.ROUTES,
        *routes_directory.ROUTES,
        *whip.ROUTES,
        *websocket.ROUTES,
        *routes_service.ROUTES,
    )
    # The description describes itself too.
    own = openapi.serve({})
    return (*routes, openapi.serve(openapi.describe((*routes, own))))


async def _drain(app: web.Application) -> None:
    await app[CONNECTIONS].drain()
