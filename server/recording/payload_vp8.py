"""VP8 out of RTP (RFC 7741). Pure."""

from server.recording.frames import Built, StreamFormat
from server.rtp.vp8 import parse_descriptor


class Vp8:
    """The payload descriptor goes, the rest is the frame."""

    def starts_frame(self, payload: bytes) -> bool:
        descriptor = parse_descriptor(payload, 0, len(payload))
        return descriptor is not None and descriptor.starts_frame

    def build(self, payloads: list[bytes]) -> Built | None:
        if not self.starts_frame(payloads[0]):
            return None
        parts = []
        for payload in payloads:
            descriptor = parse_descriptor(payload, 0, len(payload))
            if descriptor is None:
                return None
            parts.append(payload[descriptor.frame_offset :])
        data = b"".join(parts)
        return Built(data, _format(data)) if data else None


def _format(frame: bytes) -> StreamFormat | None:
    """RFC 6386 9.1: of a key frame, None for any other."""
    if len(frame) < 10 or frame[0] & 1 or frame[3:6] != b"\x9d\x01\x2a":
        return None
    width, height = (frame[6] | frame[7] << 8) & 0x3FFF, (frame[8] | frame[9] << 8) & 0x3FFF
    return StreamFormat("vp8", "V_VP8", b"", width, height) if width and height else None
