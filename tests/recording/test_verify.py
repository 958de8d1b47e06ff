"""What verify finds, by name; and that it never raises, whatever lies in the folder."""

import hashlib
import json
import os
import random
import shutil
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from server.errors import InvalidInput
from server.recording.events import Event, Gap, Paused, Repaired, Resumed, SegmentClosed
from server.recording.keys import SigningKey
from server.recording.report import Report
from server.recording.shelf import look_at
from server.recording.verify import MAX_FINDINGS, verify_recording
from tests.support.recordings import STARTED_AT, a_meeting, make_recording, write_film, write_segment

KEY = SigningKey.generate()
OTHER = SigningKey.generate()


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


def replace(path: Path, old: bytes, new: bytes) -> None:
    octets = path.read_bytes()
    assert old in octets
    path.write_bytes(octets.replace(old, new, 1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_recording(tmp_path / "rec_a", KEY)


def test_a_whole_recording_is_clean(folder: Path) -> None:
    (folder / "captions.vi.vtt").write_text("WEBVTT\n")
    (folder / "film").mkdir()
    (folder / "film" / "0001.mp4").write_bytes(b"")
    report = verify_recording(folder, KEY.public_base64)
    assert report.findings == ()
    assert (report.ok, report.closed, report.film, report.trusted) == (True, True, True, True)
    assert (report.recording_id, report.title) == ("rec_a", "Giao ban tháng 11")
    assert (report.lines, report.segments, report.seconds) == (17, 9, 91.0)
    assert report.octets == sum(path.stat().st_size for path in (folder / "tracks").iterdir())
    assert report.gaps == (Gap(STARTED_AT + 87, STARTED_AT + 89, "packets_lost", "seat_dong", "mic"),)
    assert report.unsigned == ("captions.vi.vtt", "film/0001.mp4")
    assert report.public_key == KEY.public_base64
    assert verify_recording(folder).trusted is None


def test_keys_may_be_given_as_pem_and_several(folder: Path) -> None:
    assert verify_recording(folder, KEY.public.pem.decode()).ok
    assert verify_recording(folder, OTHER.public_base64, also_trusted=[KEY.public_base64]).ok
    assert codes(verify_recording(folder, OTHER.public_base64)) == {"untrusted_key"}
    with pytest.raises(InvalidInput):
        verify_recording(folder, "no key")


def _cut_last_line(folder: Path) -> None:
    log = folder / "events.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))


def _tear(folder: Path) -> None:
    log = folder / "events.jsonl"
    log.write_bytes(log.read_bytes()[:-10])


def _swap_segments(folder: Path) -> None:
    one, two = folder / "tracks/seat_main-mic-0001.mkv", folder / "tracks/seat_main-mic-0002.mkv"
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def _link_segment(folder: Path) -> None:
    one = folder / "tracks/seat_main-mic-0001.mkv"
    one.rename(folder.parent / "elsewhere.mkv")
    one.symlink_to(folder.parent / "elsewhere.mkv")


def _link_tracks(folder: Path) -> None:
    (folder / "tracks").rename(folder.parent / "tracks")
    (folder / "tracks").symlink_to(folder.parent / "tracks")


def _pipe_log(folder: Path) -> None:
    (folder / "events.jsonl").unlink()
    os.mkfifo(folder / "events.jsonl")


def _forge(folder: Path) -> None:
    """The whole recording again, by another key."""
    for path in folder.iterdir():
        if path.is_file():
            path.unlink()
    make_recording(folder, OTHER)


_DAMAGES: list[tuple[Callable[[Path], object], set[str]]] = [
    (lambda f: replace(f / "events.jsonl", b"Nghe", b"nghe"), {"log_damaged", "film_of_another_log"}),
    (lambda f: replace(f / "events.jsonl", b'"stopped"', b'"Stopped"'), {"bad_signature", "film_of_another_log"}),
    (lambda f: replace(f / "events.jsonl", b'"segments":9', b'"segments":8'), {"bad_signature", "wrong_count"}),
    (lambda f: (f / "events.jsonl").unlink(), {"log_missing"}),
    (_pipe_log, {"not_plain"}),
    (_cut_last_line, {"not_closed", "film_of_another_log"}),
    (_tear, {"log_torn"}),
    (lambda f: (f / "signing-key.pub").unlink(), {"key_missing"}),
    (lambda f: (f / "signing-key.pub").write_bytes(OTHER.public.pem), {"key_differs"}),
    (lambda f: (f / "tracks/seat_main-mic-0001.mkv").unlink(), {"segment_missing"}),
    (lambda f: replace(f / "tracks/seat_main-mic-0001.mkv", b"\x00", b"\x01"), {"segment_changed"}),
    (lambda f: (f / "tracks/seat_main-mic-0001.mkv").write_bytes(b""), {"segment_size"}),
    (_swap_segments, {"segment_size"}),
    (_link_segment, {"not_plain"}),
    (_link_tracks, {"not_plain"}),
    (lambda f: (f / "tracks/x.mkv").write_bytes(b"x"), {"segment_unlogged"}),
    (lambda f: shutil.copytree(f / "tracks", f / "tracks/more"), {"segment_unlogged"}),
    (lambda f: (f / "film.mp4").unlink(), {"film_missing"}),
    (lambda f: (f / "film.json").unlink(), {"film_manifest_missing"}),
    (lambda f: (f / "film.json").write_bytes(b"[]"), {"film_manifest_damaged"}),
    (lambda f: replace(f / "film.json", b'"octets":', b'"octets": '), {"film_signature"}),
    (lambda f: replace(f / "film.mp4", b"film", b"Film"), {"film_changed"}),
    (lambda f: (f / "film.mp4").rename(f / "film").with_name("film.mp4").mkdir(), {"not_plain"}),
    (lambda f: write_film(f, OTHER), {"film_signature"}),
    (_forge, {"untrusted_key"}),
]


@pytest.mark.parametrize(("damage", "expected"), _DAMAGES)
def test_damage_has_a_name(folder: Path, damage: Callable[[Path], object], expected: set[str]) -> None:
    damage(folder)
    report = verify_recording(folder, KEY.public_base64)
    assert not report.ok
    assert expected <= codes(report)


def test_without_a_trusted_key_a_forgery_by_another_key_looks_clean(folder: Path) -> None:
    _forge(folder)
    assert verify_recording(folder).ok


def test_a_film_made_again_by_a_trusted_server_is_clean(folder: Path) -> None:
    write_film(folder, OTHER)
    assert codes(verify_recording(folder)) == {"film_signature"}
    assert verify_recording(folder, KEY.public_base64, also_trusted=[OTHER.public_base64]).ok
    assert verify_recording(folder, also_trusted=[OTHER.public_base64]).ok, "whoever made the recording"
    (folder / "events.jsonl").write_bytes(b"garbage")
    assert "film_signature" not in codes(verify_recording(folder, also_trusted=[OTHER.public_base64]))


def test_one_changed_letter_is_one_finding(folder: Path) -> None:
    (folder / "film.json").unlink()
    (folder / "film.mp4").unlink()
    replace(folder / "events.jsonl", b"Nghe", b"nghe")
    (finding,) = verify_recording(folder).findings
    assert (finding.code, finding.file, finding.line) == ("log_damaged", "events.jsonl", 6)


def test_a_running_recording_has_an_open_end(tmp_path: Path) -> None:
    folder = make_recording(tmp_path / "rec_a", KEY, closed=False)
    write_segment(folder, "seat_dong", "camera", 1, b"being written")
    with (folder / "events.jsonl").open("ab") as log:
        log.write(b'{"n":')
    assert codes(verify_recording(folder)) == {"log_torn", "segment_unlogged"}
    report = verify_recording(folder, running=True)
    assert (report.ok, report.closed, round(report.seconds, 3)) == (True, False, 90.3)
    replace(folder / "tracks/seat_main-mic-0001.mkv", b"\x00", b"\x01")
    assert codes(verify_recording(folder, running=True)) == {"segment_changed"}


# --- segments' lines and times ----------------------------------------------------------------------------------------


def _with(folder: Path, *events: tuple[Event, float]) -> Report:
    return verify_recording(make_recording(folder, KEY, [*a_meeting(folder), *events], film=False))


def _segment(folder: Path, **changes: object) -> SegmentClosed:
    return msgspec.structs.replace(write_segment(folder, "seat_dong", "screen", 3, b"x"), **changes)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("tracks/seat_main-mic-0001.mkv", "segment_twice"),
        ("../rec_b/tracks/seat_main-mic-0001.mkv", "bad_name"),
        ("/etc/passwd", "bad_name"),
        ("tracks/../events.jsonl", "bad_name"),
        ("tracks/.hidden", "bad_name"),
        ("tracks/a\nb", "bad_name"),
        ("tracks/x\x00y", "bad_name"),
    ],
)
def test_a_name_that_is_taken_or_leads_elsewhere(tmp_path: Path, name: str, code: str) -> None:
    folder = tmp_path / "rec_a"
    folder.mkdir()
    assert code in codes(_with(folder, (_segment(folder, file=name), STARTED_AT + 90)))


