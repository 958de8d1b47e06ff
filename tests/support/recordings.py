"""Makes recordings' folders: with the product's own log, and files that are only octets where nobody plays them."""

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

import msgspec

from server.recording.events import (
    Chatted,
    EndpointEntry,
    Event,
    FloorEnded,
    Gap,
    Granted,
    Opened,
    Presence,
    SegmentClosed,
)
from server.recording.files import RealFiles
from server.recording.keys import SigningKey, sign_document
from server.recording.log import LOG_FILE, EventLog

STARTED_AT = 1_790_000_000.0

_MAIN = EndpointEntry("seat_main", "Điểm cầu chính", ("Tỉnh",), "main")
_DONG = EndpointEntry("seat_dong", "Xã Đông", ("Tỉnh", "Xã Đông"), "branch")


def opened(key: SigningKey, **changes: object) -> Opened:
    """A first line; ``changes`` are its fields."""
    line = Opened(
        format=1,
        recording_id="rec_22222222",
        meeting_id="mtg_22222222",
        title="Giao ban tháng 11",
        host_agency="Sở Y tế",
        chair="Bà Hà",
        started_by="Bà Hà",
        endpoints=(_MAIN, _DONG),
        public_key=key.public_base64,
    )
    return msgspec.structs.replace(line, **changes)


def write_segment(folder: Path, seat_id: str, track: str, number: int, octets: bytes) -> SegmentClosed:
    """Put the file there and say the line for it: half a minute each, one after the other."""
    name = f"tracks/{seat_id}-{track}-{number:04}.mkv"
    (folder / "tracks").mkdir(exist_ok=True)
    (folder / name).write_bytes(octets)
    return SegmentClosed(
        file=name,
        sha256=hashlib.sha256(octets).hexdigest(),
        octets=len(octets),
        seat_id=seat_id,
        track=track,
        codec="opus" if track == "mic" else "vp8",
        starts_at=STARTED_AT + 30 * (number - 1),
        ends_at=STARTED_AT + 30 * number,
        packets=len(octets) // 100,
    )


def a_meeting(folder: Path, seed: int = 1, segments: int = 3) -> Sequence[tuple[Event, float]]:
    """Events with their times of a short meeting of two seats, with ``segments`` of sound and picture each."""
    chance = random.Random(seed)  # noqa: S311 - repeatable octets
    events: list[tuple[Event, float]] = [
        (Presence("seat_dong", "connected"), STARTED_AT + 1),
        (Granted("seat_main", by_right=True), STARTED_AT + 1),
        (Granted("seat_dong", subject="Mục 3: kinh phí"), STARTED_AT + 12.5),
        (Chatted("Xã Đông", "Nghe rõ ạ", "seat_dong"), STARTED_AT + 14),
    ]
    for number in range(1, segments + 1):
        for seat_id, track in (("seat_main", "mic"), ("seat_main", "camera"), ("seat_dong", "mic")):
            octets = chance.randbytes(chance.randint(200, 2_000))
            events.append((write_segment(folder, seat_id, track, number, octets), STARTED_AT + 30 * number + 0.2))
    ends_at = STARTED_AT + 30 * segments
    events.append((Gap(ends_at - 3, ends_at - 1, "packets_lost", "seat_dong", "mic"), ends_at + 0.3))
    events.append((FloorEnded("seat_dong"), ends_at + 0.3))
    return events


def make_recording(
    folder: Path,
    key: SigningKey,
    events: Sequence[tuple[Event, float]] | None = None,
    *,
    closed: bool = True,
    film: bool = True,
    **changes: object,
) -> Path:
    """A whole recording: ``a_meeting`` unless ``events`` are given; ``changes`` are fields of its first line."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tracks").mkdir(exist_ok=True)
    chosen = a_meeting(folder) if events is None else events
    log = EventLog.create(folder, opened(key, **{"recording_id": folder.name, **changes}), STARTED_AT, RealFiles())
    for event, at in chosen:
        log.append(event, at)
    if closed:
        log.close("stopped", key, STARTED_AT + 91)
        if film:
            write_film(folder, key)
    log.release()
    return folder


def write_film(folder: Path, key: SigningKey, octets: bytes = b"film" * 300, into: Path | None = None) -> None:
    """``film.mp4`` (only octets) and its signed ``film.json``, in the recording's folder unless ``into`` says where."""
    place = into or folder
    (place / "film.mp4").write_bytes(octets)
    manifest = {
        "format": 1,
        "sha256": hashlib.sha256(octets).hexdigest(),
        "octets": len(octets),
        "log_sha256": hashlib.sha256((folder / LOG_FILE).read_bytes()).hexdigest(),
        "chapters": [{"starts_s": 0.0, "ends_s": 12.5, "title": "Điểm cầu chính"}],
        "signature": "",
    }
    (place / "film.json").write_bytes(sign_document(msgspec.json.encode(manifest), key))
