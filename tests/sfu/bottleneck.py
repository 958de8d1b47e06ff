"""A sender of frames behind a bottleneck on virtual time: a queue that delays, then drops (tail drop)."""

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random


class Bottleneck:
    """Carries packets at ``rate_bps``. ``max_queue_s``: what would wait longer is dropped; ``jitter_s`` is added."""

    def __init__(self, rate_bps: float, *, delay_s: float = 0.020, max_queue_s: float = 0.5, jitter_s: float = 0.0):
        self.rate_bps = rate_bps
        self.max_queue_s = max_queue_s
        self.loss = 0.0
        self.dropped = 0
        self._delay_s, self._jitter_s = delay_s, jitter_s
        self._chance = Random(4)  # noqa: S311 repeatable on purpose
        self._free_at = 0.0

    def send(self, octets: int, now: float) -> float | None:
        """When a packet of ``octets`` sent now arrives; None: never."""
        waits_s = max(0.0, self._free_at - now)
        if waits_s > self.max_queue_s or self._chance.random() < self.loss:
            self.dropped += 1
            return None
        self._free_at = now + waits_s + 8 * octets / self.rate_bps
        return self._free_at + self._delay_s + self._chance.uniform(0.0, self._jitter_s)

    def queue_s(self, now: float) -> float:
        return max(0.0, self._free_at - now)


class Clock:
    """Events in order of time."""

    def __init__(self, now: float) -> None:
        self.now = now
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, when: float, do: Callable[[], None]) -> None:
        self._count += 1
        heappush(self._events, (max(when, self.now), self._count, do))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            self.now, _, do = heappop(self._events)
            do()
        self.now = end
