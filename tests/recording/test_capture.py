"""When something was captured: by sender reports, by arrivals before the first, across wraps and jumps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.recording.capture import CaptureClock, sender_reports
from tests.recording.sources import report, reported

AT = 1_700_000_000.0


def test_reports_are_read_from_compounds() -> None:
    (found,) = sender_reports(report(7, AT + 0.25, 0xFFFF_FFFF))
    assert (found.ssrc, found.timestamp) == (7, 0xFFFF_FFFF)
    assert found.at == pytest.approx(AT + 0.25, abs=1e-6)
    two = report(7, AT, 1) + report(8, AT, 2)
    assert [each.ssrc for each in sender_reports(two)] == [7, 8]
    assert sender_reports(two[:40]) == sender_reports(two)[:1]


@given(st.binary(max_size=80))
def test_noise_holds_no_report_or_a_strange_one(noise: bytes) -> None:
    assert isinstance(sender_reports(noise), list)


def test_the_quickest_packet_says_when() -> None:
    clock = CaptureClock(90_000)
    assert clock.captured_at(0) is None
    for number, late_s in enumerate((0.2, 0.05, 0.0, 0.4, 0.1)):
        clock.on_packet(number * 9_000, AT + number * 0.1 + late_s)
    assert clock.captured_at(0) == pytest.approx(AT)
    assert clock.captured_at(90_000) == pytest.approx(AT + 1)


def test_a_report_counts_for_more_but_not_if_it_is_absurd() -> None:
    clock = CaptureClock(48_000)
    clock.on_packet(0, AT + 0.08)
    clock.on_report(reported(1, AT + 500, 0))
    assert clock.captured_at(0) == AT + 0.08
    clock.on_report(reported(1, AT, 0))
    assert clock.has_report
    assert clock.captured_at(48_000) == pytest.approx(AT + 1)
    clock.restart()
    assert clock.captured_at(0) is None


@pytest.mark.parametrize("start", [0, 0xFFFF_FF00, 0x7FFF_FF00])
def test_hours_of_timestamps_wrap(start: int) -> None:
    clock = CaptureClock(90_000)
    for second in range(0, 60_000, 500):
        clock.on_packet(start + second * 90_000 & 0xFFFF_FFFF, AT + second)
        assert clock.captured_at(start + second * 90_000 & 0xFFFF_FFFF) == pytest.approx(AT + second)


def test_arrivals_are_forgotten_after_ten_seconds() -> None:
    """So that a clock that drifts is followed."""
    clock = CaptureClock(48_000)
    for second in range(3_600):
        clock.on_packet(round(second * 48_000 * 1.0001) & 0xFFFF_FFFF, AT + second)
    captured = clock.captured_at(round(3_599 * 48_000 * 1.0001) & 0xFFFF_FFFF)
    assert captured == pytest.approx(AT + 3_599, abs=0.002)
