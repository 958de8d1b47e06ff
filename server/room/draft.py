"""A step in the making: a copy of the room's state with what goes together when a seat comes, goes or speaks.

The rules of single commands (``floor_rules``, ``house_rules``) change a draft; ``Room`` keeps it or throws it away.
"""

from dataclasses import dataclass, field

import msgspec

from server.errors import Conflict, Forbidden, NotFound
from server.room import seats
from server.room.commands import Actor, FloorMode
from server.room.effects import Expel, Note
from server.room.seats import Seat
from server.room.setup import RoomSetup
from server.room.state import RoomState
from server.room.views import Presence


@dataclass(slots=True)
class Draft:
    """``before`` is left as it is; ``state`` becomes the room's where the step is accepted."""

    setup: RoomSetup
    before: RoomState
    now: float
    state: RoomState = field(init=False)
    notes: list[Note] = field(default_factory=list)
    expulsions: list[Expel] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = self.before.copy()

    @property
    def lease_ends(self) -> float:
        """When a lease that begins now ends."""
        return self.now + self.setup.lease_s

    def note(self, event: str, seat_id: str | None, actor: Actor | None, detail: str = "") -> None:
        self.notes.append(Note(event, seat_id, actor.account_id if actor is not None else None, detail))

    # --- seats -----------------------------------------------------------------------------------

    def seat(self, seat_id: str) -> Seat:
        """Raises NotFound("no_such_seat")."""
        seat = self.state.seats.get(seat_id)
        if seat is None:
            raise NotFound("no_such_seat", "This endpoint is not invited to the meeting.")
        return seat

    def own_seat(self, actor: Actor) -> Seat:
        """The actor's seat. Raises Forbidden("no_seat"), NotFound("no_such_seat")."""
        if actor.seat_id is None:
            raise Forbidden("no_seat", "Only an endpoint with a seat may do that.")
        return self.seat(actor.seat_id)

    def present_seat(self, actor: Actor) -> Seat:
        """The actor's seat, connected. Raises Conflict("not_joined") beside what ``own_seat`` raises."""
        seat = self.own_seat(actor)
        if seat.presence is not Presence.PRESENT:
            raise Conflict("not_joined", "The endpoint is not in the meeting.")
        return seat

    def put(self, seat: Seat) -> None:
        self.state.seats[seat.seat_id] = seat

    def enter(self, seat: Seat) -> None:
        """The seat is in; a floor that waited for it goes on."""
        self.put(seats.enter(seat, self.now))
        self.state.floor.come_back(seat.seat_id, self.now)

    def suspend(self, seat: Seat) -> None:
        """The seat's connection is lost: everything is kept for the lease."""
        self.put(seats.suspend(seat, self.now, self.lease_ends))
        self.state.floor.drop(seat.seat_id, self.lease_ends, self.now)

    def vacate(self, seat: Seat, *, removed: bool = False) -> None:
        """The seat is out: its floor and its request end."""
        self.put(seats.vacate(seat, self.now, removed))
        self.lapse(seat.seat_id)

    def lapse(self, seat_id: str) -> None:
        """Nobody is waited for any longer in that seat."""
        held = seat_id in self.state.floor.granted
        self.state.floor.leave(seat_id)
        if held:
            self.note("floor_lapsed", seat_id, None)

    # --- floor -----------------------------------------------------------------------------------

    def grant(self, seat: Seat, duration_s: float | None, actor: Actor | None) -> None:
        """Give a branch the floor, here or called. ``actor`` None: by the rules of *open*."""
        away_until = {
            Presence.PRESENT: None,
            Presence.SUSPENDED: seat.suspended_until,
            Presence.ABSENT: self.lease_ends,
        }[seat.presence]
        ends_at = None if duration_s is None else self.now + min(duration_s, self.setup.max_grant_s)
        self.state.floor.grant(seat.seat_id, ends_at, away_until, self.now)
        self.note("floor_granted", seat.seat_id, actor, "" if ends_at is None else f"until {ends_at:.1f}")

    def withdraw(self, seat_id: str, actor: Actor, why: str) -> None:
        """Raises Conflict("not_holder")."""
        self.state.floor.revoke(seat_id)
        self.note("floor_withdrawn", seat_id, actor, why)

    def restore(self, seat: Seat, actor: Actor) -> None:
        """Give a muted seat its floor by right back, as far as it is here to take it."""
        floor = self.state.floor
        floor.unmute(seat.seat_id)
        if seat.presence is Presence.PRESENT:
            floor.come_back(seat.seat_id, self.now)
        elif seat.suspended_until is not None:
            floor.drop(seat.seat_id, seat.suspended_until, self.now)
        self.note("floor_restored", seat.seat_id, actor)

    # --- time ------------------------------------------------------------------------------------

    def expire(self) -> None:
        """End what is due: leases, timed grants, the chair's grace."""
        for seat in tuple(self.state.seats.values()):
            if seat.suspended_until is not None and seat.suspended_until <= self.now:
                self.vacate(seat)
        for hold in tuple(self.state.floor.holds.values()):
            if hold.suspended_until is not None and hold.suspended_until <= self.now:
                self.lapse(hold.seat_id)
            elif hold.ends_at is not None and hold.ends_at <= self.now:
                self.state.floor.expire(hold.seat_id)
                self.note("floor_expired", hold.seat_id, None)
        self.state.chair.settle(self.now)

    def finish(self) -> None:
        """What follows from any change, whatever made it."""
        self.state.chair.settle(self.now)
        if self.state.chair.acting != self.before.chair.acting:
            self._note_chair()
        self._stop_screens()
        self._pass_on()

    def _note_chair(self) -> None:
        acting = self.state.chair.acting
        if acting is None:
            event = "chair_vacant"
        else:
            event = "chair_taken_over" if self.state.chair.moderators[acting].deputy else "chair_taken"
        self.notes.append(Note(event, None, acting, f"before: {self.before.chair.acting or 'nobody'}"))

    def _stop_screens(self) -> None:
        """A seat that lost the floor shows no screen."""
        for seat_id in self.before.floor.holds.keys() - self.state.floor.holds.keys():
            seat = self.state.seats[seat_id]
            if seat.sharing:
                self.put(msgspec.structs.replace(seat, sharing=False))

    def _pass_on(self) -> None:
        """In *open* a place that was given back goes to the first in the queue who is here."""
        floor, before = self.state.floor, self.before.floor
        if floor.mode is not FloorMode.OPEN or before.mode is not FloorMode.OPEN or not self.takes_requests:
            return
        given_back = len(set(before.granted) - set(floor.granted))
        waiting = [self.state.seats[request.seat_id] for request in floor.queue]
        for seat in [seat for seat in waiting if self._may_take(seat)][:given_back]:
            if not floor.is_full:
                self.grant(seat, None, None)

    @property
    def takes_requests(self) -> bool:
        """Whether branches may take a free place themselves now (*open*)."""
        floor = self.state.floor
        return floor.mode is FloorMode.OPEN and not floor.all_muted and self.state.chair.is_attended

    def take_if_next(self, seat: Seat) -> None:
        """In *open*: give the floor to a seat that has just asked, if a place is free and nobody here is before it."""
        floor = self.state.floor
        if not self.takes_requests or floor.is_full:
            return
        waiting = (self.state.seats[request.seat_id] for request in floor.queue)
        if next((other for other in waiting if self._may_take(other)), None) is seat:
            self.grant(seat, None, None)

    @staticmethod
    def _may_take(seat: Seat) -> bool:
        return seat.presence is Presence.PRESENT and not seat.by_right
