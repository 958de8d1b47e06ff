"""One line and one count per request: who from, what, result, time. Never a query string, a header or a body."""

import logging

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry, Counter, Histogram

from server.signaling.auth import ACCOUNT
from server.signaling.services import services_of

logger = logging.getLogger("diemcau.access")


class RequestMetrics:
    """Requests by method, route (not path: that would never end) and status."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "diemcau_http_requests", "HTTP requests", ["method", "route", "status"], registry=registry
        )
        self.seconds = Histogram("diemcau_http_request_seconds", "Time to answer", ["route"], registry=registry)


METRICS = web.AppKey("request_metrics", RequestMetrics)
_KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@web.middleware
async def log_access(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Outermost: sees the final status."""
    clock, metrics = services_of(request).clock, request.app[METRICS]
    started_at = clock.now()
    status = 499
    try:
        response = await handler(request)
        status = response.status
        return response
    finally:
        elapsed_s = clock.now() - started_at
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "unknown"
        method = request.method if request.method in _KNOWN_METHODS else "other"
        metrics.requests.labels(method, route, status).inc()
        if status != 101:
            metrics.seconds.labels(route).observe(elapsed_s)
        account = request.get(ACCOUNT)
        logger.info(
            '%s %s "%s %s" %d %.1fms',
            request.remote,
            account.account_id if account is not None else "-",
            request.method,
            request.rel_url.raw_path,
            status,
            elapsed_s * 1000,
        )
