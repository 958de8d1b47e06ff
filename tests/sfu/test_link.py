"""Rates and loss over the last seconds."""

from server.sfu.link import LinkMeter, Totals


def test_nothing_yet() -> None:
    meter = LinkMeter(10.0)
    assert (meter.up_bps, meter.down_bps, meter.up_loss_percent, meter.down_loss_percent) == (0, 0, 0.0, 0.0)


def test_over_the_last_five_seconds() -> None:
    meter = LinkMeter(0.0)
    for second in range(1, 21):
        meter.sample(Totals(float(second), second * 1_000, second * 2_000, second * 100, second, second * 50, 0))
    assert (meter.up_bps, meter.down_bps) == (8_000, 16_000)
    assert (meter.up_loss_percent, meter.down_loss_percent) == (1.0, 0.0)
    for second in range(21, 31):
        meter.sample(Totals(float(second), 20_000, 40_000, second * 100, 20 + 50 * (second - 20), 1_000, 0))
    assert (meter.up_bps, meter.up_loss_percent) == (0, 50.0)


def test_counts_that_start_anew_are_not_negative() -> None:
    meter = LinkMeter(0.0)
    meter.sample(Totals(1.0, 1_000, 1_000, 100, 50, 100, 50))
    meter.sample(Totals(20.0, 0, 0, 0, 0, 0, 0))
    meter.sample(Totals(21.0, 10, 10, 10, 0, 10, 30))
    assert meter.up_bps >= 0
    assert meter.up_loss_percent == 0.0
    assert 0.0 <= meter.down_loss_percent <= 100.0
