"""The floor's transition tables as a Mermaid state diagram, for docs/floor.md (a test holds the page to it)."""

from collections import defaultdict
from collections.abc import Iterator

from server.room.floor import INITIAL, TRANSITIONS, Transitions

_TITLES = {"branch": "Branch", "by_right": "Holds by right"}


def draw() -> str:
    """Two boxes, one a table; events that lead the same way share an arrow."""
    lines = ["stateDiagram-v2"]
    for name, transitions in TRANSITIONS.items():
        lines.append(f'    state "{_TITLES[name]}" as {name} {{')
        lines += (f'        state "{state}" as {name}_{state}' for state in transitions)
        lines.append(f"        [*] --> {name}_{INITIAL[name]}")
        lines += (f"        {arrow}" for arrow in _arrows(name, transitions))
        lines.append("    }")
    return "\n".join(lines) + "\n"


def _arrows(name: str, transitions: Transitions) -> Iterator[str]:
    for before, events in transitions.items():
        ways = defaultdict(list)
        for event, after in events.items():
            ways[after].append(event.value)
        for after, names in ways.items():
            yield f"{name}_{before} --> {name}_{after} : {', '.join(names)}"
