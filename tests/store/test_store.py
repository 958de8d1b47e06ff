"""Opening, transactions, and SCENARIOS row 15: locked or damaged, it says so within 5 s and is never silent."""

import asyncio
import logging
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from server.errors import InvalidInput, Unavailable
from server.store.store import Store, sqlite_url
from server.store.tables import AuditRow, LevelRow, UnitRow

_LIMIT_S = 5.0


def audit_line(at: float = 1.0, detail: str = "") -> dict[str, object]:
    return {"at": at, "action": "test", "remote": "", "target": "", "detail": detail}


async def count_lines(store: Store) -> int:
    async with store.read() as session:
        return await session.scalar(select(func.count()).select_from(AuditRow)) or 0


@contextmanager
def locked(path: Path, how: str) -> Iterator[None]:
    """Another process's lock, held by another connection."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute(how)
    try:
        yield
    finally:
        other.close()


# --- opening ----------------------------------------------------------------------------------------


async def test_a_written_line_is_there_after_closing_and_opening_again(path: Path) -> None:
    first = Store(sqlite_url(path))
    await first.open()
    async with first.write() as session:
        await session.execute(insert(AuditRow), audit_line())
    await first.close()
    second = Store(sqlite_url(path))
    await second.open()

    assert await count_lines(second) == 1
    await second.close()


async def test_only_the_owner_may_read_the_file(store: Store, path: Path) -> None:
    async with store.write() as session:
        await session.execute(insert(AuditRow), audit_line())

    assert {each.name: oct(each.stat().st_mode & 0o777) for each in path.parent.iterdir()} == {
        "diemcau.sqlite3": "0o600",
        "diemcau.sqlite3-wal": "0o600",
        "diemcau.sqlite3-shm": "0o600",
    }


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 1500)]
)
async def test_connections_are_set_up(store: Store, pragma: str, value: object) -> None:
    async with store.read() as session:
        assert await session.scalar(text(f"PRAGMA {pragma}")) == value


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
async def test_a_database_that_would_not_be_kept_is_refused(url: str) -> None:
    with pytest.raises(Unavailable, match="must be a file"):
        await Store(url).open()


async def test_a_folder_that_is_not_there_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No such file or directory") as caught:
        await Store(sqlite_url(tmp_path / "missing" / "a.sqlite3")).open()

    assert caught.value.code == "store_unavailable"


async def test_a_postgresql_that_is_not_there_is_said_plainly() -> None:
    with pytest.raises(Unavailable) as caught:
        await Store("postgresql://nobody@127.0.0.1:1/none").open()

    assert caught.value.code == "store_unavailable"


async def test_a_driver_that_is_not_installed_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)

    with pytest.raises(Unavailable, match=r"install diemcau\[postgres\]"):
        await Store("postgresql://nobody@127.0.0.1:1/none").open()


async def test_a_closed_store_refuses_and_closes_twice(path: Path) -> None:
    store = Store(sqlite_url(path))
    await store.close()
    await store.open()
    await store.close()
    await store.close()

    with pytest.raises(Unavailable, match="not open"):
        await count_lines(store)


# --- transactions -----------------------------------------------------------------------------------


async def test_a_block_that_fails_leaves_nothing(store: Store) -> None:
    async def fail() -> None:
        async with store.write() as session:
            await session.execute(insert(AuditRow), audit_line())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    assert await count_lines(store) == 0


async def test_a_broken_constraint_is_not_hidden_as_an_outage(store: Store) -> None:
    orphan = {"unit_id": "unt_1", "parent_id": None, "level_id": "lvl_none", "name": "x", "position": 0}
    with pytest.raises(IntegrityError):
        async with store.write() as session:
            await session.execute(insert(UnitRow), orphan)


async def test_a_mistake_of_our_own_is_not_hidden_as_an_outage(store: Store) -> None:
    with pytest.raises(ProgrammingError):
        async with store.read() as session:
            await session.execute(text("SELECT 1; SELECT 2"))


async def test_text_that_cannot_be_stored_is_the_senders_fault(store: Store) -> None:
    with pytest.raises(InvalidInput) as caught:
        async with store.read() as session:
            await session.get(UnitRow, "\ud800")

    assert caught.value.code == "bad_text"


async def test_a_reader_sees_one_snapshot_and_does_not_wait_for_the_writer(store: Store) -> None:
    async with store.read() as reader:
        before = await reader.scalar(select(func.count()).select_from(AuditRow))
        async with store.write() as session:
            await session.execute(insert(AuditRow), audit_line())
            assert await count_lines(store) == 0
        after = await reader.scalar(select(func.count()).select_from(AuditRow))

    assert (before, after, await count_lines(store)) == (0, 0, 1)


async def test_writers_that_read_first_take_turns(store: Store) -> None:
    """Each adds one to what it read: with a late lock two would read the same number."""

    async def add_one() -> None:
        async with store.write() as session:
            rank = await session.scalar(select(func.max(LevelRow.rank))) or 0
            await session.execute(insert(LevelRow), {"level_id": f"lvl_{rank + 1}", "rank": rank + 1, "name": "x"})

    await asyncio.gather(*(add_one() for _ in range(40)))

    async with store.read() as session:
        assert await session.scalar(select(func.max(LevelRow.rank))) == 40


async def test_a_writer_that_is_cancelled_leaves_the_store_usable(store: Store) -> None:
    inside = asyncio.Event()

    async def hold() -> None:
        async with store.write() as session:
            await session.execute(insert(AuditRow), audit_line())
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hold())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with store.write() as session:
        await session.execute(insert(AuditRow), audit_line())

    assert await count_lines(store) == 1


async def test_what_was_committed_survives_kill_9(path: Path) -> None:
    """The child says a number once its line is committed, and is killed in the middle of the next ones."""
    child = """
