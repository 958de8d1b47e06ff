import asyncio
import logging
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from server.errors import Conflict, TooMany, Unavailable
from server.signaling.problems import HttpRefusal, answer_problems
from tests.signaling.house import House


async def answer_of(error: BaseException) -> tuple[int, dict[str, object], aiohttp.typedefs.LooseHeaders]:
    """What a client sees of ``error`` raised in a handler."""

    async def handler(_request: web.Request) -> web.Response:
        raise error

    app = web.Application(middlewares=[answer_problems])
    app.router.add_get("/", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/") as response:
            assert response.content_type == "application/problem+json"
            return response.status, await response.json(content_type=None), dict(response.headers)
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("error", "status", "title", "code", "detail"),
    [
        (Conflict("seat_taken", "Another tab has it."), 409, "Conflict", "seat_taken", "Another tab has it."),
        (TooMany("signin_locked"), 429, "Too Many Requests", "signin_locked", "signin_locked"),
        (Unavailable("store_unavailable", "locked"), 503, "Service Unavailable", "store_unavailable", "locked"),
        (HttpRefusal(412, "ice_session_changed"), 412, "Precondition Failed", "ice_session_changed", ""),
        (web.HTTPTooManyRequests(), 429, "Too Many Requests", "refused", "Too Many Requests"),
    ],
)
async def test_refusals(error: Exception, status: int, title: str, code: str, detail: str) -> None:
    got, body, _ = await answer_of(error)
    assert got == status
    assert body == {
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail or code,
    }


async def test_a_fault_of_ours_says_nothing_of_the_inside(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        status, body, _ = await answer_of(RuntimeError("the secret is 42"))
    assert status == 500
    assert body["code"] == "internal_error"
    assert "42" not in str(body)
    assert "the secret is 42" in caplog.text, "but the log has it"


async def test_cancellation_is_not_a_problem() -> None:
    async def handler(_request: web.Request) -> web.Response:
        raise asyncio.CancelledError

    request: web.Request = object()  # type: ignore[assignment]  # it is not looked at
    with pytest.raises(asyncio.CancelledError):
        await answer_problems(request, handler)


async def test_unknown_route_and_method(house: House) -> None:
    assert await house.problem("GET", "/api/nothing") == (404, "no_such_resource")
    assert await house.problem("POST", "/api/nothing", json={}) == (404, "no_such_resource")
    async with house.ask("PUT", "/api/session") as response:
        assert response.status == 405
        assert set(response.headers["Allow"].split(",")) == {"POST", "GET", "DELETE"}
        assert (await response.json(content_type=None))["code"] == "method_not_allowed"


async def test_bodies_are_parsed_strictly(house: House) -> None:
    async def post(**options: Any) -> tuple[int, str, str]:
        async with house.ask("POST", "/api/session", **options) as response:
            body = await response.json(content_type=None)
            return response.status, body["code"], body["detail"]

    json = {"Content-Type": "application/json"}
    assert await post(data=b'{"username": "a"', headers=json) == (400, "malformed_json", "Input data was truncated")
    status, code, detail = await post(json={"username": "a", "password": 7})
    assert (status, code) == (400, "invalid_body")
    assert "$.password" in detail
    status, code, detail = await post(json={"username": "a", "password": "b", "admin": True})
    assert (status, code) == (400, "invalid_body")
    assert "`admin`" in detail
    assert (await post(data=b"[" * 100_000, headers=json))[:2] == (400, "invalid_body")
    assert (await post(data=b'{"x":' * 40_000, headers=json))[:2] == (400, "invalid_body")
    assert (await post(data=b'{"username": "\xff", "password": "b"}', headers=json))[:2] == (400, "malformed_json")
    assert (await post(data={"username": "a", "password": "b"}))[:2] == (415, "unsupported_media_type")
    assert (await post())[:2] == (415, "unsupported_media_type")
