"""A real hub over a real store and a real media port, and people who listen to it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from server.clock import SystemClock
from server.config import Config
from server.demo.result import DemoResult
from server.hub import Attendance, Feed, Hub, Link, RecordingHouse
from server.hub.ports import Section
from server.media import MediaPlane
from server.recording.keys import SIGNING_KEY_FILE
from server.room.commands import Actor, MeetingRole
from server.room.views import ChatView, FloorView, Presence, SeatView
from server.store.journal import Journal
from server.store.meetings import MeetingShelf
from server.store.store import Store, sqlite_url


class Ear:
    """Keeps what a listener is told; ``until`` waits for it."""

    def __init__(self) -> None:
        self.sections: list[Section] = []
        self.closed: tuple[str, str] | None = None
        self.alarms: list[tuple[str, bool]] = []
        self.heard_links: list[Link] = []
        self.told_layers: dict[str, tuple[str, ...]] = {}
        self.told_shortage = "none"
        self._changed = asyncio.Event()

    def tell(self, section: Section) -> None:
        self.sections.append(section)
        self._changed.set()

    def feeds(self, feeds: tuple[Feed, ...]) -> None: ...

    def speaking(self, seat_ids: tuple[str, ...]) -> None: ...

    def layers(self, mid: str, rids: tuple[str, ...]) -> None:
        self.told_layers[mid] = rids
        self._changed.set()

    def shortage(self, level: str) -> None:
        self.told_shortage = level

    def links(self, links: tuple[Link, ...]) -> None:
        self.heard_links += links
        self._changed.set()

    def alarm(self, code: str, detail: str, since: float, active: bool) -> None:
        self.alarms.append((code, active))

    def close(self, code: str, detail: str) -> None:
        self.closed = (code, detail)
        self._changed.set()

    async def until(self, holds: Callable[["Ear"], bool]) -> None:
        """Wait until it holds; the test's own time limit ends a wait in vain."""
        while not holds(self):
            self._changed.clear()
            await self._changed.wait()

    def presence(self, seat_id: str) -> Presence | None:
        """The last that was told of a seat."""
        told = [each.presence for each in self.sections if isinstance(each, SeatView) and each.seat_id == seat_id]
        return told[-1] if told else None

    def holders(self) -> set[str]:
        floors = [each for each in self.sections if isinstance(each, FloorView)]
        return {holder.seat_id for holder in floors[-1].holders} if floors else set()

    def chat(self) -> list[str]:
        return [each.text for each in self.sections if isinstance(each, ChatView)]


class RecordingBook:
    """Keeps what a shelf of recordings is told."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str]] = []

    async def opened(self, recording_id: str, meeting_id: str, at: float) -> None:
        self.entries.append(("opened", recording_id))

    async def closed(self, recording_id: str, reason: str) -> None:
        self.entries.append((reason, recording_id))


class Hall:
    """The hub of one data file; ``crash`` leaves everything as a kill would and starts another on the same file."""

    def __init__(self, file: Path, demo: DemoResult, config: Config) -> None:
        self.demo = demo
        self._file = file
        self._config = config
        self.clock = SystemClock()
        self.book = RecordingBook()
        self.recordings = file.parent / "recordings"

    async def start(self) -> None:
        self.store = Store(sqlite_url(self._file))
        await self.store.open()
        self.media = MediaPlane(self.clock, self._config.media, host="127.0.0.1", port=0)
        await self.media.start()
        shelf = MeetingShelf(self.store, self._config)
        recordings = RecordingHouse.at(
            self.recordings, self._file.parent / SIGNING_KEY_FILE, self.book, self._config.recording
        )
        self.hub = Hub(shelf, Journal(self.store), self.media, self.clock, self._config, recordings)
        await self.hub.start()

    async def stop(self) -> None:
        await self.hub.close()
        await self.media.close()
        await self.store.close()

    @property
    def meeting(self) -> str:
        return self.demo.meeting

    def seat(self, number: int) -> str:
        return self.demo.endpoints[number].id

    def endpoint(self, number: int) -> Actor:
        """0 is the main endpoint."""
        seat_id = self.seat(number)
        return Actor(f"acc_{seat_id}", f"Điểm cầu {number}", MeetingRole.ENDPOINT, seat_id)

    async def moderator(self, deputy: bool = False) -> Actor:
        """The chair or the deputy, without a seat."""
        view = (await self.hub.view(self.meeting)).meeting
        found = next(each for each in view.moderators if each.deputy is deputy)
        role = MeetingRole.DEPUTY if deputy else MeetingRole.CHAIR
        return Actor(found.account_id, found.name, role)

    async def attend(
        self, actor: Actor, *, resume: str | None = None, take_over: bool = False
    ) -> tuple[Attendance, Ear]:
        ear = Ear()
        return await self.hub.attend(self.meeting, actor, ear, resume=resume, take_over=take_over), ear
