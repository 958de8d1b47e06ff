"""The attendances of one meeting: who listens, who may come back, who is connected at all."""

from collections.abc import Iterator

from server.hub.attendance import Attendance
from server.hub.ports import Listener
from server.room.commands import Actor, MeetingRole

_MODERATING = frozenset({MeetingRole.CHAIR, MeetingRole.DEPUTY, MeetingRole.OPERATOR})


class People:
    """By session id. An attendance stays while its socket is lost, until it is resumed or forgotten."""

    def __init__(self) -> None:
        self._by_session: dict[str, Attendance] = {}

    def __len__(self) -> int:
        return len(self._by_session)

    def __iter__(self) -> Iterator[Attendance]:
        """A snapshot: callers may forget while they go through it."""
        return iter(tuple(self._by_session.values()))

    def add(self, attendance: Attendance) -> None:
        self._by_session[attendance.session] = attendance

    def get(self, session: str) -> Attendance | None:
        return self._by_session.get(session)

    def discard(self, attendance: Attendance) -> bool:
        """Forget an attendance and its timers; False where it was gone already."""
        if self._by_session.get(attendance.session) is not attendance:
            return False
        del self._by_session[attendance.session]
        attendance.cancel_timers()
        return True

    def of_seat(self, seat_id: str) -> list[Attendance]:
        return [attendance for attendance in self if attendance.actor.seat_id == seat_id]

    def resumable(self, actor: Actor, resume: str) -> Attendance | None:
        """The session that ``resume`` names, where it is the same account's."""
        for attendance in self:
            if attendance.resume == resume and attendance.actor.account_id == actor.account_id:
                return attendance
        return None

    def listening(self) -> Iterator[tuple[Attendance, Listener]]:
        for attendance in self:
            if attendance.listener is not None:
                yield attendance, attendance.listener


def may_moderate(actor: Actor) -> bool:
    """Chair, deputy or operator: sees every line, previews endpoints, hears of alarms."""
    return actor.role in _MODERATING


def same_place(one: Actor, other: Actor) -> bool:
    """Whether two actors are one for presence: the same seat; people who moderate are only ever themselves."""
    if may_moderate(one) or may_moderate(other) or one.seat_id is None or other.seat_id is None:
        return one.account_id == other.account_id
    return one.seat_id == other.seat_id
