"""A real archive over a real store, in the small province of ``tests.support.house``."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.archive.archive import Archive
from server.archive.desk import Visitor
from server.archive.search import Query
from server.archive.views import Recordings
from server.config import ArchiveConfig, RecordingConfig
from server.recording.keys import SIGNING_KEY_FILE, SigningKey
from server.store.audit import AuditLog
from server.store.records import Account, Role
from tests.archive.recorded import STARTS_AT
from tests.support.house import NOW, House


class HandClock:
    """Told what time it is."""

    def __init__(self, at: float) -> None:
        self.at = at

    def now(self) -> float:
        return self.at


@dataclass
class Place:
    """An archive that is not started: nothing happens by itself."""

    house: House
    data_dir: Path
    clock: HandClock
    key: SigningKey
    archive: Archive
    archivist: Account
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def recordings_dir(self) -> Path:
        return self.data_dir / "recordings"

    @property
    def visitor(self) -> Visitor:
        return Visitor(self.archivist, "10.1.2.3")

    def build(self, **config: object) -> Archive:
        """Another archive over the same data, as after a restart."""
        return make_archive(self.house, self.data_dir, self.clock, **config)

    async def account(self, username: str, role: Role, unit_id: str | None = None) -> Account:
        return await self.house.account(username, role, unit_id=unit_id)

    async def meeting(self, title: str = "Giao ban") -> tuple[str, Account]:
        """A meeting of the office, and its chair."""
        number = next(self.numbers)
        chair = await self.house.account(f"chair{number}", Role.CHAIR)
        operator = await self.house.account(f"operator{number}", Role.OPERATOR)
        plan = self.house.plan(chair, title=title)
        return (await self.house.book.create(operator, plan, NOW)).meeting_id, chair

    async def find(self, account: Account | None = None, **query: Any) -> Recordings:
        return await self.archive.finder.search(account or self.archivist, Query(**query))

    async def found(self, account: Account | None = None, **query: Any) -> list[str]:
        return [one.recording_id for one in (await self.find(account, **query)).recordings]

    async def audited(self) -> list[tuple[str, str]]:
        """(action, target) of the archive's lines, the oldest first."""
        lines = await AuditLog(self.house.store).latest(1_000)
        return [(line.action, line.target) for line in reversed(lines) if line.action.startswith("recording_")]


def make_archive(house: House, data_dir: Path, clock: HandClock, **config: object) -> Archive:
    settings = msgspec.convert({"render": False, "download_wait_s": 5.0, **config}, ArchiveConfig)
    return Archive(
        house.store,
        data_dir,
        clock,
        settings,
        RecordingConfig(),
        recordings_dir=data_dir / "recordings",
        key_path=data_dir / SIGNING_KEY_FILE,
    )


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    house = await House.build(tmp_path / "diemcau.sqlite3")
    clock = HandClock(STARTS_AT + 3_600.0)
    (tmp_path / "recordings").mkdir()
    built = Place(
        house=house,
        data_dir=tmp_path,
        clock=clock,
        key=SigningKey.load_or_make(tmp_path / SIGNING_KEY_FILE),
        archive=make_archive(house, tmp_path, clock),
        archivist=await house.account("archivist", Role.ARCHIVIST),
    )
    yield built
    await house.store.close()
