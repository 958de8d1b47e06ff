"""What the archive says of the disk."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from server.archive.space import look_at_space, measure_rate
from server.config import RecordingConfig
from server.errors import Forbidden, Unavailable
from server.store.records import Role
from tests.archive.conftest import Place

Usage = namedtuple("Usage", "total used free")
CONFIG = RecordingConfig(usual_bps=8_000, low_hours=10.0, full_octets=1_000)


@pytest.mark.parametrize(
    ("recorded", "rate"),
    [([], None), ([(100, 10.0)], None), ([(0, 3_600.0)], None), ([(1_000, 100.0), (5_000, 200.0), (9, 1.0)], 20.0)],
)
def test_what_recordings_took_is_measured(recorded: list[tuple[int, float]], rate: float | None) -> None:
    assert measure_rate(recorded) == rate


@pytest.mark.parametrize(
    ("free", "bytes_per_s", "running", "hours", "state"),
    [
        (36_001_000, None, 0, 10.0, "ok"),
        (36_001_000, None, 1, 10.0, "ok"),
        (36_001_000, None, 2, 5.0, "low"),
        (36_001_000, 2_000.0, 0, 5.0, "low"),
        (1_000, None, 0, 0.0, "full"),
    ],
)
def test_hours_left(
    monkeypatch: pytest.MonkeyPatch, free: int, bytes_per_s: float | None, running: int, hours: float, state: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 10**12 - free, free))
    found = look_at_space(Path(), bytes_per_s, running, CONFIG)
    assert (found.free_octets, found.total_octets) == (free, 10**12)
    assert found.hours_left == pytest.approx(hours)
    assert found.state == state


async def test_who_records_and_keeps_sees_it(place: Place) -> None:
    for role in (Role.ARCHIVIST, Role.ADMINISTRATOR, Role.OPERATOR, Role.CHAIR):
        assert (await place.archive.finder.space(await place.account(role.value + "1", role))).total_octets > 0
    with pytest.raises(Forbidden):
        await place.archive.finder.space(await place.account("watcher", Role.OBSERVER))


async def test_a_disk_that_is_gone(place: Place) -> None:
    place.recordings_dir.rmdir()
    with pytest.raises(Unavailable) as gone:
        await place.archive.finder.measure_space()
    assert gone.value.code == "disk_error"
