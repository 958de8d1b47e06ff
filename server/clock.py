"""The one place that reads a clock. Pure code is told ``now`` instead.

``now`` everywhere is Unix time in seconds (float), anchored once at start and advanced by the
monotonic clock: it can be stored and compared across restarts, and a jump of the system clock
(SCENARIOS row 7) never reaches a running meeting.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """Anything that tells the time as Unix seconds."""

    def now(self) -> float: ...


class SystemClock:
    """Unix time at construction plus monotonic time elapsed since."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        return time.monotonic() + self._offset
