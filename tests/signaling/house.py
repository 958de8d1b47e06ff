"""A whole server in the test's own event loop: real store, rooms, media port and HTTP; only the clock can be moved."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from socket import SHUT_RDWR
from typing import Any, Self, TypeVar

import aiohttp
import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry
from yarl import URL

from server.archive.archive import Archive
from server.clock import SystemClock
from server.config import Config, RecordingConfig
from server.demo.fill import fill_demo
from server.demo.result import DemoResult
from server.directory.accounts import Accounts
from server.directory.endpoints import Endpoints
from server.directory.passwords import Passwords
from server.directory.units import Units
from server.hub import Hub, RecordingHouse
from server.media import MediaPlane
from server.meetings.book import MeetingBook
from server.recording.keys import SIGNING_KEY_FILE, SigningKey
from server.room.commands import PersonCommand
from server.signaling import messages
from server.signaling.http import Services, create_app
from server.signaling.turn import open_relay
from server.store.audit import AuditLog
from server.store.journal import Journal
from server.store.meetings import MeetingShelf
from server.store.store import Store, sqlite_url

CHEAP = Passwords(memory_kib=64)
ENDPOINTS = 4

Kind = TypeVar("Kind")

_from_server = msgspec.json.Decoder(messages.FromServer)


class MovableClock(SystemClock):
    """The real time, and what a test adds to it."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead_s = 0.0

    def now(self) -> float:
        return super().now() + self.ahead_s


def make_template(folder: Path) -> DemoResult:
    """Fill a database with the sample province, to be copied for every test."""

    async def fill() -> DemoResult:
        store = Store(sqlite_url(folder / "diemcau.sqlite3"))
        await store.open()
        try:
            return await fill_demo(store, ENDPOINTS, SystemClock().now(), passwords=CHEAP)
        finally:
            await store.close()

    return asyncio.run(fill())


