"""A font that can write Vietnamese, from what the system has; without one, the words lose their marks."""

import unicodedata
from functools import lru_cache

from PIL import ImageFont

_CANDIDATES = (
    "BeVietnamPro-SemiBold.ttf",
    "NotoSans-Bold.ttf",
    "DejaVuSans-Bold.ttf",
    "DejaVuSans.ttf",
    "LiberationSans-Bold.ttf",
    "FreeSansBold.ttf",
)
_PROBE = "ợ"
_NEVER_A_GLYPH = "\U0010fffe"

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@lru_cache(maxsize=64)
def find_font(size_px: int) -> tuple[Font, bool]:
    """The best font at ``size_px`` and whether it can write Vietnamese (Debian: package fonts-dejavu-core)."""
    for name in _CANDIDATES:
        try:
            font = ImageFont.truetype(name, size_px)
        except OSError:
            continue
        if font.getmask(_PROBE).getbbox() and bytes(font.getmask(_PROBE)) != bytes(font.getmask(_NEVER_A_GLYPH)):
            return font, True
    return ImageFont.load_default(size_px), False


def writable(text: str, vietnamese: bool) -> str:
    """``text`` as the font can write it: unchanged, or without diacritics (Điểm cầu -> Diem cau)."""
    if vietnamese:
        return text
    plain = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))
