"""The floor (RFC 8855), one conference-wide floor with a queue. The rules:

- Every seat is in one state. What may happen to it is in ``TRANSITIONS`` below, and nothing else may. Branches
  and seats that hold the floor by right (main endpoint, chair's desk) have a table each.
- ``holding`` is the only state in which a seat is heard; ``suspended`` holds the floor for a seat whose
  connection is lost, or that was called and is not here yet, until ``suspended_until``.
- *lecture*: one granted holder; a grant withdraws the one before. *discussion*, *open*: up to ``max_holders``.
  Holders by right do not count, and need no grant.
- A timed grant ends at ``ends_at``, whatever the connection does. A return within the lease moves no deadline.
- Changing the mode, or who chairs, gives nobody the floor. Where it leaves too many holders, the newest stay.
- After "mute all" nothing is granted but by the chair; that also holds in *open*.
- The queue is sorted by priority, then by arrival (``floor_queue``). Only the holder of a place leaves it:
  by being granted, denied, by cancelling, or by being gone.

RFC 8855 4.1's request states here: Pending/Accepted is ``queued``; Granted is ``holding`` or ``suspended``;
Cancelled, Denied, Released and Revoked are the events ``cancel``, ``deny``, ``release`` and ``revoke`` (with
``expire`` and ``gone``), after which there is no request any more. The picture of it is in docs/floor.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import msgspec

from server.errors import Conflict, DiemcauError, NotFound
from server.room import floor_queue
from server.room.commands import FloorMode
from server.room.floor_queue import Queue
from server.room.views import FloorView, HolderView


class FloorState(StrEnum):
    """IDLE, AWAY and MUTED: no floor, no request. AWAY would hold by right if it were here; MUTED would not."""

    IDLE = "idle"
    AWAY = "away"
    MUTED = "muted"
    QUEUED = "queued"
    HOLDING = "holding"
    SUSPENDED = "suspended"


class FloorEvent(StrEnum):
    """Asked by people, as far as ``unmute``; told by the room, the rest.

    GRANT gives the floor to a seat that is here, CALL to one that is not. UNMUTE is followed at once by what the
    seat's presence says: ``return`` or ``drop``.
    """

    REQUEST = "request"
    CANCEL = "cancel"
    DENY = "deny"
    GRANT = "grant"
    CALL = "call"
    EXTEND = "extend"
    RELEASE = "release"
    REVOKE = "revoke"
    UNMUTE = "unmute"
    EXPIRE = "expire"
    DROP = "drop"
    RETURN = "return"
    GONE = "gone"


_S, _E = FloorState, FloorEvent
Transitions = Mapping[FloorState, Mapping[FloorEvent, FloorState]]

BRANCH: Final[Transitions] = {
    _S.IDLE: {_E.REQUEST: _S.QUEUED, _E.GRANT: _S.HOLDING, _E.CALL: _S.SUSPENDED},
    _S.QUEUED: {
        _E.REQUEST: _S.QUEUED,
        _E.CANCEL: _S.IDLE,
        _E.DENY: _S.IDLE,
        _E.GRANT: _S.HOLDING,
        _E.CALL: _S.SUSPENDED,
        _E.GONE: _S.IDLE,
    },
    _S.HOLDING: {
        _E.GRANT: _S.HOLDING,
        _E.EXTEND: _S.HOLDING,
        _E.DROP: _S.SUSPENDED,
        _E.RELEASE: _S.IDLE,
        _E.REVOKE: _S.IDLE,
        _E.EXPIRE: _S.IDLE,
        _E.GONE: _S.IDLE,
    },
    _S.SUSPENDED: {
        _E.CALL: _S.SUSPENDED,
        _E.EXTEND: _S.SUSPENDED,
        _E.DROP: _S.SUSPENDED,
        _E.RETURN: _S.HOLDING,
        _E.RELEASE: _S.IDLE,
        _E.REVOKE: _S.IDLE,
        _E.EXPIRE: _S.IDLE,
        _E.GONE: _S.IDLE,
    },
}

BY_RIGHT: Final[Transitions] = {
    _S.AWAY: {_E.RETURN: _S.HOLDING, _E.DROP: _S.SUSPENDED, _E.REVOKE: _S.MUTED},
    _S.HOLDING: {_E.DROP: _S.SUSPENDED, _E.GONE: _S.AWAY, _E.REVOKE: _S.MUTED},
    _S.SUSPENDED: {_E.RETURN: _S.HOLDING, _E.DROP: _S.SUSPENDED, _E.GONE: _S.AWAY, _E.REVOKE: _S.MUTED},
    _S.MUTED: {_E.REQUEST: _S.QUEUED, _E.UNMUTE: _S.AWAY},
    _S.QUEUED: {
        _E.REQUEST: _S.QUEUED,
        _E.CANCEL: _S.MUTED,
        _E.DENY: _S.MUTED,
        _E.GONE: _S.MUTED,
        _E.UNMUTE: _S.AWAY,
    },
}

TRANSITIONS: Final[Mapping[str, Transitions]] = {"branch": BRANCH, "by_right": BY_RIGHT}
INITIAL: Final[Mapping[str, FloorState]] = {"branch": _S.IDLE, "by_right": _S.AWAY}

_NO_REQUEST = (NotFound, "no_request", "This endpoint has not asked for the floor.")
_NOT_HOLDER = (Conflict, "not_holder", "This endpoint does not hold the floor.")
_REFUSALS: Final[Mapping[FloorEvent, tuple[type[DiemcauError], str, str]]] = {
    _E.REQUEST: (Conflict, "already_holder", "This endpoint holds the floor already."),
    _E.CANCEL: _NO_REQUEST,
    _E.DENY: _NO_REQUEST,
    _E.RELEASE: _NOT_HOLDER,
    _E.REVOKE: _NOT_HOLDER,
    _E.EXTEND: (NotFound, "not_holder", "This endpoint does not hold the floor."),
}
"""What a person hears whose event the table does not list here."""

_PRESENCE: Final = frozenset({_E.DROP, _E.RETURN, _E.GONE})
"""Told of every seat; where the table does not list them they change nothing."""

_PAST_KEPT = 16


@dataclass(slots=True)
class Floor:
    """The floor's state; seats are known by id. ``by_right`` names the seats of that table, in order.

    ``holds`` has the holders in the order of their grants, ``past`` the branches that had the floor, last first.
    A call that raises may have begun to change it: work on a ``copy()``.
    """

    mode: FloorMode
    max_holders: int
    by_right: tuple[str, ...] = ()
    all_muted: bool = False
    holds: dict[str, HolderView] = field(default_factory=dict)
    queue: Queue = ()
    past: tuple[str, ...] = ()
    _states: dict[str, FloorState] = field(default_factory=dict)

    def copy(self) -> "Floor":
        return Floor(
            self.mode,
            self.max_holders,
            self.by_right,
            self.all_muted,
            self.holds.copy(),
            self.queue,
            self.past,
            self._states.copy(),
        )

    def state_of(self, seat_id: str) -> FloorState:
        return self._states.get(seat_id, INITIAL[self._table_of(seat_id)])

    @property
    def gates(self) -> frozenset[str]:
        """Seats that may be heard now."""
        return frozenset(seat_id for seat_id, hold in self.holds.items() if hold.suspended_until is None)

    @property
    def granted(self) -> list[str]:
        """Holders that count against the mode's limit, oldest grant first."""
        return [seat_id for seat_id, hold in self.holds.items() if not hold.by_right]

    @property
    def limit(self) -> int:
        return 1 if self.mode is FloorMode.LECTURE else self.max_holders

    @property
    def is_full(self) -> bool:
        return len(self.granted) >= self.limit

    def view(self) -> FloorView:
        """Holders by right first, then by grant."""
        holders = [self.holds[seat_id] for seat_id in self.by_right if seat_id in self.holds]
        holders += [hold for hold in self.holds.values() if not hold.by_right]
        return FloorView(self.mode, self.max_holders, self.all_muted, tuple(holders), self.queue)

    def deadline(self) -> float | None:
        """When the next grant or lease ends."""
        ends = [end for hold in self.holds.values() for end in (hold.ends_at, hold.suspended_until) if end is not None]
        return min(ends, default=None)

    # --- asked by people -------------------------------------------------------------------------

    def request(self, seat_id: str, subject: str, now: float, max_queue: int) -> None:
        """Raises Conflict("already_holder" | "queue_full")."""
        waiting = self.state_of(seat_id) is FloorState.QUEUED
        self._fire(seat_id, FloorEvent.REQUEST)
        if not waiting and len(self.queue) >= max_queue:
            raise Conflict("queue_full", "Too many endpoints are waiting for the floor.")
        self.queue = floor_queue.add(self.queue, seat_id, subject, now)

    def cancel(self, seat_id: str) -> None:
        """Raises NotFound("no_request")."""
        self._fire(seat_id, FloorEvent.CANCEL)

    def deny(self, seat_id: str) -> None:
        """Raises NotFound("no_request")."""
        self._fire(seat_id, FloorEvent.DENY)

    def grant(self, seat_id: str, ends_at: float | None, away_until: float | None, now: float) -> None:
        """Give a branch the floor, or renew its time. ``away_until``: it is not here, and is waited for until then.

        Raises Conflict("floor_full"). In *lecture* the caller withdraws the others first.
        """
        hold = self.holds.get(seat_id)
        if hold is None and self.is_full:
            raise Conflict("floor_full", "As many endpoints as allowed hold the floor; withdraw one first.")
        subject = next((request.subject for request in self.queue if request.seat_id == seat_id), "")
        self._fire(seat_id, FloorEvent.GRANT if away_until is None else FloorEvent.CALL)
        if hold is None:
            hold = HolderView(seat_id, False, now, None, None, subject)
        self.holds[seat_id] = msgspec.structs.replace(hold, ends_at=ends_at, suspended_until=away_until)
        self.all_muted = False

    def extend(self, seat_id: str, extra_s: float, latest: float) -> None:
        """Move a timed grant's end, not beyond ``latest``. Raises Conflict("not_timed"), NotFound("not_holder")."""
        hold = self.holds.get(seat_id)
        if hold is None:
            raise _refusal(FloorEvent.EXTEND)
        if hold.ends_at is None:
            raise Conflict("not_timed", "This endpoint holds the floor until it is withdrawn.")
        self._fire(seat_id, FloorEvent.EXTEND)
        ends_at = max(hold.ends_at, min(hold.ends_at + extra_s, latest))
        self.holds[seat_id] = msgspec.structs.replace(hold, ends_at=ends_at)

    def release(self, seat_id: str) -> None:
        """Raises Conflict("not_holder"), or Conflict("held_by_right"): that is muted by the chair, or at the desk."""
        if seat_id in self.by_right and seat_id in self.holds:
            raise Conflict("held_by_right", "A floor held by right is not given back; mute the microphone instead.")
        self._fire(seat_id, FloorEvent.RELEASE)

    def revoke(self, seat_id: str) -> None:
        """Withdraw the floor; a seat that holds by right is muted until unmuted. Raises Conflict("not_holder")."""
        self._fire(seat_id, FloorEvent.REVOKE)

    def unmute(self, seat_id: str) -> None:
        """Give a seat its right back; the caller tells its presence next (``come_back`` or ``drop``)."""
        self._fire(seat_id, FloorEvent.UNMUTE)

    def move(self, seat_id: str, position: int) -> None:
        """Raises NotFound("no_request")."""
        self.queue = floor_queue.move(self.queue, seat_id, position)

    def set_priority(self, seat_id: str, priority: int) -> None:
        """Raises NotFound("no_request")."""
        self.queue = floor_queue.set_priority(self.queue, seat_id, priority)

    # --- told by the room ------------------------------------------------------------------------

    def expire(self, seat_id: str) -> None:
        """The time of a grant is up."""
        self._fire(seat_id, FloorEvent.EXPIRE)

    def drop(self, seat_id: str, until: float, now: float) -> None:
        """The seat's connection was lost; its floor waits until ``until``."""
        if self._fire(seat_id, FloorEvent.DROP) is FloorState.SUSPENDED:
            self._hold_by_right(seat_id, now)
            self.holds[seat_id] = msgspec.structs.replace(self.holds[seat_id], suspended_until=until)

    def come_back(self, seat_id: str, now: float) -> None:
        """The seat is present: a floor that waited for it goes on, with the deadlines it had."""
        if self._fire(seat_id, FloorEvent.RETURN) is FloorState.HOLDING:
            self._hold_by_right(seat_id, now)
            self.holds[seat_id] = msgspec.structs.replace(self.holds[seat_id], suspended_until=None)

    def leave(self, seat_id: str) -> None:
        """The seat is out for good: no floor, no request. One that was muted stays muted."""
        self._fire(seat_id, FloorEvent.GONE)

    def wait_until(self, until: float) -> None:
        """The server was away itself: nobody is here, and every holder is waited for until ``until``."""
        for seat_id, hold in self.holds.items():
            self.holds[seat_id] = msgspec.structs.replace(hold, suspended_until=until)

    # --- inside ----------------------------------------------------------------------------------

    def _table_of(self, seat_id: str) -> str:
        return "by_right" if seat_id in self.by_right else "branch"

    def _hold_by_right(self, seat_id: str, now: float) -> None:
        if seat_id not in self.holds:
            self.holds[seat_id] = HolderView(seat_id, True, now, None, None, "")

    def _fire(self, seat_id: str, event: FloorEvent) -> FloorState:
        """Take the transition, and what goes with the state it ends in; return that state."""
        table = self._table_of(seat_id)
        before = self.state_of(seat_id)
        after = TRANSITIONS[table][before].get(event)
        if after is None:
            if event not in _PRESENCE:
                raise _refusal(event)
            return before
        if after is INITIAL[table]:
            self._states.pop(seat_id, None)
        else:
            self._states[seat_id] = after
        if after is not FloorState.QUEUED and before is FloorState.QUEUED:
            self.queue = floor_queue.remove(self.queue, seat_id)
        if after not in (FloorState.HOLDING, FloorState.SUSPENDED) and (hold := self.holds.pop(seat_id, None)):
            self._remember(hold)
        return after

    def _remember(self, hold: HolderView) -> None:
        if not hold.by_right:
            others = (seat_id for seat_id in self.past if seat_id != hold.seat_id)
            self.past = (hold.seat_id, *others)[:_PAST_KEPT]


def _refusal(event: FloorEvent) -> DiemcauError:
    """KeyError for an event that no person asks: the caller has its own bug."""
    kind, code, detail = _REFUSALS[event]
    return kind(code, detail)
