"""Films of damaged and broken-off recordings, and renderers that are killed or run out of disk at any step."""

import errno
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from server.archive.reading import read_recording
from server.errors import Conflict, NotFound
from server.recording.events import FloorEnded, Gap, Granted, Resumed
from server.recording.film.film import FILM_FILE, MANIFEST_FILE, WORK_FOLDER, Film, Manifest, Progress
from server.recording.film.spans import Gap as FilmGap
from server.recording.keys import SIGNING_KEY_FILE, SigningKey
from server.recording.log import LOG_FILE, LogDamaged
from server.recording.report import Finding
from server.recording.shelf import look_at
from server.recording.verify import verify_recording
from tests.archive.recorded import write_film
from tests.recording.film.looking import FIRST_PICTURE, is_card
from tests.recording.film.making import MAIN, OPENED_AT, PHO, RecordingMaker, moving, tone, write_vp8
from tests.support.failing_files import FailingFiles
from tests.support.films import MediaFile
from tests.support.pictures import recognise
from tests.support.tones import heard

KEY = SigningKey.generate()


class Killed(BaseException):
    """Like SIGKILL, nobody catches it."""


def small(folder: Path) -> RecordingMaker:
    """Two pieces: the main endpoint, and Đức Phổ from 3 to 6."""
    maker = RecordingMaker(folder, (MAIN, PHO), KEY)
    maker.camera(MAIN, 0, 9, moving(7), fps=6)
    maker.mic(MAIN, 0, 9, tone(500))
    maker.at(3, Granted("seat_pho"))
    maker.camera(PHO, 3, 6, moving(9), fps=6)
    maker.mic(PHO, 3, 6, tone(900))
    maker.at(6, FloorEnded("seat_pho"))
    return maker


def render(folder: Path, **how: object) -> Path:
    film = Film(folder, KEY, **how)  # type: ignore[arg-type]  # a test's shorthand
    try:
        return film.render()
    finally:
        film.close()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def manifest_of(folder: Path) -> Manifest:
    return msgspec.json.decode((folder / MANIFEST_FILE).read_bytes(), type=Manifest)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small(tmp_path_factory.mktemp("faults") / "rec_1").close(9)


@pytest.fixture(scope="module")
def expected(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bytes]:
    """SHA-256 of the film and its manifest, from a renderer that nothing happened to."""
    folder = shutil.copytree(pristine, tmp_path_factory.mktemp("expected") / "rec_1")
    return sha256(render(folder)), (folder / MANIFEST_FILE).read_bytes()


@pytest.mark.timeout(120)
def test_killed_at_any_step_the_next_run_makes_the_same_film(
    pristine: Path, expected: tuple[str, bytes], tmp_path: Path
) -> None:
    steps: list[str] = []
    render(shutil.copytree(pristine, tmp_path / "rec_steps"), step=steps.append)
    assert len(steps) == len(set(steps)) >= 9
    for number, fatal in enumerate(steps):
        folder = shutil.copytree(pristine, tmp_path / f"rec_{number}")

        def kill(step: str, fatal: str = fatal) -> None:
            if step == fatal:
                raise Killed

        with pytest.raises(Killed):
            render(folder, step=kill)
        again: list[str] = []
        film = render(folder, step=again.append)
        assert (sha256(film), (folder / MANIFEST_FILE).read_bytes()) == expected, fatal
        assert not (folder / WORK_FOLDER).exists()
        assert fatal in again, "the step that was not reached is made up for"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("film_before", [False, True])
