"""What the C fan-out is built from. Nothing is imported from the project: setup reads this file by its path."""

import hashlib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
HEADER = "_fanout.h"
SOURCES = (HEADER, "_fanout.c", "_intake.c", "_rewrite.c")


def source_digest() -> str:
    """SHA-256 over the sources, hexadecimal. It is compiled in, so that an extension of yesterday is found out."""
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update((FOLDER / name).read_bytes())
    return digest.hexdigest()
