"""Key frame requests: coalesced, repeated, ended."""

from itertools import pairwise
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from server.sfu.keyframes import MAX_REPEATS, REQUEST_INTERVAL_S, KeyframeRequests


def test_the_first_goes_at_once_and_the_rest_wait() -> None:
    requests = KeyframeRequests()
    requests.want(10.0)
    assert requests.take_due(10.0, False)
    requests.want(10.1)
    assert not requests.take_due(10.1, False)
    assert requests.due_at == 10.0 + REQUEST_INTERVAL_S
    assert requests.take_due(10.5, False)


def test_repeats_are_limited_unless_somebody_waits() -> None:
    requests, now, sent = KeyframeRequests(), 10.0, 0
    requests.want(now)
    while requests.due_at < inf:
        now = requests.due_at
        sent += requests.take_due(now, somebody_waits=False)
    assert sent == MAX_REPEATS
    requests.want(now)
    for _ in range(50):
        now = requests.due_at
        assert requests.take_due(now, somebody_waits=True)


def test_a_key_frame_or_a_closed_gate_ends_it() -> None:
    for end in (KeyframeRequests.arrived, KeyframeRequests.drop):
        requests = KeyframeRequests()
        requests.want(10.0)
        requests.take_due(10.0, True)
        end(requests)
        assert requests.due_at == inf
        assert not requests.take_due(99.0, True)
        requests.want(10.2)
        assert requests.due_at == 10.5, "the interval still holds"


@given(st.lists(st.floats(0.0, 0.3), max_size=200))
def test_never_two_within_an_interval(waits: list[float]) -> None:
    requests, now, sent = KeyframeRequests(), 0.0, list[float]()
    for wait in waits:
        now += wait
        requests.want(now)
        if requests.take_due(now, False):
            sent.append(now)
        if len(sent) % 3 == 2:
            requests.arrived()
    assert all(after - before >= REQUEST_INTERVAL_S - 1e-9 for before, after in pairwise(sent))
