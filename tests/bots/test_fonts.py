"""Names are written in Vietnamese with the fonts there are, and legibly without."""

import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from server.bots.fonts import Lettering, lettering, without_marks

NAME = "Điểm cầu xã Đức Phổ"
SUBSETS = sorted(
    (Path(__file__).parents[2] / "web/node_modules/@fontsource/be-vietnam-pro/files").glob(
        "be-vietnam-pro-*-600-normal.woff2"
    )
)


def written(letters: Lettering, text: str) -> bytes:
    image = Image.new("L", (400, 40))
    letters.write(ImageDraw.Draw(image), 4, 20, text, 255)  # type: ignore[arg-type]  # one channel: one number
    return bytes(np.asarray(image).tobytes())


def test_without_any_font_the_marks_are_left_out(tmp_path: Path) -> None:
    letters = lettering(20, tmp_path, ("no-such-font.ttf",))
    assert not letters.is_vietnamese
    assert without_marks(NAME) == "Diem cau xa Duc Pho"
    assert written(letters, NAME) == written(letters, "Diem cau xa Duc Pho")
    assert letters.length(NAME) == letters.length("Diem cau xa Duc Pho") > 0


@pytest.mark.skipif(len(SUBSETS) < 2, reason="the web client's packages are not installed")
def test_the_web_clients_font_comes_first_and_needs_both_subsets(tmp_path: Path) -> None:
    for file in SUBSETS:
        shutil.copy(file, tmp_path / file.name.replace("-normal", "-normal-h4sh"))
    letters = lettering(20, tmp_path, ())
    assert letters.is_vietnamese
    assert written(letters, NAME) != written(letters, without_marks(NAME))
    assert written(letters, NAME) == written(letters, unicodedata.normalize("NFD", NAME))
    latin_only = lettering(20, tmp_path / "none", ())
    assert not latin_only.is_vietnamese


def test_this_machine_writes_vietnamese() -> None:
    """fonts-noto-core is among the packages of `make test`; the built client brings a font too."""
    assert lettering(20).is_vietnamese
