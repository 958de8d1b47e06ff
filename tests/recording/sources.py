"""Real encoders' packets for the recorder: known tones, known brightness, every codec, packed as senders pack them."""

from collections.abc import Iterator
from fractions import Fraction

import msgspec
import numpy as np
from av import CodecContext, VideoFrame
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from server.bots.loops import encode_tone
from server.recording.capture import SenderReport
from server.rtp import rtcp
from server.sfu.ports import Codec

OPUS = Codec(111, "opus", 48_000, "")
VP8 = Codec(96, "vp8", 90_000, "")
H264 = Codec(97, "h264", 90_000, "packetization-mode=1;profile-level-id=42e01f")
VP9 = Codec(100, "vp9", 90_000, "profile-id=0")
AV1 = Codec(101, "av1", 90_000, "")
VIDEO = {codec.name: codec for codec in (VP8, H264, VP9, AV1)}
ALL = (OPUS, VP8, H264, VP9, AV1)

_ENCODERS = {
    "vp8": ("libvpx", {"deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0"}),
    "h264": ("libx264", {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"}),
    "vp9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    "av1": ("libsvtav1", {"preset": "12", "svtav1-params": "pred-struct=1:rc=2:lp=1"}),
}


class Sent(msgspec.Struct, frozen=True):
    """A packet and when it arrives. ``starts_key``: first of a key frame."""

    data: bytes
    at: float
    starts_key: bool = False


def rtp(codec: Codec, ssrc: int, sequence: int, timestamp: int, payload: bytes, marker: bool) -> bytes:
    head = bytes((0x80, codec.payload_type | (0x80 if marker else 0)))
    numbers = (sequence & 0xFFFF).to_bytes(2, "big") + (timestamp & 0xFFFFFFFF).to_bytes(4, "big")
    return head + numbers + ssrc.to_bytes(4, "big") + payload


class Microphone:
    """A pure tone in Opus, 20 ms a packet. ``skew``: how much faster than the server its clock runs."""

    def __init__(self, tone_hz: int, ssrc: int = 0x1111, sequence: int = 65_500, timestamp: int = 0xFFFF_F000) -> None:
        self.codec = OPUS
        self.ssrc = ssrc
        self.sequence = sequence
        self.timestamp = timestamp
        self._loop = encode_tone(tone_hz).frames
        self._count = 0

    def packet(self, at: float) -> Sent:
        payload = self._loop[self._count % len(self._loop)]
        self._count += 1
        data = rtp(OPUS, self.ssrc, self.sequence, self.timestamp, payload, self._count == 1)
        self.sequence += 1
        self.timestamp += 960
        return Sent(data, at)

    def report(self, at: float) -> bytes:
        """What is sent next was captured ``at``."""
        return report(self.ssrc, at, self.timestamp)


class Camera:
    """Pictures of one brightness after the other, with something that moves; key frames when asked."""

    def __init__(
        self,
        codec: Codec,
        width: int = 320,
        height: int = 240,
        frames_per_s: int = 15,
        *,
        ssrc: int = 0x2222,
        sequence: int = 65_400,
        timestamp: int = 0xFFFF_0000,
        mtu: int = 1_100,
    ) -> None:
        self._mtu = mtu
        self.codec = codec
        self.ssrc = ssrc
        self.sequence = sequence
        self.timestamp = timestamp
        self.brightness = 60
        self.frames_per_s = frames_per_s
        self.count = 0
        self._picture_id = 0
        self._encoder = self._open(width, height)

    def resize(self, width: int, height: int) -> None:
        self._encoder = self._open(width, height)

    def frame(self, at: float, *, key: bool = False) -> list[Sent]:
        """One picture's packets, all at once."""
        encoder = self._encoder
        picture = np.full((encoder.height, encoder.width), self.brightness, np.uint8)
        edge = max(1, encoder.width // 8)
        left = self.count * 3 % max(1, encoder.width - edge)
        picture[: max(1, encoder.height // 8), left : left + edge] = 255 - self.brightness
        frame = VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")
        frame.pts, frame.time_base = self.count, Fraction(1, self.frames_per_s)
        frame.pict_type = PictureType.I if key else PictureType.NONE
        self.count += 1
        sent: list[Sent] = []
        for coded in encoder.encode(frame):
            payloads = list(self._payloads(bytes(coded), coded.is_keyframe))
            for index, payload in enumerate(payloads):
                marker = index == len(payloads) - 1
                data = rtp(self.codec, self.ssrc, self.sequence, self.timestamp, payload, marker)
                sent.append(Sent(data, at, coded.is_keyframe and index == 0))
                self.sequence += 1
        self.timestamp += 90_000 // self.frames_per_s
        return sent

    def report(self, at: float) -> bytes:
        return report(self.ssrc, at, self.timestamp)

    def _open(self, width: int, height: int) -> VideoCodecContext:
        name, options = _ENCODERS[self.codec.name]
        encoder = CodecContext.create(name, "w")
        assert isinstance(encoder, VideoCodecContext)
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
        encoder.bit_rate = 400_000
        encoder.time_base = Fraction(1, self.frames_per_s)
        encoder.framerate = Fraction(self.frames_per_s)
        encoder.gop_size = 10_000
        encoder.thread_count = 1
        encoder.options = dict(options)
        return encoder

    def _payloads(self, coded: bytes, key: bool) -> Iterator[bytes]:
        self._picture_id = self._picture_id + 1 & 0x7FFF
        match self.codec.name:
            case "vp8":
                yield from _vp8_payloads(coded, self._picture_id, self._mtu)
            case "h264":
                yield from _h264_payloads(coded, self._mtu)
            case "vp9":
                yield from _vp9_payloads(coded, self._picture_id, key, self._mtu)
            case _:
                yield from _av1_payloads(coded, key, self._mtu)


def report(ssrc: int, at: float, timestamp: int) -> bytes:
    own = rtcp.sender_report(ssrc, rtcp.ntp_from_unix(at), timestamp, 1, 1)
    return own + rtcp.receiver_report(ssrc, []) + rtcp.source_description(ssrc, "test")


def reported(ssrc: int, at: float, timestamp: int) -> SenderReport:
    return SenderReport(ssrc, at, timestamp & 0xFFFFFFFF)


def _chunks(data: bytes, mtu: int) -> list[bytes]:
    return [data[start : start + mtu] for start in range(0, len(data), mtu)]


def _vp8_payloads(coded: bytes, picture_id: int, mtu: int) -> Iterator[bytes]:
    for index, chunk in enumerate(_chunks(coded, mtu)):
        yield bytes((0x90 if not index else 0x80, 0x80, 0x80 | picture_id >> 8, picture_id & 0xFF)) + chunk


def _vp9_payloads(coded: bytes, picture_id: int, key: bool, mtu: int) -> Iterator[bytes]:
    chunks = _chunks(coded, mtu)
    for index, chunk in enumerate(chunks):
        first = 0x80 | (0 if key else 0x40) | (0x08 if not index else 0) | (0x04 if index == len(chunks) - 1 else 0)
        structure = bytes((0x18, 1, 64, 0, 240, 1, 0x04, 1)) if key and not index else b""
        yield bytes((first | (0x02 if structure else 0), 0x80 | picture_id >> 8, picture_id & 0xFF)) + structure + chunk


def _h264_payloads(coded: bytes, mtu: int) -> Iterator[bytes]:
    """Parameter sets together as a STAP-A, slices alone or as FU-A (RFC 6184 packetization-mode 1)."""
    small: list[bytes] = []
    for unit in _annex_b(coded):
        if unit[0] & 0x1F in (6, 7, 8):
            small.append(unit)
            continue
        if small:
            yield bytes((0x78,)) + b"".join(len(part).to_bytes(2, "big") + part for part in small)
            small = []
        if len(unit) <= mtu:
            yield unit
            continue
        chunks = _chunks(unit[1:], mtu)
        for index, chunk in enumerate(chunks):
            flags = (0x80 if not index else 0) | (0x40 if index == len(chunks) - 1 else 0)
            yield bytes((unit[0] & 0xE0 | 28, flags | unit[0] & 0x1F)) + chunk


def _annex_b(coded: bytes) -> list[bytes]:
    return [unit.removesuffix(b"\0") for unit in coded.split(b"\0\0\1")[1:] if unit]


def _av1_payloads(coded: bytes, key: bool, mtu: int) -> Iterator[bytes]:
    """One OBU after the other (W = 1), fragmented where it is long; the temporal delimiter is left out."""
    units: list[bytes] = []
    position = 0
    while position < len(coded):
        head = coded[position]
        start = position + (2 if head & 4 else 1)
        size = shift = 0
        while True:
            octet = coded[start]
            start += 1
            size |= (octet & 0x7F) << shift
            shift += 7
            if not octet & 0x80:
                break
        if head >> 3 & 15 != 2:
            units.append(
                bytes((head & ~2,))
                + coded[position + 1 : position + (2 if head & 4 else 1)]
                + coded[start : start + size]
            )
        position = start + size
    first = True
    for unit in units:
        chunks = _chunks(unit, mtu)
        for index, chunk in enumerate(chunks):
            flags = (0x80 if index else 0) | (0x40 if index < len(chunks) - 1 else 0) | 0x10
            yield bytes((flags | (0x08 if key and first else 0),)) + chunk
            first = False
