"""SCENARIOS row 34, at the store's door: markup is text, what can disturb its neighbours does not get in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import InvalidInput
from server.store.lines import clean_line


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("  UBND xã Nậm Khao ", "UBND xã Nậm Khao"),
        ("Nậm", "Nậm"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("'; DROP TABLE meetings; --", "'; DROP TABLE meetings; --"),
        ("x" * 300, "x" * 300),
    ],
)
def test_text_is_kept_as_text(text: str, kept: str) -> None:
    assert clean_line(text, "name") == kept


@pytest.mark.parametrize(
    "text",
    ["", " \t ", "a\nb", "a\x00b", "a\u202eb", "a\u2066b", "a\u2028b", "a\u200bb", "a\ud800b", "x" * 301],
    ids=ascii,
)
def test_what_is_no_line_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        clean_line(text, "name")

    assert caught.value.code == "bad_text"
    assert caught.value.detail.startswith("name: ")


@given(st.text())
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    try:
        once = clean_line(text, "name")
    except InvalidInput:
        return
    assert clean_line(once, "name") == once
    assert len(once.splitlines()) == 1
