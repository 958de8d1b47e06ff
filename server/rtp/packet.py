"""RTP packets as they come in: one cheap look at the header, everything else on demand (RFC 3550, RFC 8285)."""

from struct import Struct

import msgspec

from server.rtp.extensions import find_extension
from server.rtp.vp8 import Vp8Descriptor, parse_descriptor

HEADER_LENGTH = 12

_HEADER = Struct("!BBHLL")
_UNREAD = Vp8Descriptor(0, -1, False, -1, -1, False, -1, -1)


class RtpView(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One RTP packet, not copied: ``data`` and where things lie in it. Immutable, may be kept.

    ``payload_offset``..``payload_end`` is the payload without padding; ``extensions_offset`` is where the RFC 8285
    elements begin (they end at ``payload_offset``), 0 without any. ``one_byte`` says which of the two forms.
    """

    data: bytes
    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload_offset: int
    payload_end: int
    extensions_offset: int = 0
    one_byte: bool = True
    _vp8: Vp8Descriptor | None = _UNREAD

    @property
    def payload(self) -> bytes:
        """A copy of the payload octets, padding removed."""
        return self.data[self.payload_offset : self.payload_end]

    @property
    def payload_length(self) -> int:
        return self.payload_end - self.payload_offset

    @property
    def padded(self) -> bool:
        """True where the header's P bit is set."""
        return self.data[0] & 0x20 != 0

    def extension(self, extension_id: int) -> bytes | None:
        """The value of the header extension element ``extension_id`` (1..255), None where absent or cut short."""
        start = self.extensions_offset
        if not start:
            return None
        return find_extension(self.data, start, self.payload_offset, self.one_byte, extension_id)

    def vp8(self) -> Vp8Descriptor | None:
        """The VP8 payload descriptor with offsets into ``data``; None where cut short. Read once, then remembered."""
        descriptor = self._vp8
        if descriptor is _UNREAD:
            descriptor = parse_descriptor(self.data, self.payload_offset, self.payload_end)
            msgspec.structs.force_setattr(self, "_vp8", descriptor)
        return descriptor


def parse(data: bytes) -> RtpView | None:
    """Look at one datagram's RTP header. None: malformed (too short, version, CSRC, extension, padding).

    Extension elements and payload are not looked into. Source: RFC 3550 5.1 and A.1, RFC 8285 4.1.
    """
    length = len(data)
    if length < HEADER_LENGTH:
        return None
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first & 0xC0 != 0x80:
        return None
    offset = HEADER_LENGTH + 4 * (first & 0x0F)
    extensions_offset = 0
    one_byte = True
    if first & 0x10:
        if length < offset + 4:
            return None
        profile = data[offset] << 8 | data[offset + 1]
        elements = offset + 4
        offset = elements + 4 * (data[offset + 2] << 8 | data[offset + 3])
        if profile == 0xBEDE:
            extensions_offset = elements
        elif profile & 0xFFF0 == 0x1000:
            extensions_offset = elements
            one_byte = False
    end = length
    if first & 0x20:
        padding = data[-1]
        if not padding:
            return None
        end -= padding
    if offset > end:
        return None
    return RtpView(
        data,
        second & 0x7F,
        second >= 0x80,
        sequence,
        timestamp,
        ssrc,
        offset,
        end,
        extensions_offset,
        one_byte,
    )
