"""Have ready what a make target needs: `python3 -m scripts.prepare TARGET`. Quick when nothing changed."""

import sys
from typing import NamedTuple

from scripts.debian import LIST, SetupFailed, ensure_packages, listed_packages
from scripts.lock import ROOT
from scripts.python_env import ensure_python_env
from scripts.web import ensure_client_built, ensure_npm_packages, node_environment


class Needs(NamedTuple):
    """What a target needs: Debian packages (see scripts.debian), the test extra, npm packages, the built client."""

    packages: str
    test_extra: bool
    npm: bool
    client: bool


TARGETS = {
    "run": Needs("run", test_extra=False, npm=True, client=True),
    "test": Needs("test", test_extra=True, npm=True, client=True),
    "check": Needs("run", test_extra=True, npm=True, client=False),
    "bench": Needs("bench", test_extra=True, npm=False, client=False),
    "lock": Needs("run", test_extra=True, npm=False, client=False),
}


def prepare(target: str) -> None:
    """Raises SetupFailed with a message for a person."""
    needs = TARGETS[target]
    ensure_packages(listed_packages(LIST.read_text("utf-8"), needs.packages), f"`make {target}`")
    ensure_python_env(tests=needs.test_extra)
    if not needs.npm:
        return
    environment = node_environment()
    ensure_npm_packages(environment)
    if needs.client:
        ensure_client_built(environment)


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1] not in TARGETS:
        print(f"usage: python3 -m scripts.prepare {'|'.join(TARGETS)}", file=sys.stderr)
        return 2
    if not (ROOT / "web/package-lock.json").is_file():
        print("This is not a whole clone: web/package-lock.json is missing.", file=sys.stderr)
        return 1
    try:
        prepare(sys.argv[1])
    except SetupFailed as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
