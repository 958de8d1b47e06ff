"""Outgoing RTP of a virtual endpoint: numbering, header extensions, VP8 descriptors, a history for NACKs."""

from struct import Struct

from aiortc.rtp import RtcpSenderInfo

from server.bots import offer

HISTORY = 512
_HEADER = Struct("!BBHLL")
_NTP_EPOCH_S = 2_208_988_800


class RtpStream:
    """One outgoing stream. ``packet`` numbers, stamps and remembers; it never reads a clock.

    ``level`` elements are written only on audio. Source: RFC 3550 5.1, RFC 8285 4.2, RFC 4588 4.
    """

    def __init__(
        self,
        ssrc: int,
        payload_type: int,
        clock_rate: int,
        *,
        mid: str,
        rid: str = "",
        rtx: tuple[int, int] | None = None,
    ) -> None:
        """``rtx``: (ssrc, payload type) of the retransmission stream, None without one."""
        self.ssrc = ssrc
        self.payload_type = payload_type
        self.clock_rate = clock_rate
        self.sequence = ssrc * 7 & 0x7FFF
        self.packets = 0
        self.octets = 0
        self._rtx = rtx
        self._rtx_sequence = 1
        self._names = _element(offer.MID_ID, mid.encode()) if mid else b""
        self._rid = _element(offer.RID_ID, rid.encode()) if rid else b""
        self._repaired_rid = _element(offer.REPAIRED_RID_ID, rid.encode()) if rid else b""
        self._history: dict[int, tuple[int, bytes, bool, int]] = {}
        self._last: tuple[int, float] | None = None

    def packet(self, payload: bytes, timestamp: int, marker: bool, now: float, level_dbov: int | None = None) -> bytes:
        """The next packet, unprotected. ``level_dbov``: 0..127 for audio (voice flag set below 127), None for video."""
        elements = self._names + self._rid
        if level_dbov is not None:
            elements += _element(offer.AUDIO_LEVEL_ID, bytes((level_dbov | (0x80 if level_dbov < 127 else 0),)))
        sequence = self.sequence
        self.sequence = sequence + 1 & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        self._last = (timestamp, now)
        if self._rtx is not None:
            self._history[sequence % HISTORY] = (sequence, payload, marker, timestamp)
        return self._assemble(self.ssrc, self.payload_type, sequence, timestamp, marker, elements, payload, now)

    def retransmission(self, sequence: int, now: float) -> bytes | None:
        """The RTX packet for a lost ``sequence`` (RFC 4588), None where it is no longer known or RTX is not offered."""
        kept = self._history.get(sequence % HISTORY)
        if self._rtx is None or kept is None or kept[0] != sequence:
            return None
        _, payload, marker, timestamp = kept
        ssrc, payload_type = self._rtx
        rtx_sequence = self._rtx_sequence
        self._rtx_sequence = rtx_sequence + 1 & 0xFFFF
        elements = self._names + self._repaired_rid
        original = sequence.to_bytes(2, "big") + payload
        return self._assemble(ssrc, payload_type, rtx_sequence, timestamp, marker, elements, original, now)

    def sender_info(self, now: float) -> RtcpSenderInfo | None:
        """The sender part of an SR (RFC 3550 6.4.1), None before the first packet."""
        if self._last is None:
            return None
        timestamp, sent_at = self._last
        return RtcpSenderInfo(
            ntp_timestamp=ntp_timestamp(now),
            rtp_timestamp=timestamp + int((now - sent_at) * self.clock_rate) & 0xFFFFFFFF,
            packet_count=self.packets & 0xFFFFFFFF,
            octet_count=self.octets & 0xFFFFFFFF,
        )

    def _assemble(
        self,
        ssrc: int,
        payload_type: int,
        sequence: int,
        timestamp: int,
        marker: bool,
        elements: bytes,
        payload: bytes,
        now: float,
    ) -> bytes:
        send_time = int((now % 64) * 262_144) & 0xFFFFFF
        elements += (offer.ABS_SEND_TIME_ID << 28 | 2 << 24 | send_time).to_bytes(4, "big")
        words = (len(elements) + 3) // 4
        second = payload_type | (0x80 if marker else 0)
        header = _HEADER.pack(0x90, second, sequence, timestamp, ssrc) + b"\xbe\xde" + words.to_bytes(2, "big")
        return header + elements.ljust(4 * words, b"\0") + payload


def ntp_timestamp(now: float) -> int:
    """Unix seconds as a 64-bit NTP timestamp (RFC 3550 4)."""
    return int((now + _NTP_EPOCH_S) * 4_294_967_296) & 0xFFFFFFFFFFFFFFFF


def vp8_descriptor(first: bool, picture_id: int) -> bytes:
    """A VP8 payload descriptor with a 15-bit picture id (RFC 7741 4.2); ``first`` chunk of its frame or not."""
    return bytes((0x90 if first else 0x80, 0x80, 0x80 | picture_id >> 8 & 0x7F, picture_id & 0xFF))


def _element(extension_id: int, value: bytes) -> bytes:
    return bytes((extension_id << 4 | len(value) - 1,)) + value
