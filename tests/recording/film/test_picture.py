"""The canvas: any picture fits without being stretched, names of any length fit too."""

from pathlib import Path

import numpy as np
import pytest

from server.recording.events import EndpointEntry, FloorEnded, Granted
from server.recording.film import labels
from server.recording.film.film import Film
from server.recording.film.picture import SPEAKER_BOX
from server.recording.film.settings import HEIGHT, WIDTH
from tests.recording.film.looking import is_card
from tests.recording.film.making import MAIN, PHO, RecordingMaker, moving
from tests.support.films import MediaFile
from tests.support.pictures import Pixels, recognise

LONG = "Điểm cầu Trung tâm Phục vụ hành chính công đặc khu Lý Sơn – phòng họp trực tuyến số 2, tầng 3, nhà liên cơ quan"


SHORT = EndpointEntry("seat_a", "A", (), "main")


def film_of(maker: RecordingMaker, length_s: float) -> MediaFile:
    film = Film(maker.close(length_s), maker.key)
    try:
        return MediaFile(film.render())
    finally:
        film.close()


@pytest.mark.parametrize(
    ("width", "height", "shown"),
    [
        pytest.param(1_280, 720, (1_280, 720), id="as it is"),
        pytest.param(160, 90, (1_280, 720), id="small"),
        pytest.param(320, 240, (960, 720), id="4:3"),
        pytest.param(90, 160, (404, 720), id="upright"),
        pytest.param(162, 90, (1_280, 710), id="a little wider"),
        pytest.param(400, 40, (1_280, 128), id="a strip"),
        pytest.param(48, 98, (352, 720), id="narrow"),
    ],
)
def test_any_picture_fits_unstretched(tmp_path: Path, width: int, height: int, shown: tuple[int, int]) -> None:
    maker = RecordingMaker(tmp_path / "rec_1", (SHORT,))
    maker.camera(SHORT, 0, 0.5, moving(7, width, height), fps=2)
    picture = film_of(maker, 0.5).picture(0.4)
    ground = np.abs(picture.astype(int) - labels.BACKGROUND).max(axis=2) < 30
    rows, columns = np.flatnonzero(~ground[:, WIDTH // 2]), np.flatnonzero(~ground[HEIGHT // 2 - shown[1] // 4])
    assert (columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1) == pytest.approx(shown, abs=6)
    assert abs(columns[0] + columns[-1] - (WIDTH - 1)) <= 4


def lower_third_of(picture: Pixels, name: str, subject: str) -> float:
    """How far the picture is from having this in its lower left, in brightness (0..255) where the letters are."""
    label = labels.lower_third(name, subject)
    height, width = label.planes.luma.shape
    there = picture[label.top : label.top + height, label.left : label.left + width]
    shown = 16 + 219 * (there @ np.array([0.299, 0.587, 0.114])) / 255
    letters = label.planes.luma > 200
    return float(np.abs(label.planes.luma[letters] - shown[letters]).mean())


def test_a_speaker_is_named_at_the_beginning_and_while_another_is_seen(tmp_path: Path) -> None:
    maker = RecordingMaker(tmp_path / "rec_1", (MAIN, PHO))
    maker.camera(MAIN, 0, 16, moving(7), fps=5)
    maker.at(7, Granted("seat_pho", subject="Mục 2"))
    maker.at(15, FloorEnded("seat_pho"))
    film = film_of(maker, 16)
    assert lower_third_of(film.picture(3), MAIN.name, "") < 30
    assert lower_third_of(film.picture(6.5), MAIN.name, "") > 60
    for at_s in (7.1, 14.8):
        assert recognise(film.picture(at_s)) == 7
        assert lower_third_of(film.picture(at_s), PHO.name, "Mục 2") < 30
    assert lower_third_of(film.picture(15.5), PHO.name, "Mục 2") > 60


def test_who_shows_only_a_screen_has_a_name_beside_it(tmp_path: Path) -> None:
    maker = RecordingMaker(tmp_path / "rec_1", (MAIN, PHO))
    maker.camera(PHO, 0, 2, moving(7, 320, 180), fps=5, track="screen")
    maker.at(0, Granted("seat_pho"))
    picture = film_of(maker, 2).picture(1.5)
    box = SPEAKER_BOX
    beside = picture[box.top : box.top + box.height, box.left : box.left + box.width]
    expected = labels.card(PHO.name, "", box.width, box.height).luma
    shown = 16 + 219 * (beside @ np.array([0.299, 0.587, 0.114])) / 255
    assert np.abs(shown - expected)[expected > 100].mean() < 25


def test_a_camera_that_sends_nothing_any_more_is_off(tmp_path: Path) -> None:
    """Its segment is open still, and nobody has said that the endpoint was lost."""
    maker = RecordingMaker(tmp_path / "rec_1", (MAIN,))
    [path] = maker.camera(MAIN, 0, 1, moving(7), fps=5)
    maker.at(0, Granted("seat_main", True))
    maker.segment(path, MAIN, "camera", "vp8", 0, 8)
    film = film_of(maker, 8)
    assert recognise(film.picture(3)) == 7
    assert is_card(film.picture(6), MAIN.name, "")


@pytest.mark.parametrize("name", [LONG, LONG * 5, "A", "Đ" * 400, "漢字 и кириллица"])
@pytest.mark.parametrize("subject", ["", LONG * 3])
def test_names_of_any_length_fit(name: str, subject: str) -> None:
    label = labels.lower_third(name, subject)
    height, width = label.planes.luma.shape
    assert label.left + width <= WIDTH
    assert label.top + height <= HEIGHT
    assert label.top > HEIGHT // 2
    luma = labels.card(name, subject).luma
    assert luma.max() > 150
    for edge in (luma[:30], luma[-30:], luma[:, :30], luma[:, -30:]):
        assert edge.max() < 60
    assert labels.caption(name, 968, 270, 288).planes.luma.shape[0] < 200


def test_a_name_is_written_whole_where_there_is_room() -> None:
    """Two lines of a lower third: nothing of the name is cut, and another ending is another picture."""
    whole, other = labels.lower_third(LONG, ""), labels.lower_third(LONG[:-1] + "m", "")
    assert whole.planes.luma.shape[0] > labels.lower_third("A", "").planes.luma.shape[0]
    assert whole.planes.luma.shape != other.planes.luma.shape or (whole.planes.luma != other.planes.luma).any()


def test_the_time_of_day_is_vietnams() -> None:
    assert labels.time_of_day(1_790_000_000) == "21:13:20"
    assert labels.time_of_day(0) == "07:00:00"
