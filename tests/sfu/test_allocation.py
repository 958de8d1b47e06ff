"""Sharing a viewer's bandwidth: sound first, then the first picture, then the rest; and no flapping."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.sfu.allocation import RAISE, SURVIVAL_BPS, Demand, allocate
from server.sfu.layers import LayerOffer

CAMERA = (LayerOffer(100_000, 180), LayerOffer(400_000, 360), LayerOffer(1_200_000, 720))


def wish(shown: int | None = None, current: int | None = None, layers: tuple[LayerOffer, ...] = CAMERA) -> Demand:
    return Demand(layers, shown, current)


@pytest.mark.parametrize(
    ("limit_bps", "demands", "chosen"),
    [
        (None, [wish(), wish(200)], (2, 0)),
        (10_000_000, [wish(), wish(), wish(360)], (2, 2, 1)),
        (1_500_000, [wish(), wish(), wish()], (2, 0, None)),
        (1_700_000, [wish(), wish(), wish()], (2, 0, 0)),
        (1_050_000, [wish(), wish(), wish()], (1, 1, 0)),
        (600_000, [wish(), wish(), wish()], (1, 0, None)),
        (250_000, [wish(), wish()], (0, None)),
        (140_000, [wish(), wish()], (None, None)),
        (SURVIVAL_BPS - 1, [wish(layers=(LayerOffer(10_000, 90), LayerOffer(90_000, 180)))], (None,)),
        (SURVIVAL_BPS, [wish(layers=(LayerOffer(10_000, 90), LayerOffer(90_000, 180)))], (0,)),
        (0, [wish()], (None,)),
        (0, [], ()),
    ],
)
def test_by_importance(limit_bps: int | None, demands: list[Demand], chosen: tuple[int | None, ...]) -> None:
    assert allocate(limit_bps, 40_000, demands).layers == chosen


def test_a_screen_comes_after_the_first_picture_and_before_the_rest() -> None:
    screen = Demand(CAMERA, None, None, leads=True)
    assert allocate(1_000_000, 0, [wish(), screen, wish()]).layers == (1, 1, 0)
    assert allocate(250_000, 0, [wish(), screen, wish()]).layers == (0, 0, None)
    assert allocate(2_000_000, 0, [wish(200), screen, wish()]).layers == (0, 2, 1)


def test_sound_is_set_aside_first() -> None:
    assert allocate(200_000, 0, [wish()]).layers == (0,)
    assert allocate(200_000, 120_000, [wish()]).layers == (None,)


def test_a_layer_in_use_may_overdraw_a_little_and_a_new_one_needs_room() -> None:
    exactly = 1_200_000
    assert allocate(exactly, 0, [wish(current=2)]).layers == (2,)
    assert allocate(int(exactly / RAISE) + 1, 0, [wish(current=2)]).layers == (2,)
    assert allocate(int(exactly / RAISE) - 1, 0, [wish(current=2)]).layers == (1,)
    assert allocate(exactly, 0, [wish(current=1)]).layers == (1,)
    assert allocate(int(exactly * RAISE) + 1, 0, [wish(current=1)]).layers == (2,)


def test_unmeasured_layers_count_at_their_usual_rate() -> None:
    fresh = tuple(LayerOffer(0, 0) for _ in range(4))
    assert allocate(600_000, 0, [wish(layers=fresh)]).layers == (2,)
    assert allocate(200_000, 0, [wish(layers=fresh)]).layers == (1,)
    assert allocate(600_000, 0, [wish(layers=fresh[:1])]).layers == (None,)


def test_the_next_step_is_enough_for_one_step_more() -> None:
    plan = allocate(600_000, 0, [wish(), wish()])
    assert plan.layers == (1, 0)
    assert plan.next_step_bps is not None
    assert allocate(plan.next_step_bps, 0, [wish(), wish()]).layers == (2, 0)
    assert allocate(None, 0, [wish()]).next_step_bps is None
    assert allocate(9_000_000, 0, [wish()]).next_step_bps is None
    survival = allocate(30_000, 0, [wish(layers=(LayerOffer(20_000, 90), LayerOffer(200_000, 180)))])
    assert survival.next_step_bps == SURVIVAL_BPS, "a step that would not leave survival is none"
    assert allocate(30_000, 60_000, []).next_step_bps is None
    paused = allocate(0, 0, [wish()])
    assert paused.next_step_bps is not None
    assert allocate(paused.next_step_bps, 0, [wish()]).layers == (0,)


offers = st.lists(st.integers(0, 3_000_000), min_size=1, max_size=3).map(
    lambda rates: tuple(LayerOffer(rate, 180 << index) for index, rate in enumerate(sorted(rates)))
)
wishes = st.builds(
    lambda layers, shown, current: Demand(
        layers, shown, min(current, len(layers) - 1) if current is not None else None
    ),
    offers,
    st.none() | st.integers(1, 2_000),
    st.none() | st.integers(0, 2),
)


@given(st.integers(0, 5_000_000), st.integers(0, 200_000), st.lists(wishes, max_size=5))
def test_never_beyond_the_limit_but_for_what_is_in_use(limit_bps: int, audio_bps: int, demands: list[Demand]) -> None:
    plan = allocate(limit_bps, audio_bps, demands)
    chosen = [
        demand.layers[index].bitrate_bps
        for demand, index in zip(demands, plan.layers, strict=True)
        if index is not None
    ]
    assert not chosen or audio_bps + sum(chosen) / RAISE <= limit_bps + 1


@given(st.integers(0, 5_000_000), st.lists(wishes, max_size=5))
def test_what_was_planned_is_planned_again(limit_bps: int, demands: list[Demand]) -> None:
    """Steady input, steady output: after one more round nothing moves."""
    for _ in range(6):
        plan = allocate(limit_bps, 0, demands)
        demands = [Demand(d.layers, d.shown_height, index) for d, index in zip(demands, plan.layers, strict=True)]
    assert allocate(limit_bps, 0, demands).layers == plan.layers if demands else plan.layers == ()
