"""Lettering that can write Vietnamese: Be Vietnam Pro, the web client's own typeface, which comes with the package.

Its files are subsets (Latin, more Latin, Vietnamese), so one word may need two of them. No font of the system is used:
what is drawn is the same on every machine.
"""

import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from PIL import ImageDraw, ImageFont

Colour = tuple[int, int, int]

_ASSETS = Path(__file__).with_name("assets")
_FILES = tuple(_ASSETS / f"be-vietnam-pro-{subset}-600-normal.woff2" for subset in ("latin", "latin-ext", "vietnamese"))
_NEVER_A_GLYPH = "\U0010fffe"


class Lettering:
    """One size of the typeface. For letters it does not have it writes a question mark."""

    def __init__(self, fonts: tuple[ImageFont.FreeTypeFont, ...]) -> None:
        self._fonts = fonts
        ascent, descent = fonts[0].getmetrics()
        self.line_height = ascent + descent

    def length(self, text: str) -> float:
        """Width of ``text`` in pixels."""
        return sum(font.getlength(part) for font, part in self._runs(text))

    def write(self, pen: ImageDraw.ImageDraw, left: float, middle: float, text: str, colour: Colour) -> None:
        """Write ``text`` from ``left`` on, its letters centred on the height ``middle``."""
        for font, part in self._runs(text):
            pen.text((left, middle), part, font=font, fill=colour, anchor="lm")
            left += font.getlength(part)

    def cut(self, text: str, room: float) -> str:
        """``text``, or as much of it as has ``room`` pixels, with an ellipsis behind."""
        if self.length(text) <= room:
            return text
        kept = bisect_right(range(len(text)), room, key=lambda count: self.length(f"{text[:count].rstrip()}…")) - 1
        return f"{text[:kept].rstrip()}…" if kept > 0 else ""

    def has(self, letter: str) -> bool:
        return any(_has(font, letter) for font in self._fonts)

    def _runs(self, text: str) -> Iterator[tuple[ImageFont.FreeTypeFont, str]]:
        """The text cut into pieces, each with the first font that has its letters."""
        visible = (letter for letter in unicodedata.normalize("NFC", text) if unicodedata.category(letter) != "Cf")
        known = (letter if self.has(letter) else "?" for letter in visible)
        for index, letters in groupby(known, self._place):
            yield self._fonts[index], "".join(letters)

    def _place(self, letter: str) -> int:
        return next((index for index, font in enumerate(self._fonts) if _has(font, letter)), 0)


@lru_cache(maxsize=64)
def lettering(size_px: int) -> Lettering:
    """The typeface at ``size_px``."""
    basic = ImageFont.Layout.BASIC  # the other one needs a library that not every machine has, and sets differently
    return Lettering(tuple(ImageFont.truetype(file, size_px, layout_engine=basic) for file in _FILES))


@lru_cache(maxsize=4_096)
def _has(font: ImageFont.FreeTypeFont, letter: str) -> bool:
    return letter.isspace() or bytes(font.getmask(letter)) != bytes(font.getmask(_NEVER_A_GLYPH))
