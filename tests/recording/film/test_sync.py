"""Lips match: a flash and a beep every 1.9 seconds for ten minutes, in segments that begin at odd times.

Each eighth piece is looked at (and those around a change of segment): rendering all 75 would take a minute and more.
"""

from io import BytesIO
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from server.recording.film.film import Film
from tests.recording.film.making import MAIN, SOUND_RATE, RecordingMaker
from tests.support.pictures import Pixels

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

LENGTH_S = 600
EVERY_S = 1.9
"""No whole number of the camera's pictures: the flash falls anywhere between two."""
LASTS_S = 0.2
ALLOWED_S = 0.080
PIECES = sorted({*range(0, 75, 8), 7, 15, 67, 74})


def flashes(at_s: float) -> Pixels:
    return np.full((36, 64, 3), 230 if at_s % EVERY_S < LASTS_S else 20, np.uint8)


def beeps(times: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(times % EVERY_S < LASTS_S, 0.5 * np.sin(2 * np.pi * 1_000 * times), 0.0)


def test_flash_and_beep_stay_together(tmp_path: Path) -> None:
    maker = RecordingMaker(tmp_path / "rec_1", (MAIN,))
    maker.camera(MAIN, 0.313, LENGTH_S, flashes, fps=25)
    maker.mic(MAIN, 0.271, LENGTH_S, beeps)
    film = Film(maker.close(LENGTH_S))
    assert film.pieces == 75
    apart: list[float] = []
    for number in PIECES:
        seen, heard = _look_and_listen(film.init().read_bytes() + film.piece(number).read_bytes())
        for wanted_s in EVERY_S * np.arange(np.ceil((8 * number + 0.6) / EVERY_S), (8 * number + 7.4) / EVERY_S):
            flash_s = next(at_s for at_s in seen if at_s > wanted_s - 0.5)
            beep_s = next(at_s for at_s in heard if at_s > wanted_s - 0.5)
            assert abs(flash_s - wanted_s) <= ALLOWED_S
            assert abs(beep_s - wanted_s) <= ALLOWED_S
            apart.append(beep_s - flash_s)
    film.close()
    assert len(apart) >= 3 * len(PIECES)
    assert max(map(abs, apart)) <= ALLOWED_S, f"{min(apart):.3f} to {max(apart):.3f} s"


def _look_and_listen(piece: bytes) -> tuple[list[float], list[float]]:
    """When it becomes bright, and when loud, in seconds of the film."""
    with av.open(BytesIO(piece), "r") as container:
        bright = [
            (frame.time or 0.0, bool(frame.to_ndarray(format="gray").mean() > 120))
            for frame in container.decode(video=0)
        ]
    with av.open(BytesIO(piece), "r") as container:
        sound = [(frame.time or 0.0, frame.to_ndarray()[0]) for frame in container.decode(audio=0)]
    samples = np.concatenate([part for _, part in sound])
    loud = np.abs(samples) > 0.15
    quiet_before = np.concatenate([[False] * 2_400, np.lib.stride_tricks.sliding_window_view(~loud, 2_400).all(axis=1)])
    begins = np.flatnonzero(loud & quiet_before[: len(loud)])
    seen = [at_s for (_, before), (at_s, now) in pairwise(bright) if now and not before]
    return seen, [sound[0][0] + begin / SOUND_RATE for begin in begins]
