"""Octets of recordings on their way out: opened before they are sent, waited for before they are destroyed."""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol, Self

from server.errors import NotFound, TooMany
from server.recording.inside import open_inside

MOST = 200
MOST_OF_AN_ACCOUNT = 20


class Octets(Protocol):
    """Something of a known size that is read in pieces. ``etag`` names its content, in quotes (RFC 9110, 8.8.3)."""

    @property
    def size(self) -> int: ...

    @property
    def etag(self) -> str: ...

    def read(self, offset: int, length: int) -> bytes: ...


class OpenFile:
    """One plain file of a recording's folder, open: what happens to its name does not matter any more. Blocking.

    Raises NotFound("no_such_file") for what is not there, or no plain file inside.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._stack = ExitStack()
        try:
            self._descriptor = self._stack.enter_context(open_inside(folder, name)).fileno()
        except OSError as error:
            raise NotFound("no_such_file", "The recording has no such file.") from error
        status = os.fstat(self._descriptor)
        self.size = status.st_size
        self.etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, offset)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class Readers:
    """How many read a recording right now, and how many downloads an account has."""

    def __init__(self) -> None:
        self._recordings = Counter[str]()
        self._accounts = Counter[str]()
        self._left = asyncio.Event()

    @contextmanager
    def reading(self, recording_id: str, account_id: str) -> Iterator[None]:
        """Raises TooMany("too_many_downloads")."""
        if self._accounts[account_id] >= MOST_OF_AN_ACCOUNT or self._recordings.total() >= MOST:
            raise TooMany("too_many_downloads", "Too many downloads at once; wait for one to end.")
        self._recordings[recording_id] += 1
        self._accounts[account_id] += 1
        try:
            yield
        finally:
            self._recordings[recording_id] -= 1
            self._accounts[account_id] -= 1
            self._recordings += Counter()  # forget who is at zero
            self._accounts += Counter()
            self._left.set()

    async def gone(self, recording_id: str, wait_s: float) -> bool:
        """Wait until nobody reads it; False if somebody still does after ``wait_s``."""
        try:
            async with asyncio.timeout(wait_s):
                while self._recordings[recording_id]:
                    self._left.clear()
                    await self._left.wait()
        except TimeoutError:
            return False
        return True
