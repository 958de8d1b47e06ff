"""Build the C fan-out, `server/transport/_fanout.c`. setup.py takes ``ffi`` from here; without a compiler it goes on.

`python -m scripts.build_fanout --sanitize FOLDER` builds one with AddressSanitizer and UndefinedBehaviorSanitizer for
the tests and prints its path.
"""

import runpy
import sys
from pathlib import Path

from cffi import FFI

MODULE = "server.transport._native"
OPTIMISED = ("-O3", "-Wall", "-Wextra", "-Wno-unused-parameter")
SANITIZED = (
    "-O1",
    "-g",
    "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-Wall",
    "-Wextra",
    "-Werror=array-bounds",
)


def describe(compile_options: tuple[str, ...], *, optional: bool) -> FFI:
    """The extension module as cffi wants it. ``optional``: setuptools goes on where it cannot be built."""
    # By its path: where setuptools builds, the project cannot be imported.
    native = runpy.run_path(str(Path(__file__).resolve().parent.parent / "server/transport/native_sources.py"))
    folder: Path = native["FOLDER"]
    builder = FFI()
    builder.cdef((folder / native["HEADER"]).read_text("utf-8"))
    builder.set_source(
        MODULE,
        f'#define FANOUT_SOURCE_DIGEST "{native["source_digest"]()}"\n#include "_fanout.c"\n',
        include_dirs=[str(folder)],
        depends=[str(folder / name) for name in native["SOURCES"]],
        extra_compile_args=list(compile_options),
        extra_link_args=[option for option in compile_options if option.startswith("-fsanitize")],
        optional=optional,
    )
    return builder


ffi = describe(OPTIMISED, optional=True)


def main() -> int:
    if len(sys.argv) != 3 or sys.argv[1] != "--sanitize":
        print("usage: python -m scripts.build_fanout --sanitize FOLDER", file=sys.stderr)
        return 2
    print(describe(SANITIZED, optional=False).compile(tmpdir=sys.argv[2]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
