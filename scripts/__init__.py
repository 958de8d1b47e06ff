"""Set-up for people and CI: standard library only, because it runs before anything is installed."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (the Python that runs this is whatever a newcomer has)
    found = ".".join(map(str, sys.version_info[:2]))
    sys.exit(
        f"Diemcau needs Python 3.11 or newer; this is {found}. With another one at hand: make PYTHON=python3.12 run"
    )
