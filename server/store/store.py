"""The database: opened once, checked and migrated at open, used through ``read()`` and ``write()``.

A caller waits less than 5 s in all before it is told (SCENARIOS row 15): first for a connection, then for a lock
that another process holds.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from server.errors import InvalidInput, Unavailable
from server.store.migrate import upgrade

logger = logging.getLogger(__name__)

_CONNECTION_WAIT_S = 2.5
_LOCK_WAIT_S = 1.5
_LAST_USE_S = 5.0
_READERS = 12
# SQLite has one writer at a time, and an unfair way of waiting for it (it polls): the queue for the one connection
# that writes is ours, and fair.
_SQLITE_WRITERS = 1
_POSTGRESQL_WRITERS = 8


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return URL.create("sqlite+aiosqlite", database=str(path)).render_as_string(hide_password=False)


class Store:
    """Raises Unavailable("store_unavailable") within 5 s where the database is locked, full or damaged, and
    InvalidInput("bad_text") for text that it cannot hold."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self._sqlite = parsed.get_backend_name() == "sqlite"
        self._url = parsed.set(drivername="sqlite+aiosqlite" if self._sqlite else "postgresql+asyncpg")
        self._in_use = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._readers: AsyncEngine | None = None
        self._writers: AsyncEngine | None = None

    async def open(self) -> None:
        """Check, migrate, connect. Raises Unavailable (``store_damaged``, ``store_newer``, ``store_unavailable``)."""
        if self._sqlite:
            self._make_private()
        with _refusals(f"the database {self._url.database}", "store_damaged"):
            await self._migrate()
        self._readers = _make_engine(self._url, connections=_READERS)
        if not self._sqlite:  # whose transactions are snapshots of themselves
            self._readers = self._readers.execution_options(isolation_level="REPEATABLE READ")
        self._writers = _make_engine(
            self._url, connections=_SQLITE_WRITERS if self._sqlite else _POSTGRESQL_WRITERS
        ).execution_options(immediate=True)

    async def close(self) -> None:
        """Close all connections, those in use once they are given back. Closing twice, or what was never opened,
        changes nothing."""
        engines, self._readers, self._writers = (self._readers, self._writers), None, None
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_USE_S):
                await self._idle.wait()
        for engine in engines:
            if engine is not None:
                await engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session for reading: one snapshot. Nothing of it is written."""
        with _refusals(), self._used():
            async with AsyncSession(_opened(self._readers), expire_on_commit=False, autoflush=False) as session:
                await _whole(session.connection())
                yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session in one transaction, committed at the end of the block, rolled back by any exception."""
        with _refusals(), self._used():
            async with AsyncSession(_opened(self._writers), expire_on_commit=False) as session, session.begin():
                await _whole(session.connection())  # the lock is taken here, not at the block's first statement
                yield session

    @contextmanager
    def _used(self) -> Iterator[None]:
        self._in_use += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._in_use -= 1
            if not self._in_use:
                self._idle.set()

    def _make_private(self) -> None:
        """The file holds password hashes: only its owner reads it. SQLite gives its side files the same mode."""
        path = self._url.database
        if not path or path == ":memory:":
            raise Unavailable("store_unavailable", "the database must be a file")
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise Unavailable("store_unavailable", f"{path}: {error.strerror}") from error

    async def _migrate(self) -> None:
        """On a connection of its own: SQLite rebuilds tables in a migration, which foreign keys would forbid."""
        engine = _make_engine(self._url, foreign_keys=False)
        try:
            async with engine.execution_options(immediate=True).begin() as connection:
                if self._sqlite:
                    await connection.run_sync(_check, "integrity_check(1)", self._url.database)
                await connection.run_sync(upgrade)
                if self._sqlite:
                    await connection.run_sync(_check, "foreign_key_check", self._url.database)
        finally:
            await engine.dispose()


async def _whole(step: Coroutine[Any, Any, object]) -> None:
    """To its end, whoever is cancelled meanwhile: a connection that is dropped while it is made is never closed."""
    task = asyncio.create_task(step)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _opened(engine: AsyncEngine | None) -> AsyncEngine:
    if engine is None:
        raise Unavailable("store_unavailable", "the database is not open")
    return engine


def _make_engine(url: URL, *, connections: int = 1, foreign_keys: bool = True) -> AsyncEngine:
    try:
        engine = create_async_engine(url, pool_size=connections, max_overflow=0, pool_timeout=_CONNECTION_WAIT_S)
    except ModuleNotFoundError as error:
        raise Unavailable("store_unavailable", f"{error}; install diemcau[postgres]") from error
    if url.get_backend_name() == "sqlite":
        _teach_sqlite(engine, foreign_keys=foreign_keys)
    return engine


def _teach_sqlite(engine: AsyncEngine, *, foreign_keys: bool) -> None:
    """WAL: readers never wait for a writer. FULL: a commit is on the disk when it returns, through a power cut too
    (docs/adr/0003-store.md has the price). The driver's own idea of transactions is switched off: it begins them
    late, and a reader that turns writer is refused without waiting."""

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(_LOCK_WAIT_S * 1000)}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _check(connection: Connection, pragma: str, path: str | None) -> None:
    """Both pragmas answer with rows only for what is wrong, but for ``ok``."""
    wrong = [row for row in connection.execute(text(f"PRAGMA {pragma}")) if row[0] != "ok"]
    if wrong:
        finding = str(wrong[0][0]).splitlines()[-1]
        raise Unavailable("store_damaged", f"the database {path} is damaged ({finding}): restore it from a backup")


@contextmanager
def _refusals(name: str = "the database", damage_code: str = "store_unavailable") -> Iterator[None]:
    """Turn the world's faults into Unavailable, and text that no database takes into InvalidInput; our own mistakes
    (wrong SQL, broken constraints) stay what they are."""
    try:
        yield
    except UnicodeEncodeError as error:  # a lone surrogate
        raise InvalidInput("bad_text", "the text cannot be stored") from error
    except (PoolTimeoutError, TimeoutError, ConnectionError) as error:
        logger.error("the database does not answer: %s", error)
        raise Unavailable("store_unavailable", "the database is busy; try again") from error
    except DBAPIError as error:
        if _is_unfit_text(error):
            raise InvalidInput("bad_text", "the text cannot be stored") from error
        if not _is_outage(error):
            raise
        logger.error("the database failed: %s", error.orig)
        code = damage_code if _is_damage(error) else "store_unavailable"
        raise Unavailable(code, f"{name} cannot be used ({error.orig})") from error


def _is_unfit_text(error: DBAPIError) -> bool:
    """PostgreSQL's class 22, data exception: NUL in a string, or a string that is too long. SQLite takes both."""
    return str(getattr(error.orig, "sqlstate", "")).startswith("22")


def _is_damage(error: DBAPIError) -> bool:
    """``sqlite3`` reports a file it cannot read as a bare DatabaseError; its children are other things."""
    return type(error) is DatabaseError


def _is_outage(error: DBAPIError) -> bool:
    """A bare DBAPIError is what asyncpg's refusals come as: no such database, wrong password, shutting down."""
    return type(error) in {DatabaseError, DBAPIError} or isinstance(
        error, OperationalError | InterfaceError | InternalError
    )
