"""Typed text: harmless to show, and still what was typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.room.text import clean_line, clean_text


@pytest.mark.parametrize(
    ("typed", "text", "line"),
    [
        ("  Đề nghị tăng kinh phí \n", "Đề nghị tăng kinh phí", "Đề nghị tăng kinh phí"),
        ("một\nhai", "một\nhai", "một hai"),
        ("một\r\nhai\tba", "một\nhai ba", "một hai ba"),
        ("a\x00b\x07c\x1b[31m\x7f\x85", "abc[31m", "abc[31m"),
        ("safe\u202egnp.exe\u2066", "safegnp.exe", "safegnp.exe"),
        ("a\u2028b\u2029c", "abc", "a b c"),
        ("half \ud800 of a pair", "half  of a pair", "half of a pair"),
        ("👩\u200d🌾", "👩\u200d🌾", "👩\u200d🌾"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>", "<script>alert(1)</script>"),
        (" \x00 \u202e ", "", ""),
    ],
)
def test_control_and_reordering_characters_go(typed: str, text: str, line: str) -> None:
    assert clean_text(typed) == text
    assert clean_line(typed) == line


@given(st.text())
def test_clean_text_stays_clean_and_can_be_encoded(typed: str) -> None:
    for clean in (clean_text, clean_line):
        assert clean(clean(typed)) == clean(typed)
        clean(typed).encode()
    assert "\n" not in clean_line(typed)
