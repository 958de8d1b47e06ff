"""Packets as browsers, ffmpeg and GStreamer make them, for tests of the router."""

import struct
from dataclasses import dataclass

from server.rtp.extensions import abs_send_time, one_byte_element
from server.sfu.ports import Codec, Extensions, Kind, SlotSpec, TrackLabel, UplinkSpec

VP8 = Codec(96, "vp8", 90_000, rtx_payload_type=97, nack=True, pli=True, remb=True)
H264 = Codec(
    102,
    "h264",
    90_000,
    "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
    rtx_payload_type=103,
    nack=True,
    pli=True,
)
OPUS = Codec(111, "opus", 48_000, "minptime=10")
MID, RID, REPAIRED_RID, SEND_TIME, LEVEL = 1, 2, 3, 4, 5
NUMBER = 6
EXTENSIONS = Extensions(
    mid=MID,
    rid=RID,
    repaired_rid=REPAIRED_RID,
    abs_send_time=SEND_TIME,
    audio_level=LEVEL,
    transport_cc=NUMBER,
)


def mic(mid: str = "0", codecs: tuple[Codec, ...] = (OPUS,), **changes: object) -> UplinkSpec:
    return _uplink(mid, Kind.AUDIO, TrackLabel.MIC, codecs, changes)


def camera(mid: str = "1", codecs: tuple[Codec, ...] = (VP8, H264), **changes: object) -> UplinkSpec:
    return _uplink(mid, Kind.VIDEO, TrackLabel.CAMERA, codecs, changes)


def _uplink(
    mid: str, kind: Kind, label: TrackLabel, codecs: tuple[Codec, ...], changes: dict[str, object]
) -> UplinkSpec:
    fields: dict[str, object] = {"extensions": EXTENSIONS, **changes}
    return UplinkSpec(mid, kind, label, codecs, **fields)  # type: ignore[arg-type]  # fields by name, checked at run time


def video_slot(index: int = 0, ssrc: int = 9_000, codecs: tuple[Codec, ...] = (VP8, H264)) -> SlotSpec:
    return SlotSpec(f"v{index}", Kind.VIDEO, index, ssrc + index, ssrc + 500 + index, codecs, EXTENSIONS)


def audio_slot(index: int = 0, ssrc: int = 8_000, codecs: tuple[Codec, ...] = (OPUS,)) -> SlotSpec:
    return SlotSpec(f"a{index}", Kind.AUDIO, index, ssrc + index, 0, codecs, EXTENSIONS)


def rtp(
    payload_type: int,
    sequence: int,
    timestamp: int,
    ssrc: int,
    payload: bytes,
    marker: bool = False,
    extensions: tuple[tuple[int, bytes], ...] = (),
) -> bytes:
    """A packet; sequence and timestamp are cut to their widths."""
    block = b"".join(one_byte_element(*element) for element in extensions)
    if block:
        words = len(block) + 3 >> 2
        block = b"\xbe\xde" + words.to_bytes(2, "big") + block.ljust(4 * words, b"\0")
    first = 0x90 if block else 0x80
    second = payload_type | (0x80 if marker else 0)
    header = struct.pack("!BBHLL", first, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
    return header + block + payload


@dataclass
class Microphone:
    """An Opus sender: one packet of 20 ms a call."""

    ssrc: int = 100
    mid: str = "0"
    sequence: int = 1_000
    timestamp: int = 50_000
    payload_type: int = 111

    def packet(self, now: float = 0.0, dbov: int | None = 20, payload: bytes = b"opus" * 20) -> bytes:
        self.sequence += 1
        self.timestamp += 960
        extensions = [(MID, self.mid.encode())] if self.mid else []
        if dbov is not None:
            extensions.append((LEVEL, bytes((0x80 | dbov,))))
        return rtp(self.payload_type, self.sequence, self.timestamp, self.ssrc, payload, extensions=tuple(extensions))


@dataclass
class Camera:
    """A VP8 sender. ``picture_id_bits`` 15, 7 or 0; with 0 there is no TL0PICIDX either (ffmpeg, GStreamer)."""

    ssrc: int = 200
    mid: str = "1"
    rid: str = ""
    sequence: int = 2_000
    timestamp: int = 70_000
    picture_id: int = 40
    tl0: int = 7
    picture_id_bits: int = 15
    packets_per_frame: int = 3
    width: int = 640
    height: int = 360
    payload_type: int = 96
    packet_octets: int = 400
    mark: bytes = b"v"
    pattern: tuple[tuple[int, bool], ...] = ((0, False),)
    """(temporal layer, sync) of the frames from a key frame on, over and over."""
    frames: int = 0

    def frame(self, now: float, key: bool = False, step: int = 3_000) -> list[bytes]:
        """The packets of the next frame, ``step`` timestamp units on."""
        self.timestamp += step
        self.picture_id += 1
        self.frames = 0 if key else self.frames + 1
        self.tl0 += self._layer[0] == 0
        packets = []
        for index in range(self.packets_per_frame):
            self.sequence += 1
            body = self._descriptor(index == 0) + (self._frame_head(key) if index == 0 else b"")
            last = index == self.packets_per_frame - 1
            packets.append(
                rtp(
                    self.payload_type,
                    self.sequence,
                    self.timestamp,
                    self.ssrc,
                    body + self.mark * self.packet_octets,
                    last,
                    self._extensions(now),
                )
            )
        return packets

    def _extensions(self, now: float) -> tuple[tuple[int, bytes], ...]:
        extensions = [(SEND_TIME, abs_send_time(now).to_bytes(3, "big"))]
        if self.mid:
            extensions.append((MID, self.mid.encode()))
        if self.rid:
            extensions.append((RID, self.rid.encode()))
        return tuple(extensions)

    @property
    def _layer(self) -> tuple[int, bool]:
        return self.pattern[self.frames % len(self.pattern)]

    def _descriptor(self, starts: bool) -> bytes:
        first = 0x10 if starts else 0
        if self.picture_id_bits == 0:
            return bytes((first,))
        if self.picture_id_bits == 7:
            return bytes((0x80 | first, 0x80, self.picture_id & 0x7F))
        layer, sync = self._layer
        picture_id = 0x8000 | self.picture_id & 0x7FFF
        return (
            bytes((0x80 | first, 0xE0))
            + picture_id.to_bytes(2, "big")
            + bytes((self.tl0 & 0xFF, layer << 6 | sync << 5))
        )

    def _frame_head(self, key: bool) -> bytes:
        if not key:
            return b"\x11\x22\x33"
        return b"\x10\x22\x33\x9d\x01\x2a" + struct.pack("<HH", self.width, self.height)
