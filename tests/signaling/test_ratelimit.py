from hypothesis import given
from hypothesis import strategies as st

from server.signaling.ratelimit import KeyedBuckets, TokenBucket


def test_burst_then_rate() -> None:
    bucket = TokenBucket(rate_per_s=8, burst=3, now=100.0)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(100.0625)
    assert bucket.take(100.125)
    assert not bucket.take(100.125)


def test_a_long_pause_fills_no_more_than_the_burst() -> None:
    bucket = TokenBucket(rate_per_s=10, burst=2, now=0.0)
    assert [bucket.take(1e6) for _ in range(3)] == [True, True, False]


def test_time_that_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(rate_per_s=1, burst=1, now=100.0)
    assert bucket.take(100.0)
    assert not bucket.take(50.0)
    assert not bucket.take(50.5)
    assert bucket.take(51.0)


@given(st.lists(st.floats(0, 10), max_size=200), st.floats(0.1, 100), st.integers(1, 50))
def test_never_more_than_burst_and_rate(pauses: list[float], rate: float, burst: int) -> None:
    bucket, now, taken = TokenBucket(rate, burst, 0.0), 0.0, 0
    for pause in pauses:
        now += pause
        taken += bucket.take(now)
        assert taken <= burst + rate * now + 1e-6


def test_keys_do_not_know_each_other() -> None:
    buckets = KeyedBuckets(rate_per_s=1, burst=1)
    assert buckets.take("a", 0.0)
    assert not buckets.take("a", 0.0)
    assert buckets.take("b", 0.0)


def test_the_key_unused_longest_is_forgotten() -> None:
    buckets = KeyedBuckets(rate_per_s=0.001, burst=1, max_keys=2)
    assert buckets.take("a", 0.0)
    assert buckets.take("b", 0.0)
    assert not buckets.take("a", 0.0)
    assert buckets.take("c", 0.0), "a third key pushes b out"
    assert not buckets.take("a", 0.0)
    assert buckets.take("b", 0.0), "b starts anew"
