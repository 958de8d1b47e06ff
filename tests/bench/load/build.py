"""Compile the load generator's C part with gcc, once for the sources there are."""

import hashlib
import shutil
import subprocess
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
SOURCES = ("load.c", "sending.c", "receiving.c", "reports.c")
HEADERS = ("load.h", "inside.h")
OPTIONS = ("-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread")
BUILT = Path(__file__).parents[3] / "build/bench"


class NoCompiler(Exception):
    """gcc is missing, or refuses the sources; the message is for a person."""


@cache
def build_load_library() -> Path:
    """The shared library's path. Raises NoCompiler."""
    digest = hashlib.sha256(" ".join(OPTIONS).encode())
    for name in (*HEADERS, *SOURCES):
        digest.update((FOLDER / name).read_bytes())
    library = BUILT / f"load-{digest.hexdigest()[:16]}.so"
    if library.exists():
        return library
    compiler = shutil.which("gcc")
    if compiler is None:
        raise NoCompiler("the load generator needs gcc: apt-get install gcc libc6-dev")
    BUILT.mkdir(parents=True, exist_ok=True)
    part = library.with_suffix(".part")
    command = [compiler, *OPTIONS, "-o", str(part), *(str(FOLDER / name) for name in SOURCES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise NoCompiler(f"gcc refuses the load generator:\n{done.stderr}")
    part.replace(library)
    return library
