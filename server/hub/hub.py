"""All running meetings: opened on first use or at the start, ended when their room ends."""

import asyncio
import logging

from server.clock import Clock
from server.config import Config
from server.errors import NotFound
from server.hub.attendance import Attendance
from server.hub.meeting import LiveMeeting
from server.hub.ports import Listener, MediaSession
from server.hub.recorder import RecordingHouse
from server.hub.trials import Trials
from server.media import MediaPlane
from server.recording.settings import WriterStats
from server.room.commands import Actor, PersonCommand, StopRecording
from server.room.room import Room
from server.room.setup import SeatSetup
from server.room.views import RoomView
from server.store.journal import Journal
from server.store.meetings import MeetingShelf
from server.transport.sdp import Purpose

logger = logging.getLogger(__name__)


class Hub:
    """What signaling talks to. Every method but ``present`` and ``sign_out`` may raise DiemcauError."""

    def __init__(
        self,
        shelf: MeetingShelf,
        journal: Journal,
        media: MediaPlane,
        clock: Clock,
        config: Config,
        recordings: RecordingHouse,
    ) -> None:
        self._shelf = shelf
        self._journal = journal
        self._media = media
        self._clock = clock
        self._config = config
        self._recordings = recordings
        self._live: dict[str, LiveMeeting] = {}
        self._trials = Trials(media)
        self._opening: dict[str, asyncio.Lock] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Bring every open meeting back to where its journal ends; a damaged one is logged and left closed."""
        for meeting_id in await self._shelf.open_ids():
            try:
                await self._meeting(meeting_id)
            except Exception:
                # One room's broken journal must not keep the others from opening (SCENARIOS row 11).
                logger.exception("meeting %s could not be brought back", meeting_id)

    async def close(self, code: str = "draining") -> None:
        """Say good-bye to everybody and stop every room; their state stays in the journal."""
        for meeting in tuple(self._live.values()):
            await meeting.close(code)
        self._live.clear()
        await asyncio.gather(*self._ending)

    async def attend(
        self, meeting_id: str, actor: Actor, listener: Listener, *, resume: str | None, take_over: bool
    ) -> Attendance:
        """Seat a WebSocket. Raises Conflict("seat_taken" | "locked"), Forbidden("removed"), NotFound."""
        meeting = await self._meeting(meeting_id)
        return await meeting.attend(actor, listener, resume, take_over)

    async def command(self, meeting_id: str, actor: Actor, body: PersonCommand) -> RoomView:
        """A command from outside a WebSocket; returns the room after it."""
        meeting = await self._meeting(meeting_id)
        await meeting.command(actor, body)
        return meeting.view()

    async def stop_recording(self, meeting_id: str, actor: Actor) -> None:
        """Returns when the recording's signed last line is on the disk. Raises Conflict("not_recording")."""
        meeting = await self._meeting(meeting_id)
        await meeting.command(actor, StopRecording())
        await meeting.recorder_settled()

    async def view(self, meeting_id: str) -> RoomView:
        return (await self._meeting(meeting_id)).view()

    async def add_seats(self, meeting_id: str, seats: tuple[SeatSetup, ...]) -> None:
        """Tell a running room of newly invited endpoints; a room that does not run reads them when it opens."""
        if meeting_id in self._live:
            await self._live[meeting_id].add_seats(seats)

    async def open_media(self, meeting_id: str, actor: Actor, sdp: str, *, publish: bool) -> MediaSession:
        """Answer a WHIP (``publish``) or WHEP offer. Raises InvalidInput("bad_sdp"), Forbidden, Conflict, TooMany."""
        meeting = await self._meeting(meeting_id)
        return await meeting.open_media(actor, sdp, Purpose.PUBLISH if publish else Purpose.VIEW)

    async def patch_media(self, meeting_id: str, session_id: str, actor: Actor, fragment: str) -> str:
        """Trickle ICE or ICE restart (RFC 9725 4.3). Raises NotFound("no_such_session")."""
        return await (await self._meeting(meeting_id)).patch_media(session_id, actor, fragment)

    async def close_media(self, meeting_id: str, session_id: str, actor: Actor) -> None:
        """End a WHIP or WHEP session of one's own. Raises NotFound("no_such_session")."""
        await (await self._meeting(meeting_id)).close_media(session_id, actor)

    def try_media(self, account_id: str, sdp: str) -> str:
        """Answer an offer that only tries the way to the media port. Raises InvalidInput("bad_sdp"), TooMany."""
        return self._trials.open(account_id, sdp)

    def sign_out(self, account_id: str) -> None:
        """Close every connection of an account in every meeting."""
        for meeting in self._live.values():
            meeting.sign_out(account_id)

    def present(self, meeting_id: str) -> int:
        """How many endpoints are in the meeting now."""
        meeting = self._live.get(meeting_id)
        return meeting.attending if meeting is not None else 0

    def recordings(self) -> dict[str, WriterStats]:
        """How each running recording is written, by meeting."""
        running = ((meeting_id, meeting.recording) for meeting_id, meeting in self._live.items())
        return {meeting_id: stats for meeting_id, stats in running if stats is not None}

    @property
    def meetings(self) -> int:
        """How many rooms are running."""
        return len(self._live)

    async def _meeting(self, meeting_id: str) -> LiveMeeting:
        live = self._live.get(meeting_id)
        if live is not None:
            return live
        lock = self._opening.setdefault(meeting_id, asyncio.Lock())
        try:
            async with lock:
                if meeting_id not in self._live:
                    self._live[meeting_id] = await self._open(meeting_id)
        finally:
            self._opening.pop(meeting_id, None)
        return self._live[meeting_id]

    async def _open(self, meeting_id: str) -> LiveMeeting:
        setup = await self._shelf.load_setup(meeting_id)
        entries = await self._journal.load(meeting_id)
        room = Room.replay(setup, [(entry.at, entry.command) for entry in entries])
        if room.skipped:
            logger.warning("meeting %s: %d journal entries no longer apply", meeting_id, room.skipped)
        if room.ended:
            await self._shelf.mark_ended(meeting_id, self._clock.now())
            raise NotFound("meeting_not_open", "The meeting has ended.")
        meeting = LiveMeeting(
            room, meeting_id, self._media, self._journal, self._clock, self._config, self._recordings, self._ended
        )
        await meeting.restart()
        return meeting

    async def _ended(self, meeting_id: str) -> None:
        meeting = self._live.pop(meeting_id, None)
        if meeting is None:
            return
        # Closing waits for the meeting's own tasks, of which the caller is one.
        task = asyncio.create_task(self._finish(meeting))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _finish(self, meeting: LiveMeeting) -> None:
        await meeting.close("ended")
        await self._shelf.mark_ended(meeting.meeting_id, self._clock.now())
