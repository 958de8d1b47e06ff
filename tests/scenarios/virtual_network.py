"""A seeded network on virtual time: events in order of time, lines that lose, delay, overtake and repeat."""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random


@dataclass(frozen=True)
class Line:
    """One direction of a peer's line. Jitter is per packet, so that packets overtake each other."""

    delay_s: float = 0.020
    jitter_s: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0


class VirtualNetwork:
    """Virtual time and what happens in it. ``idle`` says when something outside the network is due."""

    def __init__(self, seed: int, start: float = 1_750_000_000.0) -> None:
        self.now = start
        self._chance = Random(seed)  # noqa: S311 repeatable on purpose
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, when: float, do: Callable[[], None]) -> None:
        self._count += 1
        heappush(self._events, (max(when, self.now), self._count, do))

    def carry(self, line: Line, deliver: Callable[[bytes], None], packet: bytes) -> None:
        """Send one packet over ``line``: it arrives never, once or twice."""
        if self._chance.random() < line.loss:
            return
        for _ in range(2 if self._chance.random() < line.duplicate else 1):
            delay = line.delay_s + self._chance.uniform(0.0, line.jitter_s)
            self.at(self.now + delay, lambda: deliver(packet))

    def run(self, seconds: float, deadline: Callable[[], float | None], tick: Callable[[float], None]) -> None:
        """Let time go by; ``tick`` is called at each ``deadline``."""
        end = self.now + seconds
        while True:
            due = deadline()
            event_at = self._events[0][0] if self._events else end
            self.now = min(end, event_at, end if due is None else max(due, self.now))
            if due is not None and due <= self.now:
                tick(self.now)
            elif self._events and event_at <= self.now:
                heappop(self._events)[2]()
            else:
                return
