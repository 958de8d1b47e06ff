"""Segments read: the picture at a time, the Opus packets of a file. What comes out does not depend on where one began.

Decoders run on one thread. What cannot be decoded is passed over: that a file is damaged was found before.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Final

import av
import msgspec
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame

from server.recording.film.settings import SAMPLE_RATE

_OPEN_FILES: Final = 6
_WORTH_SEEKING_S: Final = 4.0
_RESYNC_S: Final = 0.02
"""A packet this far from where the count of samples expects it begins a new count; Matroska rounds to 1 ms."""


class Shot(msgspec.Struct, frozen=True):
    """A decoded picture. ``at_s``: its time in its file."""

    at_s: float
    frame: VideoFrame


class OpusPacket(msgspec.Struct, frozen=True):
    """``position``: of its first sample, from the file's timestamp 0, at 48 kHz."""

    position: int
    samples: int
    data: bytes


class Reel:
    """The pictures of one video segment, read forwards from the key frame before ``from_s`` (file time)."""

    def __init__(self, path: Path, from_s: float) -> None:
        """Raises FFmpegError or OSError where the file cannot be opened."""
        self._container, self._shots = _decode(path, _key_before(path, from_s))
        self._shown: Shot | None = None
        self._next = next(self._shots, None)

    def close(self) -> None:
        self._container.close()

    def at(self, at_s: float) -> Shot | None:
        """The latest picture not after ``at_s``; None before the first."""
        while self._next is not None and self._next.at_s <= at_s:
            self._shown, self._next = self._next, next(self._shots, None)
        return self._shown

    def reaches(self, at_s: float) -> bool:
        """Is going on from here the right (and a quick) way to ``at_s``?"""
        here_s = self._shown.at_s if self._shown is not None else None
        return here_s is not None and here_s <= at_s <= here_s + _WORTH_SEEKING_S


class Reels:
    """The reels in use. A reel that has gone past what is asked for begins again."""

    def __init__(self) -> None:
        self._open: OrderedDict[Path, Reel] = OrderedDict()

    def at(self, path: Path, at_s: float) -> Shot | None:
        """The latest picture of the segment ``path`` not after ``at_s``; None also where it cannot be opened."""
        reel = self._open.pop(path, None)
        if reel is not None and not reel.reaches(at_s):
            reel.close()
            reel = None
        if reel is None:
            try:
                reel = Reel(path, at_s)
            except (FFmpegError, OSError, IndexError):
                return None
        self._open[path] = reel
        if len(self._open) > _OPEN_FILES:
            self._open.popitem(last=False)[1].close()
        return reel.at(at_s)

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()


@lru_cache(maxsize=12)
def opus_packets(path: Path) -> tuple[OpusPacket, ...]:
    """All packets of a segment of at most 60 s (0.5 MB), each where the samples before it end. Empty where it cannot be
    opened. After a hole the count begins again at the packet's timestamp, which is only good to 1 ms."""
    found: list[OpusPacket] = []
    expected: int | None = None
    try:
        with av.open(str(path)) as container:
            stream = container.streams.audio[0]
            pre_skip = _pre_skip(stream.codec_context.extradata)
            unit = (stream.time_base or Fraction(1, 1_000)) * SAMPLE_RATE
            # The demuxer takes the decoder's delay off each time, rounded to whole milliseconds: take off what it is.
            delay = math.floor(pre_skip / unit + Fraction(1, 2)) * unit - pre_skip
            for packet in container.demux(stream):
                data = bytes(packet)
                if packet.pts is None or not data:
                    continue
                written = round(packet.pts * unit + delay)
                if expected is None or abs(written - expected) > _RESYNC_S * SAMPLE_RATE:
                    expected = written
                found.append(OpusPacket(expected, opus_samples(data), data))
                expected += found[-1].samples
    except (FFmpegError, OSError, IndexError):
        return tuple(found)
    return tuple(found)


def _pre_skip(head: bytes | None) -> int:
    """Samples at 48 kHz that a decoder gives before the first one that was said (RFC 7845, 5.1)."""
    return int.from_bytes(head[10:12], "little") if head is not None and head[:8] == b"OpusHead" else 0


def opus_samples(data: bytes) -> int:
    """How long an Opus packet is, in samples at 48 kHz (RFC 6716, 3.1 and 3.2)."""
    configuration, code = data[0] >> 3, data[0] & 3
    if configuration < 12:
        frame = (480, 960, 1_920, 2_880)[configuration & 3]
    elif configuration < 16:
        frame = (480, 960)[configuration & 1]
    else:
        frame = (120, 240, 480, 960)[configuration & 3]
    if code == 3:
        return frame * (data[1] & 63 if len(data) > 1 else 0)
    return frame * (1 if code == 0 else 2)


def _key_before(path: Path, at_s: float) -> int | None:
    """The timestamp (in the stream's unit) of the last key frame not after ``at_s``. A file that was cut has no index,
    so it is read through, which takes milliseconds."""
    key: int | None = None
    with av.open(str(path)) as container:
        try:
            for packet in container.demux(container.streams.video[0]):
                if packet.pts is None:
                    continue
                if float(packet.pts * packet.time_base) > at_s:
                    break
                if packet.is_keyframe:
                    key = packet.pts
        except FFmpegError:
            return key
    return key


def _decode(path: Path, key: int | None) -> tuple[InputContainer, Iterator[Shot]]:
    container = av.open(str(path))
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1

    def shots() -> Iterator[Shot]:
        skipping = key is not None
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                skipping = skipping and packet.pts is not None and packet.pts != key
                frames = [] if skipping else packet.decode()
            except FFmpegError:
                continue
            for frame in frames:
                if isinstance(frame, VideoFrame) and frame.pts is not None and frame.time_base is not None:
                    yield Shot(float(frame.pts * frame.time_base), frame)

    return container, shots()
