"""The live WebSockets: how many there may be, and saying good-bye to some or all of them."""

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Protocol

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client import Counter as Total

from server.config import HttpConfig
from server.errors import TooMany, Unavailable

_DRAIN_S = 4.0


class Socket(Protocol):
    """What the register needs of a connection."""

    account_id: str
    token_fingerprint: str

    def close(self, code: str, detail: str) -> None: ...

    async def wait_closed(self) -> None: ...


class Connections:
    """The register of one application. ``draining``: no newcomers any more."""

    def __init__(self, config: HttpConfig, registry: CollectorRegistry) -> None:
        self._config = config
        self._sockets: set[Socket] = set()
        self._by_account: Counter[str] = Counter()
        self.draining = False
        gauge = Gauge("diemcau_websockets", "Open WebSocket connections", registry=registry)
        gauge.set_function(self.__len__)
        self.closed = Total("diemcau_websockets_closed", "WebSockets closed, by reason", ["reason"], registry=registry)
        self.received = Total("diemcau_websocket_messages", "Messages received, by type", ["type"], registry=registry)
        self.merged = Total("diemcau_websocket_merged", "States skipped for slow clients", registry=registry)

    def __len__(self) -> int:
        return len(self._sockets)

    @property
    def sockets(self) -> tuple[Socket, ...]:
        return tuple(self._sockets)

    def check_room_for(self, account_id: str) -> None:
        """Raises Unavailable("draining" | "server_full"), TooMany("too_many_connections")."""
        if self.draining:
            raise Unavailable("draining", "The server is being restarted; come back in a moment.")
        if len(self._sockets) >= self._config.max_connections:
            raise Unavailable("server_full", "The server carries as many connections as it may.")
        if self._by_account[account_id] >= self._config.max_connections_per_account:
            raise TooMany("too_many_connections", "This account has as many connections as it may.")

    def add(self, socket: Socket) -> None:
        self._sockets.add(socket)
        self._by_account[socket.account_id] += 1

    def remove(self, socket: Socket, reason: str) -> None:
        self._sockets.discard(socket)
        self._by_account[socket.account_id] -= 1
        if self._by_account[socket.account_id] <= 0:
            del self._by_account[socket.account_id]
        self.closed.labels(reason).inc()

    def sign_out(self, token_fingerprint: str) -> None:
        """Close what was opened with a sign-in that has ended."""
        for socket in self.sockets:
            if socket.token_fingerprint == token_fingerprint:
                socket.close("signed_out", "You have signed out.")

    async def drain(self) -> None:
        """Tell everybody that the server stops, and wait a bounded time until they are gone."""
        self.draining = True
        sockets = self.sockets
        for socket in sockets:
            socket.close("draining", "The server is being restarted.")
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                await asyncio.gather(*(socket.wait_closed() for socket in sockets))


CONNECTIONS = web.AppKey("connections", Connections)


CONNECTIONS = web.AppKey("connections", Connections)
