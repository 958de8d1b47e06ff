"""Names are written in Vietnamese with the typeface that comes with the package."""

import unicodedata

import numpy as np
import pytest
from PIL import Image, ImageDraw

from server.lettering import lettering

NAME = "Điểm cầu xã Đức Phổ"
ALPHABET = "aàáảãạăằắẳẵặâầấẩẫậbcdđeèéẻẽẹêềếểễệghiìíỉĩịklmnoòóỏõọôồốổỗộơờớởỡợpqrstuùúủũụưừứửữựvxyỳýỷỹỵ"


def written(text: str) -> bytes:
    image = Image.new("RGB", (400, 40))
    lettering(20).write(ImageDraw.Draw(image), 4, 20, text, (255, 255, 255))
    return bytes(np.asarray(image).tobytes())


@pytest.mark.parametrize("letter", sorted({*ALPHABET, *ALPHABET.upper(), *"0123456789–…“”/:.,()Łß"}))
def test_every_letter_of_the_language_is_there(letter: str) -> None:
    assert lettering(20).has(letter)


def test_marks_are_seen_however_they_are_composed() -> None:
    assert written(NAME) != written("Diem cau xa Duc Pho")
    assert written(NAME) == written(unicodedata.normalize("NFD", NAME))


def test_what_the_typeface_lacks_is_asked_about() -> None:
    assert not lettering(20).has("漢")
    assert written("Xã 漢字") == written("Xã ??")
    assert written("Xã\u200d Đông") == written("Xã Đông")


def test_what_is_too_long_ends_in_an_ellipsis() -> None:
    letters = lettering(20)
    assert letters.cut(NAME, 1_000) == NAME
    short = letters.cut(NAME, 100)
    assert short.endswith("…")
    assert 60 < letters.length(short) <= 100
    assert letters.cut(NAME, 1) == ""
