"""The room as one client knows it: the welcome's view, kept true by the sections that follow."""

from server.room.views import FloorView, MeetingView, RoomView, SeatView, StageView
from server.signaling import messages


class RoomMirror:
    """Takes messages in order; its attributes are what the last ones said."""

    def __init__(self) -> None:
        self.seats: dict[str, SeatView] = {}
        self.floor: FloorView | None = None
        self.stage: StageView | None = None
        self.meeting: MeetingView | None = None
        self.chat: list[str] = []
        self.feeds: dict[str, messages.SlotFeed] = {}
        self.speaking: tuple[str, ...] = ()

    def take(self, message: messages.FromServer) -> None:
        """Bring the mirror up to date; messages that are not about the room change nothing."""
        match message:
            case messages.Welcome(room=room):
                self._replace(room)
            case messages.SeatChanged(seat=seat):
                self.seats[seat.seat_id] = seat
            case messages.FloorChanged(floor=floor):
                self.floor = floor
            case messages.StageChanged(stage=stage):
                self.stage = stage
            case messages.MeetingChanged(meeting=meeting):
                self.meeting = meeting
            case messages.Chat(line=line):
                self.chat.append(line.text)
            case messages.Slots(feeds=feeds):
                self.feeds |= {feed.mid: feed for feed in feeds}
            case messages.Speaking(seat_ids=seat_ids):
                self.speaking = seat_ids

    def holds_floor(self, seat_id: str) -> bool:
        return self.floor is not None and any(holder.seat_id == seat_id for holder in self.floor.holders)

    def queued(self, seat_id: str) -> bool:
        return self.floor is not None and any(request.seat_id == seat_id for request in self.floor.queue)

    def fed_by(self, seat_id: str, track: str) -> str | None:
        """The mid of the own slot that carries that track now, None where none does."""
        return next((mid for mid, feed in self.feeds.items() if (feed.seat_id, feed.track) == (seat_id, track)), None)

    def _replace(self, room: RoomView) -> None:
        self.seats = {seat.seat_id: seat for seat in room.seats}
        self.floor, self.stage, self.meeting = room.floor, room.stage, room.meeting
        self.chat = [line.text for line in room.chat]
