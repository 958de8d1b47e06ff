"""The queue: sorted by priority then arrival, whatever is done to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import NotFound
from server.room import floor_queue
from server.room.floor_queue import Queue
from server.room.views import RequestView


def queue_of(*requests: tuple[str, int]) -> Queue:
    """Requests that came in the given order, one a second."""
    return tuple(RequestView(name, "", priority, float(at)) for at, (name, priority) in enumerate(requests))


def shown(queue: Queue) -> list[tuple[str, int]]:
    return [(request.seat_id, request.priority) for request in queue]


def test_the_first_comes_first_among_equals() -> None:
    queue: Queue = ()
    for at, name in enumerate("abc"):
        queue = floor_queue.add(queue, name, "", float(at))
    assert shown(queue) == [("a", 2), ("b", 2), ("c", 2)]


def test_a_newcomer_goes_behind_the_normal_and_before_the_low_ones() -> None:
    queue = queue_of(("a", 4), ("b", 2), ("c", 1))
    assert shown(floor_queue.add(queue, "d", "", 9.0)) == [("a", 4), ("b", 2), ("d", 2), ("c", 1)]


def test_asking_again_changes_the_subject_and_keeps_the_place() -> None:
    queue = queue_of(("a", 2), ("b", 2))
    queue = floor_queue.add(queue, "a", "Kinh phí", 9.0)
    assert [(request.seat_id, request.subject, request.requested_at) for request in queue] == [
        ("a", "Kinh phí", 0.0),
        ("b", "", 1.0),
    ]


@pytest.mark.parametrize(
    ("seat_id", "priority", "expected"),
    [
        ("c", 4, [("c", 4), ("a", 3), ("b", 2), ("d", 2)]),
        ("c", 3, [("a", 3), ("c", 3), ("b", 2), ("d", 2)]),
        ("a", 2, [("a", 2), ("b", 2), ("c", 2), ("d", 2)]),
        ("b", 0, [("a", 3), ("c", 2), ("d", 2), ("b", 0)]),
        ("b", 2, [("a", 3), ("b", 2), ("c", 2), ("d", 2)]),
    ],
)
def test_a_new_priority_finds_the_place_of_its_arrival(
    seat_id: str, priority: int, expected: list[tuple[str, int]]
) -> None:
    queue = queue_of(("a", 3), ("b", 2), ("c", 2), ("d", 2))
    assert shown(floor_queue.set_priority(queue, seat_id, priority)) == expected


@pytest.mark.parametrize(
    ("seat_id", "position", "expected"),
    [
        ("d", 0, [("d", 4), ("a", 4), ("b", 2), ("c", 2)]),
        ("d", 1, [("a", 4), ("d", 2), ("b", 2), ("c", 2)]),
        ("c", 1, [("a", 4), ("c", 2), ("b", 2), ("d", 1)]),
        ("a", 3, [("b", 2), ("c", 2), ("d", 1), ("a", 1)]),
        ("a", 1_000, [("b", 2), ("c", 2), ("d", 1), ("a", 1)]),
        ("a", 1, [("b", 2), ("a", 2), ("c", 2), ("d", 1)]),
        ("b", 1, [("a", 4), ("b", 2), ("c", 2), ("d", 1)]),
    ],
)
def test_a_moved_request_takes_the_nearest_priority_that_fits(
    seat_id: str, position: int, expected: list[tuple[str, int]]
) -> None:
    queue = queue_of(("a", 4), ("b", 2), ("c", 2), ("d", 1))
    assert shown(floor_queue.move(queue, seat_id, position)) == expected


def test_who_is_not_in_the_queue_is_not_found() -> None:
    for change in (floor_queue.move, floor_queue.set_priority):
        with pytest.raises(NotFound) as refusal:
            change((), "a", 4)
        assert refusal.value.code == "no_request"


STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "move", "priority"]), st.sampled_from("abcdefgh"), st.integers(0, 4))
)


@given(STEPS)
def test_it_stays_sorted_by_priority_and_loses_nobody(steps: list[tuple[str, str, int]]) -> None:
    queue: Queue = ()
    waiting: set[str] = set()
    for at, (step, name, number) in enumerate(steps):
        if step == "add":
            queue = floor_queue.add(queue, name, "", float(at))
            waiting.add(name)
        elif step == "remove":
            queue = floor_queue.remove(queue, name)
            waiting.discard(name)
        elif name in waiting and step == "move":
            queue = floor_queue.move(queue, name, number)
            assert queue[min(number, len(queue) - 1)].seat_id == name
        elif name in waiting:
            queue = floor_queue.set_priority(queue, name, number)
        priorities = [request.priority for request in queue]
        assert priorities == sorted(priorities, reverse=True)
        assert len(queue) == len(waiting)
        assert {request.seat_id for request in queue} == waiting


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 4))))
def test_without_moves_equals_are_in_the_order_of_arrival(steps: list[tuple[str, int]]) -> None:
    queue: Queue = ()
    for at, (name, priority) in enumerate(steps):
        queue = floor_queue.add(queue, name, "", float(at))
        queue = floor_queue.set_priority(queue, name, priority)
        assert list(queue) == sorted(queue, key=lambda request: (-request.priority, request.requested_at))
