"""The packet cache: bounded by count and by age, empty after a gate closed."""

import pytest

from server.sfu.cache import MAX_AGE_S, PacketCache
from tests.sfu.hall import look
from tests.sfu.packets import rtp


def test_keeps_the_last_ones() -> None:
    cache = PacketCache(8)
    assert cache.get(1, 0.0) is None
    packets = {number: look(rtp(96, number, 0, 1, b"x")) for number in range(65_530, 65_550)}
    for number, packet in packets.items():
        cache.put(number, packet, 0.0)
    assert [number for number in packets if cache.get(number, 0.0)] == list(range(65_542, 65_550))
    assert cache.get(65_549, 0.0) is packets[65_549]


@pytest.mark.parametrize(("age_s", "there"), [(MAX_AGE_S, True), (MAX_AGE_S + 0.001, False)])
def test_too_old_is_gone(age_s: float, there: bool) -> None:
    cache = PacketCache(8)
    cache.put(3, look(rtp(96, 3, 0, 1, b"x")), 0.0)
    assert (cache.get(3, age_s) is not None) is there
    assert cache.get(4, 0.0) is None


def test_cleared_is_empty() -> None:
    cache = PacketCache(8)
    cache.put(3, look(rtp(96, 3, 0, 1, b"x")), 0.0)
    cache.clear()
    assert cache.get(3, 0.0) is None


def test_what_is_all_too_old_is_let_go() -> None:
    cache = PacketCache(8)
    cache.drop_old(0.0)
    cache.put(3, look(rtp(96, 3, 0, 1, b"x")), 0.0)
    cache.drop_old(MAX_AGE_S)
    assert cache._ring
    cache.drop_old(MAX_AGE_S + 0.001)
    assert not cache._ring
