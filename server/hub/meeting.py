"""One meeting as it runs: commands in, room effects carried out. The only interpreter of ``room.effects``."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from server.clock import Clock
from server.config import Config
from server.errors import Conflict, Forbidden, InvalidInput, NotFound, TooMany
from server.hub.attendance import Attendance
from server.hub.bulletin import Bulletin
from server.hub.crier import Crier
from server.hub.journal_writer import JournalWriter
from server.hub.media_news import MediaNews
from server.hub.people import People, may_moderate, same_place
from server.hub.ports import Listener, MediaAnswer, MediaSession
from server.hub.recorder import Recorder, RecordingHouse
from server.hub.roads import Roads
from server.hub.sessions import Sessions
from server.ids import new_id, new_token
from server.media import MediaPlane
from server.recording.settings import WriterStats
from server.room.commands import (
    Actor,
    AddSeat,
    Body,
    Command,
    Drop,
    Join,
    Leave,
    MeetingRole,
    PersonCommand,
    Restart,
    SuspendRecording,
)
from server.room.effects import Effect, Expel, Note, Persist, SetGate, Tell
from server.room.room import Room
from server.room.setup import SeatSetup
from server.room.views import RoomView
from server.sfu.ports import PeerKey, TrackLabel
from server.sfu.router import Shortage, TrackId
from server.store.journal import Journal
from server.transport.sdp import Purpose

logger = logging.getLogger(__name__)
audit = logging.getLogger("diemcau.audit")

_FLICKER_S = 2.0
"""A WebSocket that is back within this time while media flows never shows as a lost endpoint."""
_SYSTEM = Actor("system", "system", MeetingRole.SYSTEM)


class LiveMeeting:
    """Owns the room, the people and the roads of one open meeting. Lives on the event loop's thread."""

    def __init__(
        self,
        room: Room,
        meeting_id: str,
        media: MediaPlane,
        journal: Journal,
        clock: Clock,
        config: Config,
        recordings: RecordingHouse,
        on_ended: Callable[[str], Coroutine[Any, Any, None]],
    ) -> None:
        self.meeting_id = meeting_id
        self.room = room
        self._media = media
        self._clock = clock
        self._config = config
        self._on_ended = on_ended
        self._people = People()
        self._crier = Crier(room, self._people)
        self._roads = Roads(room, media, clock, self._watching)
        self._news = MediaNews(self._people, self._roads)
        self._sessions = Sessions(meeting_id, media, self._roads, config.media)
        self._bulletin = Bulletin(self._people, self._roads, clock, lambda: self._recorder.hours_low)
        self._writer = JournalWriter(journal, meeting_id, clock, self._bulletin.raise_alarm)
        self._recorder = Recorder(room, meeting_id, self._roads, media, clock, recordings, self._recorder_says)
        self._roads.on_refreshed = self._recorder.feed
        self._seating: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        media.open_room(meeting_id, self)

    # --- people ----------------------------------------------------------------------------------

    async def attend(self, actor: Actor, listener: Listener, resume: str | None, take_over: bool) -> Attendance:
        """Seat a WebSocket. Raises Conflict("seat_taken"), Conflict("locked"), Forbidden("removed")."""
        async with self._seating[actor.seat_id or actor.account_id]:
            if resume is not None and (known := self._people.resumable(actor, resume)) is not None:
                return await self._resume(known, actor, listener)
            if actor.seat_id is not None:
                await self._clear_seat(actor, actor.seat_id, take_over)
            await self._step(actor, Join())
            attendance = Attendance(self, actor, listener, new_id("s"), new_token())
            attendance.admitted = not self._crier.in_lobby(actor)
            self._people.add(attendance)
        self._bulletin.start()
        if may_moderate(actor):
            self._bulletin.greet(listener)
        return attendance

    async def command(self, actor: Actor, body: PersonCommand) -> None:
        """Carry out what a person asks. Raises DiemcauError, and nothing has happened then."""
        try:
            await self._step(actor, body)
        except (Forbidden, Conflict) as refusal:
            kind = body.__struct_config__.tag
            audit.warning("refused %s by %s in %s: %s", kind, actor.account_id, self.meeting_id, refusal.code)
            raise

    async def leave(self, attendance: Attendance) -> None:
        if self._forget(attendance):
            await self._depart(attendance.actor, on_purpose=True)

    def lose(self, attendance: Attendance) -> None:
        if self._people.get(attendance.session) is not attendance or attendance.listener is None:
            return
        attendance.listener = None
        loop = asyncio.get_running_loop()
        flowing = attendance.peer is not None and self._roads.peers[attendance.peer].connected
        attendance.grace = loop.call_later(_FLICKER_S if flowing else 0.0, self._spawn_drop, attendance.actor)
        attendance.expiry = loop.call_later(self._config.floor.lease_s, self._forget, attendance)

    def sign_out(self, account_id: str) -> None:
        """Close everything of an account, as when it signs out or is disabled."""
        for attendance in self._people:
            if attendance.actor.account_id == account_id:
                attendance.dismiss("signed_out", "")
                self._spawn(self.leave(attendance))
        for peer in tuple(self._roads.peers.values()):
            if peer.actor.account_id == account_id:
                self._media.close_peer(peer.key, "signed_out")

    def view(self) -> RoomView:
        return self.room.view()

    def view_for(self, attendance: Attendance) -> RoomView:
        """The whole room, or for somebody in the lobby the meeting and the own seat."""
        return self._crier.view_for(attendance.actor)

    async def _depart(self, actor: Actor, *, on_purpose: bool) -> None:
        """A connection ended; where it was the actor's last, the room hears of it."""
        if not self._is_connected(actor):
            await self._step(actor, Leave() if on_purpose else Drop())

    async def _resume(self, attendance: Attendance, actor: Actor, listener: Listener) -> Attendance:
        attendance.cancel_timers()
        if attendance.listener is not None:
            attendance.listener.close("moved", "The session was resumed elsewhere.")
        attendance.listener = listener
        attendance.resumed = True
        await self._step(actor, Join())
        attendance.admitted = not self._crier.in_lobby(actor)
        if may_moderate(actor):
            self._bulletin.greet(listener)
        if attendance.peer is not None:
            self._news.catch_up(listener, attendance.peer)
        return attendance

    async def _clear_seat(self, newcomer: Actor, seat_id: str, take_over: bool) -> None:
        held = self._people.of_seat(seat_id)
        if any(attendance.listener is not None for attendance in held) and not take_over:
            raise Conflict("seat_taken", "Another tab or device is connected as this endpoint.")
        for attendance in held:
            attendance.dismiss("moved", "Another tab or device took this seat.")
            self._forget(attendance)
            if not same_place(attendance.actor, newcomer):
                await self._depart(attendance.actor, on_purpose=False)

    def _forget(self, attendance: Attendance) -> bool:
        """Drop an attendance with its media; False where it was gone already."""
        if not self._people.discard(attendance):
            return False
        if attendance.peer is not None:
            self._sessions.close(attendance.peer)
            attendance.peer = None
        return True

    def _is_connected(self, actor: Actor) -> bool:
        sockets = (attendance.actor for attendance, _ in self._people.listening())
        media = (peer.actor for peer in self._roads.peers.values() if peer.purpose is not Purpose.SESSION)
        return any(same_place(actor, other) for other in (*sockets, *media))

    # --- media -----------------------------------------------------------------------------------

    async def offer(self, attendance: Attendance, sdp: str, labels: Mapping[str, TrackLabel]) -> MediaAnswer:
        self._refuse_lobby(attendance.actor)
        if attendance.peer is not None:
            self._sessions.close(attendance.peer)
            attendance.peer = None
        peer, answer = self._sessions.open(attendance.actor, sdp, labels, Purpose.SESSION, attendance.session)
        attendance.peer = peer.key
        return MediaAnswer(answer, peer.slots)

    def restart_ice(self, attendance: Attendance, fragment: str) -> str:
        """Raises InvalidInput("bad_sdp"), NotFound("no_such_session") where there is no connection to go on with."""
        if attendance.peer is None:
            raise NotFound("no_such_session", "There is no media connection; offer one.")
        return self._media.restart_ice(attendance.peer, fragment)

    async def open_media(self, actor: Actor, sdp: str, purpose: Purpose) -> MediaSession:
        """WHIP and WHEP. The newest WHIP publisher of a seat replaces the one before."""
        if purpose is Purpose.PUBLISH and actor.seat_id is None:
            raise Forbidden("no_seat", "Only an endpoint may publish.")
        await self._step(actor, Join())
        try:
            self._refuse_lobby(actor)
            peer, answer = self._sessions.open(actor, sdp, {}, purpose, new_id("m"))
        except (Conflict, InvalidInput, TooMany):
            await self._depart(actor, on_purpose=True)
            raise
        if purpose is Purpose.PUBLISH:
            self._sessions.replace_publishers(peer)
        return MediaSession(peer.session_id, answer)

    async def patch_media(self, session_id: str, actor: Actor, fragment: str) -> str:
        return self._sessions.restart_ice(session_id, actor, fragment)

    async def close_media(self, session_id: str, actor: Actor) -> None:
        self._sessions.close(self._sessions.own(session_id, actor).key)
        await self._depart(actor, on_purpose=True)

    def show(self, attendance: Attendance, sizes: Mapping[str, int]) -> None:
        if attendance.peer is not None:
            self._sessions.show(attendance.peer, sizes)

    def watch(self, attendance: Attendance, mid: str, seat_id: str | None) -> None:
        if not may_moderate(attendance.actor):
            raise Forbidden("not_moderator", "Only moderators and operators preview endpoints.")
        if seat_id is None:
            attendance.watching.pop(mid, None)
        elif self.room.presence(seat_id) is None:
            raise NotFound("no_such_seat")
        else:
            attendance.watching[mid] = seat_id
        self._roads.refresh_soon()

    def _refuse_lobby(self, actor: Actor) -> None:
        if self._crier.in_lobby(actor):
            raise Conflict("in_lobby", "Wait until the chair lets you in.")

    def _watching(self, session_id: str) -> Mapping[str, str]:
        attendance = self._people.get(session_id)
        return attendance.watching if attendance is not None else {}

    # --- MediaObserver ---------------------------------------------------------------------------

    def media_connected(self, peer: PeerKey) -> None:
        known = self._roads.peers.get(peer)
        if known is not None:
            known.connected = True
            self._roads.refresh_soon()

    def media_closed(self, peer: PeerKey, reason: str) -> None:
        known = self._roads.remove(peer)
        if known is None:
            return
        attendance = self._people.get(known.session_id)
        if attendance is not None and attendance.peer == peer:
            attendance.peer = None
        if known.purpose is not Purpose.SESSION:
            self._spawn(self._depart(known.actor, on_purpose=reason == "peer_closed"))

    def slot_fed(self, peer: PeerKey, mid: str, track: TrackId | None) -> None:
        self._news.slot_fed(peer, mid, track)

    def speakers_changed(self, tracks: tuple[TrackId, ...]) -> None:
        self._news.speakers_changed(tracks)

    def layers_wanted(self, track: TrackId, rids: tuple[str, ...]) -> None:
        self._news.layers_wanted(track, rids)

    def starved(self, peer: PeerKey, shortage: Shortage) -> None:
        self._news.starved(peer, shortage)

    # --- the recorder ----------------------------------------------------------------------------

    @property
    def recording(self) -> WriterStats | None:
        """How the recording is written; None while there is none."""
        return self._recorder.stats

    async def recorder_settled(self) -> None:
        await self._recorder.settled()

    def _recorder_says(self, state: str, detail: str) -> None:
        """Moderators hear of trouble at once; that nothing is written, everybody sees (and the journal has it)."""
        self._bulletin.follow_recorder(state, detail, self._clock.now())
        if state in ("ok", "paused"):
            self._spawn(self._step(_SYSTEM, SuspendRecording(detail if state == "paused" else "")))

    # --- life ------------------------------------------------------------------------------------

    async def restart(self) -> None:
        """After a restart of the server: suspend who was in (see ``room.commands.Restart``)."""
        await self._step(_SYSTEM, Restart())
        self._recorder.resume()

    async def add_seats(self, seats: Iterable[SeatSetup]) -> None:
        for seat in seats:
            await self._step(_SYSTEM, AddSeat(seat.seat_id, seat.name, seat.unit_path, seat.role.value))

    async def close(self, code: str, detail: str = "") -> None:
        """Say good-bye to everybody and stop; the room's state stays in the journal."""
        if self._timer is not None:
            self._timer.cancel()
        self._bulletin.stop()
        for attendance in self._people:
            attendance.dismiss(code, detail)
            self._forget(attendance)
        await self._recorder.close()
        self._media.close_room(self.meeting_id)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._writer.close()

    @property
    def attending(self) -> int:
        """How many seats are present."""
        return self.room.present

    # --- the step --------------------------------------------------------------------------------

    async def _step(self, actor: Actor, body: Body) -> None:
        await self._carry_out(self.room.step(Command(actor, body), self._clock.now()))

    async def _tick(self) -> None:
        await self._carry_out(self.room.tick(self._clock.now()))

    async def _carry_out(self, effects: list[Effect]) -> None:
        """Closings at once, then the journal, then the rest: nobody is told what a restart would not know.

        Steps that come while the journal writes wait for it together, and go on here in their order.
        """
        gates = self.room.gates
        for effect in effects:
            if isinstance(effect, SetGate) and not effect.open:
                self._roads.close_voice(effect.seat_id)
        await self._writer.append([effect for effect in effects if isinstance(effect, Persist)])
        for effect in effects:
            match effect:
                case Tell(section):
                    self._recorder.tell(section)
                    self._crier.tell(section)
                case Expel():
                    self._expel(effect)
                case Note(event, seat_id, account_id, detail):
                    audit.info("%s in %s: seat=%s by=%s %s", event, self.meeting_id, seat_id, account_id, detail)
        if effects:
            self._roads.open_voices(gates)
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self.room.next_deadline()
        if deadline is not None:
            delay = max(0.0, deadline - self._clock.now())
            self._timer = asyncio.get_running_loop().call_later(delay, self._spawn_tick)

    def _expel(self, effect: Expel) -> None:
        everybody = effect.seat_id is None and effect.account_id is None
        for attendance in self._people:
            if everybody or _is_meant(effect, attendance.actor):
                attendance.dismiss(effect.code, effect.detail)
                self._forget(attendance)
        for peer in tuple(self._roads.peers.values()):
            if everybody or _is_meant(effect, peer.actor):
                self._sessions.close(peer.key, effect.code)
        if everybody:
            self._spawn(self._on_ended(self.meeting_id))

    # --- background ------------------------------------------------------------------------------

    def _spawn_drop(self, actor: Actor) -> None:
        self._spawn(self._depart(actor, on_purpose=False))

    def _spawn_tick(self) -> None:
        self._spawn(self._tick())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("meeting %s: background step failed", self.meeting_id, exc_info=error)


def _is_meant(effect: Expel, actor: Actor) -> bool:
    by_seat = effect.seat_id is not None and actor.seat_id == effect.seat_id
    return by_seat or (effect.account_id is not None and actor.account_id == effect.account_id)
