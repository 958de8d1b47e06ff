"""Asking a sender for what was lost (RFC 4585 6.2.1): the gaps of one incoming stream and when to ask again.

A gap stays known after it was given up, so that a very late packet is still told from a duplicate.
"""

from math import inf

REORDER_TOLERANCE_S = 0.010
"""A gap younger than this is more often a packet overtaken than one lost; asking at once would double the traffic."""
MIN_RETRY_S = 0.040
"""Not more often than this, whatever the RTT (mediasoup's timer)."""
DEFAULT_RTT_S = 0.100
MAX_TRIES = 10
"""As libwebrtc and mediasoup; then a key frame mends the picture."""
MAX_GAPS = 256


class _Gap:
    __slots__ = ("ask_at", "tries")

    def __init__(self, ask_at: float) -> None:
        self.ask_at = ask_at
        self.tries = 0


class Gaps:
    """Sequence numbers (extended, ascending) that have not come. ``asking`` says whether new ones are worth a NACK;
    what was worth one stays so until ``stop_asking``.

    ``next_at`` is when ``take_due`` has something to ask for, infinity where not. Never more than MAX_GAPS.
    """

    __slots__ = ("_gaps", "asking", "gave_up", "next_at")

    def __init__(self) -> None:
        self._gaps: dict[int, _Gap] = {}
        self.asking = False
        self.gave_up = False
        """Something that was asked for will not come: the stream needs a key frame. Cleared by ``take_given_up``."""
        self.next_at = inf

    def __len__(self) -> int:
        return len(self._gaps)

    def open(self, first: int, end: int, now: float) -> None:
        """Note ``first``..``end - 1`` as missing. The oldest gaps fall out where there are too many."""
        if end - first > MAX_GAPS:
            first = end - MAX_GAPS
            self.gave_up = self.gave_up or self.asking
        ask_at = now + REORDER_TOLERANCE_S if self.asking else inf
        for number in range(first, end):
            self._gaps[number] = _Gap(ask_at)
        while len(self._gaps) > MAX_GAPS:
            oldest = self._gaps.pop(next(iter(self._gaps)))
            self.gave_up = self.gave_up or oldest.ask_at < inf
        self.next_at = min(self.next_at, ask_at)

    def fill(self, number: int) -> bool:
        """A late packet came. False: it was not missing, so it is a duplicate or too old."""
        return self._gaps.pop(number, None) is not None

    def take_due(self, now: float, rtt_s: float) -> list[int]:
        """The numbers to ask for now, ascending; each is due again after about one round trip, MAX_TRIES times."""
        due: list[int] = []
        self.next_at = inf
        for number, gap in self._gaps.items():
            if gap.ask_at <= now:
                if gap.tries >= MAX_TRIES:
                    self.gave_up = self.gave_up or self.asking
                    gap.ask_at = inf
                    continue
                gap.tries += 1
                gap.ask_at = now + max(MIN_RETRY_S, 1.1 * rtt_s)
                due.append(number)
            self.next_at = min(self.next_at, gap.ask_at)
        return due

    def stop_asking(self) -> None:
        """Nothing noted so far is to be asked for any more: the gate closed."""
        for gap in self._gaps.values():
            gap.ask_at = inf
        self.asking = self.gave_up = False
        self.next_at = inf

    def take_given_up(self) -> bool:
        """Whether something was given up since last asked."""
        gave_up, self.gave_up = self.gave_up, False
        return gave_up
