"""SCENARIOS row 33 over REST: every role calls every route, and gets exactly what docs/protocol.md says."""

import pytest

from server.config import HttpConfig
from server.signaling import messages
from server.signaling.http import route_table
from tests.signaling.conftest import OpenHouse
from tests.signaling.house import House
from tests.signaling.rest_matrix import ROLES, cell, company
from tests.signaling.test_protocol_doc import rights

ROUTES = {(route.method, route.path): route for route in route_table()}
TABLE = {(cells[0], cells[1].strip("`")): dict(zip(ROLES, map(int, cells[2:]), strict=True)) for cells in rights()}


@pytest.mark.parametrize(("method", "path"), TABLE, ids=[f"{method} {path}" for method, path in TABLE])
async def test_exactly_the_table(open_house: OpenHouse, method: str, path: str) -> None:
    expected, got = TABLE[method, path], dict[str, int]()
    # What changes nothing is asked of one house; every change that is carried out has one of its own.
    is_safe = method == "GET" or path == "/api/line-test"
    harmless = [role for role in ROLES if is_safe or expected[role] >= 400]
    async with open_house(HttpConfig()) as house, company(house) as clients:
        for role in harmless:
            got[role] = await cell(house, clients, ROUTES[method, path], role)
    for role in set(ROLES) - set(harmless):
        async with open_house(HttpConfig()) as house, company(house) as clients:
            got[role] = await cell(house, clients, ROUTES[method, path], role)
    assert {role: got[role] for role in ROLES} == expected


@pytest.mark.parametrize("role", ["operator", "chair", "deputy", "endpoint1", "observer"])
async def test_who_may_join_is_welcomed(house: House, role: str) -> None:
    async with house.connect(role) as client:
        welcome = await client.hello()
    assert welcome.you.role == role.removesuffix("1")


@pytest.mark.parametrize(("role", "code"), [("administrator", "may_not_attend"), ("archivist", "meeting_unknown")])
async def test_who_may_not_join_is_told(house: House, role: str, code: str) -> None:
    async with house.connect(role) as client:
        await client.say(messages.Hello(messages.VERSION))
        assert (await client.hear_a(messages.Refusal)).code == code


async def test_oversteppings_are_kept(house: House, caplog: pytest.LogCaptureFixture) -> None:
    path = f"{house.meeting}/floor/{house.seat(2)}"
    assert (await house.problem("PUT", path, "endpoint1"))[0] == 403
    account = await house.services.accounts.account_for(house.token("endpoint1"), house.clock.now())
    (line, *_) = await house.services.audit.latest()
    assert line.account_id == account.account_id
    assert line.action == "PUT /api/meetings/{meeting_id}/floor/{endpoint_id}"
    assert line.target == f"{house.demo.meeting}/{house.seat(2)}"
    assert line.detail == "not_allowed"
    assert line.remote == "127.0.0.1"
    assert '"detail":"not_allowed"' in caplog.text
