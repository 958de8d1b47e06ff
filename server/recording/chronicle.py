"""What happens in a room, as lines for the recording's log. Pure: sections in, events out."""

from collections.abc import Iterator

from server.recording.events import (
    Chatted,
    EndpointAdded,
    EndpointEntry,
    Event,
    FloorEnded,
    Granted,
    Presence,
    Screen,
    Staged,
)
from server.room.views import ChatView, FloorView, MeetingView, RoomView, SeatView, StageView
from server.room.views import Presence as SeatPresence

Section = SeatView | FloorView | StageView | MeetingView | ChatView


def entry_of(seat: SeatView) -> EndpointEntry:
    """An invited endpoint as the log's first line names it."""
    return EndpointEntry(seat.seat_id, seat.name, seat.unit_path, seat.role.value)


class Chronicle:
    """Knows what was told, so that a section that comes whole makes lines of what changed only."""

    def __init__(self, view: RoomView) -> None:
        self._seats = {seat.seat_id: seat for seat in view.seats}
        self._holders = frozenset(holder.seat_id for holder in view.floor.holders)
        self._stage: Staged | None = None

    def resume(self, view: RoomView) -> list[Event]:
        """How things stand when the recording goes on after a restart, and what ended meanwhile: made from the room
        as its journal left it, a chronicle knows who had the floor when the server went."""
        ended = self._holders - {holder.seat_id for holder in view.floor.holders}
        return [*(FloorEnded(seat_id) for seat_id in sorted(ended)), *self.begin(view)]

    def begin(self, view: RoomView) -> list[Event]:
        """How things stand when the recording begins: who is here, who has the floor, what is shown."""
        self._seats = {seat.seat_id: seat for seat in view.seats}
        self._holders, self._stage = frozenset(), None
        events: list[Event] = [
            Presence(seat.seat_id, seat.presence.value)
            for seat in view.seats
            if seat.presence in (SeatPresence.PRESENT, SeatPresence.SUSPENDED)
        ]
        events += [Screen(seat.seat_id, True) for seat in view.seats if seat.sharing]
        return [*events, *self._tell_floor(view.floor), *self._tell_stage(view.stage)]

    def tell(self, section: Section) -> list[Event]:
        """The lines that a changed section makes; none for what the log does not keep."""
        match section:
            case SeatView():
                return list(self._tell_seat(section))
            case FloorView():
                return list(self._tell_floor(section))
            case StageView():
                return list(self._tell_stage(section))
            case ChatView():
                return [Chatted(section.name, section.text, section.seat_id)]
            case MeetingView():
                return []

    def _tell_seat(self, seat: SeatView) -> Iterator[Event]:
        before = self._seats.get(seat.seat_id)
        self._seats[seat.seat_id] = seat
        if before is None:
            yield EndpointAdded(entry_of(seat))
        if (before.presence if before is not None else SeatPresence.ABSENT) is not seat.presence:
            yield Presence(seat.seat_id, seat.presence.value)
        if (before is not None and before.sharing) is not seat.sharing:
            yield Screen(seat.seat_id, seat.sharing)

    def _tell_floor(self, floor: FloorView) -> Iterator[Event]:
        holders = {holder.seat_id: holder for holder in floor.holders}
        for seat_id in sorted(self._holders - holders.keys()):
            yield FloorEnded(seat_id)
        for seat_id, holder in holders.items():
            if seat_id not in self._holders:
                yield Granted(seat_id, holder.by_right, holder.subject)
        self._holders = frozenset(holders)

    def _tell_stage(self, stage: StageView) -> Iterator[Event]:
        pictures = tuple(f"{picture.seat_id}:{picture.track}" for picture in stage.pictures)
        staged = Staged(stage.layout.value, pictures)
        if staged != self._stage:
            self._stage = staged
            yield staged
