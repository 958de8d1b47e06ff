"""The composition root: builds every part, starts them in order, drains and stops them."""

import asyncio
import logging
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from server.archive.archive import Archive
from server.clock import SystemClock
from server.config import Config
from server.directory.accounts import Accounts
from server.directory.endpoints import Endpoints
from server.directory.first_start import Credentials, ensure_administrator
from server.directory.units import Units
from server.errors import Unavailable
from server.hub import Hub, RecordingHouse
from server.media import MediaPlane
from server.meetings.book import MeetingBook
from server.metrics import make_registry
from server.recording.keys import SIGNING_KEY_FILE
from server.signaling.http import Services, create_app
from server.signaling.turn import open_relay
from server.store.audit import AuditLog
from server.store.journal import Journal
from server.store.meetings import MeetingShelf
from server.store.store import Store, sqlite_url

logger = logging.getLogger(__name__)

STATIC_DIR = Path(__file__).parent / "static"
_DRAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port; port 0 takes a free one."""

    host: str
    port: int


def store_for(data_dir: Path, config: Config) -> Store:
    """The store of a data folder; the folder is made where it is missing, readable by its owner only."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Store(config.database_url or sqlite_url(data_dir / "diemcau.sqlite3"))


def recordings_dir_of(data_dir: Path, config: Config) -> Path:
    """Where recordings lie: a folder each."""
    return Path(config.recordings_dir) if config.recordings_dir else data_dir / "recordings"


class Server:
    """A whole server. ``start`` raises Unavailable where an address or the database cannot be had."""

    def __init__(self, data_dir: Path, http: Address, media: Address, config: Config) -> None:
        self._http = http
        self._relay = open_relay(config.turn, os.environ)
        self._config = config
        self.clock = SystemClock()
        self.store = store_for(data_dir, config)
        self.media = MediaPlane(self.clock, config.media, host=media.host, port=media.port)
        recordings_dir, key_path = recordings_dir_of(data_dir, config), data_dir / SIGNING_KEY_FILE
        self.archive = Archive(
            self.store,
            data_dir,
            self.clock,
            config.archive,
            config.recording,
            recordings_dir=recordings_dir,
            key_path=key_path,
        )
        recordings = RecordingHouse.at(recordings_dir, key_path, self.archive, config.recording)
        shelf, journal = MeetingShelf(self.store, config), Journal(self.store)
        self.hub = Hub(shelf, journal, self.media, self.clock, config, recordings)
        self.accounts = Accounts(self.store, config.http)
        self._runner: web.AppRunner | None = None
        self.http_port = http.port

    async def start(self) -> Credentials | None:
        """Open the store, the media port, the meetings, then HTTP. Returns a new house's first sign-in."""
        await self.store.open()
        try:
            first = await ensure_administrator(self.accounts, self.clock.now())
            await self.media.start()
            await self.hub.start()
            await self.archive.start(self.hub.recordings().keys())
            await self._listen()
        except BaseException:
            await self.stop()
            raise
        return first

    async def stop(self) -> None:
        """Drain: tell everybody, close media, finish writing. Bounded in time."""
        if self._runner is not None:
            await self._runner.cleanup()
        await self.hub.close("draining")
        await self.archive.stop()
        await self.media.close()
        await self.store.close()

    async def _listen(self) -> None:
        app = create_app(
            Services(
                hub=self.hub,
                accounts=self.accounts,
                book=MeetingBook(self.store),
                units=Units(self.store),
                endpoints=Endpoints(self.store),
                audit=AuditLog(self.store),
                archive=self.archive,
                clock=self.clock,
                config=self._config.http,
                media=self._config.media,
                registry=make_registry(self.media, self.hub),
                static_dir=STATIC_DIR,
                relay=self._relay,
            )
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_DRAIN_S, handle_signals=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._http.host, self._http.port)
        try:
            await site.start()
        except OSError as error:
            raise Unavailable("http_port_busy", f"{self._http.host}:{self._http.port}: {error.strerror}") from error
        self.http_port = self._runner.addresses[0][1]


async def run_until_told(server: Server) -> None:
    """Run a started server until SIGTERM or SIGINT, then drain it."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await stopping.wait()
    logger.info("draining")
    await server.stop()
