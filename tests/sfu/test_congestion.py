"""Delay trends and what rate follows from them, in the small; the loop is closed in test_bandwidth.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.sfu.congestion import (
    DECREASE,
    FULL_MS,
    HEADROOM,
    LEAST_DELAY_S,
    STANDING_MS,
    ArrivalRate,
    DelayTrend,
    RateControl,
    Usage,
)


class Way:
    """A burst every 20 ms over a way whose delay is set."""

    def __init__(self) -> None:
        self.trend = DelayTrend()
        self.sent_s = 100.0
        self.delay_ms = 30.0

    def go(self, bursts: int, step_ms: float = 0.0) -> set[Usage]:
        """Send bursts, the delay growing by ``step_ms`` each. Returns what was found on the way."""
        found = set()
        for _ in range(bursts):
            self.sent_s += 0.020
            self.delay_ms += step_ms
            self.trend.sample(self.sent_s, 5_000.0 + self.sent_s + self.delay_ms / 1000)
            found.add(self.trend.usage)
        return found


def test_a_steady_way_is_normal_whatever_the_clocks_say() -> None:
    way = Way()
    assert way.go(2_000) == {Usage.NORMAL}
    assert way.go(2_000, step_ms=0.001) == {Usage.NORMAL}, "a clock that is 50 ppm fast"
    assert way.trend.queue_ms < 5


def test_a_growing_queue_is_overuse_and_a_draining_one_underuse() -> None:
    way = Way()
    way.go(100)
    assert Usage.OVERUSED in way.go(40, step_ms=3.0)
    assert way.trend.queue_ms > 60
    assert Usage.UNDERUSED in way.go(40, step_ms=-3.0)
    assert way.go(100) >= {Usage.NORMAL}
    assert way.trend.usage is Usage.NORMAL


def test_a_queue_that_stands_holds_growth_and_a_full_one_is_congestion() -> None:
    way = Way()
    way.go(100)
    way.go(8, step_ms=(STANDING_MS + 30) / 8)
    way.go(40)
    assert way.go(100) == {Usage.UNDERUSED}
    way.go(10, step_ms=FULL_MS / 10)
    way.go(40)
    assert Usage.OVERUSED in way.go(60)


def test_a_longer_way_is_the_new_usual_after_a_while() -> None:
    way = Way()
    way.go(100)
    way.go(8, step_ms=12.0)
    assert way.go(int(2.2 * LEAST_DELAY_S / 0.020)) >= {Usage.UNDERUSED}
    assert way.trend.usage is Usage.NORMAL


def test_little_delay_is_noise() -> None:
    way = Way()
    way.go(600)
    assert way.go(5, step_ms=1.8) == {Usage.NORMAL}


def test_a_pause_starts_the_comparison_anew_and_what_was_overtaken_is_passed_over() -> None:
    way = Way()
    way.go(100)
    way.sent_s += 3.0
    way.delay_ms = 500.0
    assert way.go(100) == {Usage.NORMAL}
    before = way.trend.queue_ms
    way.trend.sample(way.sent_s - 0.1, 6_000.0 + way.sent_s)
    assert way.trend.queue_ms == before


def test_bursts_at_one_moment_give_no_slope() -> None:
    trend = DelayTrend()
    for index in range(60):
        trend.sample(100.0 + index * 1e-6, 200.0)
    assert trend.usage is Usage.NORMAL


def test_the_running_sums_stay_true_for_hours() -> None:
    """An hour of bursts, then the same congestion gives the same answer as at the start."""
    young, old = Way(), Way()
    young.go(600)
    old.go(180_000)
    for _ in range(40):
        young.go(1, step_ms=2.0)
        old.go(1, step_ms=2.0)
        assert old.trend.queue_ms == pytest.approx(young.trend.queue_ms, abs=0.01)
    assert old.trend.usage is young.trend.usage


@given(st.lists(st.tuples(st.floats(-1.0, 5.0), st.floats(-1.0, 5.0)), max_size=200))
def test_any_times_at_all(steps: list[tuple[float, float]]) -> None:
    trend, sent_s, arrived_s = DelayTrend(), 0.0, 0.0
    for sent, arrived in steps:
        sent_s += sent
        arrived_s += arrived
        trend.sample(sent_s, arrived_s)
        assert trend.queue_ms >= 0.0
        assert trend.usage in Usage


def test_the_rate_that_arrives() -> None:
    rate = ArrivalRate()
    assert rate.bps(0.0) is None
    for index in range(200):
        rate.add(125, 10.0 + index * 0.010)
    assert rate.bps(12.0) == pytest.approx(100_000, rel=0.06)
    assert rate.bps(13.0) == pytest.approx(36_000, rel=0.1), "silence counts"
    fresh = ArrivalRate()
    fresh.add(1_000, 1.0)
    fresh.add(1_000, 1.01)
    assert fresh.bps(1.05) is None


def grow(control: RateControl, seconds: int, now: float, arriving_bps: float | None) -> float:
    for step in range(10 * seconds):
        control.update(Usage.NORMAL, arriving_bps, now + (step + 1) / 10)
    return now + seconds


def test_growth_grows_with_calm_and_stays_near_what_arrives() -> None:
    control = RateControl(100_000, 0.0)
    control.update(Usage.OVERUSED, None, 0.0)
    assert control.bitrate_bps == 100_000, "nothing is known yet"
    now = grow(control, 2, 0.0, 1_000_000)
    early = control.bitrate_bps
    assert 110_000 < early < 125_000
    grow(control, 5, now, 1_000_000)
    assert control.bitrate_bps > 1.7 * early
    control = RateControl(100_000, 0.0)
    grow(control, 30, 0.0, 80_000)
    assert control.bitrate_bps == HEADROOM * 80_000 + 10_000


def test_a_limit_lowers_and_never_raises() -> None:
    control = RateControl(100_000, 0.0)
    control.limit(90_000, 1.0)
    assert control.bitrate_bps == 90_000
    control.limit(95_000, 1.0)
    assert control.bitrate_bps == 90_000


def test_congestion_takes_a_share_of_what_arrives_and_not_at_once_again() -> None:
    control = RateControl(1_000_000, 0.0)
    control.update(Usage.OVERUSED, 800_000, 1.0)
    assert control.bitrate_bps == DECREASE * 800_000
    control.update(Usage.OVERUSED, 600_000, 1.1)
    assert control.bitrate_bps == DECREASE * 800_000
    control.update(Usage.OVERUSED, 300_000, 1.15)
    assert control.bitrate_bps == DECREASE * 300_000, "far off: at once"
    control.update(Usage.UNDERUSED, 300_000, 1.5)
    assert control.bitrate_bps == DECREASE * 300_000


def test_growth_is_slow_near_where_congestion_was_met() -> None:
    control = RateControl(1_000_000, 0.0)
    for now in (1.0, 2.0, 3.0):
        control.update(Usage.OVERUSED, 1_000_000, now)
    now = grow(control, 2, 3.0, 950_000)
    assert 850_000 < control.bitrate_bps < 930_000
    grow(control, 2, now, 1_400_000)
    assert control.bitrate_bps > 930_000, "more arrives than that: it is not the limit any more"
    control.update(Usage.OVERUSED, 400_000, 8.0)
    assert control.bitrate_bps == DECREASE * 400_000
