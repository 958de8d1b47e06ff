"""What came in on one SSRC: extended sequence numbers, duplicates, loss and jitter (RFC 3550 A.1, A.3, A.8)."""

from server.sfu.nack import Gaps

REFUSED_DUPLICATE = -1
REFUSED_JUMP = -2
RESTARTED = -3

MAX_DROPOUT = 3_000
MAX_MISORDER = 1_000
"""Larger than RFC 3550's 100: a retransmission may come a second late."""


class Reception:
    """Receive statistics of one SSRC. Extended numbers start one cycle up, so that none is ever negative."""

    __slots__ = (
        "_clock_rate",
        "_expected_prior",
        "_first",
        "_jitter",
        "_jumped_to",
        "_received_prior",
        "_timestamp",
        "_transit",
        "gaps",
        "highest",
        "received",
    )

    def __init__(self, sequence: int, clock_rate: int) -> None:
        self._first = sequence + 0x10000
        self.highest = self._first - 1
        self.received = 0
        self.gaps = Gaps()
        self._clock_rate = clock_rate
        self._timestamp = -1
        self._transit = 0.0
        self._jitter = -1.0
        self._jumped_to = -1
        self._expected_prior = 0
        self._received_prior = 0

    def accept(self, sequence: int, timestamp: int, now: float, recovered: bool) -> int:
        """The extended number of a packet, or a negative reason to leave it out.

        REFUSED_DUPLICATE: seen, or too late. REFUSED_JUMP: so far off that only a second one in line with it counts;
        then RESTARTED: the sender started over, and this Reception is to be replaced. ``recovered``: by RTX, so it does
        not mend the loss that reports show.
        """
        step = (sequence - self.highest) & 0xFFFF
        if recovered:
            # A retransmission fills a gap we know of. One that runs ahead of the stream would only confuse it.
            extended = self.highest - (-step & 0xFFFF)
            return extended if self.gaps.fill(extended) else REFUSED_DUPLICATE
        if step == 1:
            extended = self.highest = self.highest + 1
        else:
            extended = self._accept_out_of_line(sequence, step, now)
            if extended < 0:
                return extended
        self.received += 1
        if timestamp != self._timestamp and extended == self.highest:
            self._timestamp = timestamp
            transit = now * self._clock_rate - timestamp
            if self._jitter < 0:
                self._jitter = 0.0
            else:
                change = abs(transit - self._transit)
                # A timestamp that wrapped is not jitter.
                if change < 0x80000000:
                    self._jitter += (change - self._jitter) / 16
            self._transit = transit
        return extended

    def _accept_out_of_line(self, sequence: int, step: int, now: float) -> int:
        if 0 < step <= MAX_DROPOUT:
            extended = self.highest + step
            self.gaps.open(self.highest + 1, extended, now)
            self.highest = extended
            self._jumped_to = -1
            return extended
        if sequence == self._jumped_to:
            return RESTARTED
        behind = -step & 0xFFFF
        if behind <= MAX_MISORDER:
            extended = self.highest - behind
            return extended if self.gaps.fill(extended) else REFUSED_DUPLICATE
        self._jumped_to = sequence + 1 & 0xFFFF
        return REFUSED_JUMP

    @property
    def expected(self) -> int:
        """How many packets the sender sent, as far as the numbers tell."""
        return self.highest - self._first + 1

    @property
    def lost(self) -> int:
        """Cumulative loss; duplicates do not make it negative here (they are refused)."""
        return self.expected - self.received

    @property
    def jitter(self) -> int:
        """Interarrival jitter in timestamp units."""
        return max(0, int(self._jitter))

    @property
    def extended_highest(self) -> int:
        """As reports carry it: cycles and highest sequence number, 32 bits."""
        return self.highest - 0x10000 & 0xFFFFFFFF

    def take_fraction_lost(self) -> int:
        """Loss since the last call, as an 8-bit fraction."""
        expected = self.expected - self._expected_prior
        received = self.received - self._received_prior
        self._expected_prior = self.expected
        self._received_prior = self.received
        if expected <= 0 or expected <= received:
            return 0
        return min(255, (expected - received << 8) // expected)
