"""Reports: whose clock says what, so that lips match, and the compound packets sent once a second (RFC 3550 6.4)."""

from collections import deque
from collections.abc import Iterable
from math import inf

from server.rtp import rtcp
from server.rtp.sequence import difference32

REPORT_INTERVAL_S = 1.0
FIRST_REPORT_S = 0.1
"""How soon after a slot is fed its first sender report goes out: without it a player cannot match lips."""
MAX_RTT_S = 10.0
SETTLING_S = 3.0
"""From a sender's first report on its offset is taken as it is found."""
SLEW = 0.0005
"""Then it follows by so much a second: five times a poor clock's drift, 30 ms in a recording's segment."""
CLOCK_STEP_S = 5.0
"""So much at once is no way: the sender's clock was set."""


class CaptureClock:
    """A stream's own mapping from RTP time to its sender's wall clock, from its last sender report."""

    __slots__ = ("clock_rate", "compact_ntp", "ntp_s", "received_at", "rtp_timestamp")

    def __init__(self, ntp_timestamp: int, rtp_timestamp: int, clock_rate: int, received_at: float) -> None:
        self.ntp_s = rtcp.unix_from_ntp(ntp_timestamp)
        self.compact_ntp = rtcp.compact_ntp(ntp_timestamp)
        self.rtp_timestamp = rtp_timestamp
        self.clock_rate = clock_rate
        self.received_at = received_at

    def captured_at(self, rtp_timestamp: int) -> float:
        """When, by the sender's clock in seconds, what bears this timestamp was captured."""
        return self.ntp_s + difference32(rtp_timestamp, self.rtp_timestamp) / self.clock_rate

    def rtp_at(self, sender_s: float) -> int:
        """The RTP timestamp (modulo 2**32) at a moment of the sender's clock."""
        return self.rtp_timestamp + round((sender_s - self.ntp_s) * self.clock_rate) & 0xFFFFFFFF


class SenderOffset:
    """How far our clock is ahead of a sender's, plus the shortest way of late. ONE for all streams of a peer, so its
    sound and picture shift together whatever the clocks do.

    Once settled it follows slowly: a longer way, or a burst that came early, must not move a stream's time by half a
    second at once. The recorder places sound and picture in segments that do not begin together.
    """

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=16)
        self._offset_s = 0.0
        self._followed_at = 0.0
        self._settled_at = inf

    def on_report(self, clock: CaptureClock) -> None:
        now = clock.received_at
        self._recent.append(now - clock.ntp_s)
        if self._settled_at == inf:
            self._settled_at = now + SETTLING_S
        change_s = min(self._recent) - self._offset_s
        if now > self._settled_at and abs(change_s) < CLOCK_STEP_S:
            most_s = SLEW * max(0.0, now - self._followed_at)
            change_s = max(-most_s, min(change_s, most_s))
        self._offset_s += change_s
        self._followed_at = now

    def sender_time(self, now: float) -> float | None:
        """The sender's clock at our ``now``; None before its first report."""
        return now - self._offset_s if self._recent else None


def rtt_from_block(block: rtcp.RtcpReceiverInfo, now: float) -> float | None:
    """Round trip in seconds from a report block's LSR and DLSR (RFC 3550 6.4.1); None where it says nothing sane."""
    if not block.lsr:
        return None
    units = rtcp.compact_ntp(rtcp.ntp_from_unix(now)) - block.lsr - block.dlsr & 0xFFFFFFFF
    rtt_s = units / 65_536
    return rtt_s if rtt_s <= MAX_RTT_S else None


def report_block(
    ssrc: int, fraction_lost: int, lost: int, extended_highest: int, jitter: int, clock: CaptureClock | None, now: float
) -> rtcp.RtcpReceiverInfo:
    """One block of a receiver report; ``clock`` gives LSR and DLSR where the sender has reported."""
    return rtcp.RtcpReceiverInfo(
        ssrc=ssrc,
        fraction_lost=fraction_lost,
        packets_lost=max(-0x800000, min(lost, 0x7FFFFF)),
        highest_sequence=extended_highest,
        jitter=jitter,
        lsr=clock.compact_ntp if clock is not None else 0,
        dlsr=min(0xFFFFFFFF, int((now - clock.received_at) * 65_536)) if clock is not None else 0,
    )


def compound(
    local_ssrc: int, cname: str, sender_reports: Iterable[bytes], blocks: list[rtcp.RtcpReceiverInfo]
) -> bytes:
    """Sender reports, receiver reports and SDES as one compound (RFC 3550 6.1)."""
    reports = b"".join(sender_reports)
    if blocks or not reports:
        reports += rtcp.receiver_report(local_ssrc, blocks)
    return reports + rtcp.source_description(local_ssrc, cname)
