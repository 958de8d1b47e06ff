"""Eyes and ears of test peers: decode what a slot carries and say whose picture and whose tone it is.

An ``Ear`` keeps every decoded 20 ms with its arrival; an ``Eye`` keeps the last picture and every change of who is
in it. Both are sinks for ``MediaConnection.listen``.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import av.error
import numpy as np
from aiortc.codecs.h264 import h264_depayload
from aiortc.codecs.vpx import VpxPayloadDescriptor
from aiortc.rtp import RtpPacket
from av import CodecContext, Packet
from av.video.codeccontext import VideoCodecContext

from tests.support import pictures, tones

RATE_HZ = 48_000
WINDOW_S = 0.2
"""The shortest stretch of sound in which tones 25 Hz apart are told apart."""


class Ear:
    """Decodes Opus packets as they arrive (no jitter buffer: made for loopback)."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.packets = 0
        self.undecodable = 0
        self.payload_types: Counter[int] = Counter()
        self._changed = changed
        self._decoder = CodecContext.create("libopus", "r")
        self._heard: list[tuple[float, tones.Pcm]] = []

    def take(self, data: bytes, now: float) -> None:
        """One decrypted RTP packet."""
        packet = RtpPacket.parse(data)
        self.packets += 1
        self.payload_types[packet.payload_type] += 1
        try:
            frames = self._decoder.decode(Packet(packet.payload))
        except av.error.FFmpegError:
            self.undecodable += 1
            frames = []
        for frame in frames:
            samples = np.asarray(frame.to_ndarray(), np.float32).reshape(-1)
            self._heard.append((now, np.asarray(samples[:: len(frame.layout.channels)] / 32_768, np.float32)))
        self._changed()

    def sound(self, since: float, until: float) -> tones.Pcm:
        """What arrived in that time, without the pauses."""
        parts = [samples for at, samples in self._heard if since <= at <= until]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def longest_pause_s(self, since: float, until: float) -> float:
        """The longest time in which nothing arrived."""
        arrivals = [since, *(at for at, _ in self._heard if since <= at <= until), until]
        return max(later - earlier for earlier, later in pairwise(arrivals))

    def level_dbfs(self, frequency_hz: float, now: float, window_s: float = WINDOW_S) -> float:
        """The tone's level in the last ``window_s``; what is missing counts as silence."""
        samples = self.sound(now - window_s, now)[-round(window_s * RATE_HZ) :]
        missing = round(window_s * RATE_HZ) - len(samples)
        return tones.level_dbfs(np.pad(samples, (max(0, missing), 0)), RATE_HZ, frequency_hz)

    def peak_dbfs(self, frequency_hz: float, since: float, until: float) -> float:
        """The tone's highest level in any WINDOW_S of all that arrived in that time; -200 where nothing did."""
        samples, window = self.sound(since, until), round(WINDOW_S * RATE_HZ)
        if len(samples) < window:
            samples = np.pad(samples, (0, window - len(samples)))
        starts = range(0, len(samples) - window + 1, window // 2)
        return max(tones.level_dbfs(samples[start : start + window], RATE_HZ, frequency_hz) for start in starts)


class Eye:
    """Decodes a video slot, VP8 or H.264 by payload type, and recognises patterns of ``tests.support.pictures``."""

    def __init__(self, changed: Callable[[], None], h264_payload_types: frozenset[int] = frozenset()) -> None:
        self.sees: int | None = None
        self.size: tuple[int, int] | None = None
        self.frames = 0
        self.undecodable = 0
        self.changes: list[tuple[float, int | None]] = []
        self.payload_types: Counter[int] = Counter()
        self.sequence_gaps = 0
        self.picture_id_jumps = 0
        self.timestamp_returns = 0
        self.pixels: pictures.Pixels | None = None
        self._changed = changed
        self._h264 = h264_payload_types
        self._decoder: VideoCodecContext | None = None
        self._frame: list[bytes] = []
        self._last: RtpPacket | None = None
        self._picture_id: int | None = None

    def take(self, data: bytes, now: float) -> None:
        """One decrypted RTP packet."""
        packet = RtpPacket.parse(data)
        self.payload_types[packet.payload_type] += 1
        if not packet.payload:
            return
        self._check_continuity(packet)
        try:
            if packet.payload_type in self._h264:
                chunk = h264_depayload(packet.payload)
            else:
                descriptor, chunk = VpxPayloadDescriptor.parse(packet.payload)
                self._check_picture_id(descriptor, packet)
        except ValueError:
            self.undecodable += 1
            return
        self._frame.append(chunk)
        if packet.marker:
            self._decode(b"".join(self._frame), packet.payload_type in self._h264, now)
            self._frame = []
        self._changed()

    def _check_continuity(self, packet: RtpPacket) -> None:
        if self._last is not None:
            if packet.sequence_number != (self._last.sequence_number + 1) & 0xFFFF:
                self.sequence_gaps += 1
            if (packet.timestamp - self._last.timestamp) & 0xFFFFFFFF >= 1 << 31:
                self.timestamp_returns += 1
        self._last = packet

    def _check_picture_id(self, descriptor: VpxPayloadDescriptor, packet: RtpPacket) -> None:
        if descriptor.picture_id is None:
            return
        if self._picture_id is not None and (descriptor.picture_id - self._picture_id) & 0x7FFF > 1:
            self.picture_id_jumps += 1
        self._picture_id = descriptor.picture_id

    def _decode(self, data: bytes, is_h264: bool, now: float) -> None:
        if self._decoder is None:
            decoder = CodecContext.create("h264" if is_h264 else "libvpx", "r")
            assert isinstance(decoder, VideoCodecContext)
            self._decoder = decoder
        try:
            frames = self._decoder.decode(Packet(data))
        except av.error.FFmpegError:
            self.undecodable += 1
            return
        for frame in frames:
            self.pixels = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            self.size = (frame.width, frame.height)
            self.frames += 1
            seen = pictures.recognise(self.pixels)
            if seen != self.sees or not self.changes:
                self.changes.append((now, seen))
            self.sees = seen


class Attention:
    """Lets a coroutine wait until something that eyes and ears take in makes a condition true."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def wake(self) -> None:
        self._event.set()

    async def until(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Look with every packet, and ten times a second. Raises TimeoutError naming ``what`` was waited for."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not condition():
            if loop.time() > deadline:
                raise TimeoutError(f"{what}: not within {timeout_s} s")
            self._event.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._event.wait(), 0.1)
