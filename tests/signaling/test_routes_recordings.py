"""The archive over HTTP: lists, one recording, keeping, and names that try to get out of their folder (row 35)."""

import itertools
import logging
from pathlib import Path
from urllib.parse import quote

import pytest

from server.recording.log import LOG_FILE
from tests.archive.recorded import STARTS_AT, write_recording
from tests.signaling.house import House

RID = "rec_abcdefgh23456789"
OTHER = "rec_zzzzzzzz23456789"
ONE = f"/api/recordings/{RID}"


async def record(house: House, recording_id: str = RID, *, ours: bool = True, **how: object) -> Path:
    """A closed recording of the demo's meeting, or of one that is not known here."""
    meeting_id = house.demo.meeting if ours else "mtg_elsewhere"
    folder = write_recording(
        house.recordings_dir,
        house.key,
        recording_id=recording_id,
        meeting_id=meeting_id,
        **how,  # type: ignore[arg-type]  # the same keywords
    )
    await house.archive.closed(recording_id, "stopped")
    return folder


async def test_the_archive_begins_empty(house: House) -> None:
    async with house.ask("GET", "/api/recordings", "archivist") as response:
        assert await response.json() == {"recordings": [], "total": 0, "next": None}
    async with house.ask("GET", f"/api/recordings?meeting={house.demo.meeting}", "chair") as response:
        assert (await response.json())["total"] == 0


async def test_found_by_words_without_diacritics_over_the_wire(house: House) -> None:
    await record(house)
    async with house.ask("GET", f"/api/recordings?q={quote('giải ngan')}&limit=10", "archivist") as response:
        body = await response.json()
    (found,) = body["recordings"]
    assert (found["recording_id"], found["state"], found["retention"]["class"]) == (RID, "closed", "years_10")
    (hit,) = found["hits"]
    assert (hit["kind"], hit["at_s"]) == ("subject", 10.0)
    assert [hit["text"][one:other] for one, other in hit["marks"]] == ["giải", "ngân"]


async def test_one_recording_says_what_one_may(house: House) -> None:
    await record(house)
    async with house.ask("GET", ONE, "operator") as response:
        body = await response.json()
    assert body["may"] == ["play", "render", "verify"]
    assert [one["name"] for one in body["endpoints_list"]][1] == "Điểm cầu xã Thanh Yên"
    assert body["destroyed"] is None
    async with house.ask("GET", ONE, "administrator") as response:
        body = await response.json()
    assert body["chat"] == []
    assert body["may"] == ["render", "verify", "keep", "hold"]


REFUSED = [
    ("from=2026-13-01", "invalid_day"),
    ("to=9999-12-31T", "invalid_day"),
    ("from=0001-01-01", "invalid_day"),
    ("limit=0", "invalid_query"),
    ("limit=201", "invalid_query"),
    ("limit=%D9%A3", "invalid_query"),
    ("limit=-1", "invalid_query"),
    ("sort=best", "invalid_query"),
    ("state=lost", "invalid_query"),
    ("cursor=xyz", "invalid_query"),
    (f"q={'a' * 301}", "invalid_query"),
    (f"q={'+'.join(map(str, range(20)))}", "invalid_query"),
]


async def test_what_cannot_be_asked(house: House) -> None:
    for query, problem in REFUSED:
        assert await house.problem("GET", f"/api/recordings?{query}", "archivist") == (400, problem), query


async def test_days_are_the_provinces(house: House) -> None:
    """2025-06-15 22:06 there is still the 15th; the recording begins at 15:06 UTC."""
    await record(house)
    assert STARTS_AT == 1_750_000_000.0
    for query, total in [
        ("from=2025-06-15&to=2025-06-15", 1),
        ("from=2025-06-16", 0),
        ("to=2025-06-14", 0),
        ("from=2025-06-15", 1),
        ("to=2025-06-15", 1),
    ]:
        async with house.ask("GET", f"/api/recordings?{query}", "archivist") as response:
            assert (await response.json())["total"] == total, query


