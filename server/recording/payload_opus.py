"""Opus (RFC 7587: one packet, one frame; RFC 7845 5.1 for its head; RFC 6716 3.1 for its length). Pure."""

from server.recording.frames import Built, StreamFormat

_PRE_SKIP = 0
"""A segment begins in mid-stream: nothing of it is the encoder's run-up, and what a listener heard is kept."""
_HEAD = b"OpusHead" + bytes((1, 2)) + _PRE_SKIP.to_bytes(2, "little") + (48_000).to_bytes(4, "little") + b"\0\0\0"
FORMAT = StreamFormat("opus", "A_OPUS", _HEAD)

_FRAME_MS = (10, 20, 40, 60) * 3 + (10, 20) * 2 + (2.5, 5, 10, 20) * 4


class Opus:
    """Every packet is a frame, and every frame may be the first."""

    def starts_frame(self, payload: bytes) -> bool:
        return True

    def build(self, payloads: list[bytes]) -> Built | None:
        return Built(payloads[0], FORMAT) if payloads[0] and duration_s(payloads[0]) else None


def duration_s(packet: bytes) -> float:
    """How long a packet sounds, at most 0.12 s; 0 where it breaks the rules (RFC 6716 3.4)."""
    if not packet:
        return 0.0
    toc = packet[0]
    count = (1, 2, 2, 0)[toc & 3]
    if toc & 3 == 3:
        count = packet[1] & 0x3F if len(packet) > 1 else 0
    length_ms = _FRAME_MS[toc >> 3] * count
    return length_ms / 1000 if length_ms <= 120 else 0.0
