"""What is written into the film: name cards, slates, lower thirds. Drawn by Pillow, given as I420 planes.

A time of day is Vietnam's (UTC+7, the same all year), wherever the film is made.
"""

from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

import msgspec
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from server.lettering import Colour, Lettering, lettering
from server.recording.film.settings import HEIGHT, WIDTH

Plane = NDArray[np.uint8]

BACKGROUND: Final[Colour] = (16, 24, 42)
_BAND: Final[Colour] = (16, 24, 42)
_ACCENT: Final[Colour] = (218, 165, 32)
_BRIGHT: Final[Colour] = (245, 245, 245)
_CALM: Final[Colour] = (190, 200, 215)
_VIETNAM = timezone(timedelta(hours=7))
_BAND_ALPHA: Final = 225
_MARGIN: Final = 48
_LONGEST_TEXT: Final = 500
"""Letters: more fit nowhere, and need not be measured."""

GAP_REASONS: Final = {
    "packets_lost": "Mất gói tin trên đường truyền",
    "server_stopped": "Máy chủ ngừng hoạt động",
    "writer_stopped": "Bộ ghi ngừng hoạt động",
    "queue_full": "Bộ ghi quá tải",
    "disk_full": "Ổ đĩa đầy",
    "disk_error": "Lỗi ổ đĩa",
    "file_missing": "Thiếu tệp ghi",
    "file_damaged": "Tệp ghi bị hỏng",
}


class Planes(msgspec.Struct, frozen=True):
    """An I420 picture: ``luma`` height x width, the others half of it each way. Sizes are even."""

    luma: Plane
    blue: Plane
    red: Plane


class Label(msgspec.Struct, frozen=True):
    """To be laid over a picture at ``left``, ``top`` (even). ``alpha`` 0..255: 255 hides what is below."""

    left: int
    top: int
    planes: Planes
    alpha: int


def time_of_day(at: float) -> str:
    """Unix seconds -> 09:05:07 in Vietnam."""
    return datetime.fromtimestamp(at, UTC).astimezone(_VIETNAM).strftime("%H:%M:%S")


@lru_cache(maxsize=32)
def card(name: str, detail: str, width: int = WIDTH, height: int = HEIGHT) -> Planes:
    """A name in the middle of a calm ground, ``detail`` below it."""
    image = Image.new("RGB", (width, height), BACKGROUND)
    pen = ImageDraw.Draw(image)
    room = width - width // 6
    title_size, title = _fit(name, room, 3, range(height // 12, height // 30, -2))
    detail_size, details = _fit(detail, room, 3, range(height // 22, height // 36, -1)) if detail else (title_size, [])
    title_step, detail_step = round(title_size.line_height * 1.05), round(detail_size.line_height * 1.1)
    gap = height // 20 if details else 0
    top = (height - len(title) * title_step - gap - len(details) * detail_step) / 2
    for number, line in enumerate(title):
        _centre(pen, title_size, width, top + (number + 0.5) * title_step, line, _BRIGHT)
    top += len(title) * title_step
    if details:
        pen.rectangle((width / 2 - width / 24, top + gap / 2 - 2, width / 2 + width / 24, top + gap / 2), fill=_ACCENT)
    for number, line in enumerate(details):
        _centre(pen, detail_size, width, top + gap + (number + 0.5) * detail_step, line, _CALM)
    return _planes(image)


@lru_cache(maxsize=32)
def lower_third(name: str, subject: str) -> Label:
    """Who speaks and on what, over the lower left of the picture."""
    room = WIDTH - 2 * _MARGIN - 56
    name_size, names = _fit(name, room, 2, range(38, 25, -2))
    subject_size, subjects = _fit(subject, room, 2, range(26, 19, -2)) if subject else (name_size, [])
    name_step, subject_step = round(name_size.line_height * 1.02), round(subject_size.line_height * 1.05)
    widest = max([*(name_size.length(line) for line in names), *(subject_size.length(line) for line in subjects)])
    width = _even(widest + 56)
    height = _even(24 + len(names) * name_step + (4 if subjects else 0) + len(subjects) * subject_step)
    image = Image.new("RGB", (width, height), _BAND)
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, 7, height), fill=_ACCENT)
    top = 12.0
    for line in names:
        name_size.write(pen, 28, top + name_step / 2, line, _BRIGHT)
        top += name_step
    top += 4
    for line in subjects:
        subject_size.write(pen, 28, top + subject_step / 2, line, _CALM)
        top += subject_step
    return Label(_MARGIN, _even(HEIGHT - 40 - height), _planes(image), _BAND_ALPHA)


@lru_cache(maxsize=32)
def caption(name: str, left: int, top: int, width: int) -> Label:
    """A name below a small picture."""
    size, lines = _fit(name, width - 8, 5, range(24, 17, -2))
    step = round(size.line_height * 1.05)
    image = Image.new("RGB", (width, _even(len(lines) * step + 8)), BACKGROUND)
    pen = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        _centre(pen, size, width, 4 + (number + 0.5) * step, line, _BRIGHT)
    return Label(left, top, _planes(image), 255)


def lay(label: Label, over: Planes) -> None:
    """Blend ``label`` into the picture ``over``, whose planes must be writable."""
    bottom, right = label.top + label.planes.luma.shape[0], label.left + label.planes.luma.shape[1]
    half = (slice(label.top // 2, bottom // 2), slice(label.left // 2, right // 2))
    _blend(over.luma[label.top : bottom, label.left : right], label.planes.luma, label.alpha)
    _blend(over.blue[half], label.planes.blue, label.alpha)
    _blend(over.red[half], label.planes.red, label.alpha)


def _blend(below: Plane, above: Plane, alpha: int) -> None:
    mixed = below.astype(np.uint16) * (255 - alpha) + above.astype(np.uint16) * alpha
    below[:] = ((mixed + 127) // 255).astype(np.uint8)


def _planes(image: Image.Image) -> Planes:
    exactly = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
    frame = VideoFrame.from_ndarray(np.asarray(image), format="rgb24")
    return planes_of(VideoReformatter().reformat(frame, format="yuv420p", interpolation=exactly, threads=1))


def planes_of(frame: VideoFrame) -> Planes:
    """The planes of a yuv420p frame with even sides, without their padding (views)."""
    found = []
    for index, plane in enumerate(frame.planes):
        height = frame.height if index == 0 else frame.height // 2
        width = frame.width if index == 0 else frame.width // 2
        found.append(np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:height, :width])
    return Planes(*found)


def _fit(text: str, room: float, most_lines: int, sizes: range) -> tuple[Lettering, list[str]]:
    """The largest of ``sizes`` at which ``text`` needs at most ``most_lines``; the last line of the smallest is cut."""
    text = text[:_LONGEST_TEXT]
    letters, lines = lettering(sizes[0]), [text]
    for size in sizes:
        letters = lettering(size)
        lines = _wrap(text, letters, room)
        if len(lines) <= most_lines:
            return letters, lines
    return letters, [*lines[: most_lines - 1], letters.cut(" ".join(lines[most_lines - 1 :]), room)]


def _wrap(text: str, letters: Lettering, room: float) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and letters.length(f"{lines[-1]} {word}") <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(letters.cut(word, room))
    return lines


def _centre(pen: ImageDraw.ImageDraw, letters: Lettering, width: int, middle: float, text: str, colour: Colour) -> None:
    letters.write(pen, (width - letters.length(text)) / 2, middle, text, colour)


def _even(length: float) -> int:
    return round(length / 2) * 2
