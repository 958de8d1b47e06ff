"""Seats: who is in the meeting, who waits, who is out.

- ``absent``: invited and not here. Joining takes the seat, or a place in the lobby where the lobby is on.
- ``lobby``: waits until admitted; hears and shows nothing. The main endpoint, moderators, whoever was admitted
  before and whoever holds a floor that waits for it go past the lobby.
- ``present``: in.
- ``suspended``: every connection was lost without a good-bye. Until ``suspended_until`` the seat keeps its floor,
  its place in the queue and its screen; then it is absent and they are gone.
- ``removed``: sent out; may not come back until admitted by name.

A locked meeting takes nobody who is absent, but moderators, and those admitted by name or called to speak.
"""

from typing import Final

import msgspec

from server.room.setup import SeatSetup
from server.room.views import Presence, SeatRole, SeatView

IN: Final = frozenset({Presence.PRESENT, Presence.SUSPENDED})
"""Part of the meeting: connected, or expected back within the lease."""


class Seat(msgspec.Struct, frozen=True):
    """One endpoint's place, as the room keeps it. Times in Unix seconds.

    ``admitted``: has been let in, so the lobby is behind it. ``expected``: let in by name while it was out, so
    the next arrival passes the lock. ``sharing``: shows a screen whenever it is connected.
    """

    seat_id: str
    name: str
    unit_path: tuple[str, ...]
    role: SeatRole
    presence: Presence = Presence.ABSENT
    since: float = 0.0
    suspended_until: float | None = None
    mic_muted: bool = False
    camera_off: bool = False
    sharing: bool = False
    admitted: bool = False
    expected: bool = False

    @property
    def by_right(self) -> bool:
        """Whether the seat holds the floor without a grant."""
        return self.role is not SeatRole.BRANCH

    @property
    def shows_screen(self) -> bool:
        return self.sharing and self.presence is Presence.PRESENT

    def view(self) -> SeatView:
        return SeatView(
            self.seat_id,
            self.name,
            self.unit_path,
            self.role,
            self.presence,
            self.mic_muted,
            self.camera_off,
            self.shows_screen,
            self.since,
        )


def place(setup: SeatSetup) -> Seat:
    """An invited endpoint's empty seat."""
    return Seat(setup.seat_id, setup.name, setup.unit_path, setup.role)


def enter(seat: Seat, now: float) -> Seat:
    """Present; devices and screen stay as they were (a return within the lease)."""
    return msgspec.structs.replace(seat, presence=Presence.PRESENT, since=now, suspended_until=None, admitted=True)


def wait(seat: Seat, now: float) -> Seat:
    """Into the lobby."""
    return msgspec.structs.replace(seat, presence=Presence.LOBBY, since=now)


def suspend(seat: Seat, now: float, until: float) -> Seat:
    """Connection lost. A seat that is suspended already keeps ``since``, the moment it was lost."""
    since = seat.since if seat.presence is Presence.SUSPENDED else now
    return msgspec.structs.replace(seat, presence=Presence.SUSPENDED, since=since, suspended_until=until)


def vacate(seat: Seat, now: float, removed: bool = False) -> Seat:
    """Out, with nothing kept but having been admitted once."""
    return msgspec.structs.replace(
        seat,
        presence=Presence.REMOVED if removed else Presence.ABSENT,
        since=now,
        suspended_until=None,
        mic_muted=False,
        camera_off=False,
        sharing=False,
        expected=False,
    )
