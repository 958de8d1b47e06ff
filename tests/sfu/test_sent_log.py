"""The log of what a viewer was sent: numbers run on and wrap, old entries are gone."""

import pytest

from server.sfu.sent_log import SENT_LOG_PACKETS, SentLog


@pytest.mark.parametrize("start", [0, 1, 65_530, 0x1FFFE, 0xFFFFFFF0])
def test_numbers_run_on_and_are_found_again(start: int) -> None:
    log = SentLog()
    log.next_number[0] = start
    numbers = [log.take(100 + step, 10.0 + step) for step in range(12)]
    assert numbers == [start + step & 0xFFFF for step in range(12)]
    for step in range(12):
        found = log.find(numbers[step])
        if start + step <= 0xFFFFFFFF and start + 12 <= 0xFFFFFFFF:
            assert found == (start + step, 10.0 + step, 100 + step)
    assert log.find(numbers[-1] + 1 & 0xFFFF) is None


def test_what_was_never_sent_or_long_ago_is_not_known() -> None:
    log = SentLog()
    assert log.find(0) is None
    assert log.find(65_535) is None
    for step in range(SENT_LOG_PACKETS + 3):
        log.take(step, float(step))
    assert log.find(2) is None
    assert log.find(3) == (3, 3.0, 3)
