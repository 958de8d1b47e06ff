"""What make runs. `prepare` and what it imports keep to the standard library: nothing is installed yet when it runs."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (the Python that runs this is whatever a newcomer has)
    found = ".".join(map(str, sys.version_info[:2]))
    sys.exit(
        f"Diemcau needs Python 3.11 or newer; this is {found}. With another one at hand: make PYTHON=python3.12 run"
    )
