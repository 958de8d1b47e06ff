"""Recordings as the writer leaves them, without media in them: folders made through the log itself."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from server.recording.events import (
    FORMAT,
    Chatted,
    EndpointEntry,
    Event,
    FloorEnded,
    Gap,
    Granted,
    Opened,
    SegmentClosed,
)
from server.recording.files import RealFiles
from server.recording.film_check import FILM_FILE, FILM_MANIFEST_FILE
from server.recording.keys import SigningKey, sign_document
from server.recording.log import LOG_FILE, EventLog

STARTS_AT = 1_750_000_000.0
MAIN = EndpointEntry("ep_main", "Phòng họp UBND tỉnh", ("Tỉnh Điện Sơn", "Văn phòng UBND tỉnh"), "main")
NORTH = EndpointEntry("ep_north", "Điểm cầu xã Thanh Yên", ("Tỉnh Điện Sơn", "Xã Thanh Yên"), "branch")
SOUTH = EndpointEntry("ep_south", "Điểm cầu xã Mường Nhé", ("Tỉnh Điện Sơn", "Xã Mường Nhé"), "branch")

Timed = tuple[float, Event]

USUAL: tuple[Timed, ...] = (
    (0.0, Granted("ep_main", by_right=True)),
    (10.0, Granted("ep_north", subject="Tiến độ giải ngân vốn đầu tư công")),
    (12.5, Chatted("Văn thư", "Đã gửi báo cáo quý III", "ep_south")),
    (40.0, FloorEnded("ep_north")),
    (50.0, Gap(STARTS_AT + 48.0, STARTS_AT + 50.0, "server_stopped")),
)


def write_recording(
    recordings_dir: Path,
    key: SigningKey,
    *,
    recording_id: str = "rec_abcdefgh23456789",
    meeting_id: str = "mtg_elsewhere",
    title: str = "Họp giao ban tháng 9",
    host_agency: str = "Ủy ban nhân dân tỉnh Điện Sơn",
    chair: str = "Nguyễn Văn Hạnh",
    starts_at: float = STARTS_AT,
    length_s: float = 60.0,
    happened: Sequence[Timed] = USUAL,
    endpoints: tuple[EndpointEntry, ...] = (MAIN, NORTH, SOUTH),
    closed: bool = True,
    film: bool = False,
) -> Path:
    """A folder with two segments (of no Matroska, but with their right hashes)."""
    folder = recordings_dir / recording_id
    (folder / "tracks").mkdir(parents=True)
    opened = Opened(
        FORMAT, recording_id, meeting_id, title, host_agency, chair, "Lò Thị Mai", endpoints, key.public_base64
    )
    log = EventLog.create(folder, opened, starts_at, RealFiles())
    for at_s, event in happened:
        log.append(event, starts_at + at_s)
    for number, seat_id in enumerate(("ep_main", "ep_north")):
        log.append(_segment(folder, number, seat_id, starts_at), starts_at + 55.0)
    if closed:
        log.close("stopped", key, starts_at + length_s)
    else:
        log.sync()
        log.release()
    if film:
        write_film(folder, key)
    return folder


def write_film(folder: Path, key: SigningKey, octets: bytes = bytes(range(256)) * 4_000) -> None:
    """What stands for a film, with a manifest that is right."""
    (folder / FILM_FILE).write_bytes(octets)
    manifest = {
        "sha256": hashlib.sha256(octets).hexdigest(),
        "octets": len(octets),
        "log_sha256": hashlib.sha256((folder / LOG_FILE).read_bytes()).hexdigest(),
        "signature": "",
    }
    (folder / FILM_MANIFEST_FILE).write_bytes(sign_document(msgspec.json.encode(manifest), key))


def _segment(folder: Path, number: int, seat_id: str, starts_at: float) -> SegmentClosed:
    octets = f"what {seat_id} said".encode() * 1_000
    file = f"tracks/{seat_id}-mic-{number:04d}.mkv"
    (folder / file).write_bytes(octets)
    return SegmentClosed(
        file=file,
        sha256=hashlib.sha256(octets).hexdigest(),
        octets=len(octets),
        seat_id=seat_id,
        track="mic",
        codec="opus",
        starts_at=starts_at + 10.0 * number,
        ends_at=starts_at + 10.0 * number + 20.0,
    )
