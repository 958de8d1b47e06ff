"""`python -m tests.transport.sanitized EXTENSION TEST...`: run tests with that build of the C fan-out in place."""

import importlib.util
import sys

import pytest

from scripts.build_fanout import MODULE


def main() -> int:
    path, *arguments = sys.argv[1:]
    spec = importlib.util.spec_from_file_location(MODULE, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[MODULE] = module
    return pytest.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
