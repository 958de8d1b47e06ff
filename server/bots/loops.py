"""Pre-encoded two-second loops: encoded once, then sent round and round by as many endpoints as like.

The drawing and the tone close on themselves, so nothing jumps where the loop does. Encodes are kept as files.
"""

import hashlib
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from av import AudioFrame, CodecContext, VideoFrame
from av.video.frame import PictureType

from server.bots.drawing import Drawing

LOOP_S = 2
MAX_CHUNK = 1_100
"""Codec octets in one packet: with headers, extensions, SRTP tag and UDP/IP it stays below 1,280 (IPv6 minimum)."""
AUDIO_RATE = 48_000
AUDIO_FRAME = 960
_SETTLED_FRAMES = 10
_FORMAT = 2
"""Grows when drawings or encoder settings change, so that old files are not taken."""


class VideoLoop(msgspec.Struct, frozen=True):
    """VP8 frames, each cut into RTP-sized chunks (without payload descriptor). Frame 0 is the only keyframe."""

    width: int
    height: int
    frames_per_s: int
    frames: tuple[tuple[bytes, ...], ...]


class AudioLoop(msgspec.Struct, frozen=True):
    """Opus frames of 20 ms. ``level_dbov``: 0..127, minus dBov as in RFC 6464."""

    frames: tuple[bytes, ...]
    level_dbov: int


_Loop = TypeVar("_Loop", VideoLoop, AudioLoop)


class Rung(msgspec.Struct, frozen=True):
    """One simulcast layer. ``rid`` is "" where it is the only one."""

    rid: str
    width: int
    height: int
    frames_per_s: int
    bitrate_bps: int


def tone_hz(index: int) -> int:
    """The tone of endpoint ``index``, 250 to 5,225 Hz. All differ up to index 200 by 25 Hz at least, neighbours by 175,
    so that 0.2 s of sound tell who speaks even where packets are missing."""
    return 250 + 25 * (7 * index % 200)


class LoopShelf:
    """Loops by what is in them; also kept as files in ``folder`` where one is given (safe to delete)."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._video: dict[str, VideoLoop] = {}
        self._audio: dict[str, AudioLoop] = {}

    def video(self, key: str, drawing: Drawing, rung: Rung) -> VideoLoop:
        """The loop of ``drawing`` at ``rung``; ``key`` names the drawing's content. CPU-bound: call it in a thread."""
        name = "vp8-" + hashlib.sha256(f"{_FORMAT}/{key}/{rung}".encode()).hexdigest()[:32]
        loop = self._video.get(name) or self._load(name, VideoLoop)
        if loop is None:
            loop = encode_video(drawing, rung)
            self._save(name, loop)
        self._video[name] = loop
        return loop

    def audio(self, frequency_hz: int) -> AudioLoop:
        """The loop of a pure tone."""
        name = f"opus-{_FORMAT}-{frequency_hz}"
        loop = self._audio.get(name) or self._load(name, AudioLoop)
        if loop is None:
            loop = encode_tone(frequency_hz)
            self._save(name, loop)
        self._audio[name] = loop
        return loop

    def _load(self, name: str, kind: type[_Loop]) -> _Loop | None:
        if self._folder is None:
            return None
        try:
            return msgspec.msgpack.decode((self._folder / name).read_bytes(), type=kind)
        except (OSError, msgspec.DecodeError):
            return None

    def _save(self, name: str, loop: VideoLoop | AudioLoop) -> None:
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        part = self._folder / f"{name}.part"
        part.write_bytes(msgspec.msgpack.encode(loop))
        part.replace(self._folder / name)


def encode_video(drawing: Drawing, rung: Rung) -> VideoLoop:
    """Draw and encode one loop: LOOP_S seconds of VP8 with one keyframe at its start."""
    count = rung.frames_per_s * LOOP_S
    codec = CodecContext.create("libvpx", "w")
    codec.width, codec.height, codec.pix_fmt = rung.width, rung.height, "yuv420p"
    codec.bit_rate = rung.bitrate_bps
    codec.time_base = Fraction(1, rung.frames_per_s)
    codec.gop_size = 10 * count
    codec.thread_count = 1
    codec.options = {"deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0", "error-resilient": "default"}
    frames: list[tuple[bytes, ...]] = []
    for index in range(count):
        picture = np.asarray(drawing(rung.width, rung.height, index, count))
        frame = VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        frame.pts = index
        frame.time_base = codec.time_base
        frame.pict_type = PictureType.NONE if index else PictureType.I
        data = b"".join(bytes(packet) for packet in codec.encode(frame))
        frames.append(tuple(data[start : start + MAX_CHUNK] for start in range(0, len(data), MAX_CHUNK)))
    return VideoLoop(rung.width, rung.height, rung.frames_per_s, tuple(frames))


def encode_tone(frequency_hz: int, amplitude: float = 0.25) -> AudioLoop:
    """LOOP_S seconds of a sine in Opus (mono, 48 kHz, 20 ms). ``frequency_hz`` is whole, so that the loop closes."""
    wanted = LOOP_S * AUDIO_RATE // AUDIO_FRAME
    codec = CodecContext.create("libopus", "w")
    codec.sample_rate, codec.layout, codec.format = AUDIO_RATE, "mono", "s16"
    codec.bit_rate = 32_000
    codec.time_base = Fraction(1, AUDIO_RATE)
    codec.options = {"application": "audio", "vbr": "off"}
    packets: list[bytes] = []
    position = 0
    while len(packets) < wanted + _SETTLED_FRAMES:
        times = (position + np.arange(AUDIO_FRAME)) / AUDIO_RATE
        samples = (32_767 * amplitude * np.sin(2 * np.pi * frequency_hz * times)).astype(np.int16)
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = AUDIO_RATE, position
        packets += [bytes(packet) for packet in codec.encode(frame)]
        position += AUDIO_FRAME
    level_dbov = round(-20 * float(np.log10(amplitude / np.sqrt(2))))
    return AudioLoop(tuple(packets[_SETTLED_FRAMES : _SETTLED_FRAMES + wanted]), level_dbov)
