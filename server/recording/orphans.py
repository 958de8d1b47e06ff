"""Segments without their line in the log: what a killed writer left behind is measured, indexed, hashed and logged."""

import re
from collections.abc import Set
from pathlib import Path
from typing import Final

import msgspec

from server.recording import matroska
from server.recording.events import SegmentClosed
from server.recording.files import Files
from server.recording.matroska import Scan
from server.recording.segments import Segment, hash_file

TRACKS_FOLDER: Final = "tracks"
_NAME: Final = re.compile(r"([A-Za-z0-9_-]+)-(mic|camera|screen)-(\d{4,})\.mkv")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]")
_CODECS: Final = {
    "A_OPUS": "opus",
    "V_VP8": "vp8",
    "V_MPEG4/ISO/AVC": "h264",
    "V_VP9": "vp9",
    "V_AV1": "av1",
}
_LAST_FRAME_MS: Final = {"opus": 20.0}
_LAST_PICTURE_MS: Final = 33.0


class TrackFile(msgspec.Struct, frozen=True):
    """A file in the tracks folder. ``found`` None: nothing in it can be read."""

    path: Path
    seat_id: str
    label: str
    number: int
    found: Scan | None

    @property
    def logged_as(self) -> str:
        return f"{TRACKS_FOLDER}/{self.path.name}"

    @property
    def codec(self) -> str:
        return _CODECS.get(self.found.codec_id, "") if self.found is not None else ""

    @property
    def ends_ms(self) -> float:
        """Of the last frame; how long that was is known no more."""
        assert self.found is not None
        return self.found.last_ms + _LAST_FRAME_MS.get(self.codec, _LAST_PICTURE_MS)


def track_name(seat_id: str, label: str) -> str:
    """The beginning of a track's file names. Seat ids are ours and safe; whatever else comes, it is no path."""
    return f"{_UNSAFE.sub('_', seat_id)}-{label}"


def file_name(track: str, number: int) -> str:
    return f"{track}-{number:04d}.mkv"


def numbers(folder: Path, files: Files) -> dict[str, int]:
    """The highest number in use, by ``track_name``. OSError passes through."""
    highest: dict[str, int] = {}
    for name in files.names(folder / TRACKS_FOLDER):
        if match := _NAME.fullmatch(name):
            track = f"{match[1]}-{match[2]}"
            highest[track] = max(highest.get(track, 0), int(match[3]))
    return highest


def look_at(folder: Path, name: str, files: Files) -> TrackFile | None:
    """None where the name is not a segment's. OSError passes through."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    path = folder / TRACKS_FOLDER / name
    found = matroska.scan(files.read(path))
    if found is not None and (found.position is None or found.codec_id not in _CODECS):
        found = None
    return TrackFile(path, match[1], match[2], int(match[3]), found)


def unlogged(folder: Path, files: Files, known: Set[str]) -> list[TrackFile]:
    """Every segment that is not ``known`` (as the log names files). OSError passes through."""
    names = [name for name in files.names(folder / TRACKS_FOLDER) if f"{TRACKS_FOLDER}/{name}" not in known]
    return [orphan for name in names if (orphan := look_at(folder, name, files)) is not None]


def adopt(orphan: TrackFile, files: Files) -> SegmentClosed | None:
    """Finish an orphan; its line for the log. None: nothing in it was readable, and the file is gone.

    May be done again after a kill at any step. OSError passes through.
    """
    if orphan.found is None or orphan.found.position is None:
        files.unlink(orphan.path)
        return None
    found, position = orphan.found, orphan.found.position
    if found.finished:
        file = files.open_append(orphan.path)
        try:
            files.fsync(file)
            digest, octets = hash_file(file), file.size()
        finally:
            file.close()
    else:
        segment = Segment.reopen(files, orphan.path, found, orphan.codec, track_name(orphan.seat_id, orphan.label))
        try:
            digest, octets = segment.finish(orphan.ends_ms)
        except OSError:
            segment.abandon()
            raise
    return SegmentClosed(
        file=orphan.logged_as,
        sha256=digest,
        octets=octets,
        seat_id=orphan.seat_id,
        track=orphan.label,
        codec=orphan.codec,
        starts_at=found.starts_at,
        ends_at=found.starts_at + orphan.ends_ms / 1000,
        packets=position.packets,
        lost=position.lost,
        recovered=not found.finished,
    )