@pytest.mark.parametrize(
    "events",
    [
        [(Paused("disk_full"), STARTED_AT - 300)],
        [(Gap(STARTED_AT + 9, STARTED_AT + 8, "packets_lost"), STARTED_AT + 90)],
    ],
)
def test_impossible_times_of_lines(tmp_path: Path, events: list[tuple[Event, float]]) -> None:
    folder = tmp_path / "rec_a"
    folder.mkdir()
    assert codes(_with(folder, *events)) == {"impossible_time"}


@pytest.mark.parametrize(
    ("starts_s", "ends_s"), [(60, 59), (60, 200), (-100, 30), (600, 630)], ids=["backwards", "long", "longer", "later"]
)
def test_impossible_times_of_segments(tmp_path: Path, starts_s: float, ends_s: float) -> None:
    folder = tmp_path / "rec_a"
    folder.mkdir()
    segment = _segment(folder, starts_at=STARTED_AT + starts_s, ends_at=STARTED_AT + ends_s)
    assert codes(_with(folder, (segment, STARTED_AT + 90))) == {"impossible_time"}


def test_segments_of_a_track_do_not_overlap_but_a_clock_may_be_set_at_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "rec_a"
    folder.mkdir()
    again = msgspec.structs.replace(write_segment(folder, "seat_dong", "mic", 9, b"x"), starts_at=STARTED_AT + 70)
    again = msgspec.structs.replace(again, ends_at=STARTED_AT + 99)
    assert codes(_with(folder, (again, STARTED_AT + 99))) == {"impossible_time"}
    for event in (Resumed("server_stopped"), Repaired(7)):
        folder = tmp_path / type(event).__name__
        folder.mkdir()
        write_segment(folder, "seat_dong", "mic", 9, b"x")
        earlier = msgspec.structs.replace(again, starts_at=STARTED_AT - 3_599, ends_at=STARTED_AT - 3_590)
        assert _with(folder, (event, STARTED_AT - 3_600), (earlier, STARTED_AT - 3_590)).findings == ()


