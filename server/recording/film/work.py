"""The lock of a film's work folder: one renderer at a time. (The recording's own folder is locked by its writer.)"""

import contextlib
import fcntl
import os
from pathlib import Path


def try_lock(folder: Path) -> int | None:
    """Make ``folder`` and lock it: a descriptor whose closing (or whose process's end) unlocks it.

    None: another process has it. Who has the lock may remove the folder. Raises OSError.
    """
    while True:
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        if _is_still(folder, descriptor):
            return descriptor
        os.close(descriptor)


def _is_still(folder: Path, descriptor: int) -> bool:
    """Is this not one that was removed between opening and locking?"""
    try:
        return os.path.samestat(folder.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
