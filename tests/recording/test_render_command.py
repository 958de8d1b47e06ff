"""``diemcau recordings render`` on a recording that can be played; its film passes the document's commands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from server.recording.events import FloorEnded, Granted
from server.recording.keys import SigningKey
from server.recording.verify import verify_recording
from tests.recording.film.making import MAIN, RecordingMaker, moving, tone
from tests.recording.test_document import FILM, PLAYS, SEGMENTS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def _render(folder: str, data: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "server", "recordings", "render", folder, "--data", str(data), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a recording of 10 s."""
    key = SigningKey.load_or_make(tmp_path / "keys" / "recordings-ed25519.pem")
    maker = RecordingMaker(tmp_path / "recordings" / "rec_a", key=key)
    maker.at(0.5, Granted(MAIN.seat_id, by_right=True))
    maker.camera(MAIN, 0.5, 9, moving(1))
    maker.mic(MAIN, 0.5, 9, tone(440))
    maker.at(9, FloorEnded(MAIN.seat_id))
    maker.close(10)
    return tmp_path


def test_it_renders_tells_how_far_it_is_and_signs(data: Path, tmp_path: Path) -> None:
    rendered = _render("rec_a", data, "--progress")
    assert rendered.returncode == 0, rendered.stderr
    told = [json.loads(line) for line in rendered.stdout.splitlines()]
    shares = [line["progress"] for line in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert told[-1]["stage"] == "done"

    folder = data / "recordings" / "rec_a"
    own = SigningKey.load(data / "keys" / "recordings-ed25519.pem").public_base64
    report = verify_recording(folder, own)
    assert (report.findings, report.film, report.unsigned) == ((), True, ())
    for script in (SEGMENTS, FILM, PLAYS):
        scratch = script.replace("/tmp/", f"{tmp_path}/")  # noqa: S108 - replaced, not used
        subprocess.run(["bash", "-euo", "pipefail", "-c", scratch], cwd=folder, check=True, capture_output=True)

    film = folder / "film.mp4"
    first = (film.stat().st_ino, film.read_bytes())
    assert _render(str(folder), data).stdout.startswith(f"{film}: ")
    assert film.stat().st_ino == first[0], "what is there already is not made again"
    assert _render(str(folder), data, "--again").returncode == 0
    assert film.read_bytes() == first[1], "made again, it is the same"
    assert verify_recording(folder, own).ok


def test_an_open_recording_is_not_rendered(tmp_path: Path) -> None:
    maker = RecordingMaker(tmp_path / "rec_b")
    maker.write_log()
    rendered = _render(str(tmp_path / "rec_b"), tmp_path)
    assert rendered.returncode == 1
    assert rendered.stderr.endswith("(not_closed)\n")
    assert not os.path.lexists(tmp_path / "rec_b" / "film.mp4")
