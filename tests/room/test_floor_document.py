"""docs/floor.md is held to the code: its diagram and its refusals."""

import re
from pathlib import Path

from server.room import floor_diagram
from server.room.floor import TRANSITIONS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "floor.md").read_text()


def test_the_diagram_on_the_page_is_the_one_the_table_draws() -> None:
    drawn = re.findall(r"```mermaid\n(.*?)```", PAGE, re.DOTALL)
    assert drawn == [floor_diagram.draw()]


def test_the_diagram_has_every_transition() -> None:
    arrows = re.findall(r"(\w+) --> (\w+) : (.+)", floor_diagram.draw())
    drawn = {(before, event, after) for before, after, events in arrows for event in events.split(", ")}
    assert drawn == {
        (f"{table}_{before}", event.value, f"{table}_{after}")
        for table, transitions in TRANSITIONS.items()
        for before, events in transitions.items()
        for event, after in events.items()
    }


def test_the_page_has_every_refusal_with_its_status() -> None:
    statuses = {"Forbidden": "403", "Conflict": "409", "NotFound": "404", "InvalidInput": "400"}
    raised: dict[str, set[str]] = {}
    for path in (ROOT / "server" / "room").glob("*.py"):
        for kind, code in re.findall(rf'({"|".join(statuses)})(?:\(|, )"(\w+)", f?["\w]', path.read_text()):
            raised.setdefault(code, set()).add(statuses[kind])
    rows = re.findall(r"^\| `(\w+)` \| ([\d, ]+) \|", PAGE, re.MULTILINE)
    assert {code: set(status.split(", ")) for code, status in rows} == raised