# --- garbage ----------------------------------------------------------------------------------------------------------


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    for folder in (tmp_path / "missing", tmp_path / "file", tmp_path):
        report = verify_recording(folder)
        assert not report.ok
        assert (report.recording_id, report.lines, report.seconds) == (None, 0, 0.0)


def test_random_files_raise_nothing(tmp_path: Path) -> None:
    chance = random.Random(3)  # noqa: S311 - repeatable on purpose
    for number in range(40):
        folder = tmp_path / str(number)
        (folder / "tracks").mkdir(parents=True)
        for name in ("events.jsonl", "signing-key.pub", "film.json", "film.mp4", "tracks/a.mkv"):
            if chance.random() < 0.8:
                (folder / name).write_bytes(chance.randbytes(chance.randint(0, 300)))
        Path(os.fsdecode(os.fsencode(folder / "tracks") + b"/\xff\xfe")).touch()
        report = verify_recording(folder)
        assert not report.ok
        json.loads(msgspec.json.encode(report))


@pytest.mark.parametrize(
    "log",
    [
        b"\n",
        b"null\n",
        b"\xff\xff\n",
        b"\0" * 5_000,
        b"[" * 100_000 + b"\n",
        b'{"n":1,"at":1e999,"prev":"","event":{}}\n',
        b'{"n":1,"at":1,"prev":"%s","event":{"type":"opened"}}\n' % (b"0" * 64),
    ],
)
def test_a_log_of_garbage_raises_nothing(folder: Path, log: bytes) -> None:
    (folder / "events.jsonl").write_bytes(log)
    assert not verify_recording(folder).ok


