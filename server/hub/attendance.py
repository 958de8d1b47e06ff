"""One person's live (or resumable) connection to a meeting: the handle that signaling holds."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from server.hub.ports import LineReport, Listener, MediaAnswer
from server.room import permissions
from server.room.commands import Actor, PersonCommand
from server.room.views import RoomView
from server.sfu.ports import PeerKey, TrackLabel

if TYPE_CHECKING:
    from server.hub.meeting import LiveMeeting


class Attendance:
    """Made by ``Hub.attend``. ``listener`` is None while the socket is lost and may yet resume."""

    def __init__(self, meeting: "LiveMeeting", actor: Actor, listener: Listener, session: str, resume: str) -> None:
        self._meeting = meeting
        self.actor = actor
        self.listener: Listener | None = listener
        self.session = session
        self.resume = resume
        self.resumed = False
        self.peer: PeerKey | None = None
        self.admitted = False
        self.grace: asyncio.TimerHandle | None = None
        self.expiry: asyncio.TimerHandle | None = None
        self.watching: dict[str, str] = {}
        self.line_report: LineReport | None = None

    def view(self) -> RoomView:
        """The room as this person may see it: whole, or in the lobby only the own seat."""
        return self._meeting.view_for(self)

    def may(self) -> tuple[str, ...]:
        """The command types of this person's role."""
        return permissions.allowed(self.actor.role, seated=self.actor.seat_id is not None)

    async def command(self, body: PersonCommand) -> None:
        """Carry out a command. Raises DiemcauError where the room refuses it."""
        await self._meeting.command(self.actor, body)

    async def offer(self, sdp: str, labels: Mapping[str, TrackLabel]) -> MediaAnswer:
        """Answer the session's one offer. Raises InvalidInput("bad_sdp"), Conflict("in_lobby"), TooMany."""
        return await self._meeting.offer(self, sdp, labels)

    def restart_ice(self, fragment: str) -> str:
        """Go on over another way: the fragment's answer (RFC 8840). Raises InvalidInput("bad_sdp"), NotFound."""
        return self._meeting.restart_ice(self, fragment)

    def show(self, sizes: Mapping[str, int]) -> None:
        """Tell how tall each video slot is shown, by mid, in device pixels; 0: hidden."""
        self._meeting.show(self, sizes)

    def watch(self, mid: str, seat_id: str | None) -> None:
        """Moderators and operators: preview a seat in one of the own slots. Raises Forbidden, NotFound."""
        self._meeting.watch(self, mid, seat_id)

    def line(self, rtt_ms: float | None, loss_percent: float | None, freezes: int | None) -> None:
        """What the client measured of its own line; shown to operators beside the server's figures."""
        self.line_report = LineReport(rtt_ms, loss_percent, freezes)

    async def leave(self) -> None:
        """A good-bye: the seat is free at once."""
        await self._meeting.leave(self)

    async def lost(self) -> None:
        """The socket died: the seat is suspended shortly, the session can be resumed for the lease time."""
        self._meeting.lose(self)

    def dismiss(self, code: str, detail: str) -> None:
        """Tell the socket that it is over; it is nobody's listener from now on."""
        if self.listener is not None:
            self.listener.close(code, detail)
            self.listener = None

    def cancel_timers(self) -> None:
        for timer in (self.grace, self.expiry):
            if timer is not None:
                timer.cancel()
        self.grace = self.expiry = None
