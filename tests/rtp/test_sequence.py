"""Modular arithmetic at its wrap points, from every start that matters."""

import pytest
from aiortc.utils import uint16_gt, uint32_gt
from hypothesis import given
from hypothesis import strategies as st

from server.rtp.sequence import difference16, difference32, unwrap16


@pytest.mark.parametrize(
    ("new", "old", "ahead"),
    [
        (0, 0, 0),
        (1, 0, 1),
        (0, 1, -1),
        (0, 65_535, 1),
        (65_535, 0, -1),
        (5, 65_530, 11),
        (65_530, 5, -11),
        (32_767, 0, 32_767),
        (32_768, 0, -32_768),
        (0, 32_768, -32_768),
        (0, 32_769, 32_767),
    ],
)
def test_difference16(new: int, old: int, ahead: int) -> None:
    assert difference16(new, old) == ahead


@pytest.mark.parametrize(
    ("new", "old", "ahead"),
    [(0, 0xFFFFFFFF, 1), (0xFFFFFFFF, 0, -1), (0x7FFFFFFF, 0, 0x7FFFFFFF), (0x80000000, 0, -0x80000000), (3, 1, 2)],
)
def test_difference32(new: int, old: int, ahead: int) -> None:
    assert difference32(new, old) == ahead


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_difference16_agrees_with_aiortc(new: int, old: int) -> None:
    assert (difference16(new, old) > 0) == uint16_gt(new, old) or (new - old) & 0xFFFF == 0x8000


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
def test_difference32_agrees_with_aiortc(new: int, old: int) -> None:
    assert (difference32(new, old) > 0) == uint32_gt(new, old) or (new - old) & 0xFFFFFFFF == 0x80000000


@pytest.mark.parametrize("start", [0, 1, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF])
def test_unwrap_follows_a_stream_from_every_start(start: int) -> None:
    extended = start + 0x10000
    for step in range(1, 200_000, 997):
        extended = unwrap16(start + step & 0xFFFF, extended)
        assert extended == start + 0x10000 + step


@given(st.integers(0, 1 << 40), st.integers(-0x8000, 0x7FFF))
def test_unwrap_finds_what_is_near(near: int, offset: int) -> None:
    assert unwrap16(near + offset & 0xFFFF, near) == near + offset
