"""What a virtual endpoint's camera sees: its name on a colour of its own, something moving, the seconds."""

import colorsys
import math
from collections.abc import Callable

from PIL import Image, ImageDraw

from server.lettering import lettering

Drawing = Callable[[int, int, int, int], Image.Image]
"""(width, height, frame index, frames in the loop) -> an RGB picture of that size; the loop must close."""

_GOLDEN_ANGLE = 0.381966
_SMALLEST_PX = 9


def office_colour(index: int) -> tuple[int, int, int]:
    """A calm colour for endpoint ``index``; neighbours differ as much as they can (golden angle in hue)."""
    red, green, blue = colorsys.hsv_to_rgb(index * _GOLDEN_ANGLE % 1.0, 0.55, 0.42)
    return int(255 * red), int(255 * green), int(255 * blue)


def office_picture(index: int, name: str) -> Drawing:
    """Endpoint ``index`` called ``name``: a figure that sways, its name above (web clients write theirs below)."""

    def draw(width: int, height: int, frame: int, frames: int) -> Image.Image:
        turn = 2 * math.pi * frame / frames
        red, green, blue = office_colour(index)
        image = Image.new("RGB", (width, height), (red, green, blue))
        pen = ImageDraw.Draw(image)
        light = (min(255, red + 60), min(255, green + 60), min(255, blue + 60))
        _draw_person(pen, width, height, math.sin(turn), light)
        _draw_clock(pen, width, height, turn)
        _draw_name(pen, width, height, name)
        return image

    return draw


def _draw_person(pen: ImageDraw.ImageDraw, width: int, height: int, sway: float, colour: tuple[int, int, int]) -> None:
    centre = width / 2 + sway * width * 0.04
    head = height * 0.15
    pen.ellipse((centre - head, height * 0.24, centre + head, height * 0.24 + 2 * head), fill=colour)
    pen.ellipse((centre - head * 2.2, height * 0.6, centre + head * 2.2, height * 1.35), fill=colour)


def _draw_clock(pen: ImageDraw.ImageDraw, width: int, height: int, turn: float) -> None:
    radius = height * 0.08
    x, y = width - 1.6 * radius, height * 0.16 + 1.6 * radius
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=(240, 240, 240), width=max(1, height // 120))
    tip = (x + 0.8 * radius * math.sin(turn), y - 0.8 * radius * math.cos(turn))
    pen.line((x, y, *tip), fill=(240, 240, 240), width=max(1, height // 90))


def _draw_name(pen: ImageDraw.ImageDraw, width: int, height: int, name: str) -> None:
    band, room = height * 0.16, width * 0.92
    size_px = max(_SMALLEST_PX, height // 10)
    while size_px > _SMALLEST_PX and lettering(size_px).length(name) > room:
        size_px -= 1
    letters = lettering(size_px)
    text = letters.cut(name, room)
    pen.rectangle((0, 0, width, band), fill=(20, 24, 30))
    letters.write(pen, (width - letters.length(text)) / 2, band / 2, text, (245, 245, 245))
