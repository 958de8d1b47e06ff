"""One piece made: encoded, boxed, on the disk under its own name in one step.

The same plan gives the same octets: encoders run on one thread, scalers exactly, nothing reads a clock.
"""

import secrets
import struct
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec
from av import CodecContext
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from server.recording.files import Files
from server.recording.film import boxes, sound
from server.recording.film.boxes import Codecs, Samples
from server.recording.film.picture import Painter
from server.recording.film.plan import PiecePlan
from server.recording.film.reading import Reels
from server.recording.film.settings import HEIGHT, PICTURES_PER_S, WIDTH, X264_CRF, X264_PRESET

INIT_FILE: Final = "init.mp4"
_KEY_EVERY_S: Final = 2
_X264: Final = {
    "preset": X264_PRESET,
    "crf": X264_CRF,
    "maxrate": "3M",
    "bufsize": "6M",
    "bf": "0",
    "g": str(_KEY_EVERY_S * PICTURES_PER_S),
    # The matrix that browsers' cameras use and VP8 means; without a word players would take another one at this size.
    "x264-params": "colormatrix=smpte170m:colorprim=smpte170m:transfer=smpte170m:range=tv",
}
_START_CODE: Final = b"\x00\x00\x01"
_IDR, _SPS, _PPS = 5, 7, 8


class PieceMaker:
    """Makes pieces of one recording. Keeps source files open from piece to piece: call ``close``."""

    def __init__(self, recording: Path, pieces: Path, files: Files, busy: Callable[[], None]) -> None:
        """``pieces``: the folder to put them into; made when needed. ``busy`` is called at every picture."""
        self._recording = recording
        self._pieces = pieces
        self._files = files
        self._busy = busy
        self._reels = Reels()
        self._painter = Painter(recording, self._reels)

    def make(self, plan: PiecePlan) -> Path:
        """The piece's file, made unless it is there. Raises OSError where it cannot be written."""
        path = self._pieces / plan.file_name
        if path.exists():
            return path
        audio = sound.encode(self._recording, plan.sources, plan.first_frame, plan.frames)
        video = encode_pictures(self._pictures(plan))
        samples = Samples(video.pictures, video.keys, audio.frames)
        self._files.make_folder(self._pieces)
        init = self._pieces / INIT_FILE
        if not init.exists():
            write_in_one_step(self._files, init, boxes.init_segment(Codecs(video.sps, video.pps, audio.config)))
        segment = boxes.media_segment(plan.number, plan.first_picture, plan.first_frame, samples)
        write_in_one_step(self._files, path, segment)
        return path

    def close(self) -> None:
        self._reels.close()

    def _pictures(self, plan: PiecePlan) -> Iterator[VideoFrame]:
        for frame in self._painter.pictures(plan):
            self._busy()
            yield frame


class VideoPiece(msgspec.Struct, frozen=True):
    """``pictures``: NAL units with their lengths before them. ``keys``: which of them are key frames."""

    pictures: tuple[bytes, ...]
    keys: tuple[int, ...]
    sps: bytes
    pps: bytes


def encode_pictures(frames: Iterable[VideoFrame]) -> VideoPiece:
    """H.264 of one piece: begins with a key frame, knows nothing of other pieces."""
    codec = CodecContext.create("libx264", "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    codec.time_base, codec.framerate = Fraction(1, PICTURES_PER_S), Fraction(PICTURES_PER_S)
    codec.thread_count = 1
    codec.flags |= Flags.global_header | Flags.bitexact
    codec.options = dict(_X264)
    packets = [bytes(packet) for frame in chain(frames, (None,)) for packet in codec.encode(frame)]
    parameters = {unit[0] & 31: unit for unit in _units(bytes(codec.extradata or b""))}
    pictures = [_units(packet) for packet in packets]
    return VideoPiece(
        pictures=tuple(b"".join(struct.pack(">I", len(unit)) + unit for unit in units) for units in pictures),
        keys=tuple(number for number, units in enumerate(pictures) if any(unit[0] & 31 == _IDR for unit in units)),
        sps=parameters[_SPS],
        pps=parameters[_PPS],
    )


def _units(stream: bytes) -> list[bytes]:
    """The NAL units of an Annex B stream, which never end in a zero (ITU-T H.264, 7.4.1)."""
    return [unit.rstrip(b"\0") for unit in stream.split(_START_CODE)[1:]]


def write_in_one_step(files: Files, path: Path, data: bytes) -> None:
    """``path`` is there whole or not at all, also after a power cut. Raises OSError."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    file = files.open_new(draft)
    try:
        file.write(data)
        files.fsync(file)
    finally:
        file.close()
    files.rename(draft, path)
    files.fsync_folder(path.parent)
