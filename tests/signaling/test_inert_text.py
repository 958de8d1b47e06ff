"""SCENARIOS row 34: script in names, titles and chat comes back as the same text, in JSON that nothing sniffs."""

import json

import pytest

from server.room.commands import GrantFloor, RequestFloor, Say
from server.signaling import messages
from tests.signaling.house import House
from tests.signaling.test_meetings_rest import plan

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "javascript:alert(1)",
    "{{constructor.constructor('alert(1)')()}}",
    "</script><script>alert(1)//",
    "'; DROP TABLE meetings; --",
    '","type":"goodbye","code":"removed',
    "\\u003cscript\\u003e",
    "%3Cscript%3E",
    "đ̷̡i̶ể̵m̸ cầu",
]


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_chat_and_subjects(house: House, payload: str) -> None:
    async with house.join("endpoint1") as endpoint, house.join("chair") as chair:
        assert isinstance(await endpoint.command(Say(payload)), messages.Done)
        assert (await chair.hear_a(messages.Chat)).line.text == payload
        assert isinstance(await endpoint.command(RequestFloor(payload)), messages.Done)
        floor = await chair.hear_a(messages.FloorChanged)
        assert [request.subject for request in floor.floor.queue] == [payload]
        assert isinstance(await chair.command(GrantFloor(house.seat(1))), messages.Done)
        async with house.ask("GET", f"{house.meeting}/room", "chair") as response:
            assert response.content_type == "application/json"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            room = json.loads(await response.read())
    assert room["chat"][-1]["text"] == payload
    assert payload in {holder["subject"] for holder in room["floor"]["holders"]}


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_names_and_titles(house: House, payload: str) -> None:
    unit = (await house.services.units.list())[-1].unit_id
    endpoint = await house.services.endpoints.create(payload, unit)
    body = await plan(house, title=payload, endpoint_ids=[endpoint.endpoint_id])
    async with house.ask("POST", "/api/meetings", "operator", json=body) as response:
        path = response.headers["Location"]
        assert json.loads(await response.read())["title"] == payload
    async with house.ask("POST", f"{path}/open", "operator"):
        pass
    async with house.ask("GET", f"{path}/room", "operator") as response:
        assert response.content_type == "application/json"
        room = json.loads(await response.read())
    assert room["meeting"]["title"] == payload
    assert payload in {seat["name"] for seat in room["seats"]}


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_errors_echo_nothing_that_runs(house: House, payload: str) -> None:
    async with house.ask("GET", "/api/meetings", "chair", params={"day": payload}) as response:
        assert response.status == 400
        assert response.content_type == "application/problem+json"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_text_cannot_turn_the_line_around(house: House) -> None:
    """Direction overrides would show other words than were said; they are taken out or refused."""
    async with house.join("endpoint1") as endpoint, house.join("chair") as chair:
        assert isinstance(await endpoint.command(Say("điểm \u202eđảo")), messages.Done)
        assert (await chair.hear_a(messages.Chat)).line.text == "điểm đảo"
    body = await plan(house, title="họp \u202ekín")
    assert await house.problem("POST", "/api/meetings", "operator", json=body) == (400, "bad_text")
