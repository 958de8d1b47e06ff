"""How much can still be recorded where recordings lie."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from server.archive.views import RecordingSpace
from server.config import RecordingConfig
from server.recording.space import judge

_SHORTEST_S = 60.0
"""What is shorter says little of how much a recording takes."""


def measure_rate(recorded: Sequence[tuple[int, float]]) -> float | None:
    """Octets a second that a recording took with its film, of recordings given as (octets, seconds); None: no say."""
    long_enough = [(octets, seconds) for octets, seconds in recorded if seconds >= _SHORTEST_S and octets > 0]
    seconds = sum(seconds for _, seconds in long_enough)
    return sum(octets for octets, _ in long_enough) / seconds if seconds else None


def look_at_space(folder: Path, bytes_per_s: float | None, running: int, config: RecordingConfig) -> RecordingSpace:
    """``bytes_per_s`` of one recording; as many run as ``running``, at least one is to come. Raises OSError."""
    disk = shutil.disk_usage(folder)
    at_once = max(1, running)
    one = judge(disk.free, bytes_per_s, config)
    all_of_them = judge(disk.free, one.bps * at_once / 8, config)
    return RecordingSpace(disk.free, disk.total, all_of_them.hours_left, all_of_them.bps, all_of_them.state.value)
