"""Diemcau under load: publishers over WHIP, viewers over WHEP, the floor for whoever publishes."""

import contextlib
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from server.bots.connection import MediaConnection
from server.bots.media_http import MediaSession, open_media_session
from server.bots.meeting_socket import MeetingSocket
from server.bots.offer import OfferPlan, read_answer
from server.bots.publisher import plan_offer
from server.clock import SystemClock
from server.errors import DiemcauError
from server.room.commands import FloorMode, SetMode
from tests.bench.sfu import NotServed, Takes, make_certificate, patiently, plan_publisher
from tests.support.server_process import ServerProcess

CONFIG = """
[media]
max_peers = 8000
max_peers_per_account = 8000
audio_slots = 4

[http]
max_connections_per_account = 8000
"""
"""A bench's viewers share accounts; four voices a viewer are one more than usual."""
MOST_SEATS = 160
MOST_HOLDERS = 32


class DiemcauSfu:
    """``async with``: the real server as a process of its own, pinned to ``cpus``, with a meeting in discussion."""

    name = "diemcau"
    refusals = (NotServed, DiemcauError, aiohttp.ClientError)

    def __init__(
        self,
        *,
        cpus: Sequence[int],
        publishers: int = 1,
        host: str = "127.0.0.1",
        prefix: Sequence[str] = (),
        config: str = CONFIG,
    ) -> None:
        self._publishers = publishers
        self._folder = tempfile.TemporaryDirectory(prefix="diemcau-bench-")
        self.server = ServerProcess(
            Path(self._folder.name),
            endpoints=min(MOST_SEATS, publishers + 16),
            config=config,
            host=host,
            cpus=cpus,
            prefix=prefix,
        )
        self.clock = SystemClock()
        self.certificate = make_certificate()
        self._sessions: dict[MediaConnection, MediaSession] = {}
        self._opened = 0
        self._viewers = 0

    @property
    def pid(self) -> int:
        return self.server.pid

    async def __aenter__(self) -> Self:
        await self.server.__aenter__()
        self.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        await self._discuss()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._sessions:
            connection.close()
        await self.http.close()
        await self.server.__aexit__(kind, error, trace)
        self._folder.cleanup()

    async def publish(self, *, picture: bool) -> MediaConnection:
        """endpoints[i] for the i-th call. The main endpoint holds the floor by right, others are granted it."""
        number, self._opened = self._opened, self._opened + 1
        connection = await patiently(partial(self._open, "whip", number, plan_publisher(picture=picture)))
        if 0 < number < MOST_HOLDERS:
            await self._grant(number)
        return connection

    async def view(self, takes: Takes) -> MediaConnection:
        seats = len(self.server.demo.endpoints) - self._publishers
        number = self._publishers + self._viewers % seats
        self._viewers += 1
        plan = plan_offer(None, audio_slots=takes.voices, video_slots=takes.pictures)
        return await patiently(partial(self._open, "whep", number, plan))

    async def leave(self, connection: MediaConnection) -> None:
        session = self._sessions.pop(connection)
        connection.close()
        with contextlib.suppress(aiohttp.ClientError):
            await session.delete()

    async def _open(self, kind: str, number: int, plan: OfferPlan) -> MediaConnection:
        demo = self.server.demo
        connection = MediaConnection(self.clock, plan, self.certificate, kernel_times=True)
        token = demo.endpoints[number].token
        session = await open_media_session(self.http, self.server.url, demo.meeting, token, kind, connection.offer_sdp)
        await connection.connect(read_answer(session.answer_sdp, plan))
        self._sessions[connection] = session
        return connection

    async def _discuss(self) -> None:
        """As many may hold the floor as publish."""
        demo = self.server.demo
        socket = MeetingSocket(self.http, self.server.url, demo.meeting, demo.chair.token)
        await socket.open()
        await socket.command(SetMode(FloorMode.DISCUSSION, MOST_HOLDERS))
        await socket.close()

    async def _grant(self, number: int) -> None:
        demo = self.server.demo
        url = f"{self.server.url}/api/meetings/{demo.meeting}/floor/{demo.endpoints[number].id}"
        headers = {"Authorization": f"Bearer {demo.chair.token}"}
        async with self.http.put(url, json={}, headers=headers) as response:
            response.raise_for_status()
