from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.config import HttpConfig
from server.room.commands import RemoveSeat, SetLobby
from server.signaling import messages
from tests.signaling.conftest import OpenHouse
from tests.signaling.house import House


def local_day(house: House, days: int = 0) -> str:
    return (datetime.fromtimestamp(house.clock.now(), UTC) + timedelta(hours=7, days=days)).strftime("%Y-%m-%d")


async def titles(house: House, query: str, who: str = "operator") -> set[str]:
    async with house.ask("GET", f"/api/meetings{query}", who) as response:
        assert response.status == 200
        return {meeting["title"] for meeting in (await response.json())["meetings"]}


async def plan(house: House, **changes: Any) -> dict[str, Any]:
    """A body that is accepted."""
    units = await house.services.units.list()
    chair = await house.services.accounts.account_for(house.demo.chair.token, house.clock.now())
    return {
        "title": "Họp đột xuất",
        "host_unit_id": units[0].unit_id,
        "starts_at": house.clock.now() + 7 * 86_400,
        "ends_at": house.clock.now() + 7 * 86_400 + 3_600,
        "main_endpoint_id": house.seat(0),
        "chair_account_id": chair.account_id,
        "endpoint_ids": [house.seat(1)],
    } | changes


async def test_the_days_meetings(house: House) -> None:
    async with house.ask("GET", f"/api/meetings?day={local_day(house)}", "chair") as response:
        meetings = (await response.json())["meetings"]
    opened = next(meeting for meeting in meetings if meeting["meeting_id"] == house.demo.meeting)
    assert opened["state"] == "open"
    assert opened["my_role"] == "chair"
    assert opened["endpoints"] == 5
    assert opened["present"] == 0
    assert await titles(house, "", "chair") == {meeting["title"] for meeting in meetings}, "today without a day"
    assert await titles(house, f"?day={local_day(house, 40)}") == {opened["title"]}, "what is still open counts"
    async with house.join("endpoint1"), house.ask("GET", house.meeting, "chair") as response:
        assert (await response.json())["present"] == 1


@pytest.mark.parametrize("day", ["today", "2026-13-01", "2026-1-1x", "20260101", "", "2026-01-01'--"])
async def test_a_day_that_is_none(house: House, day: str) -> None:
    assert await house.problem("GET", f"/api/meetings?day={day}", "chair") == (400, "invalid_day")


async def test_a_day_starts_where_the_province_is(open_house: OpenHouse) -> None:
    """20:00 in UTC on the 1st is 03:00 on the 2nd in Điện Biên."""
    starts_at = datetime(2030, 1, 1, 20, tzinfo=UTC).timestamp()
    async with open_house(HttpConfig()) as house:
        body = await plan(house, starts_at=starts_at, ends_at=starts_at + 3_600)
        async with house.ask("POST", "/api/meetings", "operator", json=body) as response:
            assert response.status == 201
        assert body["title"] in await titles(house, "?day=2030-01-02")
        assert body["title"] not in await titles(house, "?day=2030-01-01")


async def test_plan_open_invite_end(house: House) -> None:
    async with house.ask("POST", "/api/meetings", "operator", json=await plan(house, mode="open")) as response:
        assert response.status == 201
        meeting = await response.json()
        assert response.headers["Location"] == f"/api/meetings/{meeting['meeting_id']}"
        assert meeting["state"] == "scheduled"
        assert meeting["endpoints"] == 2
    path = f"/api/meetings/{meeting['meeting_id']}"
    assert await house.problem("GET", f"{path}/room", "chair") == (409, "meeting_not_open")
    async with house.ask("POST", f"{path}/open", "chair") as response:
        assert (await response.json())["state"] == "open"
    async with house.ask("GET", f"{path}/room", "chair") as response:
        assert (await response.json())["floor"]["mode"] == "open"
    async with house.ask("POST", f"{path}/endpoints", "operator", json={"endpoint_ids": [house.seat(2)]}) as response:
        assert (await response.json())["endpoints"] == 3
    async with house.ask("GET", f"{path}/room", "chair") as response:
        assert house.seat(2) in {seat["seat_id"] for seat in (await response.json())["seats"]}, "the room was told"
    async with house.ask("POST", f"{path}/end", "chair") as response:
        assert (await response.json())["state"] == "ended"
    assert (await house.problem("POST", f"{path}/open", "chair")) == (409, "meeting_ended")


async def test_a_planned_meeting_can_be_called_off(house: House) -> None:
    async with house.ask("POST", "/api/meetings", "operator", json=await plan(house)) as response:
        path = response.headers["Location"]
    async with house.ask("POST", f"{path}/end", "operator") as response:
        assert (await response.json())["state"] == "ended"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"title": ""}, "invalid_body"),
        ({"title": "x" * 301}, "invalid_body"),
        ({"max_holders": 0}, "invalid_body"),
        ({"mode": "shouting"}, "invalid_body"),
        ({"endpoint_ids": ["x"] * 501}, "invalid_body"),
        ({"ends_at": 0}, "bad_times"),
    ],
)
async def test_a_plan_that_cannot_be(house: House, changes: dict[str, Any], code: str) -> None:
    body = await plan(house, **changes)
    assert await house.problem("POST", "/api/meetings", "operator", json=body) == (400, code)


async def test_ending_tells_everybody(house: House) -> None:
    async with house.join("endpoint1") as endpoint:
        async with house.ask("POST", f"{house.meeting}/end", "chair") as response:
            assert (await response.json())["state"] == "ended"
        assert (await endpoint.hear_a(messages.GoodBye)).code == "ended"
        assert await endpoint.closed() == 1000


async def test_who_waits_outside_does_not_see_the_room(house: House) -> None:
    async with house.join("chair") as chair, house.join("endpoint1"):
        for who in ("endpoint1", "endpoint2", "observer", "operator"):
            async with house.ask("GET", f"{house.meeting}/room", who) as response:
                assert response.status == 200, who
        assert isinstance(await chair.command(SetLobby(True)), messages.Done)
        async with house.join("endpoint2"):
            for path in ("room", "floor"):
                assert await house.problem("GET", f"{house.meeting}/{path}", "endpoint2") == (403, "not_in_room")
                assert await house.problem("GET", f"{house.meeting}/{path}", "endpoint3") == (403, "not_in_room")
                async with house.ask("GET", f"{house.meeting}/{path}", "endpoint1") as response:
                    assert response.status == 200
        assert isinstance(await chair.command(SetLobby(False)), messages.Done)
        assert isinstance(await chair.command(RemoveSeat(house.seat(1))), messages.Done)
        assert await house.problem("GET", f"{house.meeting}/room", "endpoint1") == (403, "not_in_room")
