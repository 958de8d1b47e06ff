"""What comes out of the depacketizers: whole frames, as a decoder wants them and as Matroska stores them. Pure."""

from typing import Protocol

import msgspec

MAX_FRAME_OCTETS = 8 << 20
"""A frame that grows beyond this is broken: a 4K key frame is below 2 MiB."""


class StreamFormat(msgspec.Struct, frozen=True):
    """What a decoder must know before the first frame. A segment has one; another one begins another segment.

    ``codec_id`` and ``private`` as in Matroska (RFC 9559, codec mappings); sizes in pixels, 0 for sound.
    """

    codec: str
    codec_id: str
    private: bytes = b""
    width: int = 0
    height: int = 0


class Built(msgspec.Struct, frozen=True):
    """One frame's octets, none where it said nothing that is stored. ``format`` is set where a decoder may begin with
    it (a key frame; any sound)."""

    data: bytes
    format: StreamFormat | None


class PayloadFormat(Protocol):
    """One codec's way into RTP."""

    def starts_frame(self, payload: bytes) -> bool:
        """Whether a frame may begin with this packet; asked where packets before it were lost."""

    def build(self, payloads: list[bytes]) -> Built | None:
        """The frame in these payloads, which are complete and in order; None where they make none."""


class Bits:
    """Reads bits, highest first. Raises ValueError past the end."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def read(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ValueError("past the end")
        return self._value >> self._left & (1 << count) - 1

    def flag(self) -> bool:
        return self.read(1) == 1

    def read_golomb(self) -> int:
        """ue(v) of H.264 9.1, and uvlc() of AV1 4.10.3 below 2**32."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("not a number")
        return (1 << zeros) - 1 + self.read(zeros)

    def read_signed_golomb(self) -> int:
        """se(v) of H.264 9.1.1."""
        number = self.read_golomb()
        return (number + 1) // 2 if number & 1 else -(number // 2)
