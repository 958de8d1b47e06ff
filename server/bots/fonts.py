"""Lettering that can write Vietnamese: the web client's own font, else one the system has, else words without marks.

The web client's Be Vietnam Pro comes in subsets (Latin, Vietnamese), so a word may need two files.
"""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from PIL import ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Colour = tuple[int, int, int]

_CLIENT_ASSETS = Path(__file__).parents[1] / "static" / "assets"
_CLIENT_SUBSETS = ("be-vietnam-pro-latin-600-normal-*.woff2", "be-vietnam-pro-vietnamese-600-normal-*.woff2")
_SYSTEM_FONTS = ("BeVietnamPro-SemiBold.ttf", "NotoSans-Bold.ttf", "DejaVuSans-Bold.ttf", "LiberationSans-Bold.ttf")
_PROBE = "ợ"
_NEVER_A_GLYPH = "\U0010fffe"


class Lettering:
    """One size of one typeface. ``is_vietnamese`` False: marks are left out of what is written."""

    def __init__(self, fonts: tuple[Font, ...]) -> None:
        self._fonts = fonts
        self.is_vietnamese = any(_has(font, _PROBE) for font in fonts)

    def length(self, text: str) -> float:
        """Width of ``text`` in pixels."""
        return sum(font.getlength(part) for font, part in self._runs(text))

    def write(self, pen: ImageDraw.ImageDraw, left: float, middle: float, text: str, colour: Colour) -> None:
        """Write ``text`` from ``left`` on, its letters centred on the height ``middle``."""
        for font, part in self._runs(text):
            pen.text((left, middle), part, font=font, fill=colour, anchor="lm")
            left += font.getlength(part)

    def _runs(self, text: str) -> Iterator[tuple[Font, str]]:
        """The text cut into pieces, each with the first font that has its letters."""
        written = unicodedata.normalize("NFC", text) if self.is_vietnamese else without_marks(text)
        for index, letters in groupby(written, self._place):
            yield self._fonts[index], "".join(letters)

    def _place(self, letter: str) -> int:
        return next((index for index, font in enumerate(self._fonts) if _has(font, letter)), 0)


@lru_cache(maxsize=64)
def lettering(size_px: int, assets: Path = _CLIENT_ASSETS, system_fonts: tuple[str, ...] = _SYSTEM_FONTS) -> Lettering:
    """The best lettering there is at ``size_px``."""
    subsets = [str(file) for pattern in _CLIENT_SUBSETS for file in sorted(assets.glob(pattern))[:1]]
    candidates = [subsets] if len(subsets) == len(_CLIENT_SUBSETS) else []
    candidates += [[name] for name in system_fonts]
    for files in candidates:
        try:
            found = Lettering(tuple(ImageFont.truetype(file, size_px) for file in files))
        except OSError:
            continue
        if found.is_vietnamese:
            return found
    return Lettering((ImageFont.load_default(size_px),))


def without_marks(text: str) -> str:
    """Điểm cầu -> Diem cau."""
    plain = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


@lru_cache(maxsize=4_096)
def _has(font: Font, letter: str) -> bool:
    return letter.isspace() or bytes(font.getmask(letter)) != bytes(font.getmask(_NEVER_A_GLYPH))
