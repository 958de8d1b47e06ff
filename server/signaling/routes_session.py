"""Signing in and out, and who one is."""

from aiohttp import hdrs, web

from server.directory.accounts import Account
from server.signaling.auth import (
    ACCOUNT,
    COOKIE,
    account_of,
    check_origin,
    fingerprint,
    set_cookie,
    token_of,
)
from server.signaling.bodies import Me, SignIn
from server.signaling.body_io import answer, read_struct
from server.signaling.connections import CONNECTIONS
from server.signaling.routing import Route
from server.signaling.services import services_of


async def sign_in(request: web.Request) -> web.Response:
    """Check the password and set the cookie. The token itself is in the cookie only."""
    if hdrs.ORIGIN in request.headers:
        check_origin(request)
    body = await read_struct(request, SignIn)
    services = services_of(request)
    now = services.clock.now()
    session = await services.accounts.sign_in(body.username, body.password, request.remote or "", now)
    request[ACCOUNT] = session.account
    response = answer(_me(session.account))
    set_cookie(request, response, session.token, max_age_s=int(session.expires_at - now))
    return response


async def show_me(request: web.Request) -> web.Response:
    return answer(_me(account_of(request)))


async def sign_out(request: web.Request) -> web.Response:
    """End the session that the request came with, and every WebSocket opened with it."""
    services = services_of(request)
    token = token_of(request)
    await services.accounts.sign_out(token, services.clock.now())
    request.app[CONNECTIONS].sign_out(fingerprint(token))
    response = web.Response(status=204, headers={"Clear-Site-Data": '"cache"'})
    response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
    return response


def _me(account: Account) -> Me:
    roles = tuple(role.value for role in account.roles)
    return Me(account.account_id, account.username, account.name, roles, account.endpoint_id)


ROUTES = (
    Route(
        method="POST",
        path="/api/session",
        handler=sign_in,
        summary="Sign in; sets the cookie diemcau_session",
        public=True,
        request=SignIn,
        response=Me,
        statuses={401: "bad_credentials", 429: "signin_locked, signin_busy"},
    ),
    Route(method="GET", path="/api/session", handler=show_me, summary="Who I am", response=Me),
    Route(
        method="DELETE",
        path="/api/session",
        handler=sign_out,
        summary="Sign out; closes the WebSockets of this sign-in",
        status=204,
    ),
)