async def test_keeping_over_the_wire(house: House) -> None:
    await record(house)
    body = {"retention_class": "permanent", "legal_hold": True, "reason": "Thanh tra"}
    async with house.ask("PUT", f"{ONE}/keeping", "archivist", json=body) as response:
        detail = await response.json()
    assert detail["retention"] == {"class": "permanent", "keep_until": None, "legal_hold": True, "expired": False}
    assert detail["hold"]["reason"] == "Thanh tra"
    assert await house.problem("DELETE", ONE, "archivist", json={"reason": "x"}) == (409, "legal_hold")
    wrong = body | {"retention_class": "years_11"}
    assert await house.problem("PUT", f"{ONE}/keeping", "archivist", json=wrong) == (404, "retention_class_unknown")
    lifted = body | {"legal_hold": False, "reason": ""}
    assert await house.problem("PUT", f"{ONE}/keeping", "archivist", json=lifted) == (400, "reason_missing")


async def test_verified_over_the_wire(house: House) -> None:
    folder = await record(house, film=True)
    async with house.ask("POST", f"{ONE}/verify", "operator") as response:
        report = await response.json()
    assert (report["ok"], report["findings"], report["segments"], report["film"]) == (True, [], 2, True)
    segment = folder / "tracks" / "ep_north-mic-0001.mkv"
    octets = bytearray(segment.read_bytes())
    octets[100] ^= 1
    segment.write_bytes(octets)
    async with house.ask("POST", f"{ONE}/verify", "operator") as response:
        report = await response.json()
    assert not report["ok"]
    assert [(one["code"], one["file"]) for one in report["findings"]] == [
        ("segment_changed", "tracks/ep_north-mic-0001.mkv")
    ]


async def test_destroyed_over_the_wire(house: House) -> None:
    await record(house, film=True)
    async with house.ask("DELETE", ONE, "archivist", json={"reason": "Hết thời hạn"}) as response:
        certificate = await response.json()
    assert certificate["reason"] == "Hết thời hạn"
    async with house.ask("GET", f"{ONE}/certificate", "chair") as response:
        assert await response.json() == certificate
    await house.archive.keeper.settled()
    assert not (house.recordings_dir / RID).exists()
    for path in ("/film.mp4", "/package.tar", "/events.jsonl", "/hls/index.m3u8"):
        assert await house.problem("GET", ONE + path, "archivist") == (409, "recording_destroyed")
    async with house.ask("GET", ONE, "archivist") as response:
        body = await response.json()
    assert (body["state"], body["destroyed"], body["may"]) == ("destroyed", certificate, [])


async def test_key_space_and_classes(house: House) -> None:
    async with house.ask("GET", "/api/recordings/key", "endpoint1") as response:
        assert await response.text() == house.key.public.pem.decode()
    async with house.ask("GET", "/api/recordings/space", "operator") as response:
        space = await response.json()
    assert space["state"] in ("ok", "low", "full")
    assert 0 < space["free_octets"] < space["total_octets"]
    assert space["bps"] > 0
    assert space["hours_left"] >= 0
    async with house.ask("GET", "/api/recordings/classes", "archivist") as response:
        classes = await response.json()
    assert {"class": "permanent", "name": "Vĩnh viễn", "years": None, "days": None} in classes["classes"]


# --- names that try to get out, others' recordings ------------------------------------------------------

ESCAPES = [
    "..%2F..%2F..%2Fetc%2Fpasswd",
    "%2e%2e%2fevents.jsonl",
    "..%5C..%5Csecret",
    "%2Fetc%2Fpasswd",
    "..",
    "%2e%2e",
    "tracks%2Fep_main-mic-0000.mkv",
    "ep_main-mic-0000.mkv%00",
    "ep_main-mic-0000.mkv%2F..%2Fep_main-mic-0000.mkv",
    "EP_MAIN-mic-0000.mkv",
    "ep_other-mic-0000.mkv",
    "%C0%AE%C0%AE%2Fevents.jsonl",
    "%252e%252e%252fevents.jsonl",
    "a" * 5_000,
    "link.mkv",
]
PATHS = [
    ONE + "/tracks/{name}",
    ONE + "/hls/{name}",
    "/api/recordings/{name}",
    "/api/recordings/{name}/film.mp4",
    "/api/recordings/{name}/events.jsonl",
    "/api/recordings/{name}/package.tar",
    "/api/recordings/{name}/certificate",
    "/api/recordings/" + quote(f"x/../{RID}", safe="") + "/tracks/ep_main-mic-0000.mkv?{name}",
]


