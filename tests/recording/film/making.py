"""Recordings for films: known pictures and tones as segments of VP8 and Opus, and a log that says when they were.

Times are seconds of the film. Nothing here runs in real time.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av import AudioFrame, VideoFrame
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from numpy.typing import NDArray

from server.recording.events import EndpointEntry, Event, Opened, SegmentClosed
from server.recording.files import RealFiles
from server.recording.keys import SigningKey
from server.recording.log import EventLog
from tests.support.pictures import Pixels, pattern

OPENED_AT = 1_790_000_000.0
"""2026-09-21 21:13:20 in Vietnam."""
SEGMENT_S = 60.0
MAIN = EndpointEntry("seat_main", "Điểm cầu chính – Uỷ ban nhân dân tỉnh Quảng Ngãi", ("Quảng Ngãi",), "main")
CHAIR = EndpointEntry("seat_chair", "Bàn chủ tọa", ("Quảng Ngãi",), "chair")
PHO = EndpointEntry("seat_pho", "Điểm cầu xã Đức Phổ", ("Quảng Ngãi", "Đức Phổ"), "branch")
SON = EndpointEntry("seat_son", "Điểm cầu xã Sơn Tịnh", ("Quảng Ngãi", "Sơn Tịnh"), "branch")
SOUND_RATE = 48_000
OPUS_SAMPLES = 960

Drawing = Callable[[float], Pixels]
"""Film time -> picture."""
Wave = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Film times -> samples, -1..1."""


def tone(frequency_hz: float, amplitude: float = 0.25) -> Wave:
    return lambda times: amplitude * np.sin(2 * np.pi * frequency_hz * times)


def moving(index: int, width: int = 160, height: int = 90) -> Drawing:
    return lambda at_s: pattern(index, width, height, at_s / 2)


class RecordingMaker:
    """A recording's folder in the making."""

    def __init__(
        self, folder: Path, endpoints: Sequence[EndpointEntry] = (MAIN, PHO, SON), key: SigningKey | None = None
    ) -> None:
        self.folder = folder
        self.key = key or SigningKey.generate()
        folder.mkdir(parents=True)
        (folder / "tracks").mkdir()
        opened = Opened(
            format=1,
            recording_id=folder.name,
            meeting_id="mtg_1",
            title="Họp giao ban tháng 9",
            host_agency="Uỷ ban nhân dân tỉnh",
            chair="Bà Nguyễn Thị Hoà",
            started_by="Bà Nguyễn Thị Hoà",
            endpoints=tuple(endpoints),
            public_key=self.key.public_base64,
        )
        self._log = EventLog.create(folder, opened, OPENED_AT, RealFiles())
        self._waiting: list[tuple[float, Event]] = []
        self._files = 0

    def at(self, at_s: float, *happened: Event) -> None:
        """Log these; times need not come in order."""
        self._waiting += [(at_s, event) for event in happened]

    def camera(
        self,
        seat: EndpointEntry,
        starts_s: float,
        ends_s: float,
        draw: Drawing,
        fps: int = 12,
        track: str = "camera",
    ) -> list[Path]:
        """Segments of 60 s at most; ``track`` may be screen."""
        paths = []
        for begin, end in _cut(starts_s, ends_s):
            path = self._path(seat, track)
            write_vp8(path, begin, end, draw, fps)
            self.segment(path, seat, track, "vp8", begin, end)
            paths.append(path)
        return paths

    def mic(self, seat: EndpointEntry, starts_s: float, ends_s: float, wave: Wave) -> list[Path]:
        """Segments of one Opus stream."""
        cuts = _cut(starts_s, ends_s)
        paths = [self._path(seat, "mic") for _ in cuts]
        further = [(path, begin) for path, (begin, _) in zip(paths, cuts, strict=True)][1:]
        write_opus(paths[0], starts_s, ends_s, wave, *further)
        for path, (begin, end) in zip(paths, cuts, strict=True):
            self.segment(path, seat, "mic", "opus", begin, end)
        return paths

    def segment(
        self, path: Path, seat: EndpointEntry, track: str, codec: str, starts_s: float, ends_s: float, **more: bool
    ) -> None:
        """The line of a file that is there."""
        data = path.read_bytes()
        event = SegmentClosed(
            file=f"tracks/{path.name}",
            sha256=hashlib.sha256(data).hexdigest(),
            octets=len(data),
            seat_id=seat.seat_id,
            track=track,
            codec=codec,
            starts_at=OPENED_AT + starts_s,
            ends_at=OPENED_AT + ends_s,
            recovered=more.get("recovered", False),
        )
        self.at(ends_s, event)

    def _path(self, seat: EndpointEntry, track: str) -> Path:
        self._files += 1
        return self.folder / "tracks" / f"{seat.seat_id}-{track}-{self._files:04d}.mkv"

    def write_log(self) -> None:
        for at_s, event in sorted(self._waiting, key=lambda each: each[0]):
            self._log.append(event, OPENED_AT + at_s)
        self._waiting.clear()
        self._log.sync()

    def close(self, at_s: float) -> Path:
        """The closing line; returns the folder."""
        self.write_log()
        self._log.close("stopped", self.key, OPENED_AT + at_s)
        return self.folder


