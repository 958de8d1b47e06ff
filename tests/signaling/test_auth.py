"""Who asks: tokens, cookies, origins (SCENARIOS rows 31 and part of 30)."""

import logging

import pytest
from aiohttp import WSServerHandshakeError

from server.config import HttpConfig
from server.signaling.auth import COOKIE
from tests.signaling.conftest import OpenHouse
from tests.signaling.house import House


async def sign_in(house: House, who: str = "chair", **headers: str) -> str:
    """Sign in with a password; the cookie's value."""
    person = house.demo.chair if who == "chair" else getattr(house.demo, who)
    async with house.ask(
        "POST", "/api/session", json={"username": person.username, "password": person.password}, headers=headers
    ) as response:
        assert response.status == 200, await response.text()
        house.http.cookie_jar.clear()
        return response.cookies[COOKIE].value


def cookie(token: str, origin: str | None = None) -> dict[str, str]:
    return {"Cookie": f"{COOKIE}={token}"} | ({"Origin": origin} if origin is not None else {})


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "not_signed_in"),
        ({"Authorization": "Basic YTpi"}, "not_signed_in"),
        ({"Authorization": "Bearer"}, "bad_token"),
        ({"Authorization": "Bearer "}, "bad_token"),
        ({"Authorization": "Bearer short"}, "bad_token"),
        ({"Authorization": "Bearer " + "A" * 43}, "bad_token"),
        ({"Authorization": "Bearer " + "A" * 5_000}, "bad_token"),
        ({"Authorization": "Bearer ' OR 1=1 --' OR 1=1"}, "bad_token"),
        ({"Cookie": f"{COOKIE}=forged-forged-forged-forged"}, "bad_token"),
    ],
)
async def test_forged_tokens(house: House, headers: dict[str, str], code: str) -> None:
    async with house.ask("GET", house.meeting, headers=headers) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="diemcau"'
        assert (await response.json(content_type=None))["code"] == code
    url = house.base / house.meeting.lstrip("/") / "ws"
    with pytest.raises(WSServerHandshakeError) as refused:
        async with house.http.ws_connect(url, headers=headers | {"Origin": f"http://{house.base.authority}"}):
            pass
    assert refused.value.status == 401


async def test_a_cookie_is_kept_from_scripts_and_other_sites(house: House) -> None:
    person = house.demo.chair
    async with house.ask(
        "POST", "/api/session", json={"username": person.username, "password": person.password}
    ) as response:
        flags = response.headers["Set-Cookie"]
    for flag in ("HttpOnly", "SameSite=Strict", "Path=/"):
        assert flag in flags
    assert "Secure" not in flags, "over plain HTTP the browser would drop it"
    async with house.ask(
        "POST",
        "/api/session",
        json={"username": person.username, "password": person.password},
        headers={"X-Forwarded-Proto": "https"},
    ) as response:
        assert "Secure" in response.headers["Set-Cookie"]
        assert "max-age" in response.headers["Strict-Transport-Security"]


async def test_a_cookie_reads_without_origin_but_changes_only_with_our_own(house: House) -> None:
    token, path = await sign_in(house), f"{house.meeting}/floor/{house.seat(1)}"
    own = f"http://{house.base.authority}"
    async with house.ask("GET", "/api/session", headers=cookie(token)) as response:
        assert response.status == 200
        assert (await response.json())["username"] == house.demo.chair.username
    for origin in (None, "https://evil.example", "null", "", f"http://{house.base.host}:1", f"{own}.evil.example"):
        assert await house.problem("DELETE", path, headers=cookie(token, origin)) == (403, "foreign_origin")
    async with house.ask("DELETE", path, headers=cookie(token, own)) as response:
        assert response.status == 200
    async with house.ask("DELETE", path, headers=cookie(token, own.replace("http:", "https:"))) as response:
        assert response.status == 200, "behind a proxy that ends TLS"


