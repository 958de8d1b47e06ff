"""The migrations make what the models say, by every road."""

import io
import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect, text

from server.errors import Unavailable
from server.store.migrate import make_config, newest_revision, upgrade
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


def test_a_house_of_the_first_version_is_brought_along_with_what_is_in_it(path: Path) -> None:
    """0001 with data -> the newest: nothing is lost, and the new tables have what they begin with."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection, connection.begin():
        config = make_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("INSERT INTO unit_levels VALUES ('lvl_1', 1, 'Tỉnh')"))
        connection.execute(text("INSERT INTO units VALUES ('unit_1', NULL, 'lvl_1', 'Tỉnh Điện Sơn', 0)"))
        times = "1.0, 2.0, 'ended', 'lecture', 3, 0, 0.5, NULL, 1.0, 2.0"
        connection.execute(text(f"INSERT INTO meetings VALUES ('mtg_1', 'Giao ban', 'unit_1', 'Văn phòng', {times})"))  # noqa: S608 - ours
        assert "recordings" not in inspect(connection).get_table_names()
        upgrade(connection)
        assert compare(connection) == []
        assert connection.execute(text("SELECT title, host_agency FROM meetings")).all() == [("Giao ban", "Văn phòng")]
        classes = connection.execute(
            text("SELECT class_id, years, days FROM retention_classes ORDER BY position")
        ).all()
        assert classes[0] == ("permanent", None, None)
        assert {("years_10", 10, None), ("days_70", None, 70)} <= {tuple(row) for row in classes}
        assert all((years is None) or (days is None) for _, years, days in classes)
    engine.dispose()


@pytest.mark.parametrize("url", ["sqlite:///x.db", "postgresql+asyncpg://localhost/x"])
def test_the_sql_can_be_printed_offline(url: str) -> None:
    output = io.StringIO()
    command.upgrade(make_config(url, output), "head", sql=True)

    printed = output.getvalue()
    assert all(f"CREATE TABLE {name} " in printed for name in Base.metadata.tables)
    assert f"version_num='{newest_revision()}' WHERE" in printed
