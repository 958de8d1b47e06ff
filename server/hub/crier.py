"""Tells everybody in the meeting what changed; who waits in the lobby hears of the meeting and the own seat only."""

from server.hub.attendance import Attendance
from server.hub.people import People
from server.hub.ports import Listener, Section
from server.room.commands import Actor
from server.room.room import Room
from server.room.views import FloorView, MeetingView, Presence, RoomView, SeatView, StageView


class Crier:
    """An attendance is ``admitted`` once its seat is past the lobby; then it is told the whole room at once."""

    def __init__(self, room: Room, people: People) -> None:
        self._room = room
        self._people = people

    def in_lobby(self, actor: Actor) -> bool:
        return actor.seat_id is not None and self._room.presence(actor.seat_id) is Presence.LOBBY

    def view_for(self, actor: Actor) -> RoomView:
        """The whole room, or for somebody in the lobby the meeting and the own seat."""
        view = self._room.view()
        if not self.in_lobby(actor):
            return view
        own = tuple(seat for seat in view.seats if seat.seat_id == actor.seat_id)
        floor = FloorView(view.floor.mode, view.floor.max_holders, view.floor.all_muted, (), ())
        return RoomView(view.meeting, own, floor, StageView(view.stage.layout, (), ()), ())

    def tell(self, section: Section) -> None:
        for attendance, listener in self._people.listening():
            if attendance.admitted or _concerns(section, attendance.actor):
                listener.tell(section)
            if not attendance.admitted and not self.in_lobby(attendance.actor):
                self._admit(attendance, listener)

    def _admit(self, attendance: Attendance, listener: Listener) -> None:
        attendance.admitted = True
        view = self._room.view()
        sections: list[Section] = [view.meeting, *view.seats, view.floor, view.stage, *view.chat]
        for section in sections:
            listener.tell(section)


def _concerns(section: Section, actor: Actor) -> bool:
    """What somebody waiting in the lobby is told: the meeting and the own seat."""
    own = isinstance(section, SeatView) and section.seat_id == actor.seat_id
    return own or isinstance(section, MeetingView)
