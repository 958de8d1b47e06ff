"""RTCP by aiortc's classes (RFC 3550 6, RFC 4585, RFC 5104, REMB draft), hardened and with the NTP clock beside it.

``parse`` is the only way in; the functions below it make single packets, to be joined into one compound.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence

from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB,
    RTCP_RTPFB_NACK,
    RtcpByePacket,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
    pack_remb_fci,
    unpack_remb_fci,
)

from server.errors import InvalidInput
from server.rtp.transport_cc import FEEDBACK_FORMAT, TransportFeedback, parse_transport_feedback

__all__ = [
    "AnyRtcpPacket",
    "RtcpByePacket",
    "RtcpPsfbPacket",
    "RtcpReceiverInfo",
    "RtcpRrPacket",
    "RtcpRtpfbPacket",
    "RtcpSdesPacket",
    "RtcpSenderInfo",
    "RtcpSrPacket",
    "TransportFeedback",
]

AnyRtcpPacket = (
    RtcpByePacket | RtcpPsfbPacket | RtcpRrPacket | RtcpRtpfbPacket | RtcpSdesPacket | RtcpSrPacket | TransportFeedback
)

MAX_COMPOUND_LENGTH = 2_048
NTP_EPOCH_OFFSET_S = 2_208_988_800
"""From 1900 (NTP) to 1970 (Unix), RFC 5905."""
MAX_REMB_BPS = 1_000_000_000
_SDES_CNAME = 1


def parse(data: bytes) -> list[AnyRtcpPacket]:
    """Every packet of a compound that aiortc knows, and transport-wide feedback; other types are passed over.

    Raises InvalidInput("malformed_rtcp") for anything malformed, and nothing else.
    """
    if not 4 <= len(data) <= MAX_COMPOUND_LENGTH:
        raise InvalidInput("malformed_rtcp", f"{len(data)} octets")
    try:
        return [parsed for packet in _split(data) for parsed in _parse_one(packet)]
    except (ValueError, IndexError, struct.error) as error:
        raise InvalidInput("malformed_rtcp", str(error)) from error


def _split(data: bytes) -> Iterator[bytes]:
    """The packets of a compound; what is cut short is left to the parser to refuse."""
    start = 0
    while start < len(data):
        end = start + 4 + 4 * (data[start + 2] << 8 | data[start + 3]) if len(data) - start >= 4 else len(data)
        yield data[start:end]
        start = end


def _parse_one(packet: bytes) -> Sequence[AnyRtcpPacket]:
    if len(packet) < 4 or packet[1] != RTCP_RTPFB or packet[0] & 0xDF != 0x80 | FEEDBACK_FORMAT:
        parsed: Sequence[AnyRtcpPacket] = RtcpPacket.parse(packet)
        for each in parsed:
            if isinstance(each, RtcpRtpfbPacket):
                # aiortc counts on from 65535 where a NACK's bits wrap, and one packet would have two names.
                each.lost = [sequence & 0xFFFF for sequence in each.lost]
        return parsed
    if len(packet) < 4 + 4 * (packet[2] << 8 | packet[3]):
        raise ValueError("RTCP packet is truncated")
    # Its padding lies behind the deltas, which are counted; so it needs no look.
    return (parse_transport_feedback(packet[4:]),)


def is_nack(packet: RtcpRtpfbPacket) -> bool:
    """Generic NACK (RFC 4585 6.2.1): ``packet.lost`` are the sequence numbers."""
    return packet.fmt == RTCP_RTPFB_NACK


def keyframe_ssrcs(packet: RtcpPsfbPacket) -> list[int]:
    """The SSRCs that a PLI (RFC 4585 6.3.1) or FIR (RFC 5104 4.3.1) asks a key frame of; empty for other feedback."""
    if packet.fmt == RTCP_PSFB_PLI:
        return [packet.media_ssrc]
    if packet.fmt == RTCP_PSFB_FIR:
        return [struct.unpack_from("!L", packet.fci, at)[0] for at in range(0, len(packet.fci) - 7, 8)]
    return []


def remb_bps(packet: RtcpPsfbPacket) -> int | None:
    """The bitrate of a REMB message (draft-alvestrand-rmcat-remb-03), at most a gigabit; None for anything else."""
    if packet.fmt != RTCP_PSFB_APP:
        return None
    try:
        bitrate_bps, _ = unpack_remb_fci(packet.fci)
    except (ValueError, struct.error):
        return None
    return min(bitrate_bps, MAX_REMB_BPS)


def pli(sender_ssrc: int, media_ssrc: int) -> bytes:
    """Picture Loss Indication (RFC 4585 6.3.1)."""
    return bytes(RtcpPsfbPacket(RTCP_PSFB_PLI, sender_ssrc, media_ssrc))


def fir(sender_ssrc: int, media_ssrc: int, number: int) -> bytes:
    """Full Intra Request; ``number`` grows with every new request, modulo 256 (RFC 5104 4.3.1)."""
    return bytes(RtcpPsfbPacket(RTCP_PSFB_FIR, sender_ssrc, 0, struct.pack("!LBxxx", media_ssrc, number & 0xFF)))


def nack(sender_ssrc: int, media_ssrc: int, extended: Sequence[int]) -> bytes:
    """Generic NACKs for ascending extended sequence numbers (RFC 4585 6.2.1). Split where the 16 bits wrap."""
    packets = b""
    start = 0
    for index in range(1, len(extended) + 1):
        if index == len(extended) or extended[index] >> 16 != extended[start] >> 16:
            lost = [number & 0xFFFF for number in extended[start:index]]
            packets += bytes(RtcpRtpfbPacket(RTCP_RTPFB_NACK, sender_ssrc, media_ssrc, lost))
            start = index
    return packets


def remb(sender_ssrc: int, bitrate_bps: int, media_ssrcs: Sequence[int]) -> bytes:
    """Receiver Estimated Maximum Bitrate (draft-alvestrand-rmcat-remb-03) over at most 255 SSRCs."""
    fci = pack_remb_fci(bitrate_bps, list(media_ssrcs[:255]))
    return bytes(RtcpPsfbPacket(RTCP_PSFB_APP, sender_ssrc, 0, fci))


def sender_report(ssrc: int, ntp_timestamp: int, rtp_timestamp: int, packets: int, octets: int) -> bytes:
    """A sender report without report blocks (RFC 3550 6.4.1); counts wrap at 32 bits."""
    info = RtcpSenderInfo(ntp_timestamp, rtp_timestamp & 0xFFFFFFFF, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF)
    return bytes(RtcpSrPacket(ssrc, info))


def receiver_report(ssrc: int, reports: Sequence[RtcpReceiverInfo]) -> bytes:
    """Receiver reports with any number of blocks, 31 a packet; one empty packet without any (RFC 3550 6.4.2)."""
    starts: Iterable[int] = range(0, max(1, len(reports)), 31)
    return b"".join(bytes(RtcpRrPacket(ssrc, list(reports[start : start + 31]))) for start in starts)


def source_description(ssrc: int, cname: str) -> bytes:
    """SDES with the one item every compound has, CNAME (RFC 3550 6.5.1)."""
    return bytes(RtcpSdesPacket([RtcpSourceInfo(ssrc, [(_SDES_CNAME, cname.encode())])]))


def ntp_from_unix(unix_s: float) -> int:
    """Unix seconds as the 64-bit NTP timestamp (32.32 fixed point) of sender reports."""
    return int((unix_s + NTP_EPOCH_OFFSET_S) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def unix_from_ntp(ntp_timestamp: int) -> float:
    """The inverse of ``ntp_from_unix``, in this era (until 2036)."""
    return ntp_timestamp / (1 << 32) - NTP_EPOCH_OFFSET_S


def compact_ntp(ntp_timestamp: int) -> int:
    """The middle 32 bits (16.16 seconds), as in LSR and DLSR (RFC 3550 6.4.1)."""
    return ntp_timestamp >> 16 & 0xFFFFFFFF
