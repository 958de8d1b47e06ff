"""Pictures as fingerprints: four coloured quadrants say which endpoint a picture comes from.

Quadrants (top left, top right, bottom left) are digits in base 6, the fourth is a check digit, so that a mixture, a
plain colour or a black picture is nobody's. It survives scaling, VP8 at low bitrates and black borders.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from av import VideoFrame
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
"""Height x width x 3, RGB."""

PALETTE: tuple[tuple[int, int, int], ...] = (
    (200, 40, 40),
    (40, 160, 50),
    (50, 70, 210),
    (215, 200, 40),
    (190, 60, 190),
    (60, 190, 205),
)
PATTERNS = len(PALETTE) ** 3
_FARTHEST = 60.0
"""RGB distance up to which a quadrant is taken for a palette colour; the nearest two colours are 120 apart."""


def quadrants(index: int) -> tuple[int, int, int, int]:
    """The palette places of pattern ``index`` (0..PATTERNS-1), check digit last. No pattern has four equal ones."""
    base = len(PALETTE)
    first, second, third = index % base, index // base % base, index // base**2 % base
    return first, second, third, (first + 2 * second + 2 * third + 1) % base


def pattern(index: int, width: int, height: int, phase: float = 0.0) -> Pixels:
    """Pattern ``index`` with a white bar along the middle at ``phase`` 0..1, so that the picture moves."""
    pixels = np.empty((height, width, 3), np.uint8)
    places = quadrants(index)
    middle_y, middle_x = height // 2, width // 2
    pixels[:middle_y, :middle_x] = PALETTE[places[0]]
    pixels[:middle_y, middle_x:] = PALETTE[places[1]]
    pixels[middle_y:, :middle_x] = PALETTE[places[2]]
    pixels[middle_y:, middle_x:] = PALETTE[places[3]]
    bar = max(2, height // 30)
    left = int(phase % 1.0 * (width - 4 * bar))
    pixels[middle_y - bar : middle_y + bar, left : left + 4 * bar] = 255
    return pixels


def pattern_drawing(index: int, width: int, height: int, frame: int, frames: int) -> Image.Image:
    """Pattern ``index`` as a ``server.bots`` drawing (use functools.partial for the index)."""
    return Image.fromarray(pattern(index, width, height, frame / frames))


def recognise(pixels: Pixels) -> int | None:
    """Whose pattern is it? None where it is nobody's. Black borders (letterboxing) are cut off first."""
    inner = _without_borders(pixels)
    height, width = inner.shape[:2]
    if height < 8 or width < 8:
        return None
    places = []
    for top, left in ((0, 0), (0, width // 2), (height // 2, 0), (height // 2, width // 2)):
        part = inner[top + height // 8 : top + height * 3 // 8, left + width // 8 : left + width * 3 // 8]
        distances = [float(np.linalg.norm(part.mean(axis=(0, 1)) - colour)) for colour in np.array(PALETTE)]
        nearest = int(np.argmin(distances))
        if distances[nearest] > _FARTHEST:
            return None
        places.append(nearest)
    base = len(PALETTE)
    index = places[0] + places[1] * base + places[2] * base**2
    return index if quadrants(index)[3] == places[3] else None


def _without_borders(pixels: Pixels) -> Pixels:
    bright = pixels.max(axis=2) > 30
    rows, columns = np.flatnonzero(bright.mean(axis=1) > 0.3), np.flatnonzero(bright.mean(axis=0) > 0.3)
    if not len(rows) or not len(columns):
        return pixels[:0, :0]
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def write_pattern_y4m(
    path: Path, index: int, width: int = 640, height: int = 360, frames_per_s: int = 15, seconds: int = 2
) -> Path:
    """The moving pattern as Y4M (I420) for Chromium's ``--use-file-for-fake-video-capture``. Returns ``path``."""
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{frames_per_s}:1 Ip A1:1 C420mpeg2\n".encode())
        for pixels in _loop(index, width, height, frames_per_s * seconds):
            planes = VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p").to_ndarray()
            file.write(b"FRAME\n" + planes.tobytes())
    return path


def write_pattern_mjpeg(
    path: Path, index: int, width: int = 640, height: int = 360, frames_per_s: int = 15, seconds: int = 2
) -> Path:
    """The same as concatenated JPEGs: far smaller. Chromium takes ``.mjpeg`` too (at 30 frames/s)."""
    with path.open("wb") as file:
        for pixels in _loop(index, width, height, frames_per_s * seconds):
            Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return path


def _loop(index: int, width: int, height: int, count: int) -> Iterator[Pixels]:
    for number in range(count):
        yield pattern(index, width, height, number / count)
