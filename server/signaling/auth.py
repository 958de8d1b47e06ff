"""Who asks: the cookie of a browser's sign-in or a bearer token, and whether the page that asks is our own.

Tokens travel in headers only, never in URLs, and are never logged.
"""

import hashlib
import re
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from server.directory.accounts import Account
from server.errors import Forbidden, NotAuthenticated, TooMany
from server.signaling.ratelimit import KeyedBuckets
from server.signaling.services import services_of

COOKIE = "diemcau_session"
ACCOUNT = web.RequestKey("account", Account)
BUCKETS = web.AppKey("buckets", KeyedBuckets)

_SAFE_METHODS = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{16,512}")
"""RFC 6750 b64token; anything else cannot be a token of ours and is not looked up."""


async def authenticate(request: web.Request) -> Account:
    """Return the account that asks and remember it in the request.

    Raises NotAuthenticated("not_signed_in" | "bad_token"), Forbidden("foreign_origin") for a cookie that comes from
    another site's page, TooMany("too_many_requests").
    """
    token = bearer_token(request)
    if token is None:
        token = request.cookies.get(COOKIE)
        if token is None:
            raise NotAuthenticated("not_signed_in", "Sign in, or send a bearer token.")
        if request.method not in _SAFE_METHODS or is_websocket(request):
            check_origin(request)
    if not _TOKEN.fullmatch(token):
        raise NotAuthenticated("bad_token", "The token is not valid.")
    services = services_of(request)
    now = services.clock.now()
    account = await services.accounts.account_for(token, now)
    if not request.app[BUCKETS].take(account.account_id, now):
        raise TooMany("too_many_requests", "Too many requests from this account; wait a second.")
    request[ACCOUNT] = account
    return account


def account_of(request: web.Request) -> Account:
    """The account that ``authenticate`` found. Only for routes that are not public."""
    return request[ACCOUNT]


def bearer_token(request: web.Request) -> str | None:
    """The token of ``Authorization: Bearer`` (RFC 6750), None without one."""
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def token_of(request: web.Request) -> str:
    """The secret that the request came with; empty without one."""
    return bearer_token(request) or request.cookies.get(COOKIE, "")


def fingerprint(token: str) -> str:
    """A name for a token that may be kept in memory and compared, and is no secret."""
    return hashlib.sha256(token.encode()).hexdigest()


def check_origin(request: web.Request) -> None:
    """Refuse what another site's page sends with our cookie (CSRF, cross-site WebSocket hijacking).

    Browsers send ``Origin`` with every unsafe method and every WebSocket. Raises Forbidden("foreign_origin").
    """
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is not None and (_is_own(request, origin) or origin in services_of(request).config.allowed_origins):
        return
    raise Forbidden("foreign_origin", "This was sent by a page of another site.")


def is_https(request: web.Request) -> bool:
    """Whether the browser speaks HTTPS, to us or to the proxy before us. Only decides things for its own sender."""
    return request.secure or request.headers.get("X-Forwarded-Proto") == "https"


def is_websocket(request: web.Request) -> bool:
    return request.headers.get(hdrs.UPGRADE, "").lower() == "websocket"


def set_cookie(request: web.Request, response: web.Response, token: str, max_age_s: int) -> None:
    """The sign-in cookie: not readable by scripts, not sent from other sites' pages."""
    response.set_cookie(
        COOKIE, token, max_age=max_age_s, path="/", httponly=True, samesite="Strict", secure=is_https(request)
    )


def _is_own(request: web.Request, origin: str) -> bool:
    # The scheme is not compared: behind a proxy that ends TLS it is https outside and http here.
    return urlsplit(origin).netloc.lower() == request.host.lower()
