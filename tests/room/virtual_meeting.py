"""A meeting on virtual time: a room, a client that only knows what it is told, and the journal.

After every step the effects are held to their order, the client's picture to the room's view, the gates that
were opened and closed to the gates that are, and a refusal to having changed nothing.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from server.errors import DiemcauError
from server.room.commands import Actor, Body, Command, Drop, Join, Leave, MeetingRole, Restart
from server.room.effects import Effect, Expel, Note, Persist, SetGate, Tell
from server.room.room import Room
from server.room.setup import ModeratorSetup, RoomSetup, SeatSetup
from server.room.views import (
    ChatView,
    FloorView,
    HolderView,
    MeetingView,
    Presence,
    RoomView,
    SeatRole,
    SeatView,
    StageView,
)

CHAIR = Actor("acc_chair", "Chủ tọa", MeetingRole.CHAIR)
DEPUTY = Actor("acc_deputy", "Phó chủ tọa", MeetingRole.DEPUTY)
SECOND_DEPUTY = Actor("acc_second", "Phó thứ hai", MeetingRole.DEPUTY)
OPERATOR = Actor("acc_operator", "Kỹ thuật", MeetingRole.OPERATOR)
OBSERVER = Actor("acc_observer", "Quan sát", MeetingRole.OBSERVER)
SYSTEM = Actor("system", "system", MeetingRole.SYSTEM)
MODERATORS = (
    ModeratorSetup(DEPUTY.account_id, DEPUTY.name, deputy=True),
    ModeratorSetup(CHAIR.account_id, CHAIR.name, deputy=False),
    ModeratorSetup(SECOND_DEPUTY.account_id, SECOND_DEPUTY.name, deputy=True),
)
START = 1_768_980_000.0


def endpoint(seat_id: str) -> Actor:
    """The account of an endpoint."""
    return Actor(f"acc_{seat_id}", f"Account of {seat_id}", MeetingRole.ENDPOINT, seat_id)


MAIN, A, B, C, D = (endpoint(name) for name in ("main", "a", "b", "c", "d"))


def small_setup(branches: Sequence[str] = ("a", "b", "c", "d"), **rules: Any) -> RoomSetup:
    """One main endpoint, the chair's desk, and branches."""
    seats = [
        SeatSetup("main", "Điểm cầu chính", ("Tỉnh",), SeatRole.MAIN),
        SeatSetup("desk", "Bàn chủ tọa", ("Tỉnh",), SeatRole.CHAIR),
        *(SeatSetup(name, f"Xã {name.upper()}", ("Tỉnh", "Huyện"), SeatRole.BRANCH) for name in branches),
    ]
    fixed: dict[str, Any] = {
        "meeting_id": "mtg_1",
        "title": "Họp giao ban",
        "host_agency": "Văn phòng",
        "moderators": MODERATORS,
    }
    return RoomSetup(**{"seats": tuple(seats), **fixed, **rules})


@dataclass
class Told:
    """What a client knows from the view it came with and the sections told since."""

    meeting: MeetingView
    seats: dict[str, SeatView]
    floor: FloorView
    stage: StageView
    chat: list[ChatView]

    @classmethod
    def of(cls, view: RoomView) -> "Told":
        return cls(view.meeting, {seat.seat_id: seat for seat in view.seats}, view.floor, view.stage, list(view.chat))

    def hear(self, section: SeatView | FloorView | StageView | MeetingView | ChatView) -> None:
        match section:
            case SeatView():
                assert self.seats.get(section.seat_id) != section, "told what was known"
                self.seats[section.seat_id] = section
            case FloorView():
                assert self.floor != section
                self.floor = section
            case StageView():
                assert self.stage != section
                self.stage = section
            case MeetingView():
                assert self.meeting != section
                self.meeting = section
            case ChatView():
                self.chat = [*self.chat, section][-200:]

    def matches(self, view: RoomView) -> bool:
        same = (self.meeting, self.floor, self.stage, tuple(self.chat)) == (
            view.meeting,
            view.floor,
            view.stage,
            view.chat,
        )
        return same and (view.meeting.ended or tuple(self.seats.values()) == view.seats)


