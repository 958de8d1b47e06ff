"""What a viewer can take: estimates, trials and probes, losses. scenarios/test_downlink.py closes the loop."""

import pytest

from server.sfu.budget import (
    CONGESTION_MEMORY_S,
    FIRST_TRIAL_S,
    LAST_PROBE_S,
    LAST_TRIAL_S,
    MIN_LIMIT_BPS,
    PROBE_DELAY_S,
    PROVE_S,
    RAMP_S,
    ViewerBudget,
)


def congested() -> ViewerBudget:
    """At 100 kbit/s, congested at 0."""
    budget = ViewerBudget()
    budget.on_estimate(100_000, 250_000, 0.0)
    return budget


def test_what_goes_on_without_congestion_has_its_room() -> None:
    budget = ViewerBudget()
    assert budget.limit(300_000, 0.0) is None
    budget.on_estimate(100_000, 120_000, 0.0)
    assert budget.limit(300_000, 1.0) == 300_000
    assert budget.limit(50_000, 1.0) == 100_000
    budget.on_estimate(90_000, 300_000, 2.0)
    assert budget.limit(300_000, 2.0) == 90_000
    assert budget.limit(300_000, 2.0 + PROVE_S) == 300_000


def test_a_trial_of_what_is_not_sent_gives_way_to_another() -> None:
    budget = congested()
    assert budget.held_back(300_000, 900_000, FIRST_TRIAL_S, can_probe=False)
    assert not budget.held_back(400_000, 900_000, FIRST_TRIAL_S + 2 * PROVE_S, can_probe=False)
    assert budget.held_back(400_000, 900_000, FIRST_TRIAL_S + 2 * PROVE_S + 0.1, can_probe=False)
    assert budget.limit_bps == 400_000


def test_a_viewer_who_says_nothing_has_no_limit() -> None:
    budget = ViewerBudget()
    assert budget.limit_bps is None
    assert budget.on_estimate(500_000, 0, 0.0)
    assert budget.limit_bps == 500_000


def test_small_changes_are_no_reason_to_plan_anew() -> None:
    budget = ViewerBudget()
    assert budget.on_estimate(500_000, 0, 0.0)
    assert not budget.on_estimate(510_000, 0, 1.0)
    assert budget.on_estimate(530_000, 0, 2.0)
    assert budget.on_estimate(400_000, 0, 3.0)


def test_an_estimate_of_an_idle_line_holds_nothing_back() -> None:
    """It joined while only sound was sent, so its estimate is small: the first picture is not put off, nor taken away
    while the estimate creeps after it.
    """
    budget = ViewerBudget()
    budget.on_estimate(70_000, 40_000, 0.0)
    assert budget.held_back(150_000, 1_500_000, 0.0, can_probe=True)
    assert not budget.is_probing
    for second in range(3):
        budget.on_estimate(int(75_000 * 1.08**second), 1_400_000, second + 1.0)
        assert budget.limit_bps == 1_500_000
    budget.on_estimate(100_000, 1_400_000, PROVE_S)
    assert budget.limit_bps == 1_500_000
    assert budget.held_back(150_000, 1_700_000, PROVE_S, can_probe=True), "the next one may begin"


@pytest.mark.parametrize(
    ("before", "estimate", "sending"),
    [(None, 100_000, 220_000), (200_000, 100_000, 50_000), (200_000, 300_000, 400_000)],
)
def test_congestion_holds_back(before: int | None, estimate: int, sending: int) -> None:
    """Too little from the start, a fall, or a leap up to less than what is sent."""
    budget = ViewerBudget()
    if before is not None:
        budget.on_estimate(before, 0, 0.0)
    budget.on_estimate(estimate, sending, 0.0)
    assert not budget.held_back(500_000, 900_000, FIRST_TRIAL_S - 0.1, can_probe=False)
    assert budget.held_back(500_000, 900_000, FIRST_TRIAL_S, can_probe=False)
    assert budget.limit_bps == 500_000


def test_congestion_is_forgotten_after_a_minute() -> None:
    budget = congested()
    assert budget.held_back(300_000, 900_000, CONGESTION_MEMORY_S, can_probe=True)
    assert budget.limit_bps == 900_000


def test_a_trial_that_goes_well_is_followed_by_the_next_step() -> None:
    budget = congested()
    now = FIRST_TRIAL_S
    assert budget.held_back(300_000, 900_000, now, can_probe=False)
    budget.on_estimate(110_000, 110_000, now + 1)
    assert budget.limit_bps == 300_000
    budget.on_estimate(310_000, 290_000, now + 2)
    assert budget.limit_bps == 310_000
    assert budget.held_back(600_000, 900_000, now + 2, can_probe=False)
    assert budget.limit_bps == 600_000