async def test_a_bearer_token_needs_no_origin(house: House) -> None:
    path = f"{house.meeting}/floor/{house.seat(1)}"
    async with house.ask("DELETE", path, "chair", headers={"Origin": "https://elsewhere.example"}) as response:
        assert response.status == 200


async def test_a_websocket_with_a_cookie_needs_our_own_origin(house: House) -> None:
    token = await sign_in(house)
    url = house.base / house.meeting.lstrip("/") / "ws"
    for origin in (None, "https://evil.example"):
        with pytest.raises(WSServerHandshakeError) as refused:
            async with house.http.ws_connect(url, headers=cookie(token, origin)):
                pass
        assert refused.value.status == 403
    async with house.http.ws_connect(url, headers=cookie(token, f"http://{house.base.authority}")) as socket:
        assert not socket.closed


async def test_other_origins_can_be_allowed(open_house: OpenHouse) -> None:
    async with open_house(HttpConfig(allowed_origins=("https://portal.example",))) as house:
        token, path = await sign_in(house), f"{house.meeting}/floor/{house.seat(1)}"
        async with house.ask("DELETE", path, headers=cookie(token, "https://portal.example")) as response:
            assert response.status == 200


async def test_signing_in_from_a_foreign_page_is_refused(house: House) -> None:
    body = {"username": house.demo.chair.username, "password": house.demo.chair.password}
    assert await house.problem("POST", "/api/session", json=body, headers={"Origin": "https://evil.example"}) == (
        403,
        "foreign_origin",
    )
    assert await sign_in(house, Origin=f"http://{house.base.authority}")


async def test_an_expired_session(house: House) -> None:
    token = await sign_in(house)
    house.clock.ahead_s = HttpConfig().session_idle_s + 1
    assert await house.problem("GET", "/api/session", headers=cookie(token)) == (401, "bad_token")


async def test_a_token_of_another_meeting_opens_nothing(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """An endpoint that is not invited is told what a stranger is told: there is no such meeting."""
    now = house.clock.now()
    operator = await house.services.accounts.account_for(house.demo.operator.token, now)
    other = await house.services.book.list_for(operator, now - 86_400, now + 86_400)
    unit = (await house.services.units.list())[-1].unit_id
    endpoint = await house.services.endpoints.create("Phòng họp khác", unit)
    stranger = await house.services.accounts.create(
        "khach", "Khách", "mat-khau-dai", [], now, endpoint_id=endpoint.endpoint_id
    )
    token = await house.services.accounts.issue_token(stranger.account_id, "test", now, 60)
    headers = {"Authorization": f"Bearer {token}"}
    with caplog.at_level(logging.WARNING, "diemcau.audit"):
        for meeting in (house.demo.meeting, *(one.meeting_id for one in other), "mtg_none"):
            for path in ("", "/room", "/floor"):
                assert await house.problem("GET", f"/api/meetings/{meeting}{path}", headers=headers) == (
                    404,
                    "meeting_unknown",
                )
    assert f'"account_id":"{stranger.account_id}"' in caplog.text
    assert token not in caplog.text


async def test_one_account_cannot_ask_without_end(open_house: OpenHouse) -> None:
    async with open_house(HttpConfig(requests_per_s=0.001, request_burst=3)) as house:
        for _ in range(3):
            async with house.ask("GET", "/api/session", "chair") as response:
                assert response.status == 200
        assert await house.problem("GET", "/api/session", "chair") == (429, "too_many_requests")
        async with house.ask("GET", "/api/session", "operator") as response:
            assert response.status == 200, "others are unaffected"


async def test_tokens_are_in_no_log(house: House, caplog: pytest.LogCaptureFixture) -> None:
    token = house.token("chair")
    with caplog.at_level(logging.DEBUG):
        async with house.ask("GET", f"/api/meetings?day=2026-01-01&token={token}", "chair") as response:
            assert response.status == 200
        await house.problem("PUT", f"{house.meeting}/floor/{house.seat(1)}", "endpoint1")
    ours = [record for record in caplog.records if record.name.startswith(("diemcau", "server"))]
    assert ours
    assert not any(token in record.getMessage() for record in ours)
