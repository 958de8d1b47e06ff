"""Packets of one RTP stream back into their order; what does not come in time is counted as lost. Pure."""

from collections.abc import Iterator

import msgspec

from server.rtp.packet import RtpView
from server.rtp.sequence import difference16

MAX_WAITING = 4_096
"""Packets held for a missing one; more than a second of 4K."""
_JUMP = 3_000
"""A sequence number this far away is another numbering, not loss (RFC 3550 A.1: MAX_DROPOUT)."""
_STRANGERS = 3


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """A packet, when it came, and its number among the frames of the wire (for acknowledging)."""

    packet: RtpView
    at: float
    index: int


class Ordered(msgspec.Struct, frozen=True, gc=False):
    """The next packet. ``missing``: how many before it never came; ``restarted``: a new numbering begins here."""

    arrival: Arrival
    missing: int
    restarted: bool


class Reorder:
    """Waits at most ``wait_s`` for a packet that is late. Counts ``late`` (duplicates among them) and ``lost``."""

    def __init__(self, wait_s: float, next_sequence: int | None = None) -> None:
        """``next_sequence``: the first one wanted (16 bits); None takes the first that comes."""
        self._wait_s = wait_s
        self._next = next_sequence
        self._waiting: dict[int, Arrival] = {}
        self._strangers = 0
        self._restart = False
        self.late = 0
        self.lost = 0

    def push(self, arrival: Arrival) -> None:
        sequence = arrival.packet.sequence
        if self._next is None:
            self._next = sequence
        ahead = difference16(sequence, self._next & 0xFFFF)
        if abs(ahead) > _JUMP:
            self._on_stranger(arrival)
            return
        self._strangers = 0
        extended = self._next + ahead
        if ahead < 0 or extended in self._waiting:
            self.late += 1
        else:
            self._waiting[extended] = arrival

    def take(self, now: float) -> Iterator[Ordered]:
        """What is in order, or has waited long enough by ``now`` (of the stream: see ``Arrival.at``)."""
        while self._waiting and self._next is not None:
            missing = 0
            arrival = self._waiting.pop(self._next, None)
            if arrival is None:
                oldest = min(waiting.at for waiting in self._waiting.values())
                if now - oldest < self._wait_s and len(self._waiting) <= MAX_WAITING:
                    return
                first = min(self._waiting)
                missing = first - self._next
                self.lost += missing
                arrival = self._waiting.pop(first)
                self._next = first
            self._next += 1
            restarted, self._restart = self._restart, False
            yield Ordered(arrival, missing, restarted)

    def oldest_index(self) -> int | None:
        """The lowest wire number that is still waiting here."""
        return min((arrival.index for arrival in self._waiting.values()), default=None)

    def forget(self) -> None:
        """What is missing from here on was left out on purpose: the next packet is taken as the first."""
        self._waiting.clear()
        self._next = None
        self._restart = True

    def _on_stranger(self, arrival: Arrival) -> None:
        """A few in a row begin a new numbering; a single one is noise."""
        self._strangers += 1
        if self._strangers >= _STRANGERS:
            self._strangers = 0
            self._waiting.clear()
            self._next = arrival.packet.sequence
            self._restart = True
            self._waiting[self._next] = arrival
        else:
            self.late += 1