def test_a_probe_rises_slowly_and_proves_by_standing() -> None:
    budget = congested()
    now = FIRST_TRIAL_S
    assert not budget.held_back(300_000, 900_000, now, can_probe=True)
    assert budget.is_probing
    assert budget.limit_bps == 100_000, "nobody sees it"
    assert budget.probe_bps(100_000, now) == 100_000
    assert budget.probe_bps(100_000, now + RAMP_S / 2) == 200_000
    assert budget.probe_bps(100_000, now + 2 * RAMP_S) == 300_000
    assert budget.probe_bps(400_000, now + 2 * RAMP_S) == 400_000
    assert not budget.prove(300_000, now + PROVE_S - 0.1)
    assert not budget.prove(200_000, now + PROVE_S), "so much was never sent"
    assert budget.prove(300_000, now + PROVE_S)
    assert (budget.is_probing, budget.limit_bps) == (False, 300_000)
    assert not budget.prove(300_000, now + PROVE_S)
    budget.on_estimate(105_000, 280_000, now + 5)
    assert budget.limit_bps == 300_000
    budget.on_estimate(90_000, 280_000, now + 6)
    assert budget.limit_bps == 90_000, "congestion: what was proven is no more"


def test_a_probe_that_cannot_go_on_taught_nothing_and_a_trial_is_not_stopped_so() -> None:
    budget = congested()
    budget.held_back(300_000, 900_000, FIRST_TRIAL_S, can_probe=True)
    budget.stop_probe()
    assert not budget.is_probing
    assert budget.held_back(300_000, 900_000, FIRST_TRIAL_S, can_probe=False)
    budget.stop_probe()
    assert budget.limit_bps == 300_000


def test_a_queue_or_loss_ends_a_probe_and_nothing_else() -> None:
    for is_long, lost, ends in ((False, 0.03, False), (True, 0.0, True), (False, 0.09, True)):
        budget = congested()
        budget.on_rtt(0.05, 1.0)
        budget.held_back(300_000, 900_000, FIRST_TRIAL_S, can_probe=True)
        budget.on_rtt(0.06 + is_long * PROBE_DELAY_S, 5.0)
        assert not budget.on_loss(lost, 100_000, 5.0)
        assert budget.is_probing is not ends
        assert budget.held_back(300_000, 900_000, 5.0 + FIRST_TRIAL_S, can_probe=False) is False


@pytest.mark.parametrize(
    ("can_probe", "expected"),
    [
        (True, [FIRST_TRIAL_S, 8.0, LAST_PROBE_S, LAST_PROBE_S, LAST_PROBE_S, LAST_PROBE_S]),
        (False, [FIRST_TRIAL_S, 8.0, 16.0, 32.0, LAST_TRIAL_S, LAST_TRIAL_S]),
    ],
)
def test_trials_that_fail_come_ever_more_seldom(can_probe: bool, expected: list[float]) -> None:
    budget = congested()
    now, waits = 0.0, list[float]()
    for _ in range(6):
        started = now
        while not budget.held_back(300_000, 900_000, now, can_probe=can_probe) and not budget.is_probing:
            now += 0.5
        waits.append(now - started)
        budget.on_estimate(90_000, 0, now)
        assert budget.limit_bps == 90_000
        budget.on_estimate(100_000, 0, now)
    assert waits == expected


def test_heavy_loss_limits_until_it_is_gone() -> None:
    budget = ViewerBudget()
    budget.on_estimate(1_000_000, 900_000, 0.0)
    assert not budget.on_loss(0.0, 900_000, 10.0)
    assert not budget.on_loss(0.3, 900_000, 11.0) or budget.limit_bps == 765_000
    assert budget.on_loss(0.3, 900_000, 14.0) or budget.limit_bps == 765_000
    assert budget.limit_bps == 765_000
    assert not budget.on_loss(0.3, 765_000, 15.0), "reported too soon after to be an answer"
    for second in range(4):
        assert not budget.on_loss(0.0, 700_000, 20.0 + second)
    assert budget.limit_bps == 1_000_000


def test_what_a_line_always_loses_is_no_congestion() -> None:
    budget = ViewerBudget()
    budget.on_estimate(1_000_000, 900_000, 0.0)
    cuts = [budget.on_loss(0.2, 900_000, 3.0 * report) for report in range(40)]
    assert sum(cuts) <= 4
    assert not any(cuts[8:])
    assert budget.limit_bps == 1_000_000


def test_loss_without_any_estimate() -> None:
    budget = ViewerBudget()
    assert budget.on_loss(0.9, 40_000, 0.0)
    assert budget.limit_bps == MIN_LIMIT_BPS
    for report in range(6):
        budget.on_loss(0.0, 40_000, 20.0 + report)
    assert budget.limit_bps is None


def test_loss_ends_a_trial() -> None:
    budget = congested()
    assert budget.held_back(300_000, 900_000, FIRST_TRIAL_S, can_probe=False)
    assert not budget.on_loss(0.05, 280_000, 5.0)
    budget.on_loss(0.3, 280_000, 6.0)
    budget.on_loss(0.3, 280_000, 7.0)
    assert budget.limit_bps is not None
    assert budget.limit_bps <= 100_000
