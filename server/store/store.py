"""The database: opened once, migrated at open, used through ``read()`` and ``write()``."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite+aiosqlite:///{path}"


class Store:
    """Raises Unavailable("store_unavailable") within 5 s where the database is locked, full or damaged."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def open(self) -> None:
        """Check, migrate, connect. Raises Unavailable (``store_damaged``, ``store_newer``, ``store_unavailable``)."""
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session for reading: one consistent snapshot."""
        raise NotImplementedError
        yield

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session in one transaction, committed at the end of the block, rolled back by any exception."""
        raise NotImplementedError
        yield
