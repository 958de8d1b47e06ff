"""RTCP of a virtual endpoint: reports every second, answers to NACKs, keyframe requests heard. Told the time."""

from collections.abc import Callable, Sequence

import msgspec
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    pack_remb_fci,
)

from server.bots.reception import Reception
from server.bots.streams import RtpStream

INTERVAL_S = 1.0
RECEIVE_ESTIMATE_BPS = 20_000_000
"""The REMB a light endpoint sends: it says that its line carries everything."""
_MOST_BLOCKS = 31
_PSFB_NAMES = {RTCP_PSFB_PLI: "pli", RTCP_PSFB_FIR: "fir", RTCP_PSFB_APP: "remb"}


class Feedback(msgspec.Struct, frozen=True):
    """What a compound asked for. ``kinds`` name what was in it: sr, rr, pli, fir, nack, remb."""

    kinds: tuple[str, ...]
    retransmissions: tuple[bytes, ...]


class Reporter:
    """Both directions of one connection's RTCP (RFC 3550 6.4, RFC 4585)."""

    def __init__(self, reception: Reception) -> None:
        self.estimate_bps = RECEIVE_ESTIMATE_BPS
        self._reception = reception
        self._streams: dict[int, RtpStream] = {}
        self._on_keyframe: dict[int, Callable[[], None]] = {}
        self._last_sr: dict[int, tuple[int, float]] = {}
        self._due = 0.0

    def add(self, stream: RtpStream, on_keyframe_request: Callable[[], None] | None) -> None:
        self._streams[stream.ssrc] = stream
        if on_keyframe_request is not None:
            self._on_keyframe[stream.ssrc] = on_keyframe_request

    def receive(self, packets: Sequence[AnyRtcpPacket], now: float) -> Feedback:
        """Take in one parsed compound."""
        kinds: list[str] = []
        retransmissions: list[bytes] = []
        for packet in packets:
            if isinstance(packet, RtcpSrPacket):
                kinds.append("sr")
                self._last_sr[packet.ssrc] = (packet.sender_info.ntp_timestamp >> 16 & 0xFFFFFFFF, now)
            elif isinstance(packet, RtcpRrPacket):
                kinds.append("rr")
            elif isinstance(packet, RtcpPsfbPacket):
                kinds.append(
                    {RTCP_PSFB_PLI: "pli", RTCP_PSFB_FIR: "fir", RTCP_PSFB_APP: "remb"}.get(packet.fmt, "psfb")
                )
                self._ask_for_keyframe(packet)
            elif isinstance(packet, RtcpRtpfbPacket):
                kinds.append("nack")
                stream = self._streams.get(packet.media_ssrc)
                if stream is not None:
                    again = (stream.retransmission(sequence, now) for sequence in packet.lost)
                    retransmissions += [data for data in again if data is not None]
        return Feedback(tuple(kinds), tuple(retransmissions))

    def _ask_for_keyframe(self, packet: RtcpPsfbPacket) -> None:
        if packet.fmt == RTCP_PSFB_PLI:
            targets = [packet.media_ssrc]
        elif packet.fmt == RTCP_PSFB_FIR:
            targets = [int.from_bytes(packet.fci[start : start + 4], "big") for start in range(0, len(packet.fci), 8)]
        else:
            return
        for ssrc in targets:
            if ssrc in self._on_keyframe:
                self._on_keyframe[ssrc]()

    def next_deadline(self) -> float:
        return self._due

    def tick(self, now: float) -> bytes | None:
        """The compound that is due: an SR for each stream that sends, receiver blocks, a REMB. None: not yet."""
        if now < self._due:
            return None
        self._due = now + INTERVAL_S
        blocks = [self._block(ssrc, now) for ssrc, arrivals in self._reception.by_ssrc.items() if arrivals.packets]
        own = next(iter(self._streams), 1)
        compound = b""
        for stream in self._streams.values():
            info = stream.sender_info(now)
            if info is not None:
                compound += bytes(RtcpSrPacket(ssrc=stream.ssrc, sender_info=info, reports=blocks[:_MOST_BLOCKS]))
                blocks = blocks[_MOST_BLOCKS:]
        while blocks or not compound:
            compound += bytes(RtcpRrPacket(ssrc=own, reports=blocks[:_MOST_BLOCKS]))
            blocks = blocks[_MOST_BLOCKS:]
        watched = [arrivals.ssrc for arrivals in self._reception.by_mid.values() if arrivals.packets]
        if watched:
            remb = pack_remb_fci(self.estimate_bps, watched[:_MOST_BLOCKS])
            compound += bytes(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=own, media_ssrc=0, fci=remb))
        return compound

    def _block(self, ssrc: int, now: float) -> RtcpReceiverInfo:
        last_sr, heard_at = self._last_sr.get(ssrc, (0, now))
        return self._reception.by_ssrc[ssrc].report(last_sr, int((now - heard_at) * 65_536) & 0xFFFFFFFF)