def test_a_key_of_garbage_is_a_finding(tmp_path: Path) -> None:
    report = verify_recording(make_recording(tmp_path / "r", KEY, public_key=OTHER.public_base64, film=False))
    assert codes(report) == {"bad_signature"}
    folder = make_recording(tmp_path / "s", KEY, film=False)
    lines = (folder / "events.jsonl").read_bytes().splitlines()
    first = lines[0].replace(KEY.public_base64.encode(), b"garbage")
    prev = hashlib.sha256(lines[0]).hexdigest().encode()
    lines[1] = lines[1].replace(prev, hashlib.sha256(first).hexdigest().encode())
    (folder / "events.jsonl").write_bytes(first + b"\n" + lines[1] + b"\n")
    assert codes(verify_recording(folder, KEY.public_base64)) >= {"bad_key", "untrusted_key", "not_closed"}


def test_no_more_segments_are_looked_at_than_there_can_be(tmp_path: Path) -> None:
    make_recording(tmp_path, KEY, [], closed=False)
    line = (tmp_path / "events.jsonl").read_bytes().rstrip(b"\n")
    with (tmp_path / "events.jsonl").open("ab") as log:
        for number in range(2, 50_004):
            event = _SEGMENT_LINE % (number, hashlib.sha256(line).hexdigest().encode(), number)
            log.write(event + b"\n")
            line = event
    report = verify_recording(tmp_path, running=True)
    assert report.segments == 50_002
    assert [finding.code for finding in report.findings[:2]] == ["more", "segment_missing"]
    assert len(report.findings) == MAX_FINDINGS + 1


_SEGMENT_LINE = (
    b'{"n":%d,"at":1790000000.0,"prev":"%s","event":{"type":"segment","file":"tracks/%d","sha256":"","octets":1,'
    b'"seat_id":"s","track":"mic","codec":"opus","starts_at":1790000000.0,"ends_at":1790000000.0}}'
)


def test_huge_lines_and_many_strangers_take_little_memory(folder: Path) -> None:
    with (folder / "events.jsonl").open("r+b") as log:
        log.truncate(1 << 28)  # one line of 256 MiB, most of it a hole
    for number in range(2 * MAX_FINDINGS):
        (folder / "tracks" / f"stranger-{number}").touch()
    tracemalloc.start()
    try:
        report = verify_recording(folder)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20
    assert len(report.findings) == MAX_FINDINGS + 1
    assert report.findings[-1].code == "more"


def test_a_renderer_at_work_is_no_damage(folder: Path) -> None:
    """Pieces come and go, films take each other's place, and whoever looks meanwhile sees a whole recording."""
    stop = threading.Event()
    renderer = threading.Thread(target=_render_on_and_on, args=(folder, stop))
    renderer.start()
    try:
        for _ in range(150):
            assert verify_recording(folder, KEY.public_base64).findings == ()
            assert look_at(folder).state in ("closed", "ready")
    finally:
        stop.set()
        renderer.join()


def _render_on_and_on(folder: Path, stop: threading.Event) -> None:
    """The steps of ``film.film``, many times a second, with films of two kinds."""
    work, number = folder / "film", 0
    while not stop.is_set():
        number += 1
        (work / "pieces").mkdir(parents=True)
        for piece in range(20):
            (work / "pieces" / f"{piece:05d}.part").write_bytes(b"piece")
            (work / "pieces" / f"{piece:05d}.part").rename(work / "pieces" / f"{piece:05d}.m4s")
        write_film(folder, KEY, b"film %d" % number, into=work)
        for name in ("film.mp4", "film.json"):
            (work / name).rename(folder / name)
        shutil.rmtree(work)
