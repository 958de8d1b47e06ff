"""The room journal: what was asked of each room, in order, so that it can be replayed after a crash."""

from collections.abc import Sequence
from typing import NamedTuple

from server.room.commands import Command
from server.store.store import Store


class Entry(NamedTuple):
    """One journal line; ``command`` None: time passed a deadline (a tick)."""

    seq: int
    at: float
    command: Command | None


class Journal:
    """Append-only per meeting."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def append(self, meeting_id: str, entries: Sequence[tuple[int, float, Command | None]]) -> None:
        """Durable when it returns; all or none. Raises Conflict("journal_conflict") for a sequence number taken."""
        raise NotImplementedError

    async def load(self, meeting_id: str) -> list[Entry]:
        """All entries in order. Raises Unavailable("journal_damaged") naming the first bad one."""
        raise NotImplementedError
