"""What a writer was sent and has not yet acknowledged: kept to be sent again to its successor. Bounded. Pure."""

from collections import deque
from collections.abc import Iterator, Sequence

import msgspec


class Batch(msgspec.Struct, frozen=True, gc=False):
    """The frames of one turn, ``first`` to ``last`` (counted since the recording's start), as they go on the wire."""

    first: int
    last: int
    at: float
    data: bytes


class Backlog:
    """Batches in order. Limits are the caller's to keep: ``is_full`` says when media must be left out."""

    def __init__(self, limit_octets: int, limit_s: float) -> None:
        self._limit_octets = limit_octets
        self._limit_s = limit_s
        self._batches: deque[Batch] = deque()
        self.octets = 0
        self.sent = 0
        """Frames in all."""

    def __iter__(self) -> Iterator[Batch]:
        return iter(self._batches)

    @property
    def acked(self) -> int:
        """Frames before the first batch that is kept."""
        return self._batches[0].first - 1 if self._batches else self.sent

    def add(self, parts: Sequence[bytes], frames: int, at: float) -> bytes:
        """Keep ``frames`` frames, in ``parts``; what goes on the wire."""
        data = b"".join(parts)
        self._batches.append(Batch(self.sent + 1, self.sent + frames, at, data))
        self.sent += frames
        self.octets += len(data)
        return data

    def ack(self, last: int) -> None:
        """Forget what is on the disk: all batches up to frame ``last``."""
        while self._batches and self._batches[0].last <= last:
            self.octets -= len(self._batches.popleft().data)

    def age_s(self, now: float) -> float:
        return max(0.0, now - self._batches[0].at) if self._batches else 0.0

    def first_at(self, now: float) -> float:
        """When the first that is kept was given; ``now`` where nothing is."""
        return self._batches[0].at if self._batches else now

    def is_full(self, now: float) -> bool:
        return self.octets >= self._limit_octets or self.age_s(now) >= self._limit_s
