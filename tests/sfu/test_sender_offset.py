"""A sender's clock against ours: found quickly, then followed slowly, whatever the way does."""

from itertools import pairwise

import pytest

from server.rtp import rtcp
from server.sfu.reports import CLOCK_STEP_S, SETTLING_S, SLEW, CaptureClock, SenderOffset

AHEAD_S = 1_000.0
"""Our clock before the sender's."""


def told(offset: SenderOffset, at: float, late_s: float, ahead_s: float = AHEAD_S) -> float:
    """A report that was ``late_s`` on its way, received at ``at``; returns the offset as seen then."""
    ntp = rtcp.ntp_from_unix(at - late_s - ahead_s)
    offset.on_report(CaptureClock(ntp, 0, 48_000, at))
    sender_s = offset.sender_time(at)
    assert sender_s is not None
    return at - sender_s - AHEAD_S


def test_before_the_first_report_nothing_is_known() -> None:
    assert SenderOffset().sender_time(5.0) is None


def test_at_first_the_shortest_way_is_taken_at_once() -> None:
    offset = SenderOffset()
    assert told(offset, 5_000.0, 0.4) == pytest.approx(0.4, abs=1e-6)
    assert told(offset, 5_001.0, 0.05) == pytest.approx(0.05, abs=1e-6)
    assert told(offset, 5_000.0 + SETTLING_S, 0.3) == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize("late_s", [0.6, 0.0])
def test_a_way_that_changes_is_followed_slowly(late_s: float) -> None:
    offset = SenderOffset()
    for second in range(30):
        told(offset, 5_000.0 + second, 0.2)
    seen = [0.2, *(told(offset, 5_000.0 + second, late_s) for second in range(30, 100))]
    assert max(abs(after - before) for before, after in pairwise(seen)) <= SLEW * 1.01
    assert abs(seen[-1] - late_s) < abs(seen[0] - late_s)


def test_a_clock_that_drifts_is_kept_up_with() -> None:
    offset, drift = SenderOffset(), 100e-6
    for second in range(600):
        error = told(offset, 5_000.0 + second, 0.05, AHEAD_S + drift * second)
    assert error == pytest.approx(0.05 + drift * 599, abs=0.005)


def test_a_clock_that_was_set_is_believed_at_once() -> None:
    offset = SenderOffset()
    for second in range(20):
        told(offset, 5_000.0 + second, 0.05)
    assert told(offset, 5_020.0, 0.05, AHEAD_S - 2 * CLOCK_STEP_S) == pytest.approx(0.05 - 2 * CLOCK_STEP_S, abs=1e-6)
