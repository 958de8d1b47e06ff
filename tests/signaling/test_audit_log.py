"""Who, what, on what, with what result, in lines that nothing can break out of."""

import logging
from urllib.parse import quote

import msgspec
import pytest

from server.errors import Unavailable
from server.store.audit import AuditLine, AuditLog
from tests.signaling.house import House


def lines(caplog: pytest.LogCaptureFixture) -> list[AuditLine]:
    return [
        msgspec.json.decode(record.getMessage(), type=AuditLine)
        for record in caplog.records
        if record.name == "diemcau.audit" and record.getMessage().startswith("{")
    ]


async def test_changes_and_refusals_are_logged_and_looking_is_not(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    chair = await house.services.accounts.account_for(house.token("chair"), house.clock.now())
    with caplog.at_level(logging.INFO, "diemcau.audit"):
        async with house.ask("GET", house.meeting, "chair"):
            pass
        async with house.ask("DELETE", f"{house.meeting}/floor/{house.seat(1)}", "chair"):
            pass
        await house.problem("GET", "/api/meetings/mtg_none", "chair")
        await house.problem("GET", house.meeting)
    action = "DELETE /api/meetings/{meeting_id}/floor/{endpoint_id}"
    assert [(line.action, line.account_id, line.target, line.detail) for line in lines(caplog)] == [
        (action, chair.account_id, f"{house.demo.meeting}/{house.seat(1)}", "ok"),
        ("GET /api/meetings/{meeting_id}", chair.account_id, "mtg_none", "meeting_unknown"),
        ("GET /api/meetings/{meeting_id}", None, house.demo.meeting, "not_signed_in"),
    ]


async def test_a_line_stays_one_line(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "diemcau.audit"):
        name = quote('x\n","detail":"ok"\r\x1b[31m' + "y" * 500, safe="")
        await house.problem("GET", f"/api/meetings/{name}", "chair")
    record = next(record.getMessage() for record in caplog.records if record.name == "diemcau.audit")
    assert record.isprintable()
    (line,) = lines(caplog)
    assert line.target.startswith('x\n","detail":"ok"\r\x1b[31m')
    assert len(line.target) == 200
    assert line.detail == "meeting_unknown"


async def test_a_sign_in_names_its_account(house: House, caplog: pytest.LogCaptureFixture) -> None:
    body = {"username": house.demo.chair.username, "password": house.demo.chair.password}
    with caplog.at_level(logging.INFO, "diemcau.audit"):
        async with house.ask("POST", "/api/session", json=body) as response:
            account_id = (await response.json())["account_id"]
        await house.problem("POST", "/api/session", json=body | {"password": "wrong"})
    assert [(line.account_id, line.detail) for line in lines(caplog)] == [
        (account_id, "ok"),
        (None, "bad_credentials"),
    ]
    assert house.demo.chair.password not in caplog.text


async def test_strangers_cannot_fill_the_store(house: House) -> None:
    before = await house.services.audit.latest()
    await house.problem("DELETE", f"{house.meeting}/floor/{house.seat(1)}")
    await house.problem("GET", "/api/meetings/mtg_none", "chair")
    assert await house.services.audit.latest() == before


async def test_a_store_that_fails_hides_no_refusal(
    house: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_self: AuditLog, _line: AuditLine) -> None:
        raise Unavailable("store_unavailable", "disk full")

    monkeypatch.setattr(AuditLog, "append", fail)
    path = f"{house.meeting}/floor/{house.seat(1)}"
    assert await house.problem("PUT", path, "endpoint2") == (403, "not_allowed")
    assert "could not be stored: store_unavailable" in caplog.text
