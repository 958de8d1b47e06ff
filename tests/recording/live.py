"""A real writer process fed in real time, for tests that kill, stop or starve it."""

import asyncio
from pathlib import Path

from server.clock import SystemClock
from server.recording.events import Chatted
from server.recording.link import WriterLimits, WriterLink, WriterSettings
from server.sfu.ports import TrackLabel
from tests.recording.rig import SMALL, opened
from tests.recording.sources import ALL, VP8, Camera, Microphone

STEP_S = 0.01


class Listener:
    """A ``WriterObserver`` that keeps what it hears."""

    def __init__(self) -> None:
        self.wanted: set[int] = set()
        self.changes: list[tuple[str, str]] = []
        self.changed = asyncio.Event()

    def keyframe_wanted(self, track: int) -> None:
        self.wanted.add(track)

    def writer_changed(self, state: str, detail: str) -> None:
        self.changes.append((state, detail))
        self.changed.set()

    async def until(self, state: str, within_s: float = 10.0) -> None:
        async with asyncio.timeout(within_s):
            while not self.changes or self.changes[-1][0] != state:
                self.changed.clear()
                await self.changed.wait()


class LiveRecording:
    """One seat's microphone (400 Hz) and camera (brightness 60), paced by the clock. ``pictures`` and ``sounds`` count
    what was given; a chat line a second carries its number."""

    def __init__(self, folder: Path, limits: WriterLimits = SMALL, *, again: bool = False) -> None:
        self.folder = folder / "rec_test"
        self.listener = Listener()
        self.clock = SystemClock()
        settings = WriterSettings(
            folder=self.folder, opened=None if again else opened(folder), key_path=folder / "key.pem", limits=limits
        )
        self.link = WriterLink(settings, self.clock, self.listener)
        self.microphone = Microphone(400, ssrc=0x1111 + again)
        self.camera = Camera(VP8, 160, 120, 15, ssrc=0x2222 + again)
        self.pictures = self.sounds = self.lines = 0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "LiveRecording":
        await self.link.start()
        self.link.open_track(1, "seat_a", TrackLabel.MIC, ALL)
        self.link.open_track(2, "seat_a", TrackLabel.CAMERA, ALL)
        self.listener.wanted.add(2)
        self._task = asyncio.create_task(self._feed())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop_feeding()

    async def stop_feeding(self) -> None:
        """The sources fall silent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    @property
    def pid(self) -> int:
        process = self.link.process
        assert process is not None
        return process.pid

    async def _feed(self) -> None:
        start = next_sound = next_picture = next_second = self.clock.now()
        while True:
            now = self.clock.now()
            while next_sound <= now:
                self.link.rtp(1, self.microphone.packet(next_sound).data, now)
                self.sounds += 1
                next_sound = start + self.sounds * 0.02
            while next_picture <= now:
                key = 2 in self.listener.wanted
                self.listener.wanted.discard(2)
                for packet in self.camera.frame(next_picture, key=key):
                    self.link.rtp(2, packet.data, now)
                self.pictures += 1
                next_picture = start + self.pictures / 15
            if next_second <= now:
                next_second += 1
                self.link.rtcp(1, self.microphone.report(next_sound), now)
                self.link.rtcp(2, self.camera.report(next_picture), now)
                self.link.event(Chatted("A", f"line {self.lines}"), now)
                self.lines += 1
            await asyncio.sleep(STEP_S)
