"""The migrations make what the models say, by every road."""

import io
import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine

from server.errors import Unavailable
from server.store.migrate import make_config, newest_revision
from server.store.store import Store, sqlite_url
from server.store.tables import Base


def compare(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return list(compare_metadata(context, Base.metadata))


async def test_models_and_migrated_schema_are_the_same(store: Store) -> None:
    async with store.read() as session:
        assert await (await session.connection()).run_sync(compare) == []


async def test_the_comparison_sees_a_difference(store: Store, path: Path) -> None:
    await store.close()
    with sqlite3.connect(path) as other:
        other.execute("ALTER TABLE accounts ADD COLUMN nickname TEXT")
    other.close()
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        assert len(compare(connection)) == 1
    engine.dispose()


async def test_opening_again_changes_nothing(store: Store, path: Path) -> None:
    again = Store(sqlite_url(path))
    await again.open()
    await again.close()

    with sqlite3.connect(path) as other:
        assert other.execute("SELECT version_num FROM alembic_version").fetchall() == [(newest_revision(),)]
    other.close()


async def test_a_schema_of_the_future_is_refused(store: Store, path: Path) -> None:
    await store.close()
    with sqlite3.connect(path) as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
    other.close()

    with pytest.raises(Unavailable, match="newer version") as caught:
        await Store(sqlite_url(path)).open()

    assert caught.value.code == "store_newer"


async def test_a_migration_that_fails_half_way_leaves_nothing_behind(path: Path) -> None:
    """The last table of the first migration is in the way."""
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE audit_lines (x)")
    other.close()

    with pytest.raises(Unavailable):
        await Store(sqlite_url(path)).open()

    with sqlite3.connect(path) as other:
        assert other.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall() == [("audit_lines",)]
    other.close()


@pytest.mark.parametrize("url", ["sqlite:///x.db", "postgresql+asyncpg://localhost/x"])
def test_the_sql_can_be_printed_offline(url: str) -> None:
    output = io.StringIO()
    command.upgrade(make_config(url, output), "head", sql=True)

    printed = output.getvalue()
    assert all(f"CREATE TABLE {name} " in printed for name in Base.metadata.tables)
    assert f"version_num='{newest_revision()}' WHERE" in printed
