"""What lies in a folder of recordings, told from the folders alone: no database, and little of each is read."""

import os
from pathlib import Path
from typing import Final

import msgspec

from server.recording.events import Closed, Line, Opened
from server.recording.film_check import FILM_FILE, FILM_MANIFEST_FILE
from server.recording.inside import open_inside, plain_files
from server.recording.log import LOG_FILE, MAX_LINE_OCTETS, decode_line

_TAIL_OCTETS: Final = 64 << 10


class Overview(msgspec.Struct, frozen=True):
    """One recording. ``state``: open (no closing line: it runs or broke off), closed, ready (with its film), damaged
    (no readable first line). ``started_at``: Unix seconds; ``duration_s``: up to the last line.
    """

    recording_id: str
    folder: Path
    state: str
    title: str = ""
    host_agency: str = ""
    meeting_id: str = ""
    started_at: float | None = None
    duration_s: float = 0.0
    octets: int = 0


def look_over(recordings_dir: Path) -> list[Overview]:
    """Every recording there, newest first, those without a date last. OSError passes through."""
    if not recordings_dir.exists():
        return []
    folders = [path for path in recordings_dir.iterdir() if not path.name.startswith(".") and _is_folder(path)]
    return sorted(map(look_at, folders), key=lambda found: (-(found.started_at or 0.0), found.recording_id))


def look_at(folder: Path) -> Overview:
    """One recording's folder: its first line and its last, and the sizes of its files. Nothing is verified."""
    octets, names = 0, set()
    try:
        for name, status in plain_files(folder):
            names.add(name)
            octets += status.st_size if status else 0
        first, last = _ends_of_log(folder)
    except (OSError, ValueError):
        return Overview(folder.name, folder, "damaged", octets=octets)
    if not isinstance(first.event, Opened):
        return Overview(folder.name, folder, "damaged", octets=octets)
    state = "closed" if isinstance(last.event, Closed) else "open"
    if state == "closed" and {FILM_FILE, FILM_MANIFEST_FILE} <= names:
        state = "ready"
    return Overview(
        recording_id=first.event.recording_id,
        folder=folder,
        state=state,
        title=first.event.title,
        host_agency=first.event.host_agency,
        meeting_id=first.event.meeting_id,
        started_at=first.at,
        duration_s=max(0.0, last.at - first.at),
        octets=octets,
    )


def _ends_of_log(folder: Path) -> tuple[Line, Line]:
    """The first line, and the last that is whole. Raises ValueError where there is none."""
    with open_inside(folder, LOG_FILE) as log:
        first = decode_line(log.readline(MAX_LINE_OCTETS))
        begin = log.tell()
        log.seek(max(begin, log.seek(0, os.SEEK_END) - _TAIL_OCTETS))
        for octets in reversed(log.read().split(b"\n")[:-1]):
            try:
                return first, decode_line(octets)
            except ValueError:
                continue
        return first, first


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
