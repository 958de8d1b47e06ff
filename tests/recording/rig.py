"""A recording in virtual time: sources feed a journal as the wire would, and the folder is looked at afterwards."""

from collections.abc import Callable
from pathlib import Path

import av
import msgspec
import numpy as np

from server.recording.events import Event, Gap, Opened, SegmentClosed
from server.recording.files import Files, RealFiles
from server.recording.journal import Journal
from server.recording.keys import SigningKey
from server.recording.log import read_log
from server.recording.settings import WriterLimits
from server.recording.track import TrackDescription
from server.recording.wire import Hello
from tests.recording.sources import ALL, Camera, Microphone
from tests.support.tones import loudest

STEP_S = 0.02
START_AT = 1_700_000_000.0
TONES = (400, 700, 1_000)
SMALL = WriterLimits(full_octets=0, resume_octets=4_096, reserve_octets=4_096)


def opened(folder: Path) -> Opened:
    key = SigningKey.load_or_make(folder / "key.pem")
    return Opened(1, "rec_test", "mtg_test", "Giao ban", "UBND", "Chủ tịch", "acc_1", (), key.public_base64)


def hello(folder: Path, limits: WriterLimits = SMALL, *, again: bool = False, replaying: bool = False) -> Hello:
    return Hello(
        folder=str(folder / "rec_test"),
        key_path=str(folder / "key.pem"),
        opened=None if again else opened(folder),
        limits=limits,
        replaying=replaying,
        after_stop=again and not replaying,
    )


class Rig:
    """Feeds one journal. ``lose`` and ``delay`` decide about each packet by (track, number)."""

    def __init__(
        self,
        folder: Path,
        files: Files | None = None,
        limits: WriterLimits = SMALL,
        *,
        now: float = START_AT,
        again: bool = False,
        replaying: bool = False,
    ) -> None:
        self.folder = folder / "rec_test"
        self.now = now
        self.index = 0
        self.journal = Journal(hello(folder, limits, again=again, replaying=replaying), files or RealFiles(), now)
        self.sources: dict[int, Microphone | Camera] = {}
        self.next_frame: dict[int, float] = {}
        self.wishes: list[tuple[float, int]] = []
        self.lose: Callable[[int, int], bool] = lambda track, number: False
        self.delay: Callable[[int, int], float] = lambda track, number: 0.0
        self.sends_reports = True
        self.reports_ahead_s = 0.0
        self.answers_wishes = True
        self._key_due: set[int] = set()
        self._in_flight: list[tuple[float, int, bytes]] = []
        self._count: dict[int, int] = {}
        self._reported_at = 0.0

    def open(self, track: int, seat_id: str, label: str, source: Microphone | Camera) -> None:
        self.sources[track] = source
        self.next_frame[track] = self.now
        self._key_due.add(track)
        self.index += 1
        self.journal.open_track(TrackDescription(track, seat_id, label, ALL), self.index)

    def close(self, track: int) -> None:
        self.index += 1
        self.journal.close_track(track, self.index, self.now)
        del self.sources[track]

    def event(self, event: Event) -> None:
        self.index += 1
        self.journal.event(event, self.now, self.index)

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until - 1e-9:
            for track, source in self.sources.items():
                while self.next_frame[track] <= self.now + 1e-9:
                    self._send(track, source, self.next_frame[track])
            if self.sends_reports and self.now - self._reported_at >= 1:
                self._reported_at = self.now
                for track, source in self.sources.items():
                    self.index += 1
                    self.journal.rtcp(track, source.report(self.next_frame[track] + self.reports_ahead_s), self.index)
            self._in_flight.sort(key=lambda entry: entry[0])
            while self._in_flight and self._in_flight[0][0] <= self.now:
                _, track, data = self._in_flight.pop(0)
                self.index += 1
                self.journal.rtp(track, data, self.now, self.index)
            self.journal.tick(self.now)
            ack = self.journal.ack()
            assert ack.acked <= self.index
            for track in ack.wishes:
                self.wishes.append((self.now, track))
                if self.answers_wishes:
                    self._key_due.add(track)
            self.now += STEP_S

    def finish(self, reason: str | None = "stopped") -> None:
        assert self.journal.finish(reason, self.now)

    def _send(self, track: int, source: Microphone | Camera, at: float) -> None:
        if isinstance(source, Camera):
            sent = source.frame(at, key=track in self._key_due)
            self._key_due.discard(track)
            self.next_frame[track] = at + 1 / source.frames_per_s
        else:
            sent = [source.packet(at)]
            self.next_frame[track] = at + 0.02
        for packet in sent:
            number = self._count[track] = self._count.get(track, 0) + 1
            if not self.lose(track, number):
                self._in_flight.append((at + self.delay(track, number), track, packet.data))


class Segment(msgspec.Struct, frozen=True):
    """A closed segment and what a decoder makes of it: ``times`` of its frames by the server's clock, brightness of
    each picture, or the loudest tone of each 0.2 s."""

    closed: SegmentClosed
    times: list[float]
    brightness: list[int]
    tones: list[float | None]


def events(folder: Path) -> list[Event]:
    return [line.event for line in read_log(folder)]


def gaps(folder: Path) -> list[Gap]:
    return [event for event in events(folder) if isinstance(event, Gap)]


def closed_segments(folder: Path, track: str | None = None) -> list[SegmentClosed]:
    found = [event for event in events(folder) if isinstance(event, SegmentClosed)]
    return [event for event in found if track is None or event.track == track]


def decode(folder: Path, closed: SegmentClosed) -> Segment:
    times, brightness, pcm = read_media(folder / closed.file)
    tones = [loudest(pcm[at : at + 9_600], 48_000, TONES) for at in range(960, len(pcm) - 9_600, 9_600)]
    return Segment(closed, [closed.starts_at + time for time in times], brightness, tones)


def read_media(path: Path) -> tuple[list[float], list[int], np.ndarray[tuple[int], np.dtype[np.float32]]]:
    """Times of packets in seconds, brightness of each picture, sound (mono)."""
    brightness: list[int] = []
    pcm: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []
    with av.open(str(path)) as container:
        times = [float(packet.pts * packet.time_base) for packet in container.demux() if packet.pts is not None]
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams[0]):
            if isinstance(frame, av.VideoFrame):
                brightness.append(int(np.median(frame.to_ndarray(format="gray"))))
            else:
                assert isinstance(frame, av.AudioFrame)
                pcm.append(frame.to_ndarray().mean(axis=0).astype(np.float32))
    return times, brightness, np.concatenate(pcm) if pcm else np.zeros(0, np.float32)