def test_whoever_looks_while_it_is_rendered_finds_nothing_wrong(
    pristine: Path, tmp_path: Path, film_before: bool
) -> None:
    """Verifier, archive and list look at every step, also of a film that takes the place of another one."""
    folder = shutil.copytree(pristine, tmp_path / "rec_1")
    if film_before:
        write_film(folder, KEY)
    steps: list[str] = []

    def look(step: str) -> None:
        steps.append(step)
        assert (verify_recording(folder).findings, read_recording(folder).damage) == ((), ""), step
        assert look_at(folder).state in ("closed", "ready")

    film = Film(folder, KEY, step=look)
    film.render(again=film_before)
    film.close()
    assert {"publish film", "publish manifest", "tidy"} <= set(steps)
    report = verify_recording(folder)
    assert (report.ok, report.film) == (True, True)


def test_the_manifest_of_another_film_vouches_for_none_from_the_work_folder(pristine: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(pristine, tmp_path / "rec_1")
    write_film(folder, KEY)
    (folder / WORK_FOLDER).mkdir()
    (folder / MANIFEST_FILE).rename(folder / WORK_FOLDER / MANIFEST_FILE)
    assert verify_recording(folder).ok, "killed between the two moves"
    (folder / FILM_FILE).write_bytes(b"another film")
    assert [one.code for one in verify_recording(folder).findings] == ["film_manifest_missing"]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_failing_disk_fails_the_render_and_no_later_one(
    pristine: Path, expected: tuple[str, bytes], tmp_path: Path, error: int
) -> None:
    folder = shutil.copytree(pristine, tmp_path / "rec_1")
    for operation in range(1, 200):
        files = FailingFiles(at_operation=operation, error=error)
        try:
            film = render(folder, files=files)
        except OSError:
            assert files.failed
        else:
            break
    assert operation > 3
    assert (sha256(film), (folder / MANIFEST_FILE).read_bytes()) == expected
    assert verify_recording(folder).ok


@pytest.mark.e2e
def test_a_killed_command_is_taken_up_where_it_was(pristine: Path, expected: tuple[str, bytes], tmp_path: Path) -> None:
    folder = shutil.copytree(pristine, tmp_path / "recordings" / "rec_1")
    (tmp_path / SIGNING_KEY_FILE).parent.mkdir()
    (tmp_path / SIGNING_KEY_FILE).write_bytes(KEY.pem)
    command = [
        sys.executable,
        "-m",
        "server",
        "recordings",
        "render",
        str(folder),
        "--data",
        str(tmp_path),
        "--progress",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        while json.loads(first.stdout.readline())["done"] < 1:
            pass
        first.kill()
    assert first.returncode == -signal.SIGKILL
    assert not (folder / FILM_FILE).exists()
    [kept] = (folder / WORK_FOLDER / "pieces").glob("00000-*.m4s")
    made_at = kept.stat().st_mtime_ns
    with subprocess.Popen(command, stdout=subprocess.PIPE) as second:
        assert second.stdout is not None
        while json.loads(second.stdout.readline())["done"] < 1:
            pass
        assert kept.stat().st_mtime_ns == made_at, "what was made is not made again"
        second.stdout.read()
    assert second.returncode == 0
    assert (sha256(folder / FILM_FILE), (folder / MANIFEST_FILE).read_bytes()) == expected


def test_rendered_again_it_is_the_same(pristine: Path, expected: tuple[str, bytes], tmp_path: Path) -> None:
    folder = shutil.copytree(pristine, tmp_path / "rec_1")
    steps: list[str] = []
    render(folder)
    render(folder, step=steps.append)
    assert steps == ["tidy"]
    film = Film(folder, KEY)
    assert sha256(film.render(again=True)) == expected[0]
    film.close()
    (folder / FILM_FILE).write_bytes(b"another film")
    assert sha256(render(folder)) == expected[0]
    (folder / MANIFEST_FILE).write_bytes(b"{}")
    assert sha256(render(folder)) == expected[0]


def test_two_do_not_render_the_same_film(pristine: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(pristine, tmp_path / "rec_1")

    def try_too(step: str) -> None:
        if step == "piece 1":
            film = Film(folder, KEY)
            with pytest.raises(Conflict, match="already"):
                film.render(wait_s=0)
            film.close()

    render(folder, step=try_too)


def test_the_second_waits_for_the_first_and_tells_how_far_it_is(
    pristine: Path, expected: tuple[str, bytes], tmp_path: Path
) -> None:
    folder = shutil.copytree(pristine, tmp_path / "rec_1")
    told: list[Progress] = []
    waits, steps = threading.Event(), list[str]()

    def hear(progress: Progress) -> None:
        told.append(progress)
        waits.set()

    def render_too() -> None:
        film = Film(folder, KEY, step=steps.append)
        film.render(hear)
        film.close()

    second = threading.Thread(target=render_too)

    def begin_too(step: str) -> None:
        if step == "piece 1":
            second.start()
            assert waits.wait(30)

    render(folder, step=begin_too)
    second.join()
    assert steps == ["tidy"], "it found the film done"
    assert told[0] == Progress("pieces", 1, 2, 0.485)
    assert told[-1].stage == "done"
    assert sha256(folder / FILM_FILE) == expected[0]


def test_a_piece_is_made_once_and_there_are_no_others(pristine: Path, tmp_path: Path) -> None:
    film = Film(shutil.copytree(pristine, tmp_path / "rec_1"))
    assert film.pieces == film.ready_pieces == 2
    path = film.piece(1)
    made_at = path.stat().st_mtime_ns
    assert film.piece(1) == path
    assert path.stat().st_mtime_ns == made_at
    for number in (-1, 2):
        with pytest.raises(NotFound):
            film.piece(number)
    assert film.init().read_bytes()[4:8] == b"ftyp"
    film.init().unlink()
    assert film.init().exists()
    film.close()


def test_what_is_missing_or_changed_is_a_gap_and_a_finding(tmp_path: Path) -> None:
    maker = RecordingMaker(tmp_path / "rec_1", (MAIN, PHO), KEY)
    [bad_camera] = maker.camera(MAIN, 0, 5, moving(7), fps=6)
    maker.camera(MAIN, 5, 9, moving(7), fps=6)
    [lost_mic] = maker.mic(MAIN, 0, 4, tone(500))
    maker.mic(MAIN, 4, 9, tone(500))
    folder = maker.close(9)
    lost_mic.unlink()
    octets = bytearray(bad_camera.read_bytes())
    octets[len(octets) // 2] ^= 1
    bad_camera.write_bytes(octets)
    film = MediaFile(render(folder))
    camera, mic = f"tracks/{bad_camera.name}", f"tracks/{lost_mic.name}"
    manifest = manifest_of(folder)
    assert {(finding.code, finding.file) for finding in manifest.findings} == {
        ("segment_changed", camera),
        ("segment_missing", mic),
    }
    assert manifest.gaps == (
        FilmGap(0, 4, "file_missing", "seat_main", "mic", mic),
        FilmGap(0, 5, "file_damaged", "seat_main", "camera", camera),
    )
    assert is_card(film.picture(3), MAIN.name, "Tệp ghi bị hỏng từ 21:13:20 đến 21:13:25")
    assert recognise(film.picture(8)) == 7
    assert not heard(film.sound(1, 3.8), 48_000, 500)
    assert heard(film.sound(4.2, 8.8), 48_000, 500)


def test_what_is_no_segment_is_a_gap_too(tmp_path: Path) -> None:
    """The log vouches for a file that no decoder knows, and for a link."""
    maker = RecordingMaker(tmp_path / "rec_1", (MAIN,), KEY)
    tracks = maker.folder / "tracks"
    (tracks / "noise.mkv").write_bytes(b"noise" * 99)
    maker.segment(tracks / "noise.mkv", MAIN, "camera", "vp8", 0, 2)
    write_vp8(tmp_path / "elsewhere.mkv", 2, 4, moving(7), 6)
    (tracks / "link.mkv").symlink_to(tmp_path / "elsewhere.mkv")
    maker.segment(tracks / "link.mkv", MAIN, "camera", "vp8", 2, 4)
    write_vp8(tracks / "picture.mkv", 0, 2, moving(7), 6)
    maker.segment(tracks / "picture.mkv", MAIN, "mic", "opus", 0, 2)
    folder = maker.close(4)
    render(folder)
    assert {finding.code for finding in manifest_of(folder).findings} == {"segment_undecodable", "not_plain"}


def test_after_a_crash_nothing_is_there_twice_and_the_gap_is_told(tmp_path: Path) -> None:
    maker = RecordingMaker(tmp_path / "rec_1", (MAIN,), KEY)
    tracks = maker.folder / "tracks"
    for name, starts_s, ends_s, pattern, recovered in (
        ("old", 0.0, 3.0, 7, True),
        ("new", 2.0, 5.0, 9, False),
        ("late", 8.0, 9.0, 7, False),
    ):
        write_vp8(tracks / f"{name}.mkv", starts_s, ends_s, moving(pattern), 6)
        maker.segment(tracks / f"{name}.mkv", MAIN, "camera", "vp8", starts_s, ends_s, recovered=recovered)
    maker.at(8, Gap(OPENED_AT + 5, OPENED_AT + 8, "server_stopped"), Resumed("server_stopped"))
    film = MediaFile(render(maker.close(9)))
    assert [recognise(film.picture(at_s)) for at_s in (1, 2.9, 3.1, 4.9, 8.5)] == [7, 7, 9, 9, 7]
    assert is_card(film.picture(6.5), "Gián đoạn bản ghi", "Máy chủ ngừng hoạt động từ 21:13:25 đến 21:13:28")


def test_a_running_recording_has_pieces_but_no_film(tmp_path: Path) -> None:
    maker = small(tmp_path / "rec_1")
    maker.at(100, Granted("seat_pho"))
    maker.write_log()
    film = Film(maker.folder, KEY)
    with pytest.raises(Conflict, match="closing line"):
        film.render()
    assert (film.pieces, film.ready_pieces) == (13, 3)
    playlist = film.playlist()
    assert "#EXT-X-PLAYLIST-TYPE:EVENT" in playlist
    assert "#EXT-X-ENDLIST" not in playlist
    assert playlist.count(".m4s") == 3
    before = film.piece(0)
    film.close()
    maker.at(110, FloorEnded("seat_pho"))
    maker.close(120)
    film = Film(maker.folder, KEY)
    assert film.piece(0) == before, "what was settled does not change"
    film.close()


def test_the_playlist_names_every_piece(pristine: Path) -> None:
    film = Film(pristine)
    lines = film.playlist().splitlines()
    film.close()
    assert lines[0] == "#EXTM3U"
    assert lines[-5:] == ["#EXTINF:8.000,", "00000.m4s", "#EXTINF:1.000,", "00001.m4s", "#EXT-X-ENDLIST"]
    assert '#EXT-X-MAP:URI="init.mp4"' in lines


def test_a_damaged_log_is_filmed_up_to_the_damage(pristine: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(pristine, tmp_path / "rec_1")
    lines = (folder / LOG_FILE).read_bytes().splitlines(keepends=True)
    (folder / LOG_FILE).write_bytes(b"".join(lines[:-2]) + lines[-1])
    render(folder)
    [finding] = manifest_of(folder).findings
    assert isinstance(finding, Finding)
    assert (finding.code, finding.file) == ("log_damaged", LOG_FILE)
    (folder / LOG_FILE).write_bytes(b"")
    with pytest.raises(LogDamaged):
        Film(folder)


def test_a_recording_of_no_length_is_one_picture(tmp_path: Path) -> None:
    film = MediaFile(render(RecordingMaker(tmp_path / "rec_1", (), KEY).close(0)))
    assert is_card(film.picture(0), "Họp giao ban tháng 9", "", FIRST_PICTURE)