def write_vp8(path: Path, starts_s: float, ends_s: float, drawing: Drawing, fps: int) -> None:
    """One segment: pictures at multiples of 1/fps from its start, one key frame."""
    with av.open(str(path), "w", format="matroska") as container:
        height, width = drawing(starts_s).shape[:2]
        stream = container.add_stream("libvpx", rate=fps)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", 400_000
        stream.codec_context.thread_count, stream.codec_context.gop_size = 1, 100_000
        stream.options = {"deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0"}
        for number in range(round((ends_s - starts_s) * fps)):
            frame = VideoFrame.from_ndarray(drawing(starts_s + number / fps), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_opus(path: Path, starts_s: float, ends_s: float, wave: Wave, *more: tuple[Path, float]) -> None:
    """One segment of 20 ms packets; its first sample is at its start. ``more``: files that go on with the same stream,
    each with the time at which it begins (whole packets after ``starts_s``)."""
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("libopus", rate=SOUND_RATE)
        assert isinstance(stream, AudioStream)
        stream.layout, stream.format, stream.bit_rate = "mono", "s16", 32_000

        def frames() -> Iterator[AudioFrame | None]:
            for position in range(0, round((ends_s - starts_s) * SOUND_RATE), OPUS_SAMPLES):
                samples = wave(starts_s + (position + np.arange(OPUS_SAMPLES)) / SOUND_RATE)
                pcm = (32_767 * samples).astype(np.int16).reshape(1, -1)
                frame = AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, position, Fraction(1, SOUND_RATE)
                yield frame
            yield None

        container.start_encoding()  # now the stream knows its OpusHead, and those like it have it too
        files, begins = [container], [starts_s]
        for further, begins_s in more:
            files.append(av.open(str(further), "w", format="matroska"))
            files[-1].add_stream_from_template(stream)
            begins.append(begins_s)
        packets = [packet for frame in frames() for packet in stream.encode(frame)]
        for number, packet in enumerate(packets):
            here = bisect_right(begins, starts_s + number * OPUS_SAMPLES / SOUND_RATE + 1e-6) - 1
            moved = round((begins[here] - starts_s) * SOUND_RATE)
            assert packet.pts is not None
            packet.pts, packet.dts, packet.stream = packet.pts - moved, packet.pts - moved, files[here].streams[0]
            files[here].mux(packet)
        for further_file in files[1:]:
            further_file.close()


def _cut(starts_s: float, ends_s: float) -> list[tuple[float, float]]:
    cuts = [(starts_s, min(starts_s + SEGMENT_S, ends_s))]
    while cuts[-1][1] < ends_s:
        cuts.append((cuts[-1][1], min(cuts[-1][1] + SEGMENT_S, ends_s)))
    return cuts
