"""Figures come out as JSON lines: name, value, unit, and what belongs to them."""

import json
import sys
from collections.abc import Sequence

import msgspec


def say(figure: str, value: float, unit: str, **details: object) -> None:
    """One line on stdout, at once."""
    line: dict[str, object] = {"figure": figure, "value": _short(value), "unit": unit}
    line |= {name: _short(detail) if isinstance(detail, float) else detail for name, detail in details.items()}
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def say_figures(name: str, figures: msgspec.Struct, **details: object) -> None:
    """A window's CPU a packet, with everything else it showed."""
    fields = msgspec.structs.asdict(figures)
    say(f"{name}_cpu_per_forwarded_packet", fields.pop("cpu_us"), "µs", **details, **fields)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns for people."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _short(number: float) -> float | int:
    return number if isinstance(number, int) else float(f"{number:.4g}")