@dataclass
class VirtualMeeting:
    setup: RoomSetup = field(default_factory=small_setup)
    now: float = START
    journal: list[tuple[float, Command | None]] = field(default_factory=list)
    open_gates: set[str] = field(default_factory=set)
    notes: list[Note] = field(default_factory=list)
    expelled: list[Expel] = field(default_factory=list)
    room: Room = field(init=False)
    told: Told = field(init=False)

    def __post_init__(self) -> None:
        self.room = Room(self.setup)
        self.told = Told.of(self.room.view())

    # --- what happens ----------------------------------------------------------------------------

    def do(self, actor: Actor, body: Body) -> list[Effect]:
        """Give a command; nothing else may be due before it."""
        return self.accept(self.room.step(Command(actor, body), self.now), Command(actor, body))

    def join(self, *actors: Actor) -> None:
        for actor in actors:
            self.do(actor, Join())

    def drop(self, *actors: Actor) -> None:
        for actor in actors:
            self.do(actor, Drop())

    def leave(self, *actors: Actor) -> None:
        for actor in actors:
            self.do(actor, Leave())

    def refuse(self, actor: Actor, body: Body, kind: type[DiemcauError], code: str) -> None:
        """The command is refused with that code and leaves no trace."""
        before = copy.deepcopy((self.room.state, self.room.view(), self.room.seq, self.room.next_deadline()))
        with pytest.raises(kind) as refusal:
            self.room.step(Command(actor, body), self.now)
        assert refusal.value.code == code
        assert type(refusal.value) is kind
        assert (self.room.state, self.room.view(), self.room.seq, self.room.next_deadline()) == before

    def pass_time(self, seconds: float) -> None:
        """Let the room's one timer run: a tick at every deadline on the way."""
        end = self.now + seconds
        while (deadline := self.room.next_deadline()) is not None and deadline <= end:
            assert deadline >= self.now, "a deadline was left in the past"
            self.now = deadline
            assert self.tick(), "woken for nothing"
        self.now = end
        assert not self.tick(), "something was due and not announced"

    def tick(self) -> list[Effect]:
        return self.accept(self.room.tick(self.now), None)

    def crash(self, away_s: float) -> None:
        """kill -9, and a start ``away_s`` later from the journal."""
        self.room = self.replayed()
        self.now += away_s
        self.open_gates = set(self.room.gates)
        self.told = Told.of(self.room.view())
        self.do(SYSTEM, Restart())

    def replayed(self) -> Room:
        return Room.replay(self.setup, self.journal)

    # --- what is -----------------------------------------------------------------------------------

    @property
    def gates(self) -> set[str]:
        return set(self.room.gates)

    @property
    def holders(self) -> list[str]:
        return [holder.seat_id for holder in self.room.view().floor.holders]

    @property
    def queue(self) -> list[str]:
        return [request.seat_id for request in self.room.view().floor.queue]

    @property
    def events(self) -> list[str]:
        return [note.event for note in self.notes]

    def holder(self, seat_id: str) -> HolderView:
        return next(holder for holder in self.room.view().floor.holders if holder.seat_id == seat_id)

    def seat(self, seat_id: str) -> SeatView:
        return next(seat for seat in self.room.view().seats if seat.seat_id == seat_id)

    def presence(self, seat_id: str) -> Presence | None:
        return self.room.presence(seat_id)

    def accept(self, effects: list[Effect], command: Command | None) -> list[Effect]:
        seq = len(self.journal)
        for effect in effects:
            match effect:
                case Persist():
                    assert effect == Persist(seq + 1, self.now, command)
                    self.journal.append((self.now, command))
                case SetGate(seat_id, True):
                    assert seat_id not in self.open_gates
                    self.open_gates.add(seat_id)
                case SetGate(seat_id):
                    self.open_gates.remove(seat_id)
                case Tell(section):
                    self.told.hear(section)
                case Expel():
                    self.expelled.append(effect)
                case Note():
                    self.notes.append(effect)
        assert len(self.journal) == seq + bool(effects), "one Persist for every change"
        assert self.room.seq == len(self.journal)
        assert [_rank(effect) for effect in effects] == sorted(_rank(effect) for effect in effects)
        assert self.open_gates == self.room.gates
        assert self.told.matches(self.room.view())
        return effects


def _rank(effect: Effect) -> int:
    match effect:
        case Persist():
            return 0
        case SetGate():
            return 1 + effect.open
        case Tell():
            return 3
        case Expel():
            return 4
        case Note():
            return 5
