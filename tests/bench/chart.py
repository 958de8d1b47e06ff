"""A picture of straight lines: points, the line through them, axes. SVG by hand, as little as that takes. Pure."""

import math
from collections.abc import Iterator, Sequence
from html import escape

import msgspec

WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 44, 44
_TICKS = 5
_STYLE = (
    "text{font:12px sans-serif;fill:#333}.title{font-size:14px;font-weight:bold}.line{stroke:#0a6;stroke-width:2}"
    ".point{fill:#0a6}.axis{stroke:#333}.grid{stroke:#ddd}"
)

Point = tuple[float, float]


class Line(msgspec.Struct, frozen=True):
    """Least squares: ``start`` at 0, ``rise`` a step; ``straightness`` is the square of the correlation."""

    start: float
    rise: float
    straightness: float


class Panel(msgspec.Struct, frozen=True):
    """One diagram."""

    title: str
    across: str
    up: str
    points: tuple[Point, ...]


def fit(points: Sequence[Point]) -> Line:
    """The line through two points or more."""
    count = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    xx = sum((x - mean_x) ** 2 for x, _ in points)
    xy = sum((x - mean_x) * (y - mean_y) for x, y in points)
    yy = sum((y - mean_y) ** 2 for _, y in points)
    rise = xy / xx
    return Line(mean_y - rise * mean_x, rise, xy * xy / (xx * yy) if yy else 1.0)


def draw(panels: Sequence[Panel]) -> str:
    """The diagrams side by side, as SVG text."""
    drawn = enumerate(map(_panel, panels))
    parts = "".join(f'<g transform="translate({place * WIDTH},0)">{panel}</g>' for place, panel in drawn)
    width = WIDTH * len(panels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT}" viewBox="0 0 {width} {HEIGHT}">'
        f'<style>{_STYLE}</style><rect width="{width}" height="{HEIGHT}" fill="#fff"/>{parts}</svg>\n'
    )


def round_up(value: float) -> float:
    """The next 1, 2, 2.5 or 5 times a power of ten: where an axis ends."""
    step = 10.0 ** math.ceil(math.log10(value))
    return min(step * share for share in (0.1, 0.2, 0.25, 0.5, 1.0) if step * share >= value)


def _panel(panel: Panel) -> str:
    most_x, most_y = (round_up(max(point[axis] for point in panel.points)) for axis in (0, 1))

    def place(x: float, y: float) -> Point:
        across = LEFT + (WIDTH - LEFT - RIGHT) * x / most_x
        return across, HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y / most_y

    line = fit(panel.points)
    last = max(x for x, _ in panel.points)
    note = f"{line.start:.1f} + {line.rise:.3g} each, R² = {line.straightness:.4f}"
    return "".join(
        (
            *_grid(most_x, most_y, place(0, 0), place(most_x, most_y)),
            _text(LEFT, 18, panel.title, 'class="title"'),
            _text(LEFT, 36, note),
            _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, panel.across, 'text-anchor="middle"'),
            _text(14, (TOP + HEIGHT - BOTTOM) / 2, panel.up, f'text-anchor="middle" transform="{_UPWARDS}"'),
            _stroke("line", place(0, max(0.0, line.start)), place(last, line.start + line.rise * last)),
            *map(_dot, (place(*point) for point in panel.points)),
        )
    )


_UPWARDS = f"rotate(-90 14 {(TOP + HEIGHT - BOTTOM) / 2})"


def _grid(most_x: float, most_y: float, origin: Point, end: Point) -> Iterator[str]:
    for tick in range(_TICKS + 1):
        x = origin[0] + (end[0] - origin[0]) * tick / _TICKS
        y = origin[1] + (end[1] - origin[1]) * tick / _TICKS
        kind = "grid" if tick else "axis"
        yield _stroke(kind, (x, origin[1]), (x, end[1]))
        yield _stroke(kind, (origin[0], y), (end[0], y))
        yield _text(x, origin[1] + 16, f"{most_x * tick / _TICKS:g}", 'text-anchor="middle"')
        yield _text(origin[0] - 6, y + 4, f"{most_y * tick / _TICKS:g}", 'text-anchor="end"')


def _stroke(kind: str, begin: Point, end: Point) -> str:
    return f'<line class="{kind}" x1="{begin[0]:.1f}" y1="{begin[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"/>'


def _dot(at: Point) -> str:
    return f'<circle class="point" cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="4"/>'


def _text(x: float, y: float, text: str, attributes: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {attributes}>{escape(text)}</text>'
