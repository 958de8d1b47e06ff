"""The room: commands in, effects out. It reads no clock; every call is told ``now`` (Unix seconds).

A step works on a draft, a cheap copy of the state. A refusal throws the draft away, so it changes nothing; an
accepted step is compared with what was before, and its effects are the difference. So a gate, a section told to
clients and the journal cannot disagree with the state.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Self

from server.errors import Conflict, DiemcauError
from server.room import floor_rules, house_rules, permissions, recording_rules
from server.room.commands import Body, Command, Drop, Leave, Restart
from server.room.draft import Draft
from server.room.effects import Effect, Persist, SetGate, Tell
from server.room.floor_rules import Rule
from server.room.setup import RoomSetup
from server.room.stage import arrange
from server.room.state import RoomState, begin
from server.room.views import ChatView, FloorView, MeetingView, Presence, RoomView, SeatView, StageView

Section = SeatView | FloorView | StageView | MeetingView | ChatView

RULES: Final[Mapping[type[Body], Rule]] = {**floor_rules.RULES, **house_rules.RULES, **recording_rules.RULES}


class Room:
    """One meeting's rules and state.

    ``step`` and ``tick`` return effects in this order: ``Persist`` (exactly one, whenever the state changed),
    ``SetGate`` closings, ``SetGate`` openings, ``Tell``, ``Expel``, ``Note``; nothing changed: an empty list.
    """

    def __init__(self, setup: RoomSetup) -> None:
        """A new, empty room: everybody absent."""
        self._setup = setup
        self._state = begin(setup)
        self._seq = 0
        self._skipped = 0
        self._seat_views = {seat_id: seat.view() for seat_id, seat in self._state.seats.items()}
        self._floor = self._state.floor.view()
        self._stage = self._arrange(self._state)
        self._meeting = self._describe(self._state)

    @classmethod
    def replay(cls, setup: RoomSetup, entries: Iterable[tuple[float, Command | None]]) -> Self:
        """The room after its journal: ``(at, command)`` of every Persist in order (command None: a tick).

        Afterwards the hub steps ``Restart``. What was accepted then and is refused under the setup of today (an
        endpoint no longer invited, say) is passed over and counted in ``skipped``.
        """
        room = cls(setup)
        for seq, (at, command) in enumerate(entries, 1):
            try:
                if command is None:
                    room.tick(at)
                else:
                    room.step(command, at)
            except DiemcauError:
                room._skipped += 1
            room._seq = seq
        return room

    def step(self, command: Command, now: float) -> list[Effect]:
        """Decide one command. Raises Forbidden, Conflict, NotFound or InvalidInput; the state is untouched then."""
        draft = Draft(self._setup, self._state, now)
        actor, body = command.actor, command.body
        if not isinstance(body, Restart):  # which first gives back the time that the server was away
            draft.expire()
        permissions.check(draft.state.chair, actor, body)
        if not self.ended:
            RULES[type(body)](draft, actor, body)
        elif not isinstance(body, Drop | Leave | Restart):
            raise Conflict("ended", "The meeting has ended.")
        return self._accept(draft, command)

    def tick(self, now: float) -> list[Effect]:
        """End what is due at ``now`` (leases, timed grants, the chair's grace)."""
        draft = Draft(self._setup, self._state, now)
        draft.expire()
        return self._accept(draft, None)

    def next_deadline(self) -> float | None:
        """When ``tick`` has something to do next; None: never."""
        state = self._state
        deadlines = [seat.suspended_until for seat in state.seats.values()]
        deadlines += [state.floor.deadline(), state.chair.deadline()]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    # --- what it is now --------------------------------------------------------------------------

    def view(self) -> RoomView:
        """Everything, for a newcomer."""
        seats = tuple(self._seat_views.values())
        return RoomView(self._meeting, seats, self._floor, self._stage, self._state.chat)

    @property
    def state(self) -> RoomState:
        """To look at; only ``step`` and ``tick`` change it."""
        return self._state

    @property
    def seq(self) -> int:
        """``seq`` of the last Persist; 0: none yet."""
        return self._seq

    @property
    def skipped(self) -> int:
        """How many journal entries ``replay`` passed over."""
        return self._skipped

    @property
    def gates(self) -> frozenset[str]:
        """Seats whose sound may be heard now."""
        return self._state.floor.gates

    @property
    def screens(self) -> frozenset[str]:
        """Seats whose shared screen may be seen now."""
        return frozenset(seat_id for seat_id, seat in self._state.seats.items() if seat.shows_screen)

    @property
    def stage(self) -> StageView:
        return self._stage

    @property
    def acting_chair(self) -> str | None:
        """Account that may grant now (the chair's own account always may); None: nobody is there."""
        return self._state.chair.acting

    @property
    def ended(self) -> bool:
        return self._state.ended

    @property
    def present(self) -> int:
        """How many seats are connected, lobby and suspended ones not counted."""
        return sum(seat.presence is Presence.PRESENT for seat in self._state.seats.values())

    def presence(self, seat_id: str) -> Presence | None:
        """None for a seat that the meeting does not have."""
        seat = self._state.seats.get(seat_id)
        return seat.presence if seat is not None else None

    # --- accepting a draft -----------------------------------------------------------------------

    def _accept(self, draft: Draft, command: Command | None) -> list[Effect]:
        draft.finish()
        before, after = self._state, draft.state
        if before == after:
            return []
        self._state = after
        self._seq += 1
        return [
            Persist(self._seq, draft.now, command),
            *(SetGate(seat_id, False) for seat_id in sorted(before.floor.gates - after.floor.gates)),
            *(SetGate(seat_id, True) for seat_id in sorted(after.floor.gates - before.floor.gates)),
            *(Tell(section) for section in self._update_sections(before, after)),
            *draft.expulsions,
            *draft.notes,
        ]

    def _update_sections(self, before: RoomState, after: RoomState) -> Iterator[Section]:
        """Bring the kept views up to date, and yield those that changed.

        At the end of a meeting the seats are not told one by one: ``MeetingView.ended`` says that everybody is out.
        """
        for seat_id, seat in after.seats.items():
            if before.seats.get(seat_id) is not seat:
                view = seat.view()
                if self._seat_views.get(seat_id) != view:
                    self._seat_views[seat_id] = view
                    if not after.ended:
                        yield view
        floor, stage, meeting = after.floor.view(), self._arrange(after), self._describe(after)
        if floor != self._floor:
            self._floor = floor
            yield floor
        if stage != self._stage:
            self._stage = stage
            yield stage
        if meeting != self._meeting:
            self._meeting = meeting
            yield meeting
        if after.chat != before.chat:
            yield after.chat[-1]

    @staticmethod
    def _arrange(state: RoomState) -> StageView:
        return arrange(state.layout, state.pinned, state.seats, state.floor)

    def _describe(self, state: RoomState) -> MeetingView:
        setup = self._setup
        return MeetingView(
            setup.meeting_id,
            setup.title,
            setup.host_agency,
            state.locked,
            state.lobby,
            state.ended,
            state.chair.acting,
            state.chair.views(),
            state.recording,
        )
