"""A migrated store on a real file."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.store.store import Store, sqlite_url
from tests.support.house import House


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "diemcau.sqlite3"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    opened = Store(sqlite_url(path))
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def house(path: Path) -> AsyncIterator[House]:
    built = await House.build(path)
    yield built
    await built.store.close()
