"""A whole film from known pictures and tones: who is seen and heard when, damage, kills, the same octets each time."""

import hashlib
import json
import subprocess
from pathlib import Path

import msgspec
import pytest

from server.recording.events import FloorEnded, Granted, Presence, Screen
from server.recording.film import labels
from server.recording.film.film import MANIFEST_FILE, WORK_FOLDER, Film, Manifest, Progress
from server.recording.film.picture import SCREEN_BOX, SPEAKER_BOX, Box
from server.recording.keys import SigningKey
from server.recording.verify import verify_recording
from tests.recording.film.looking import is_card
from tests.recording.film.making import CHAIR, MAIN, OPENED_AT, PHO, SON, RecordingMaker, moving, tone
from tests.support.films import MediaFile
from tests.support.pictures import Pixels, recognise
from tests.support.tones import level_dbfs, loudest

PATTERN = {"seat_main": 77, "seat_pho": 33, "seat_son": 50}
TONE = {"seat_main": 440, "seat_pho": 1_000, "seat_son": 2_000}
SCREEN_PATTERN = 120
SUBJECT = "Tiến độ giải phóng mặt bằng"
LENGTH_S = 30.0


def record(folder: Path, key: SigningKey | None = None) -> RecordingMaker:
    """The main endpoint; from 6 to 20 Đức Phổ with its screen from 10 to 15; from 22 Sơn Tịnh, lost at 24.5."""
    maker = RecordingMaker(folder, (MAIN, PHO, SON, CHAIR), key)
    maker.at(0, Granted("seat_main", True))
    maker.camera(MAIN, 0.05, LENGTH_S, moving(PATTERN["seat_main"]))
    maker.mic(MAIN, 0.05, 6, tone(TONE["seat_main"]))
    maker.at(6, Granted("seat_pho", False, SUBJECT))
    maker.camera(PHO, 6.4, 20, moving(PATTERN["seat_pho"], 120, 90))
    maker.mic(PHO, 6.02, 20, tone(TONE["seat_pho"]))
    maker.at(10, Screen("seat_pho", True))
    maker.camera(PHO, 10.1, 15.2, moving(SCREEN_PATTERN, 200, 100), fps=5, track="screen")
    maker.at(15, Screen("seat_pho", False))
    maker.at(20, FloorEnded("seat_pho"))
    maker.mic(MAIN, 20, 22, tone(TONE["seat_main"]))
    maker.at(22, Granted("seat_son"))
    maker.camera(SON, 22.2, 24, moving(PATTERN["seat_son"]))
    maker.mic(SON, 22.1, 24, tone(TONE["seat_son"]))
    maker.at(24.5, Presence("seat_son", "suspended"))
    maker.at(28, FloorEnded("seat_son"))
    return maker


class Recorded(msgspec.Struct, frozen=True):
    folder: Path
    film: MediaFile
    told: tuple[Progress, ...]
    key: SigningKey


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """The recording above with its film."""
    maker = record(tmp_path_factory.mktemp("film") / "rec_1")
    folder = maker.close(LENGTH_S)
    told: list[Progress] = []
    film = Film(folder, maker.key)
    path = film.render(told.append)
    film.close()
    return Recorded(folder, MediaFile(path), tuple(told), maker.key)


def part_of(picture: Pixels, box: Box) -> Pixels:
    return picture[box.top : box.top + box.height, box.left : box.left + box.width]


@pytest.mark.parametrize(
    ("seat", "from_s", "to_s", "pictures_at"),
    [
        ("seat_main", 1, 5.8, (1, 5.9)),
        ("seat_pho", 7, 19.8, (6.5, 9.9, 15.1, 19.9)),
        ("seat_main", 20.3, 21.8, (20.1, 21.9)),
        ("seat_son", 22.4, 23.8, (22.3, 23.8)),
    ],
)
def test_each_chapter_has_its_speakers_picture_and_tone(
    recorded: Recorded, seat: str, from_s: float, to_s: float, pictures_at: tuple[float, ...]
) -> None:
    sound = recorded.film.sound(from_s, to_s)
    assert loudest(sound, 48_000, TONE.values()) == TONE[seat]
    assert all(level_dbfs(sound, 48_000, hz) < -50 for other, hz in TONE.items() if other != seat)
    for at_s in pictures_at:
        assert recognise(recorded.film.picture(at_s)) == PATTERN[seat], at_s


