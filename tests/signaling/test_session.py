import pytest

from server.config import HttpConfig
from server.signaling import messages
from server.signaling.auth import COOKIE
from tests.signaling.conftest import OpenHouse
from tests.signaling.house import Client, House
from tests.signaling.test_auth import cookie, sign_in


async def test_sign_in_says_who_one_is(house: House) -> None:
    endpoint = house.demo.endpoints[1]
    async with house.ask(
        "POST", "/api/session", json={"username": endpoint.username, "password": endpoint.password}
    ) as response:
        body = await response.json()
    assert body["username"] == endpoint.username
    assert body["roles"] == ["endpoint"]
    assert body["endpoint_id"] == endpoint.id
    assert set(body) == {"account_id", "username", "name", "roles", "endpoint_id"}, "no token in the body"
    async with house.ask("GET", "/api/session", "endpoint1") as response:
        assert await response.json() == body


@pytest.mark.parametrize("password", ["wrong", "x" * 1000])
async def test_a_wrong_password(house: House, password: str) -> None:
    body = {"username": house.demo.chair.username, "password": password}
    assert await house.problem("POST", "/api/session", json=body) == (401, "bad_credentials")


async def test_password_guessing_is_locked_out(open_house: OpenHouse) -> None:
    async with open_house(HttpConfig(login_failures=2)) as house:
        body = {"username": house.demo.chair.username, "password": "wrong"}
        codes = [await house.problem("POST", "/api/session", json=body) for _ in range(4)]
        assert codes[0] == (401, "bad_credentials")
        assert codes[-1] == (429, "signin_locked")


async def test_sign_out_ends_the_session_and_its_sockets_only(house: House) -> None:
    token, other = await sign_in(house), await sign_in(house)
    own = f"http://{house.base.authority}"
    url = house.base / house.meeting.lstrip("/") / "ws"
    async with (
        house.http.ws_connect(url, headers=cookie(token, own)) as socket,
        house.join("operator") as bystander,
    ):
        client = Client(socket)
        await client.hello()
        async with house.ask("DELETE", "/api/session", headers=cookie(token, own)) as response:
            assert response.status == 204
            assert response.cookies[COOKIE].value == ""
        goodbye = await client.hear_a(messages.GoodBye)
        assert goodbye.code == "signed_out"
        assert await client.closed() == 4401
        assert await house.problem("GET", "/api/session", headers=cookie(token)) == (401, "bad_token")
        async with house.ask("GET", "/api/session", headers=cookie(other)) as response:
            assert response.status == 200, "another sign-in of the same account goes on"
        await bystander.say(messages.Ping(1.0))
        assert (await bystander.hear_a(messages.Pong)).sent_at == 1.0


async def test_a_token_can_end_itself(house: House) -> None:
    async with house.ask("DELETE", "/api/session", "endpoint2") as response:
        assert response.status == 204
    assert await house.problem("GET", "/api/session", "endpoint2") == (401, "bad_token")