async def test_no_name_leads_out_of_its_recording(house: House, caplog: pytest.LogCaptureFixture) -> None:
    folder = await record(house)
    await record(house, OTHER)
    (house.recordings_dir.parent / "secret").write_text("secret")
    (folder / "tracks" / "link.mkv").symlink_to("/etc/passwd")
    (house.recordings_dir / OTHER / "tracks" / "ep_other-mic-0000.mkv").write_bytes(b"of another recording")
    for path, name in itertools.product(PATHS, ESCAPES):
        with caplog.at_level(logging.INFO):
            caplog.clear()
            async with house.ask("GET", path.replace("{name}", name), "archivist") as response:
                body = await response.read()
            assert response.status == 404, (path, name)
            assert response.content_type == "application/problem+json"
            assert b"root:" not in body
            assert b"secret" not in body
            assert RID.encode() not in body, "nothing is told of what there is"
            assert any(record.name in ("diemcau.audit", "diemcau.access") for record in caplog.records), name


async def test_a_recording_of_a_meeting_that_is_not_ones_own_does_not_exist(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await record(house, ours=False)
    for who in ("chair", "deputy", "endpoint1", "observer"):
        for path in ("", "/film.mp4", "/tracks/ep_main-mic-0000.mkv", "/package.tar", "/certificate"):
            assert await house.problem("GET", ONE + path, who) == (404, "recording_unknown")
        async with house.ask("GET", "/api/recordings?q=giao", who) as response:
            assert (await response.json())["total"] == 0
    assert '"detail":"recording_unknown"' in caplog.text, "and the attempt is logged"


async def test_a_log_that_names_a_file_outside_gives_nothing_away(house: House) -> None:
    """An imported log may say what it likes; a link in its folder leads nowhere."""
    folder = await record(house)
    secret = house.recordings_dir.parent / "secret"
    secret.write_text("secret")
    track = folder / "tracks" / "ep_main-mic-0000.mkv"
    track.unlink()
    track.symlink_to(secret)
    assert await house.problem("GET", f"{ONE}/tracks/{track.name}", "archivist") == (404, "no_such_file")
    (folder / LOG_FILE).unlink()
    (folder / LOG_FILE).symlink_to(secret)
    assert await house.problem("GET", f"{ONE}/events.jsonl", "archivist") == (404, "no_such_file")


async def test_views_and_downloads_are_in_the_audit_log(house: House) -> None:
    await record(house, film=True)
    for path in ("", "/film.mp4", "/film.mp4?download=1", "/tracks/ep_main-mic-0000.mkv", "/package.tar"):
        for _ in range(2):  # a player asks again and again: one line
            async with house.ask("GET", ONE + path, "chair", headers={"Range": "bytes=5-9"}) as response:
                assert response.status in (200, 206)
    chair = await house.services.accounts.account_for(house.token("chair"), house.clock.now())
    lines = [line for line in await house.services.audit.latest() if line.action.startswith("recording_")]
    assert {(line.account_id, line.remote, line.target) for line in lines} == {(chair.account_id, "127.0.0.1", RID)}
    assert [(line.action, line.detail) for line in reversed(lines)] == [
        ("recording_viewed", ""),
        ("recording_played", "film.mp4"),
        ("recording_downloaded", "film.mp4"),
        ("recording_downloaded", "tracks/ep_main-mic-0000.mkv"),
        ("recording_downloaded", "package.tar"),
    ]
    house.clock.ahead_s = 700.0
    async with house.ask("GET", ONE, "chair"):
        pass
    assert (await house.services.audit.latest(1))[0].action == "recording_viewed"