def test_a_screen_is_shown_beside_its_owner(recorded: Recorded) -> None:
    picture = recorded.film.picture(13)
    assert recognise(part_of(picture, SCREEN_BOX)) == SCREEN_PATTERN
    assert recognise(part_of(picture, SPEAKER_BOX)) == PATTERN["seat_pho"]


def test_until_the_first_picture_there_is_the_name(recorded: Recorded) -> None:
    assert is_card(recorded.film.picture(6.2), PHO.name, SUBJECT)
    assert is_card(recorded.film.picture(22.1), SON.name, "")


def test_a_lost_endpoint_has_a_slate_that_says_since_when(recorded: Recorded) -> None:
    assert labels.time_of_day(OPENED_AT + 24.5) == "21:13:44"
    assert recognise(recorded.film.picture(25.2)) == PATTERN["seat_son"]  # its last picture for a moment
    assert is_card(recorded.film.picture(27), SON.name, "Mất kết nối từ 21:13:44")
    assert not is_card(recorded.film.picture(27), SON.name, "Mất kết nối từ 21:13:45")
    assert recognise(recorded.film.picture(28.1)) == PATTERN["seat_main"]


def test_chapters_are_the_grants(recorded: Recorded) -> None:
    expected = [
        (0, 6, MAIN.name),
        (6, 20, f"{PHO.name} – {SUBJECT}"),
        (20, 22, MAIN.name),
        (22, 28, SON.name),
        (28, 30, MAIN.name),
    ]
    found = recorded.film.chapters()
    assert [title for _, _, title in found] == [title for _, _, title in expected]
    for (starts_s, ends_s, _), (wanted_start_s, wanted_end_s, _) in zip(found, expected, strict=True):
        assert starts_s == pytest.approx(wanted_start_s, abs=0.2)
        assert ends_s == pytest.approx(wanted_end_s, abs=0.2)


def test_ffprobe_sees_a_film_for_every_player(recorded: Recorded) -> None:
    asked = ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-show_chapters", "-of", "json"]
    said = json.loads(subprocess.run([*asked, recorded.film.path], check=True, capture_output=True).stdout)
    codecs = {stream.get("codec_name"): stream for stream in said["streams"]}
    assert codecs["h264"]["pix_fmt"] == "yuv420p"
    assert (codecs["h264"]["width"], codecs["h264"]["height"], codecs["h264"]["r_frame_rate"]) == (1280, 720, "25/1")
    assert codecs["aac"]["sample_rate"] == "48000"
    assert float(said["format"]["duration"]) == pytest.approx(LENGTH_S, abs=0.05)
    assert [chapter["tags"]["title"] for chapter in said["chapters"]][1] == f"{PHO.name} – {SUBJECT}"
    octets = recorded.film.path.read_bytes()
    assert octets.index(b"moov") < octets.index(b"mdat")


def test_the_manifest_is_signed_and_says_what_the_film_is(recorded: Recorded) -> None:
    octets = recorded.film.path.read_bytes()
    manifest = msgspec.json.decode((recorded.folder / MANIFEST_FILE).read_bytes(), type=Manifest)
    assert (manifest.sha256, manifest.octets) == (hashlib.sha256(octets).hexdigest(), len(octets))
    assert manifest.findings == ()
    assert recorded.film.path.stat().st_mode & 0o777 == 0o640
    assert len(manifest.chapters) == 5
    report = verify_recording(recorded.folder)
    assert (report.ok, report.film, report.findings) == (True, True, ())


def test_progress_is_told_and_the_work_folder_is_gone(recorded: Recorded) -> None:
    shares = [progress.share for progress in recorded.told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    assert [(progress.stage, progress.done) for progress in recorded.told][:3] == [
        ("pieces", 0),
        ("pieces", 1),
        ("pieces", 2),
    ]
    assert not (recorded.folder / WORK_FOLDER).exists()
