"""Looking over a folder of recordings, and the words for it."""

from pathlib import Path

import msgspec
import pytest

from server.recording import wording
from server.recording.events import Chatted, Gap
from server.recording.keys import SigningKey
from server.recording.shelf import look_at, look_over
from server.recording.verify import verify_recording
from tests.support.recordings import STARTED_AT, make_recording

KEY = SigningKey.generate()


def test_nothing_is_nothing(tmp_path: Path) -> None:
    assert look_over(tmp_path / "missing") == look_over(tmp_path) == []
    assert wording.table([]) == "no recordings"


def test_links_and_files_are_no_recordings(tmp_path: Path) -> None:
    make_recording(tmp_path / "rec_a", KEY)
    (tmp_path / "rec_b").symlink_to("rec_a")
    (tmp_path / "file").touch()
    assert [found.recording_id for found in look_over(tmp_path)] == ["rec_a"]


def test_a_torn_end_is_passed_over(tmp_path: Path) -> None:
    folder = make_recording(tmp_path / "rec_a", KEY, closed=False)
    log = folder / "events.jsonl"
    log.write_bytes(log.read_bytes() + b"garbage\n" + b'{"n":')
    found = look_at(folder)
    assert (found.state, round(found.duration_s, 1)) == ("open", 90.3)


def test_only_the_ends_of_a_long_log_are_read(tmp_path: Path) -> None:
    chat = [(Chatted("Xã Đông", "dài " * 100), STARTED_AT + number) for number in range(300)]
    folder = make_recording(tmp_path / "rec_a", KEY, chat, film=False)
    assert (folder / "events.jsonl").stat().st_size > 1 << 17
    assert (look_at(folder).state, look_at(folder).duration_s) == ("closed", 91.0)


def test_one_line_is_a_log_already(tmp_path: Path) -> None:
    folder = make_recording(tmp_path / "rec_a", KEY, [], closed=False)
    assert (look_at(folder).state, look_at(folder).duration_s) == ("open", 0.0)


@pytest.mark.parametrize("log", [None, b"", b"garbage\n", "a second line first"])
def test_without_a_first_line_it_is_damaged(tmp_path: Path, log: bytes | str | None) -> None:
    folder = make_recording(tmp_path / "rec_a", KEY)
    lines = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "events.jsonl").unlink()
    if log is not None:
        (folder / "events.jsonl").write_bytes(log if isinstance(log, bytes) else b"".join(lines[1:]))
    found = look_at(folder)
    assert (found.state, found.recording_id, found.octets > 0) == ("damaged", "rec_a", True)
    assert look_over(tmp_path) == [found]


def test_times_and_sizes_are_for_people(tmp_path: Path) -> None:
    assert [wording.length(seconds) for seconds in (0, 59.9, 3_600, 360_061)] == [
        "0:00:00",
        "0:00:59",
        "1:00:00",
        "100:01:01",
    ]
    assert [wording.size(octets) for octets in (999, 1_000, 12_345_678, 9 * 10**9, 2 * 10**12)] == [
        "999 B",
        "1.0 kB",
        "12.3 MB",
        "9.0 GB",
        "2.0 TB",
    ]
    found = look_at(make_recording(tmp_path / "rec_a", KEY))
    assert " ? " in wording.table([msgspec.structs.replace(found, started_at=1e300)])


def test_many_gaps_are_counted_and_unsigned_files_named(tmp_path: Path) -> None:
    gaps = [(Gap(STARTED_AT + number, STARTED_AT + number + 0.5, "disk_full"), STARTED_AT + 50) for number in range(30)]
    folder = make_recording(tmp_path / "rec_a", KEY, gaps, closed=False)
    (folder / "captions.vi.vtt").touch()
    said = wording.verdict(folder, verify_recording(folder, SigningKey.generate().public_base64)).splitlines()
    assert said[1].startswith("  NOT OK, 2 findings: 31 lines, 0 segments, 0 B, 0:00:50, not closed, no film")
    assert said[4] == "  gap at 0:00:00 for 0.5 s, disk_full, everybody"
    assert said[-2:] == ["  and 10 gaps more", "  nothing vouches for captions.vi.vtt"]
