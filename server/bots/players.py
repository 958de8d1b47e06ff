"""Players: a loop, a stream and a sense of when the next frame is due. One pacer plays them all."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from typing import Protocol

from server.bots.loops import AUDIO_FRAME, AUDIO_RATE, AudioLoop, VideoLoop
from server.bots.streams import RtpStream, vp8_descriptor
from server.clock import Clock

SILENCE_INTERVAL_S = 0.4
"""While silent a microphone sends one empty Opus frame this often, as Opus DTX does (RFC 6716 2.1.9)."""
SILENT_OPUS = b"\xf8\xff\xfe"
LONGEST_LAG_S = 0.5
GRAIN_S = 0.004
SendRtp = Callable[[bytes], None]


class Player(Protocol):
    def play(self, now: float) -> float | None:
        """Send what is due and return when the next is; None: never again."""


class VideoPlayer:
    """Sends a video loop frame by frame; ``restart`` goes back to its keyframe (a PLI asks for one)."""

    def __init__(self, loop: VideoLoop, stream: RtpStream, send: SendRtp, begin_at: float) -> None:
        self._loop = loop
        self._stream = stream
        self._send = send
        self._due = begin_at
        self._interval_s = 1 / loop.frames_per_s
        self._frame = 0
        self._played = 0
        self._timestamp = stream.ssrc & 0xFFFFFFFF
        self.on = True

    def restart(self) -> None:
        """Make the next frame the loop's keyframe."""
        self._frame = 0

    def play(self, now: float) -> float | None:
        if now - self._due > LONGEST_LAG_S:
            self._due = now
        step = 90_000 // self._loop.frames_per_s
        timestamp = self._timestamp + self._played * step & 0xFFFFFFFF
        if self.on:
            chunks = self._loop.frames[self._frame]
            for index, chunk in enumerate(chunks):
                payload = vp8_descriptor(index == 0, self._played & 0x7FFF) + chunk
                self._send(self._stream.packet(payload, timestamp, index == len(chunks) - 1, now))
            self._frame = (self._frame + 1) % len(self._loop.frames)
        else:
            self._frame = 0
        self._played += 1
        self._due += self._interval_s
        return self._due


class AudioPlayer:
    """Sends a tone while ``on``, else next to nothing. A microphone starts silent."""

    def __init__(self, loop: AudioLoop, stream: RtpStream, send: SendRtp, begin_at: float) -> None:
        self._loop = loop
        self._stream = stream
        self._send = send
        self._due = begin_at
        self._played = 0
        self._timestamp = stream.ssrc & 0xFFFFFFFF
        self.on = False

    def play(self, now: float) -> float | None:
        if now - self._due > LONGEST_LAG_S:
            self._due = now
        timestamp = self._timestamp + self._played * AUDIO_FRAME & 0xFFFFFFFF
        if self.on:
            frame = self._loop.frames[self._played % len(self._loop.frames)]
            self._send(self._stream.packet(frame, timestamp, False, now, self._loop.level_dbov))
        elif self._played % round(SILENCE_INTERVAL_S * AUDIO_RATE / AUDIO_FRAME) == 0:
            self._send(self._stream.packet(SILENT_OPUS, timestamp, False, now, 127))
        self._played += 1
        self._due += AUDIO_FRAME / AUDIO_RATE
        return self._due


class Pacer:
    """Plays any number of players from one timer, at most every GRAIN_S, so that a room full costs few wake-ups."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Player]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, player: Player, at: float) -> None:
        """Play ``player`` from ``at`` on. Needs a running event loop."""
        heapq.heappush(self._heap, (at, next(self._order), player))
        if self._timer is None:
            self._arm()

    def remove(self, player: Player) -> None:
        self._heap = [entry for entry in self._heap if entry[2] is not player]
        heapq.heapify(self._heap)

    def close(self) -> None:
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        if self._heap:
            delay = max(GRAIN_S, self._heap[0][0] - self._clock.now())
            self._timer = asyncio.get_running_loop().call_later(delay, self._run)

    def _run(self) -> None:
        self._timer = None
        now = self._clock.now()
        while self._heap and self._heap[0][0] <= now:
            _, order, player = heapq.heappop(self._heap)
            again = player.play(now)
            if again is not None:
                heapq.heappush(self._heap, (again, order, player))
        self._arm()
