"""The layer for a size, and no flapping inside the band."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.sfu.layers import LayerOffer, wanted_layer

THREE = tuple(LayerOffer(0, height) for height in (180, 360, 720))
UNKNOWN = tuple(LayerOffer(0, 0) for _ in range(3))


@pytest.mark.parametrize(
    ("layers", "shown_height", "current", "wanted"),
    [
        (THREE, None, None, 2),
        (THREE, 90, None, 0),
        (THREE, 216, None, 0),
        (THREE, 217, None, 1),
        (THREE, 432, None, 1),
        (THREE, 433, None, 2),
        (THREE, 2_160, None, 2),
        (THREE, 432, 1, 1),
        (THREE, 400, 2, 2),
        (THREE, 360, 2, 1),
        (THREE, 433, 1, 2),
        (THREE, 200, 1, 1),
        (THREE, 180, 1, 0),
        (UNKNOWN, 200, None, 0),
        (UNKNOWN, 400, None, 1),
        (UNKNOWN, 800, None, 2),
        ((LayerOffer(0, 0), LayerOffer(0, 1_080)), 600, None, 0),
        ((LayerOffer(0, 0),), 2_000, None, 0),
    ],
)
def test_wanted(layers: tuple[LayerOffer, ...], shown_height: int, current: int | None, wanted: int) -> None:
    assert wanted_layer(layers, shown_height, current) == wanted


@given(st.integers(1, 2_000), st.integers(0, 2))
def test_what_was_chosen_is_chosen_again(shown_height: int, current: int) -> None:
    first = wanted_layer(THREE, shown_height, current)
    assert wanted_layer(THREE, shown_height, first) == first


def test_thinned_layers_are_never_wanted_and_count_for_no_height() -> None:
    offers = (
        LayerOffer(60_000, 0, is_thin=True),
        LayerOffer(100_000, 0),
        LayerOffer(250_000, 0, is_thin=True),
        LayerOffer(400_000, 0),
    )
    assert wanted_layer(offers, 200, None) == 1
    assert wanted_layer(offers, 500, None) == 3
    assert wanted_layer(offers, None, None) == 3
