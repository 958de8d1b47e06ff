"""How long the disk will last: octets a second as measured, and before that as is usual. Pure, but for ``look``."""

from collections import deque
from enum import StrEnum
from pathlib import Path

import msgspec

from server.config import RecordingConfig
from server.recording.files import Files

_WINDOW_S = 60.0
_ENOUGH_S = 5.0
"""Measured for less than this, a rate says nothing."""


class SpaceState(StrEnum):
    """``low``: less than ``low_hours`` are left. ``full``: nothing more is written."""

    OK = "ok"
    LOW = "low"
    FULL = "full"


class Space(msgspec.Struct, frozen=True):
    """``bps``: bits a second that ``hours_left`` counts with."""

    free_octets: int
    bps: float
    hours_left: float
    state: SpaceState


class WriteRate:
    """Octets a second over the last minute, from what was written in all."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, written_octets: int, now: float) -> None:
        self._samples.append((now, written_octets))
        while now - self._samples[0][0] > _WINDOW_S:
            self._samples.popleft()

    def bytes_per_s(self) -> float | None:
        """None before five seconds were measured."""
        if not self._samples:
            return None
        (first_at, first), (last_at, last) = self._samples[0], self._samples[-1]
        if last_at - first_at < _ENOUGH_S:
            return None
        return max(0, last - first) / (last_at - first_at)


def judge(free_octets: int, bytes_per_s: float | None, config: RecordingConfig) -> Space:
    """``bytes_per_s``: of all recordings that run, None where none does. The usual rate counts where it is higher than
    what is measured: a quiet minute promises nothing."""
    bps = max(config.usual_bps, 8 * (bytes_per_s or 0.0))
    hours_left = max(0, free_octets - config.full_octets) * 8 / bps / 3_600
    if free_octets <= config.full_octets:
        state = SpaceState.FULL
    else:
        state = SpaceState.LOW if hours_left < config.low_hours else SpaceState.OK
    return Space(free_octets, bps, hours_left, state)


def look(folder: Path, bytes_per_s: float | None, config: RecordingConfig, files: Files) -> Space:
    """The space beside ``folder``. OSError passes through."""
    return judge(files.free_octets(folder), bytes_per_s, config)
