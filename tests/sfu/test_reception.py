"""RFC 3550 receive statistics: at every wrap point, and against a plain list of what was sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.sfu.reception import MAX_DROPOUT, MAX_MISORDER, REFUSED_DUPLICATE, REFUSED_JUMP, RESTARTED, Reception

STARTS = [0, 1, 2, 32_766, 32_767, 32_768, 65_533, 65_534, 65_535]


def receive(reception: Reception, sequence: int, timestamp: int = 0, now: float = 0.0) -> int:
    return reception.accept(sequence & 0xFFFF, timestamp, now, recovered=False)


@pytest.mark.parametrize("start", STARTS)
def test_counts_on_across_the_wrap(start: int) -> None:
    reception = Reception(start, 90_000)
    numbers = [receive(reception, start + step) for step in range(70_000)]
    assert numbers == list(range(numbers[0], numbers[0] + 70_000))
    assert (reception.expected, reception.lost) == (70_000, 0)
    assert reception.extended_highest == start + 69_999


@pytest.mark.parametrize("start", STARTS)
def test_late_once_lost_and_duplicate(start: int) -> None:
    reception = Reception(start, 90_000)
    first = receive(reception, start)
    assert receive(reception, start + 3) == first + 3
    assert reception.lost == 2
    assert receive(reception, start + 1) == first + 1
    assert receive(reception, start + 1) == REFUSED_DUPLICATE
    assert receive(reception, start + 3) == REFUSED_DUPLICATE
    assert reception.lost == 1
    assert receive(reception, start + 4) == first + 4


@pytest.mark.parametrize("start", STARTS)
def test_what_was_sent_before_the_first_is_refused(start: int) -> None:
    reception = Reception(start, 90_000)
    receive(reception, start)
    assert receive(reception, start - 1) == REFUSED_DUPLICATE


@pytest.mark.parametrize("jump", [MAX_DROPOUT + 1, 0x8000, 0x10000 - MAX_MISORDER - 1])
def test_a_jump_counts_when_a_second_packet_confirms_it(jump: int) -> None:
    reception = Reception(100, 90_000)
    receive(reception, 100)
    assert receive(reception, 100 + jump) == REFUSED_JUMP
    assert receive(reception, 100 + jump + 1) == RESTARTED
    assert reception.expected == 1


def test_a_stray_packet_is_no_jump() -> None:
    reception = Reception(100, 90_000)
    receive(reception, 100)
    assert receive(reception, 30_000) == REFUSED_JUMP
    assert receive(reception, 102) > 0
    assert receive(reception, 30_001) == REFUSED_JUMP


def test_the_edge_of_what_is_no_jump() -> None:
    reception = Reception(0, 90_000)
    receive(reception, 0)
    assert receive(reception, MAX_DROPOUT) > 0
    assert receive(reception, MAX_DROPOUT - MAX_MISORDER) == REFUSED_DUPLICATE


def test_recovered_packets_do_not_mend_the_reported_loss() -> None:
    reception = Reception(0, 90_000)
    receive(reception, 0)
    receive(reception, 2)
    assert reception.accept(1, 0, 0.0, recovered=True) > 0
    assert (reception.expected, reception.lost) == (3, 1)


@pytest.mark.parametrize("start", STARTS)
def test_a_recovered_packet_fills_a_known_gap_or_nothing(start: int) -> None:
    reception = Reception(start, 90_000)
    first = receive(reception, start)
    receive(reception, start + 3)
    answers = {
        step: reception.accept(start + step & 0xFFFF, 0, 0.0, recovered=True)
        for step in (-1, 0, 1, 2, 3, 4, 400, 20_000)
    }
    assert {step: answer for step, answer in answers.items() if answer != REFUSED_DUPLICATE} == {
        1: first + 1,
        2: first + 2,
    }
    assert reception.highest == first + 3


def test_fraction_lost_since_the_last_report() -> None:
    reception = Reception(0, 90_000)
    assert reception.take_fraction_lost() == 0
    for sequence in (0, 1, 2, 7):
        receive(reception, sequence)
    assert reception.take_fraction_lost() == 128
    receive(reception, 8)
    assert reception.take_fraction_lost() == 0
    receive(reception, 3)
    receive(reception, 9)
    assert reception.take_fraction_lost() == 0, "a late one more than expected is not negative loss"
    reception.highest += 1_000
    assert reception.take_fraction_lost() == 255


@given(st.lists(st.integers(0, 400), min_size=1, max_size=100))
def test_jitter_by_the_formula_of_rfc_3550(delays: list[int]) -> None:
    """``delays`` are transit times in timestamp units of 1/8000 s (RFC 3550 6.4.1 and A.8)."""
    reception, jitter = Reception(0, 8_000), 0.0
    for sequence, delay in enumerate(delays):
        receive(reception, sequence, sequence * 160, (sequence * 160 + delay) / 8_000)
        if sequence:
            jitter += (abs(delay - delays[sequence - 1]) - jitter) / 16
    assert reception.jitter == pytest.approx(jitter, abs=1.01)


def test_packets_of_one_picture_make_no_jitter() -> None:
    reception = Reception(0, 90_000)
    for sequence in range(30):
        receive(reception, sequence, sequence // 3 * 3_000, sequence // 3 / 30 + sequence % 3 * 0.005)
    assert reception.jitter == 0


def test_jitter_survives_the_timestamp_wrap() -> None:
    reception = Reception(0, 90_000)
    for sequence in range(20):
        receive(reception, sequence, (0xFFFFFFFF - 30_000 + 3_000 * sequence) & 0xFFFFFFFF, sequence / 30)
    assert reception.jitter == 0


@given(st.integers(0, 0xFFFF), st.lists(st.integers(-40, 40), max_size=200))
def test_every_number_at_most_once_and_always_the_right_one(start: int, steps: list[int]) -> None:
    reception, seen, sent = Reception(start, 90_000), set[int](), 0
    receive(reception, start)
    for step in steps:
        sent = max(1, sent + step)
        number = receive(reception, start + sent)
        if number >= 0:
            assert number == start + 0x10000 + sent
            assert number not in seen
            seen.add(number)
    assert reception.received == len(seen) + 1
