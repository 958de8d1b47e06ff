"""Every refusal as ``application/problem+json`` (RFC 9457) with a stable ``code``; nothing internal gets out."""

import logging
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from server.errors import DiemcauError, NotAuthenticated
from server.signaling.bodies import Problem

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"

_CODES = {
    404: "no_such_resource",
    405: "method_not_allowed",
    413: "too_large",
}
"""Codes for what aiohttp itself refuses, by status."""


class HttpRefusal(DiemcauError):
    """A refusal that only HTTP knows (405, 412, 415, 428, ...), with the headers that belong to it."""

    def __init__(self, status: int, code: str, detail: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code, detail)
        self.status = status
        self.headers = dict(headers or {})


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever is raised below into a problem document. Cancellation passes through."""
    try:
        return await handler(request)
    except HttpRefusal as refusal:
        return problem(refusal.status, refusal.code, refusal.detail, refusal.headers)
    except NotAuthenticated as refusal:
        return problem(401, refusal.code, refusal.detail, {"WWW-Authenticate": 'Bearer realm="diemcau"'})
    except DiemcauError as refusal:
        return problem(refusal.status, refusal.code, refusal.detail)
    except web.HTTPException as refusal:
        return _from_aiohttp(refusal)
    except Exception:
        logger.exception("%s %s failed", request.method, request.path)
        return problem(500, "internal_error", "The server failed at this. It has been logged.")


def problem(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """A problem response. ``type`` is about:blank, so ``title`` is the status' own phrase (RFC 9457, 4.2.1)."""
    body = Problem("about:blank", HTTPStatus(status).phrase, status, code, detail)
    return web.Response(status=status, body=msgspec.json.encode(body), content_type=CONTENT_TYPE, headers=headers)


def _from_aiohttp(refusal: web.HTTPException) -> web.Response:
    headers = {"Allow": refusal.headers["Allow"]} if "Allow" in refusal.headers else None
    code = _CODES.get(refusal.status, "refused")
    return problem(refusal.status, code, refusal.reason, headers)
