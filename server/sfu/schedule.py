"""What is to be done when: one heap of deadlines for a router, so that nothing is polled."""

from collections.abc import Callable, Hashable
from heapq import heapify, heappop, heappush

Run = Callable[[float], None]


class Schedule:
    """At most one deadline a key. A replaced or cancelled one stays in the heap until it is met or swept."""

    def __init__(self) -> None:
        self._due: dict[Hashable, tuple[float, int, Run]] = {}
        self._heap: list[tuple[float, int, Hashable]] = []
        self._count = 0

    def set(self, key: Hashable, at: float, run: Run) -> None:
        """Run ``run(now)`` at ``at``, in place of what was set for ``key``."""
        self._count += 1
        self._due[key] = (at, self._count, run)
        heappush(self._heap, (at, self._count, key))
        if len(self._heap) > 64 + 4 * len(self._due):
            self._sweep()

    def bring_forward(self, key: Hashable, at: float, run: Run) -> None:
        """As ``set``, unless an earlier deadline is set for ``key``."""
        due = self._due.get(key)
        if due is None or at < due[0]:
            self.set(key, at, run)

    def cancel(self, key: Hashable) -> None:
        self._due.pop(key, None)

    def next_deadline(self) -> float | None:
        """When something is due next; None: nothing is set."""
        while self._heap:
            at, count, key = self._heap[0]
            if self._is_current(key, count):
                return at
            heappop(self._heap)
        return None

    def pop(self, now: float) -> Run | None:
        """Take out the earliest thing that is due at ``now``; None: nothing is."""
        deadline = self.next_deadline()
        if deadline is None or deadline > now:
            return None
        _, _, key = heappop(self._heap)
        return self._due.pop(key)[2]

    def _is_current(self, key: Hashable, count: int) -> bool:
        due = self._due.get(key)
        return due is not None and due[1] == count

    def _sweep(self) -> None:
        self._heap = [(at, count, key) for key, (at, count, _) in self._due.items()]
        heapify(self._heap)
