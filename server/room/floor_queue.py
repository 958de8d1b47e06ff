"""The queue for the floor, as plain tuples: sorted by priority (RFC 8855 5.2.4: 4 highest), then by arrival.

The chair may move a request to any place. A request that is moved past others of another priority takes the
nearest priority that fits there, so the queue stays sorted by priority whatever is done to it.
"""

from typing import Final

import msgspec

from server.errors import NotFound
from server.room.views import RequestView

Queue = tuple[RequestView, ...]

NORMAL_PRIORITY: Final = 2
HIGHEST_PRIORITY: Final = 4
LOWEST_PRIORITY: Final = 0


def add(queue: Queue, seat_id: str, subject: str, now: float) -> Queue:
    """At the end of the normal ones; a repeat changes the subject and keeps the place."""
    if any(request.seat_id == seat_id for request in queue):
        return tuple(
            msgspec.structs.replace(request, subject=subject) if request.seat_id == seat_id else request
            for request in queue
        )
    return _insert(queue, RequestView(seat_id, subject, NORMAL_PRIORITY, now))


def remove(queue: Queue, seat_id: str) -> Queue:
    return tuple(request for request in queue if request.seat_id != seat_id)


def set_priority(queue: Queue, seat_id: str, priority: int) -> Queue:
    """Into the place that its arrival gives it among equals. Raises NotFound("no_request")."""
    request = find(queue, seat_id)
    if request.priority == priority:
        return queue
    return _insert(remove(queue, seat_id), msgspec.structs.replace(request, priority=priority))


def move(queue: Queue, seat_id: str, position: int) -> Queue:
    """To ``position`` (0 is next; beyond the end: last). Raises NotFound("no_request")."""
    request = find(queue, seat_id)
    others = remove(queue, seat_id)
    ahead, behind = others[:position], others[position:]
    most = ahead[-1].priority if ahead else HIGHEST_PRIORITY
    least = behind[0].priority if behind else LOWEST_PRIORITY
    priority = max(least, min(most, request.priority))
    return (*ahead, msgspec.structs.replace(request, priority=priority), *behind)


def find(queue: Queue, seat_id: str) -> RequestView:
    """Raises NotFound("no_request")."""
    for request in queue:
        if request.seat_id == seat_id:
            return request
    raise NotFound("no_request", "This endpoint has not asked for the floor.")


def _insert(queue: Queue, request: RequestView) -> Queue:
    at = 0
    for place, other in enumerate(queue, 1):
        is_ahead = other.priority == request.priority and other.requested_at <= request.requested_at
        if other.priority > request.priority or is_ahead:
            at = place
    return (*queue[:at], request, *queue[at:])
