"""What came in, counted from the clear RTP header alone: a light endpoint decrypts only what somebody listens to."""

from collections.abc import Callable

import msgspec
from aiortc.rtp import RtcpReceiverInfo, clamp_packets_lost

PlainPacketSink = Callable[[bytes, float], None]
"""(decrypted RTP packet, arrival as Unix seconds)"""


class Arrivals:
    """One incoming stream's count. ``lost`` is what the sequence numbers say is missing (RFC 3550 A.3)."""

    __slots__ = ("_reported", "first", "highest", "mid", "octets", "packets", "reordered", "sink", "ssrc")

    def __init__(self, ssrc: int, mid: str) -> None:
        self.ssrc = ssrc
        self.mid = mid
        self.packets = 0
        self.octets = 0
        self.reordered = 0
        self.first = 0
        self.highest = 0
        self.sink: PlainPacketSink | None = None
        self._reported = (0, 0)

    def count(self, sequence: int, octets: int) -> None:
        """Take note of a packet. ``highest`` is extended by wraps, so it only grows."""
        self.packets += 1
        self.octets += octets
        if self.packets == 1:
            self.first = self.highest = sequence
            return
        ahead = sequence - self.highest & 0xFFFF
        if 0 < ahead < 0x8000:
            self.highest += ahead
        else:
            self.reordered += 1

    @property
    def expected(self) -> int:
        return self.highest - self.first + 1 if self.packets else 0

    @property
    def lost(self) -> int:
        return max(0, self.expected - self.packets)

    def report(self, last_sr: int, since_last_sr: int) -> RtcpReceiverInfo:
        """A receiver report block about the time since the last one (RFC 3550 6.4.1); jitter is not measured."""
        expected, packets = self.expected - self._reported[0], self.packets - self._reported[1]
        self._reported = (self.expected, self.packets)
        fraction = min(255, max(0, (expected - packets) * 256 // expected)) if expected > 0 else 0
        return RtcpReceiverInfo(
            ssrc=self.ssrc,
            fraction_lost=fraction,
            packets_lost=clamp_packets_lost(self.expected - self.packets),
            highest_sequence=self.highest & 0xFFFFFFFF,
            jitter=0,
            lsr=last_sr,
            dlsr=since_last_sr,
        )


class Snapshot(msgspec.Struct, frozen=True):
    """Arrivals at one moment, to subtract from later ones."""

    packets: int
    octets: int
    lost: int


class Reception:
    """All incoming streams of one connection by SSRC. Streams the answer did not name are counted, not kept apart."""

    def __init__(self) -> None:
        self.by_ssrc: dict[int, Arrivals] = {}
        self.by_mid: dict[str, Arrivals] = {}
        self.unknown = 0

    def expect(self, mid: str, ssrc: int) -> Arrivals:
        arrivals = Arrivals(ssrc, mid)
        self.by_ssrc[ssrc] = self.by_mid[mid] = arrivals
        return arrivals

    def expect_retransmissions(self, mid: str, ssrc: int) -> None:
        self.by_ssrc[ssrc] = Arrivals(ssrc, mid)

    def snapshot(self) -> Snapshot:
        """The sum over all slots (retransmissions not counted)."""
        streams = self.by_mid.values()
        return Snapshot(
            sum(stream.packets for stream in streams),
            sum(stream.octets for stream in streams),
            sum(stream.lost for stream in streams),
        )
