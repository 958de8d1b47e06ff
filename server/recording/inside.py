"""Reads a folder that may have come from anywhere: no link is followed, nothing but plain files is opened."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

_PIECE_OCTETS: Final = 1 << 20
_DEEPEST: Final = 8


class NotPlain(OSError):
    """A link, device, pipe or folder where a plain file was expected, or a name that leads out of the folder."""


@contextmanager
def open_inside(folder: Path, name: str) -> Iterator[BinaryIO]:
    """The plain file ``name`` (``/`` between folders) below ``folder``, to read. Raises NotPlain or another OSError."""
    *above, last = parts_of(name)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in above:
            inner = _open_at(part, os.O_DIRECTORY, descriptor)
            os.close(descriptor)
            descriptor = inner
        plain = _open_at(last, os.O_NONBLOCK, descriptor)
    finally:
        os.close(descriptor)
    if not stat.S_ISREG(os.fstat(plain).st_mode):
        os.close(plain)
        raise NotPlain(f"{name} is no plain file")
    with os.fdopen(plain, "rb") as file:
        yield file


def size_of(file: BinaryIO) -> int:
    """The octets of an open file."""
    return os.fstat(file.fileno()).st_size


def parts_of(name: str) -> tuple[str, ...]:
    """The steps of a relative name. Raises NotPlain for any that is absolute, empty or leads elsewhere."""
    path = PurePosixPath(name)
    if not path.parts or str(path) != name or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise NotPlain(f"{name!r} is no name of a file in a recording")
    return path.parts


def hash_of(file: BinaryIO, at_most: int | None = None) -> tuple[str, int]:
    """SHA-256 (hex) and number of the octets from here to the end, or of the first ``at_most``, read in pieces."""
    digest, octets = hashlib.sha256(), 0
    while piece := file.read(_PIECE_OCTETS if at_most is None else min(_PIECE_OCTETS, at_most - octets)):
        digest.update(piece)
        octets += len(piece)
    return digest.hexdigest(), octets


def plain_files(folder: Path, depth: int = _DEEPEST) -> Iterator[tuple[str, os.stat_result | None]]:
    """Every name below ``folder``, sorted, with ``/`` between folders; None for what is no plain file. OSError passes.

    Folders are gone into (``depth`` times at most) and not named themselves; links are not followed. What goes while
    one looks (a renderer's pieces, its whole work folder) is left out; only ``folder`` itself must be there.
    """
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if depth and entry.is_dir(follow_symlinks=False):
            with suppress(FileNotFoundError):
                for name, status in plain_files(folder / entry.name, depth - 1):
                    yield f"{entry.name}/{name}", status
            continue
        try:
            status = entry.stat(follow_symlinks=False) if entry.is_file(follow_symlinks=False) else None
        except FileNotFoundError:
            continue
        yield entry.name, status


def _open_at(name: str, flags: int, folder: int) -> int:
    try:
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=folder)
    except NotADirectoryError as error:
        raise NotPlain(error.errno, f"{name} is no folder") from error
    except OSError as error:
        if stat.S_ISLNK(_mode_of(name, folder)):
            raise NotPlain(error.errno, f"{name} is a link") from error
        raise


def _mode_of(name: str, folder: int) -> int:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except OSError:
        return 0
