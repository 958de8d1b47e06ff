import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.clock import SystemClock
from server.config import Config, FloorConfig, RecordingConfig
from server.demo.fill import fill_demo
from server.demo.result import DemoResult
from server.directory.passwords import Passwords
from server.store.store import Store, sqlite_url
from tests.hub.hall import Hall


@pytest.fixture(scope="session")
def province(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DemoResult]:
    """A filled database, to be copied for every test."""
    file = tmp_path_factory.mktemp("hub") / "diemcau.sqlite3"
    return file, asyncio.run(fill(file))


async def fill(file: Path) -> DemoResult:
    store = Store(sqlite_url(file))
    await store.open()
    try:
        return await fill_demo(store, 4, SystemClock().now(), passwords=Passwords(memory_kib=8, passes=1))
    finally:
        await store.close()


@pytest.fixture
async def hall(province: tuple[Path, DemoResult], tmp_path: Path) -> AsyncIterator[Hall]:
    file, demo = province
    shutil.copy(file, tmp_path / "diemcau.sqlite3")
    # Leases of a few milliseconds: their end is waited for as an event, never slept for.
    floor, recording = FloorConfig(lease_s=0.05, chair_grace_s=0.02), RecordingConfig(low_hours=1e9)
    hall = Hall(tmp_path / "diemcau.sqlite3", demo, Config(floor=floor, recording=recording))
    await hall.start()
    yield hall
    await hall.stop()
