import asyncio
import io
from collections.abc import AsyncIterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from server.config import HttpConfig
from server.metrics import make_registry
from server.signaling import routes_service
from server.signaling.connections import CONNECTIONS
from tests.signaling.conftest import OpenHouse
from tests.signaling.house import House


async def test_health(house: House) -> None:
    async with house.join("endpoint1"), house.ask("GET", "/healthz") as response:
        assert response.status == 200
        assert await response.json() == {"status": "ok", "reasons": [], "meetings": 1, "connections": 1}


async def test_health_while_stopping(house: House) -> None:
    house.app[CONNECTIONS].draining = True
    async with house.ask("GET", "/healthz") as response:
        assert response.status == 503
        assert (await response.json())["reasons"] == ["draining"]


async def test_health_without_a_store(house: House) -> None:
    await house.store.close()
    async with house.ask("GET", "/healthz") as response:
        assert response.status == 503
        body = await response.json()
    assert body["status"] == "unavailable"
    assert body["reasons"] == ["store_unavailable"]


async def test_health_with_a_store_that_hangs(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes_service, "_STORE_ANSWERS_S", 0.0)
    async with house.ask("GET", "/healthz") as response:
        assert response.status == 503
        assert (await response.json())["reasons"] == ["store_slow"]


async def test_metrics_count_requests_by_route(house: House) -> None:
    async with house.join("endpoint1"):
        async with house.ask("GET", house.meeting, "chair") as response:
            await response.read()
        async with house.http.request("PROPFIND", house.base / "coffee") as response:
            assert response.status == 405
        async with house.ask("GET", "/metrics") as response:
            assert response.status == 200
            families = {family.name: family for family in text_string_to_metric_families(await response.text())}
    requests = {tuple(sample.labels.values()): sample.value for sample in families["diemcau_http_requests"].samples}
    assert requests[("GET", "/api/meetings/{meeting_id}", "200")] == 1
    assert requests[("other", "unknown", "405")] == 1, "a client cannot make label values"
    assert families["diemcau_websockets"].samples[0].value == 1
    received = {sample.labels["type"]: sample.value for sample in families["diemcau_websocket_messages"].samples}
    assert received["hello"] == 1


async def test_metrics_say_which_fan_out_serves(house: House) -> None:
    registry = make_registry(house.media, house.hub)
    serving = house.media.transport.fanout.implementation
    assert registry.get_sample_value("diemcau_fanout_info", {"implementation": serving}) == 1


async def test_line_test_down(house: House) -> None:
    async with house.ask("GET", "/api/line-test?octets=1000000", "endpoint1") as response:
        assert response.headers["Cache-Control"] == "no-store"
        data = await response.read()
    assert len(data) == 1_000_000
    assert len(set(data[:10_000])) == 256, "nothing on the way can compress it"
    for octets in ("-1", "1000001", "many", "1e3"):
        assert await house.problem("GET", f"/api/line-test?octets={octets}", "endpoint1") == (400, "invalid_octets")
    assert await house.problem("GET", "/api/line-test") == (401, "not_signed_in")


async def test_line_test_up(house: House) -> None:
    async with house.ask("POST", "/api/line-test", "endpoint1", data=bytes(700_000)) as response:
        body = await response.json()
    assert body["octets"] == 700_000
    assert body["server_time"] == pytest.approx(house.clock.now(), abs=5)
    assert await house.problem("POST", "/api/line-test", "endpoint1", data=io.BytesIO(bytes(10_000_001))) == (
        413,
        "too_large",
    )


async def test_bodies_are_bounded(open_house: OpenHouse) -> None:
    async with open_house(HttpConfig(max_body_bytes=1_000)) as house:
        assert await house.problem("POST", "/api/session", data=bytes(1_001)) == (413, "too_large")

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(11):
                yield bytes(100)

        assert await house.problem("POST", "/api/session", data=pieces()) == (413, "too_large"), "no length told"


@pytest.mark.parametrize("path", ["/api/session", "/api/line-test"])
async def test_a_body_that_does_not_come(open_house: OpenHouse, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes_service, "_LINE_TEST_S", 0.05)
    async with open_house(HttpConfig(body_timeout_s=0.05)) as house:

        async def one_byte() -> AsyncIterator[bytes]:
            yield b"{"
            await asyncio.Event().wait()

        async with house.ask("POST", path, "chair", data=one_byte()) as response:
            assert response.status == 408
            assert (await response.json(content_type=None))["code"] == "body_timeout"
