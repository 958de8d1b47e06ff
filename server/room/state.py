"""Everything a room knows, as one value: copied before a step, kept where the step is accepted."""

from dataclasses import dataclass, field

from server.room.chair import Chair
from server.room.commands import LayoutName
from server.room.floor import Floor
from server.room.seats import Seat, place
from server.room.setup import RoomSetup
from server.room.views import ChatView, RecordingView


@dataclass(slots=True)
class RoomState:
    """``seats`` in the order of the invitation. ``watchers``: observers by account, and until when they count as in
    (infinity while they are connected). ``recordings`` counts those begun. The records inside are immutable, so a
    copy is shallow and cheap."""

    seats: dict[str, Seat]
    chair: Chair
    floor: Floor
    layout: LayoutName = LayoutName.AUTO
    pinned: tuple[str, ...] = ()
    locked: bool = False
    lobby: bool = False
    ended: bool = False
    watchers: dict[str, float] = field(default_factory=dict)
    chat: tuple[ChatView, ...] = ()
    recording: RecordingView | None = None
    recordings: int = 0

    def copy(self) -> "RoomState":
        return RoomState(
            self.seats.copy(),
            self.chair.copy(),
            self.floor.copy(),
            self.layout,
            self.pinned,
            self.locked,
            self.lobby,
            self.ended,
            self.watchers.copy(),
            self.chat,
            self.recording,
            self.recordings,
        )


def begin(setup: RoomSetup) -> RoomState:
    """An empty room: everybody absent, holders by right waited for."""
    seats = {seat.seat_id: place(seat) for seat in setup.seats}
    by_right = tuple(seat_id for seat_id, seat in seats.items() if seat.by_right)
    return RoomState(
        seats,
        Chair.of(setup.moderators, setup.chair_grace_s),
        Floor(setup.mode, setup.max_holders, by_right),
        lobby=setup.lobby,
    )
