"""Janus as a process of its own in a namespace, with one VideoRoom; every viewer has one connection."""

import asyncio
import contextlib
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import msgspec

from server.bots.connection import MediaConnection
from server.bots.offer import OfferPlan, read_answer
from server.clock import SystemClock
from server.errors import DiemcauError
from tests.bench.janus.api import JanusApi, JanusRefused, Json
from tests.bench.janus.sdp import publisher_offer, viewer_answer
from tests.bench.namespace import Namespace
from tests.bench.sfu import NotServed, Takes, make_certificate, plan_publisher

ROOM = 1
PORT = 8188
READY_WITHIN_S = 20.0
STOP_WITHIN_S = 5.0
FOLDER = Path("/usr/lib/x86_64-linux-gnu/janus")


class JanusSettings(msgspec.Struct, frozen=True):
    """``event_loops`` 0: a thread a connection, as packaged. ``library``: a folder with another libsrtp, or ""."""

    event_loops: int
    library: str = ""

    @property
    def name(self) -> str:
        return f"event_loops={self.event_loops}" + (", libsrtp on OpenSSL" if self.library else ", Debian's libsrtp")


class JanusFailed(Exception):
    """It does not start; the message carries the end of its log."""


class _Feed(msgspec.Struct, frozen=True):
    """A publisher, as viewers subscribe to it."""

    feed: int
    audio_mid: str
    video_mid: str | None


class JanusSfu:
    """``async with``: running, pinned to ``cpus``, with a room of VP8 and Opus and without a bitrate's limit."""

    refusals = (NotServed, JanusRefused, DiemcauError, TimeoutError)

    def __init__(self, namespace: Namespace, settings: JanusSettings, *, cpus: Sequence[int]) -> None:
        self.name = f"janus ({settings.name})"
        self.clock = SystemClock()
        self.certificate = make_certificate()
        self._namespace = namespace
        self._settings = settings
        self._cpus = cpus
        self._feeds: list[_Feed] = []
        self._handles: dict[MediaConnection, int] = {}

    @property
    def pid(self) -> int:
        return self._process.pid

    async def __aenter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="janus-bench-")
        folder = Path(self._folder.name)
        for name, text in configuration(self._settings, self._namespace.interface).items():
            (folder / name).write_text(text)
        self._log = folder / "janus.log"
        self._process = self._spawn(folder)
        try:
            self._api = await self._connect()
            self._check_library()
            handle = await self._api.attach()
            room: Json = {"request": "create", "room": ROOM, "publishers": 100, "bitrate": 0, "fir_freq": 0}
            await self._api.request(handle, room | {"videocodec": "vp8", "audiocodec": "opus", "notify_joining": False})
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._handles:
            connection.close()
        await self._api.__aexit__(kind, error, trace)
        await self._stop()

    async def publish(self, *, picture: bool) -> MediaConnection:
        plan = plan_publisher(picture=picture)
        connection = MediaConnection(self.clock, plan, self.certificate, kernel_times=True)
        handle = await self._api.attach()
        body = {"request": "joinandconfigure", "ptype": "publisher", "room": ROOM}
        jsep = {"type": "offer", "sdp": publisher_offer(plan, connection.credentials), "trickle": True}
        joined, answer = await self._api.message(handle, body, jsep)
        await self._connect_media(connection, handle, answer, plan)
        await self._api.until_up(handle)
        mids = {str(track.kind): track.mid for track in plan.sends}
        self._feeds.append(_Feed(joined["id"], mids["audio"], mids.get("video")))
        return connection

    async def view(self, takes: Takes) -> MediaConnection:
        """One connection for all of it (Janus's multistream)."""
        handle = await self._api.attach()
        wanted = [{"feed": each.feed, "mid": each.audio_mid} for each in self._feeds[: takes.voices]]
        wanted += [{"feed": each.feed, "mid": each.video_mid} for each in self._feeds[: takes.pictures]]
        body = {"request": "join", "ptype": "subscriber", "room": ROOM, "streams": wanted}
        _, offer = await self._api.message(handle, body)
        plan = OfferPlan((), takes.voices, takes.pictures)
        connection = MediaConnection(self.clock, plan, self.certificate, kernel_times=True)
        jsep = {"type": "answer", "sdp": viewer_answer(offer, connection.credentials), "trickle": True}
        await self._api.message(handle, {"request": "start"}, jsep)
        await self._connect_media(connection, handle, offer, plan)
        return connection

    async def leave(self, connection: MediaConnection) -> None:
        handle = self._handles.pop(connection)
        connection.close()
        await self._api.detach(handle)

    def _spawn(self, folder: Path) -> subprocess.Popen[bytes]:
        command = [*self._namespace.prefix, "taskset", "-c", ",".join(map(str, self._cpus)), "janus", "-F", str(folder)]
        environment = {**os.environ}
        if self._settings.library:
            environment["LD_LIBRARY_PATH"] = self._settings.library
        with self._log.open("wb") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment
            )

    def _check_library(self) -> None:
        library = self._settings.library
        if library and library not in Path(f"/proc/{self.pid}/maps").read_text():
            raise JanusFailed(f"janus did not take the library in {library}")

    async def _connect_media(self, connection: MediaConnection, handle: int, theirs: str, plan: OfferPlan) -> None:
        connecting = asyncio.ensure_future(connection.connect(read_answer(theirs, plan)))
        await asyncio.sleep(0)  # it has a socket now
        await self._api.trickle(handle, connection.local_address)
        await connecting
        self._handles[connection] = handle

    async def _connect(self) -> JanusApi:
        deadline = self.clock.now() + READY_WITHIN_S
        while True:
            if self._process.poll() is not None or self.clock.now() > deadline:
                raise JanusFailed(f"janus does not run\n{self._log.read_text('utf-8', 'replace')[-3000:]}")
            with contextlib.suppress(aiohttp.ClientError, OSError):
                return await JanusApi(f"ws://{self._namespace.address}:{PORT}/").__aenter__()
            await asyncio.sleep(0.1)

    async def _stop(self) -> None:
        self._process.terminate()
        try:
            await asyncio.to_thread(self._process.wait, STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
        self._folder.cleanup()


def configuration(settings: JanusSettings, interface: str) -> dict[str, str]:
    """Janus's configuration files: only what a VideoRoom needs, ICE-lite (as its documentation advises where the server
    is reachable, and as Diemcau is), no log a packet."""
    plugins, transports = _all_but("plugins", "videoroom"), _all_but("transports", "websockets")
    loops = f"event_loops = {settings.event_loops}" if settings.event_loops else ""
    core = f"""
general: {{
    plugins_folder = "{FOLDER}/plugins"
    transports_folder = "{FOLDER}/transports"
    events_folder = "{FOLDER}/events"
    loggers_folder = "{FOLDER}/loggers"
    debug_level = 3
    session_timeout = 0
    {loops}
}}
media: {{ ipv6 = false }}
nat: {{ nice_debug = false, ice_lite = true, ice_enforce_list = "{interface}" }}
plugins: {{ disable = "{plugins}" }}
transports: {{ disable = "{transports}" }}
events: {{ broadcast = false }}
"""
    websockets = (
        f'general: {{ json = "compact", ws = true, ws_port = {PORT}, wss = false }}\nadmin: {{ admin_ws = false }}\n'
    )
    return {
        "janus.jcfg": core,
        "janus.plugin.videoroom.jcfg": "general: { }\n",
        "janus.transport.websockets.jcfg": websockets,
    }


def _all_but(folder: str, kept: str) -> str:
    return ",".join(sorted(file.name for file in (FOLDER / folder).glob("*.so") if kept not in file.name))
