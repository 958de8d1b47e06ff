"""Gaps: when to ask, how often, and when to give up."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.sfu.nack import MAX_GAPS, MAX_TRIES, MIN_RETRY_S, REORDER_TOLERANCE_S, Gaps


def asking() -> Gaps:
    gaps = Gaps()
    gaps.asking = True
    return gaps


def test_asks_after_the_reorder_tolerance_and_again_each_round_trip() -> None:
    gaps = asking()
    gaps.open(10, 12, 1.0)
    assert gaps.next_at == 1.0 + REORDER_TOLERANCE_S
    assert gaps.take_due(1.0, 0.1) == []
    assert gaps.take_due(1.01, 0.1) == [10, 11]
    assert gaps.next_at == pytest.approx(1.01 + 0.11)
    assert gaps.take_due(1.1, 0.1) == []
    assert gaps.take_due(1.2, 0.1) == [10, 11]


def test_never_more_often_than_the_floor() -> None:
    gaps = asking()
    gaps.open(10, 11, 1.0)
    gaps.take_due(1.01, 0.001)
    assert gaps.next_at == pytest.approx(1.01 + MIN_RETRY_S)


def test_what_came_is_not_asked_for() -> None:
    gaps = asking()
    gaps.open(10, 12, 1.0)
    assert gaps.fill(10)
    assert not gaps.fill(10)
    assert not gaps.fill(9)
    assert gaps.take_due(2.0, 0.1) == [11]


def test_gives_up_and_still_knows_the_gap() -> None:
    gaps = asking()
    gaps.open(10, 11, 0.0)
    now = 0.0
    tries = 0
    while gaps.next_at < inf:
        now = gaps.next_at
        tries += len(gaps.take_due(now, 0.1))
    assert tries == MAX_TRIES
    assert gaps.take_given_up()
    assert not gaps.take_given_up()
    assert gaps.fill(10), "a very late packet is no duplicate"


def test_nobody_asks_while_nobody_takes_the_stream() -> None:
    gaps = Gaps()
    gaps.open(10, 12, 1.0)
    assert gaps.next_at == inf
    assert gaps.take_due(9.0, 0.1) == []


def test_what_was_worth_asking_for_stays_so_until_the_gate_closes() -> None:
    gaps = asking()
    gaps.open(20, 22, 9.0)
    gaps.asking = False
    gaps.open(30, 31, 9.0)
    assert gaps.take_due(9.5, 0.1) == [20, 21]
    gaps.stop_asking()
    assert gaps.next_at == inf
    assert gaps.take_due(99.0, 0.1) == []
    assert gaps.fill(20)


def test_nothing_is_given_up_when_nobody_takes_the_stream_any_more() -> None:
    gaps = asking()
    gaps.open(20, 21, 9.0)
    gaps.asking = False
    while gaps.next_at < inf:
        gaps.take_due(gaps.next_at, 0.1)
    assert not gaps.take_given_up()


def test_a_hole_too_large_is_mended_by_a_key_frame() -> None:
    gaps = asking()
    gaps.open(0, MAX_GAPS + 100, 1.0)
    assert len(gaps) == MAX_GAPS
    assert gaps.take_given_up()
    assert not gaps.fill(99)
    assert gaps.fill(100)


def test_a_hole_too_large_matters_to_nobody_when_nobody_asks() -> None:
    gaps = Gaps()
    gaps.open(0, MAX_GAPS + 100, 1.0)
    assert not gaps.take_given_up()


def test_old_gaps_make_room() -> None:
    gaps = asking()
    gaps.open(0, 1, 1.0)
    gaps.open(10, 10 + MAX_GAPS, 1.0)
    assert len(gaps) == MAX_GAPS
    assert not gaps.fill(0)
    assert gaps.take_given_up()


@given(st.lists(st.tuples(st.integers(0, 400), st.booleans(), st.floats(0.0, 1.0)), max_size=60))
def test_always_bounded_and_never_a_number_twice_in_one_round(
    steps: list[tuple[int, bool, float]],
) -> None:
    gaps, number, now = Gaps(), 0, 0.0
    for width, is_asking, wait in steps:
        gaps.asking = is_asking
        gaps.open(number, number + width, now)
        number += width + 1
        now += wait
        due = gaps.take_due(now, 0.05)
        assert due == sorted(set(due))
        assert len(gaps) <= MAX_GAPS
        assert gaps.next_at > now