import asyncio, sys
from sqlalchemy import insert
from server.store.store import Store
from server.store.tables import AuditRow
async def main():
    store = Store(sys.argv[1])
    await store.open()
    for number in range(100_000):
        async with store.write() as session:
            line = {"at": number, "action": "test", "remote": "", "target": "", "detail": ""}
            await session.execute(insert(AuditRow), line)
        print(number, flush=True)
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", child, sqlite_url(path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    told = [await process.stdout.readline() for _ in range(20)]
    process.kill()
    told += (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    promised = len([line for line in told if line.endswith(b"\n")])
    store = Store(sqlite_url(path))
    await store.open()

    assert promised >= 20
    assert promised <= await count_lines(store) <= promised + 1
    await store.close()


# --- row 15: locked ---------------------------------------------------------------------------------


async def test_a_lock_held_elsewhere_is_an_error_in_time_and_reading_goes_on(
    store: Store, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with locked(path, "BEGIN IMMEDIATE"):
        started = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            async with store.write():
                pytest.fail("the lock is held")
        waited = time.monotonic() - started
        assert await count_lines(store) == 0

    assert caught.value.code == "store_unavailable"
    assert waited < _LIMIT_S
    assert "database is locked" in caplog.text
    async with store.write() as session:
        await session.execute(insert(AuditRow), audit_line())
    assert await count_lines(store) == 1


async def test_everyone_in_a_queue_behind_a_lock_hears_of_it_in_time(store: Store, path: Path) -> None:
    async def try_to_write() -> float:
        started = time.monotonic()
        with pytest.raises(Unavailable):
            async with store.write():
                pytest.fail("the lock is held")
        return time.monotonic() - started

    with locked(path, "BEGIN IMMEDIATE"):
        waits = await asyncio.gather(*(try_to_write() for _ in range(12)))

    assert max(waits) < _LIMIT_S


async def test_a_start_on_a_locked_database_is_refused_in_time(store: Store, path: Path) -> None:
    started = time.monotonic()
    with locked(path, "BEGIN EXCLUSIVE"), pytest.raises(Unavailable) as caught:
        await Store(sqlite_url(path)).open()

    assert caught.value.code == "store_unavailable"
    assert time.monotonic() - started < _LIMIT_S


async def test_readers_that_wait_for_a_connection_in_vain_hear_of_it(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    release = asyncio.Event()
    busy = asyncio.Semaphore(0)

    async def hold() -> None:
        async with store.read() as session:
            await session.scalar(text("SELECT 1"))
            busy.release()
            await release.wait()

    holders = [asyncio.create_task(hold()) for _ in range(12)]
    for _ in holders:
        await busy.acquire()
    with pytest.raises(Unavailable, match="busy"):
        await count_lines(store)
    release.set()
    await asyncio.gather(*holders)

    assert "does not answer" in caplog.text
    assert await count_lines(store) == 0


# --- row 15: damaged --------------------------------------------------------------------------------


async def fill(path: Path) -> None:
    store = Store(sqlite_url(path))
    await store.open()
    async with store.write() as session:
        await session.execute(insert(AuditRow), [audit_line(at, "x" * 400) for at in range(500)])
    await store.close()


def flip(path: Path, offset: int, length: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset : offset + length] = bytes(each ^ 0xFF for each in data[offset : offset + length])
    path.write_bytes(data)


@pytest.mark.parametrize(("offset", "length"), [(0, 16), (100, 64), (40 * 4096, 4096), (24 * 4096, 60 * 4096)])
async def test_a_start_on_a_damaged_database_is_refused_plainly(path: Path, offset: int, length: int) -> None:
    await fill(path)
    flip(path, offset, length)

    with pytest.raises(Unavailable) as caught:
        await Store(sqlite_url(path)).open()

    assert caught.value.code == "store_damaged"
    assert "\n" not in caught.value.detail


def test_a_file_that_is_no_database_is_left_alone(path: Path) -> None:
    path.write_text("Biên bản họp giao ban. " * 400)

    with pytest.raises(Unavailable) as caught:
        asyncio.run(Store(sqlite_url(path)).open())

    assert caught.value.code == "store_damaged"
    assert path.read_text().startswith("Biên bản")


async def test_rows_that_point_nowhere_are_found_at_the_start(path: Path) -> None:
    await fill(path)
    with sqlite3.connect(path) as other:
        other.execute("INSERT INTO units VALUES ('unt_1', NULL, 'lvl_none', 'x', 0)")
    other.close()

    with pytest.raises(Unavailable, match="damaged"):
        await Store(sqlite_url(path)).open()


async def test_damage_while_running_is_an_error_and_a_log_line(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await fill(path)
    store = Store(sqlite_url(path))
    await store.open()
    flip(path, 24 * 4096, 120 * 4096)

    with caplog.at_level(logging.ERROR), pytest.raises(Unavailable) as caught:
        async with store.read() as session:
            (await session.scalars(select(AuditRow))).all()

    assert caught.value.code == "store_unavailable"
    assert "malformed" in caplog.text
    await store.close()
