"""Packets in order again: at every wrap, with loss, late ones, and numberings that begin anew."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.recording.reorder import MAX_WAITING, Arrival, Ordered, Reorder
from server.rtp.packet import parse
from tests.recording.sources import OPUS, rtp


def arrival(sequence: int, at: float = 0.0, index: int = 0) -> Arrival:
    packet = parse(rtp(OPUS, 1, sequence, 0, b"x", False))
    assert packet is not None
    return Arrival(packet, at, index)


def sequences(ordered: list[Ordered]) -> list[int]:
    return [entry.arrival.packet.sequence for entry in ordered]


@pytest.mark.parametrize("start", [0, 1, 65_530, 65_535, 32_767])
def test_any_order_within_the_wait_comes_out_in_order(start: int) -> None:
    dice = random.Random(start)  # noqa: S311  the same order every time
    reorder = Reorder(0.3, start)
    numbers = list(range(start, start + 40))
    dice.shuffle(numbers)
    out: list[Ordered] = []
    for number in numbers:
        reorder.push(arrival(number & 0xFFFF))
        out += reorder.take(0.1)
    assert sequences(out) == [number & 0xFFFF for number in range(start, start + 40)]
    assert reorder.lost == 0
    assert not any(entry.missing for entry in out)


def test_a_missing_packet_is_waited_for_and_then_lost() -> None:
    reorder = Reorder(0.3)
    for sequence, at in ((10, 0.0), (12, 0.02), (13, 0.04)):
        reorder.push(arrival(sequence, at, index=sequence))
    assert sequences(list(reorder.take(0.1))) == [10]
    assert reorder.oldest_index() == 12
    assert list(reorder.take(0.31)) == []
    out = list(reorder.take(0.33))
    assert [(entry.arrival.packet.sequence, entry.missing) for entry in out] == [(12, 1), (13, 0)]
    assert reorder.lost == 1
    reorder.push(arrival(11))
    assert list(reorder.take(9.0)) == []
    assert reorder.late == 1
    assert reorder.oldest_index() is None


def test_too_many_that_wait_end_the_waiting() -> None:
    reorder = Reorder(1e9, 0)
    for start in range(1, MAX_WAITING + 2, 1_000):
        for sequence in range(start, min(start + 1_000, MAX_WAITING + 2)):
            reorder.push(arrival(sequence))
            if sequence < 2_900:
                continue
        if start > 2_000:
            break
    assert list(reorder.take(0.0)) == []
    assert reorder.oldest_index() == 0


def test_another_numbering_is_believed_at_its_third_packet() -> None:
    reorder = Reorder(0.3)
    reorder.push(arrival(100))
    assert len(list(reorder.take(0))) == 1
    reorder.push(arrival(40_000))
    assert list(reorder.take(0)) == []
    reorder.push(arrival(101))
    assert len(list(reorder.take(0))) == 1
    for sequence in (40_001, 40_002, 40_003):
        reorder.push(arrival(sequence))
    out = list(reorder.take(0))
    assert [(entry.arrival.packet.sequence, entry.restarted, entry.missing) for entry in out] == [(40_003, True, 0)]
    reorder.push(arrival(40_004))
    assert [entry.restarted for entry in reorder.take(0)] == [False]


def test_what_was_left_out_on_purpose_is_not_lost() -> None:
    reorder = Reorder(0.3)
    reorder.push(arrival(1))
    list(reorder.take(0))
    reorder.forget()
    reorder.push(arrival(500))
    assert [(entry.missing, entry.restarted) for entry in reorder.take(0)] == [(0, True)]
    assert reorder.lost == 0


@given(st.lists(st.integers(0, 0xFFFF), max_size=60))
def test_nothing_comes_out_twice_or_backwards(numbers: list[int]) -> None:
    reorder = Reorder(0.0)
    out: list[Ordered] = []
    for number in numbers:
        reorder.push(arrival(number))
        out += reorder.take(0.0)
    indices = [id(entry.arrival) for entry in out]
    assert len(indices) == len(set(indices))
    assert all(entry.missing >= 0 for entry in out)
