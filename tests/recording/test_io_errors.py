"""The disk fails at operation 1, 2, 3, ... until a run gets through: no chain breaks, and what was synced is there."""

import errno
from pathlib import Path

import pytest

from server.recording import matroska
from server.recording.events import Chatted, Closed, Opened, Paused, Resumed
from server.recording.journal import Journal
from server.recording.verify import verify_recording
from tests.recording.rig import SMALL, START_AT, Rig, closed_segments, decode, events, gaps, hello
from tests.recording.sources import VP8, Camera, Microphone
from tests.support.failing_files import FailingFiles

SECONDS = 1.5


def record(folder: Path, files: FailingFiles) -> Rig:
    """A second and a half with three chat lines and a track that closes early; then as long as the close takes."""
    rig = Rig(folder, files)
    rig.open(1, "seat_a", "mic", Microphone(400))
    rig.open(2, "seat_a", "camera", Camera(VP8, 64, 64))
    for number in range(3):
        rig.event(Chatted("A", f"line {number}"))
        rig.run(SECONDS / 3)
        if number == 1:
            rig.close(2)
    synced = synced_frames(rig)
    close(rig.journal, rig.now)
    assert frames_of(rig.folder) >= synced
    return rig


def close(journal: Journal, now: float) -> None:
    """Try once a second, as the writer does."""
    for second in range(60):
        if journal.finish("stopped", now + second):
            return
    pytest.fail("it never closed")


def synced_frames(rig: Rig) -> int:
    """What is in the files once everything written so far is on the disk."""
    rig.run(1.1)
    return frames_of(rig.folder)


def frames_of(folder: Path) -> int:
    scans = [matroska.scan(path.read_bytes()) for path in sorted((folder / "tracks").glob("*.mkv"))]
    return sum(found.frames for found in scans if found is not None)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_each_operation_may_fail_once(tmp_path: Path, error: int) -> None:
    operation = 0
    while True:
        operation += 1
        folder = tmp_path / str(operation)
        folder.mkdir()
        files = FailingFiles(at_operation=operation, error=error)
        rig = record(folder, files)
        where = f"operation {operation}"
        assert verify_recording(rig.folder).findings == (), where
        told = events(rig.folder)
        assert [event.text for event in told if isinstance(event, Chatted)] == ["line 0", "line 1", "line 2"], where
        assert isinstance(told[-1], Closed), where
        pauses = [event.reason for event in told if isinstance(event, Paused)]
        resumed = [event.after for event in told if isinstance(event, Resumed)]
        reason = "disk_full" if error == errno.ENOSPC else "disk_error"
        assert set(pauses) | set(resumed) <= {reason}, where
        lost = SECONDS - sum(c.ends_at - c.starts_at for c in closed_segments(rig.folder, "mic"))
        told_s = sum(gap.ends_at - gap.starts_at for gap in gaps(rig.folder))
        assert lost <= told_s + 0.5, where
        for closed in closed_segments(rig.folder):
            assert len(decode(rig.folder, closed).times) > 0, where
        if not files.failed:
            break
    assert operation > 60
    assert gaps(rig.folder) == []


def test_a_disk_that_fails_for_a_while(tmp_path: Path) -> None:
    """Sixty operations in a row: paused, tried once a second, and then closed."""
    rig = record(tmp_path, FailingFiles(at_operation=40, times=60))
    assert verify_recording(rig.folder).findings == ()
    assert [event for event in events(rig.folder) if isinstance(event, Paused)] == [Paused("disk_error")]


def test_disk_full(tmp_path: Path) -> None:
    """ENOSPC after so many octets: the reserve's room takes the last lines; with room again it goes on."""
    files = FailingFiles(room=30_000)
    rig = Rig(tmp_path, files)
    rig.open(1, "seat_a", "mic", Microphone(400))
    rig.open(2, "seat_a", "camera", Camera(VP8, 64, 64))
    rig.run(8)
    assert rig.journal.ack().state == "paused"
    assert rig.journal.ack().detail == "disk_full"
    assert Paused("disk_full") in events(rig.folder)
    assert all(len(decode(rig.folder, closed).times) > 10 for closed in closed_segments(rig.folder))
    assert not (rig.folder / "reserve").exists()
    rig.event(Chatted("A", "while it is full"))
    rig.run(3)
    files.room = 1_000_000
    rig.run(4)
    assert rig.journal.ack().state == "ok"
    assert (rig.folder / "reserve").stat().st_size == SMALL.reserve_octets
    rig.finish()
    assert verify_recording(rig.folder).findings == ()
    assert Chatted("A", "while it is full") in events(rig.folder)
    (gap,) = gaps(rig.folder)
    assert gap.reason == "disk_full"
    assert gap.ends_at - gap.starts_at > 2
    assert {closed.track for closed in closed_segments(rig.folder) if closed.starts_at > gap.ends_at} == {
        "mic",
        "camera",
    }


def test_a_recording_begins_on_a_full_disk_as_soon_as_there_is_room(tmp_path: Path) -> None:
    files = FailingFiles(room=100)
    rig = Rig(tmp_path, files)
    rig.open(1, "seat_a", "mic", Microphone(400))
    rig.event(Chatted("A", "first"))
    rig.run(3)
    assert rig.journal.ack().state == "paused"
    files.room = 1_000_000
    rig.run(3)
    rig.finish()
    assert verify_recording(rig.folder).findings == ()
    assert isinstance(events(rig.folder)[0], Opened)
    assert Chatted("A", "first") in events(rig.folder)
    (gap,) = gaps(rig.folder)
    assert abs(gap.starts_at - START_AT) < 0.1
    assert len(closed_segments(rig.folder)) == 1


@pytest.mark.parametrize("replaying", [False, True])
@pytest.mark.timeout(180)
def test_each_operation_of_going_on_may_fail_once(tmp_path: Path, replaying: bool) -> None:
    """After a kill: adopting orphans is killed or fails at every step, and done again by the next."""
    operation = 0
    while True:
        operation += 1
        folder = tmp_path / str(operation)
        folder.mkdir()
        killed = Rig(folder)
        killed.open(1, "seat_a", "mic", Microphone(400))
        killed.open(2, "seat_a", "camera", Camera(VP8, 64, 64))
        killed.run(1.5)
        before = frames_of(killed.folder)
        files = FailingFiles(at_operation=operation)
        journal = Journal(hello(folder, again=True, replaying=replaying), files, START_AT + 5)
        for step in range(10):
            journal.tick(START_AT + 5 + step)
        close(journal, START_AT + 20)
        assert verify_recording(killed.folder).findings == (), operation
        assert frames_of(killed.folder) == before
        assert [closed.recovered for closed in closed_segments(killed.folder)].count(True) >= 1
        assert sum(closed.packets for closed in closed_segments(killed.folder, "mic")) > 60
        if not files.failed:
            break
    assert operation > 10
