"""All pieces in one file: H.264 and AAC copied as they are, the index first (``faststart``), chapters with titles."""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import av
from av import Packet

from server.recording.film.boxes import VIDEO_TICKS, read_media_segment
from server.recording.film.settings import AAC_SAMPLES, PICTURES_PER_S, SAMPLE_RATE
from server.recording.film.timeline import Chapter

_MUXER: Final = {
    "movflags": "+faststart",
    "fflags": "+bitexact",
    "video_track_timescale": str(VIDEO_TICKS),
    "use_editlist": "0",
}
_MARK_TICKS: Final = 1_000


def assemble(
    film: Path,
    init: bytes,
    pieces: Iterable[Path],
    chapters: Sequence[Chapter],
    title: str,
    progress: Callable[[int], None],
) -> None:
    """Write ``film``. ``progress`` is told after each piece how many are in it. The same pieces give the same octets.

    Raises InvalidInput for a piece that is none, FFmpegError or OSError where the file cannot be written.
    """
    with av.open(str(film), "w", format="mp4", options=_MUXER) as output, av.open(BytesIO(init)) as like:
        video = output.add_stream_from_template(like.streams.video[0])
        audio = output.add_stream_from_template(like.streams.audio[0])
        output.metadata["title"] = title
        output.set_chapters(
            [
                {
                    "id": number,
                    "start": round(chapter.starts_s * _MARK_TICKS),
                    "end": round(chapter.ends_s * _MARK_TICKS),
                    "time_base": Fraction(1, _MARK_TICKS),
                    "metadata": {"title": chapter.title},
                }
                for number, chapter in enumerate(chapters)
            ]
        )
        picture = frame = 0
        for number, path in enumerate(pieces):
            samples = read_media_segment(path.read_bytes())
            for index, data in enumerate(samples.pictures):
                packet = _packet(data, picture, 1, PICTURES_PER_S, is_key=index in samples.keys)
                packet.stream = video
                output.mux(packet)
                picture += 1
            for data in samples.frames:
                packet = _packet(data, frame * AAC_SAMPLES, AAC_SAMPLES, SAMPLE_RATE, is_key=True)
                packet.stream = audio
                output.mux(packet)
                frame += 1
            progress(number + 1)


def _packet(data: bytes, at: int, duration: int, ticks: int, *, is_key: bool) -> "Packet[Any]":
    packet: Packet[Any] = Packet(data)
    packet.time_base = Fraction(1, ticks)
    packet.pts = packet.dts = at
    packet.duration = duration
    packet.is_keyframe = is_key
    return packet
