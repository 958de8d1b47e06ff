"""What the recorder writes, of every codec, is what the film shows: one folder from RTP packets to film.mp4."""

from pathlib import Path

import pytest

from server.recording.events import Granted
from server.recording.film.film import Film
from server.recording.keys import SigningKey
from server.recording.verify import verify_recording
from server.sfu.ports import Codec
from tests.recording.rig import TONES, Rig
from tests.recording.sources import VIDEO, Camera, Microphone
from tests.support.films import MediaFile
from tests.support.tones import level_dbfs


@pytest.mark.parametrize("codec", VIDEO.values(), ids=VIDEO.keys())
def test_each_codec_is_seen_and_heard(tmp_path: Path, codec: Codec) -> None:
    """Dark, then bright, then bright and upright: a picture's size may change in mid-stream."""
    rig = Rig(tmp_path)
    camera = Camera(codec, 320, 180)
    rig.event(Granted("seat_a", subject="Mục 1"))
    rig.open(1, "seat_a", "camera", camera)
    rig.open(2, "seat_a", "mic", Microphone(TONES[1]))
    rig.run(3)
    camera.brightness = 200
    rig.run(2)
    camera.resize(180, 240)
    rig.run(2)
    rig.finish()
    film = Film(rig.folder, SigningKey.load_or_make(tmp_path / "key.pem"))
    path = MediaFile(film.render())
    film.close()
    assert path.duration_s == pytest.approx(7, abs=0.1)
    assert middle(path, 2.8) == pytest.approx(60, abs=12)
    assert middle(path, 4.8) == pytest.approx(200, abs=12)
    upright = path.picture(6.8)
    assert upright[360, 640].mean() == pytest.approx(200, abs=12)
    assert upright[360, 200].mean() < 60, "the ground beside it"
    assert level_dbfs(path.sound(0.5, 6.5), 48_000, TONES[1]) > -16
    assert verify_recording(rig.folder).ok


def middle(film: MediaFile, at_s: float) -> float:
    return float(film.picture(at_s)[300:400, 600:700].mean())