class House:
    """The server and a client of it. Paths are relative to the server."""

    def __init__(self, folder: Path, demo: DemoResult, config: Config) -> None:
        self.demo = demo
        self.clock = MovableClock()
        self.store = Store(sqlite_url(folder / "diemcau.sqlite3"))
        self.media = MediaPlane(self.clock, config.media, host="127.0.0.1", port=0)
        self.archive = Archive(
            self.store,
            folder,
            self.clock,
            msgspec.structs.replace(config.archive, render=False),
            RecordingConfig(),
            recordings_dir=folder / "recordings",
            key_path=folder / SIGNING_KEY_FILE,
        )
        recordings = RecordingHouse.at(folder / "recordings", folder / SIGNING_KEY_FILE, self.archive, config.recording)
        shelf, journal = MeetingShelf(self.store, config), Journal(self.store)
        self.hub = Hub(shelf, journal, self.media, self.clock, config, recordings)
        self.registry = CollectorRegistry()
        self.recordings_dir = folder / "recordings"
        self.static_dir = folder / "static"
        self.services = Services(
            hub=self.hub,
            accounts=Accounts(self.store, config.http, CHEAP),
            book=MeetingBook(self.store),
            units=Units(self.store),
            endpoints=Endpoints(self.store),
            audit=AuditLog(self.store),
            archive=self.archive,
            clock=self.clock,
            config=config.http,
            media=config.media,
            registry=self.registry,
            static_dir=self.static_dir,
            relay=open_relay(config.turn, {}),
        )
        self.app = create_app(self.services)
        self.runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=1.0)
        self.http = aiohttp.ClientSession()
        self.base = URL()

    @property
    def key(self) -> SigningKey:
        """What recordings are signed with."""
        return SigningKey.load(self.recordings_dir.parent / SIGNING_KEY_FILE)

    @property
    def meeting(self) -> str:
        """The path of the open meeting."""
        return f"/api/meetings/{self.demo.meeting}"

    def token(self, who: str) -> str:
        """``chair``, ``operator``, ..., or ``endpoint0`` (the main one), ``endpoint1``, ..."""
        if who.startswith("endpoint"):
            return self.demo.endpoints[int(who.removeprefix("endpoint"))].token
        return str(getattr(self.demo, who).token)

    def seat(self, number: int) -> str:
        return self.demo.endpoints[number].id

    @asynccontextmanager
    async def ask(
        self, method: str, path: str, who: str | None = None, **options: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request with the bearer token of ``who``."""
        headers = dict(options.pop("headers", {}))
        if who is not None:
            headers.setdefault("Authorization", f"Bearer {self.token(who)}")
        async with self.http.request(
            method, self.base.join(URL(path, encoded=True)), headers=headers, **options
        ) as response:
            yield response

    async def problem(self, method: str, path: str, who: str | None = None, **options: Any) -> tuple[int, str]:
        """Status and code of a refused request."""
        async with self.ask(method, path, who, **options) as response:
            assert response.content_type == "application/problem+json", await response.text()
            body = await response.json(content_type=None)
            assert body["status"] == response.status
            return response.status, str(body["code"])

    @asynccontextmanager
    async def connect(self, who: str, meeting: str | None = None, **options: Any) -> AsyncIterator["Client"]:
        """A WebSocket that has not said anything yet."""
        headers = dict(options.pop("headers", {}))
        headers.setdefault("Authorization", f"Bearer {self.token(who)}")
        url = self.base / f"api/meetings/{meeting or self.demo.meeting}/ws"
        async with self.http.ws_connect(url, headers=headers, **options) as socket:
            yield Client(socket)

    @asynccontextmanager
    async def join(self, who: str, **hello: Any) -> AsyncIterator["Client"]:
        """A WebSocket that has been welcomed."""
        async with self.connect(who) as client:
            await client.hello(**hello)
            yield client

    async def __aenter__(self) -> Self:
        await self.store.open()
        await self.media.start()
        await self.hub.start()
        await self.archive.start(self.hub.recordings().keys())
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.base = URL(f"http://127.0.0.1:{self.runner.addresses[0][1]}")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()
        await self.hub.close("draining")
        await self.archive.stop()
        await self.runner.cleanup()
        await self.media.close()
        await self.store.close()


class Client:
    """The client's end of a WebSocket, frame by frame."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self._numbers = iter(range(1, 1_000_000))

    async def say(self, message: messages.FromClient | dict[str, Any] | str) -> None:
        text = message if isinstance(message, str) else msgspec.json.encode(message).decode()
        await self.socket.send_str(text)

    async def hear(self) -> messages.FromServer:
        """The next message. Fails where the connection closes instead."""
        frame = await self.socket.receive()
        assert frame.type is aiohttp.WSMsgType.TEXT, frame
        message: messages.FromServer = _from_server.decode(frame.data)
        return message

    async def hear_a(self, kind: type[Kind]) -> Kind:
        """The next message of a kind; others are passed over."""
        while not isinstance(message := await self.hear(), kind):
            pass
        return message

    async def hello(self, **fields: Any) -> messages.Welcome:
        await self.say(messages.Hello(messages.VERSION, **fields))
        return await self.hear_a(messages.Welcome)

    async def command(self, body: PersonCommand) -> messages.Done | messages.Refusal:
        """Ask and wait for the answer."""
        number = next(self._numbers)
        await self.say(messages.Ask(number, body))
        while True:
            message = await self.hear()
            if isinstance(message, messages.Done | messages.Refusal) and message.id == number:
                return message

    def cut(self) -> None:
        """End the TCP connection without a word of WebSocket."""
        self.socket.get_extra_info("socket").shutdown(SHUT_RDWR)

    async def closed(self) -> int:
        """Wait for the close; its code. Messages before it are passed over."""
        while True:
            frame = await self.socket.receive()
            if frame.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
                assert self.socket.close_code is not None
                return self.socket.close_code
            assert frame.type is aiohttp.WSMsgType.TEXT, frame


def copy_template(template: Path, folder: Path) -> None:
    for file in template.iterdir():
        shutil.copy(file, folder)
