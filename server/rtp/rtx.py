"""Retransmission packets, RFC 4588: the original behind its own sequence number, on an SSRC of their own."""

from struct import Struct

from server.rtp.packet import RtpView

_HEADER = Struct("!BBHLL")
_SEQUENCE = Struct("!H")


def wrap_rtx(packet: RtpView, payload_type: int, sequence: int, ssrc: int) -> bytes:
    """A complete RTX packet for ``packet``: its header with the new identity, its sequence number before its payload.

    Header extensions and CSRCs stay, padding goes (RFC 4588 4).
    """
    data = packet.data
    header = _HEADER.pack(data[0] & 0xDF, data[1] & 0x80 | payload_type, sequence, packet.timestamp, ssrc)
    return header + data[12 : packet.payload_offset] + _SEQUENCE.pack(packet.sequence) + packet.payload


def unwrap_rtx(rtx: RtpView, payload_type: int, ssrc: int) -> bytes | None:
    """The original packet, to be parsed anew; None where there is none in it (a padding probe, or cut short)."""
    if rtx.payload_length < 2:
        return None
    data = rtx.data
    start = rtx.payload_offset
    sequence = data[start] << 8 | data[start + 1]
    header = _HEADER.pack(data[0] & 0xDF, data[1] & 0x80 | payload_type, sequence, rtx.timestamp, ssrc)
    return header + data[12:start] + data[start + 2 : rtx.payload_end]
