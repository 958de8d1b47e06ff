"""Packets in order become whole frames. Pure: broken payload makes no frame, and never an exception."""

import msgspec

from server.recording.frames import MAX_FRAME_OCTETS, PayloadFormat, StreamFormat
from server.recording.payload_av1 import Av1
from server.recording.payload_h264 import H264
from server.recording.payload_opus import Opus
from server.recording.payload_vp8 import Vp8
from server.recording.payload_vp9 import Vp9
from server.recording.reorder import Arrival, Ordered

CODECS = ("opus", "vp8", "h264", "vp9", "av1")
_MAX_PACKETS = 8_192


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A whole frame. ``timestamp``: RTP, 32 bits. ``format``: where a segment may begin with it.

    ``after_loss``: packets or frames before it are missing. ``at``, ``index``: of its first packet; ``sequence`` of its
    last; ``packets`` it came in.
    """

    data: bytes
    timestamp: int
    format: StreamFormat | None
    after_loss: bool
    restarted: bool
    at: float
    index: int
    ssrc: int
    payload_type: int
    sequence: int
    packets: int


class Depacketizer:
    """Of one codec in one RTP stream. A frame ends with the marker or with the next timestamp.

    Counts ``broken``: frames that came only in part, or made no sense.
    """

    def __init__(self, codec: str, private: bytes = b"") -> None:
        """``codec``: one of CODECS. ``private``: of an earlier segment (H.264 encoders may send that only once)."""
        self._format: PayloadFormat = _payload_format(codec, private)
        self._whole_packets = codec == "opus"
        self._parts: list[Arrival] = []
        self._after_loss = False
        self._restarted = False
        self._skipping = False
        self.broken = 0

    def push(self, ordered: Ordered) -> list[Frame]:
        """The frames that this packet completes: none, one, or two (without markers)."""
        frames: list[Frame] = []
        packet = ordered.arrival.packet
        if ordered.restarted or ordered.missing:
            self._interrupt(ordered)
        if not packet.payload_length:
            return frames
        if self._parts and self._parts[0].packet.timestamp != packet.timestamp:
            self._complete(frames)
        if self._skipping and self._format.starts_frame(packet.payload):
            self._skipping = False
        if self._skipping:
            return frames
        self._parts.append(ordered.arrival)
        if packet.marker or self._whole_packets:
            self._complete(frames)
        elif len(self._parts) > _MAX_PACKETS:
            self._drop()
        return frames

    def oldest_index(self) -> int | None:
        """The wire number of the first packet of a frame that is not whole yet."""
        return self._parts[0].index if self._parts else None

    def _interrupt(self, ordered: Ordered) -> None:
        if self._parts:
            self._drop()
        self._after_loss = self._after_loss or ordered.missing > 0
        self._restarted = self._restarted or ordered.restarted
        self._skipping = True

    def _drop(self) -> None:
        self._parts = []
        self._after_loss = True
        self._skipping = True
        self.broken += 1

    def _complete(self, frames: list[Frame]) -> None:
        parts, self._parts = self._parts, []
        built = None
        if sum(part.packet.payload_length for part in parts) <= MAX_FRAME_OCTETS:
            built = self._format.build([part.packet.payload for part in parts])
        if built is None:
            self._after_loss = True
            self.broken += 1
            return
        if not built.data:
            return
        first, last = parts[0], parts[-1]
        frames.append(
            Frame(
                built.data,
                first.packet.timestamp,
                built.format,
                self._after_loss,
                self._restarted,
                first.at,
                first.index,
                first.packet.ssrc,
                first.packet.payload_type,
                last.packet.sequence,
                len(parts),
            )
        )
        self._after_loss = self._restarted = False


def _payload_format(codec: str, private: bytes) -> PayloadFormat:
    match codec:
        case "opus":
            return Opus()
        case "vp8":
            return Vp8()
        case "h264":
            return H264(private)
        case "vp9":
            return Vp9()
        case "av1":
            return Av1()
    raise AssertionError(f"no depacketizer for {codec}")
