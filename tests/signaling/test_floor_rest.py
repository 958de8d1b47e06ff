from typing import Any

import pytest

from server.signaling import messages
from tests.signaling.house import House


async def floor(house: House, method: str, path: str, who: str, status: int = 200, **options: Any) -> dict[str, Any]:
    async with house.ask(method, f"{house.meeting}/floor{path}", who, **options) as response:
        assert response.status == status, await response.text()
        body: dict[str, Any] = await response.json()
        return body


def granted(answer: dict[str, Any]) -> list[str]:
    return [holder["seat_id"] for holder in answer["holders"] if not holder["by_right"]]


async def test_ask_grant_withdraw(house: House) -> None:
    seat = house.seat(1)
    async with house.join("endpoint1") as endpoint:
        asked = await floor(house, "POST", "/requests", "endpoint1", 201, json={"subject": "Kinh phí"})
        assert [(one["seat_id"], one["subject"]) for one in asked["queue"]] == [(seat, "Kinh phí")]
        answer = await floor(house, "PUT", f"/{seat}", "chair", json={"duration_s": 60})
        assert granted(answer) == [seat]
        assert answer["queue"] == []
        assert answer["holders"][0]["ends_at"] == pytest.approx(house.clock.now() + 60, abs=5)
        while not any(h.seat_id == seat for h in (await endpoint.hear_a(messages.FloorChanged)).floor.holders):
            pass
        assert granted(await floor(house, "GET", "", "endpoint2")) == [seat]
        assert granted(await floor(house, "DELETE", f"/{seat}", "chair")) == []


async def test_an_empty_body_is_allowed(house: House) -> None:
    async with house.join("endpoint1"):
        await floor(house, "POST", "/requests", "endpoint1", 201)
        answer = await floor(house, "PUT", f"/{house.seat(1)}", "chair")
        assert granted(answer) == [house.seat(1)]
        assert answer["holders"][0]["ends_at"] is None


async def test_put_and_delete_may_be_repeated(house: House) -> None:
    async with house.join("endpoint1"):
        first = await floor(house, "PUT", f"/{house.seat(1)}", "chair")
        assert await floor(house, "PUT", f"/{house.seat(1)}", "chair") == first
        for _ in range(2):
            assert granted(await floor(house, "DELETE", f"/{house.seat(1)}", "chair")) == []
        await floor(house, "POST", "/requests", "endpoint1", 201)
        for _ in range(2):
            assert (await floor(house, "DELETE", "/requests", "endpoint1"))["queue"] == []


async def test_an_endpoint_gives_its_own_floor_back_and_nobody_elses(house: House) -> None:
    async with house.join("endpoint1"), house.join("endpoint2"):
        await floor(house, "PUT", f"/{house.seat(1)}", "chair")
        path = f"{house.meeting}/floor/{house.seat(1)}"
        assert await house.problem("DELETE", path, "endpoint2") == (403, "not_allowed")
        assert await house.problem("PUT", f"{house.meeting}/floor/{house.seat(2)}", "endpoint2") == (403, "not_allowed")
        assert granted(await floor(house, "DELETE", f"/{house.seat(1)}", "endpoint1")) == []


@pytest.mark.parametrize(
    ("method", "path", "who", "options", "refusal"),
    [
        ("PUT", "/ept_none", "chair", {}, (404, "no_such_seat")),
        ("PUT", "/requests", "chair", {}, (404, "no_such_seat")),
        ("DELETE", "/ept_none", "chair", {}, (404, "no_such_seat")),
        ("PUT", "/" + "x" * 200, "chair", {}, (404, "no_such_seat")),
        ("PUT", "/ept_none", "chair", {"json": {"duration_s": 1}}, (400, "invalid_body")),
        ("PUT", "/ept_none", "chair", {"json": {"duration_s": "long"}}, (400, "invalid_body")),
        ("POST", "/requests", "endpoint1", {"json": {"subject": "x" * 201}}, (400, "invalid_body")),
        ("POST", "/requests", "endpoint1", {}, (409, "not_joined")),
        ("POST", "/requests", "operator", {}, (403, "not_allowed")),
    ],
)
async def test_refusals(
    house: House, method: str, path: str, who: str, options: dict[str, Any], refusal: tuple[int, str]
) -> None:
    assert await house.problem(method, f"{house.meeting}/floor{path}", who, **options) == refusal
