"""Words without case and diacritics, and where they are in the text as it was written."""

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.archive.folding import LONGEST_WORD, Term, fold, fold_line, mark, split_words

VIETNAMESE = "Đại biểu xã Mường Nhé, tỉnh Điện Biên: đề nghị bổ sung 3,5 tỷ đồng (đợt II)"


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Điện Biên", "dien bien"),
        ("ĐIỆN BIÊN", "dien bien"),
        (unicodedata.normalize("NFD", "Điện Biên"), "dien bien"),
        ("ưỡn ẹo Ơ ơ ữ ỵ", "uon eo o o u y"),
        ("Straße İstanbul", "strasse istanbul"),
    ],
)
def test_folding(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize("text", [VIETNAMESE, unicodedata.normalize("NFD", VIETNAMESE)], ids=["NFC", "NFD"])
def test_marks_are_where_the_words_are(text: str) -> None:
    terms = [Term("dien"), Term("bi", begins=True), Term("muong"), Term("5"), Term("ti")]
    marked = [unicodedata.normalize("NFC", text[one:other]) for one, other in mark(text, terms)]
    assert marked == ["bi", "Mường", "Điện", "Bi", "5"]


def test_the_longest_of_several_prefixes_is_marked() -> None:
    assert mark("nghiệm thu", [Term(one, begins=True) for one in ("ng", "nghi", "t")]) == ((0, 4), (7, 8))


def test_punctuation_and_underscores_part_words() -> None:
    assert [word.folded for word in split_words("a_b-c/d. Số: 25/2021/QĐ-UBND")] == [
        *"abcd",
        "so",
        "25",
        "2021",
        "qd",
        "ubnd",
    ]


def test_a_word_without_end_is_cut() -> None:
    assert fold_line("x" * 1_000) == f" {'x' * LONGEST_WORD} "


@given(st.text())
def test_any_text(text: str) -> None:
    words = list(split_words(text))
    for word in words:
        assert 0 <= word.starts < word.ends <= len(text)
        assert fold(text[word.starts : word.ends]).startswith(word.folded)
    assert all(one.ends <= other.starts for one, other in pairwise(words))
    assert mark(text, [Term(word.folded) for word in words]) == tuple((word.starts, word.ends) for word in words)
