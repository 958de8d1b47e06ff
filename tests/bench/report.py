"""Figures come out as JSON lines: name, value, unit, and what belongs to them."""

import json
import sys


def say(figure: str, value: float, unit: str, **details: object) -> None:
    """One line on stdout, at once."""
    line: dict[str, object] = {"figure": figure, "value": _short(value), "unit": unit}
    line |= {name: _short(detail) if isinstance(detail, float) else detail for name, detail in details.items()}
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _short(number: float) -> float | int:
    return number if isinstance(number, int) else float(f"{number:.4g}")
