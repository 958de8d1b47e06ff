"""A small province in a real store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.house import House


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    built = await House.build(tmp_path / "house.sqlite3")
    yield built
    await built.store.close()
