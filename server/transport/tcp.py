"""The media port over TCP (RFC 6544 passive candidates, RFC 4571 framing), for offices where UDP is blocked.

A connection is one more address to the rest of the transport: it carries the same STUN, DTLS and SRTP, and proves
itself by the same check. A viewer that takes its copies too slowly loses them here, counted; nobody waits for it.
"""

import asyncio
import contextlib
import itertools
import socket
import struct
import sys
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Final, cast

from server.clock import Clock
from server.errors import Unavailable
from server.transport.ice import Address, TcpAddress

MAX_FRAME_OCTETS: Final = 2_048
"""As a datagram: whoever sends a longer frame does not speak our protocol."""
MAX_BACKLOG_OCTETS: Final = 32_768
"""Kept for one connection at most: on a line of 300 kbit/s it is 0.9 s late by then, and newer pictures matter more."""
UNSENT_OCTETS: Final = 16_384
"""The same for what the kernel keeps."""
PROVE_WITHIN_S: Final = 10.0
"""A connection without a valid check by then is closed."""
_LENGTH = struct.Struct("!H")
_BACKLOG_CONNECTIONS = 256


class TcpPort:
    """A listening port. ``on_datagram`` gets each frame, ``on_drained`` ends what came in one piece, ``on_lost`` hears
    of a connection that is gone; none may raise."""

    def __init__(
        self,
        clock: Clock,
        drops: Counter[str],
        max_connections: int,
        on_datagram: Callable[[bytes, TcpAddress], None],
        on_drained: Callable[[], None],
        on_lost: Callable[[TcpAddress], None],
    ) -> None:
        self.clock = clock
        self.drops = drops
        self.on_datagram = on_datagram
        self.on_drained = on_drained
        self.on_lost = on_lost
        self.max_connections = max_connections
        self.connections: dict[Address, _Connection] = {}
        self.numbers = itertools.count(1)
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> None:
        """Listen. Raises Unavailable("media_port_busy")."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: _Connection(self), None if host == "::" else host, port, backlog=_BACKLOG_CONNECTIONS
            )
        except OSError as error:
            raise Unavailable("media_port_busy", f"TCP {host} port {port}: {error.strerror}") from error

    def close(self) -> None:
        """Close every connection and stop listening. Twice is once."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in tuple(self.connections.values()):
            connection.end()

    def send(self, datagram: bytes, address: Address) -> bool:
        """Send or drop, never wait; a drop is counted as ``tcp_backlog`` or ``tcp_gone``."""
        connection = self.connections.get(address)
        if connection is None:
            self.drops["tcp_gone"] += 1
            return False
        return connection.send((datagram,)) == 1

    def send_run(self, datagrams: Sequence[bytes], address: Address) -> int:
        """Several to one address, in one write; returns how many of them were taken."""
        connection = self.connections.get(address)
        if connection is None:
            self.drops["tcp_gone"] += len(datagrams)
            return 0
        return connection.send(datagrams)

    def tick(self, now: float, proved: Container[Address]) -> None:
        """Close connections that came and did not prove themselves."""
        for address, connection in tuple(self.connections.items()):
            if address not in proved and now - connection.since >= PROVE_WITHIN_S:
                self.drops["tcp_unproved"] += 1
                connection.end()


class _Connection(asyncio.Protocol):
    def __init__(self, port: TcpPort) -> None:
        self._port = port
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self.since = port.clock.now()
        self.address = TcpAddress("", 0, 0)

    # --- asyncio.Protocol ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        port = self._port
        peer = transport.get_extra_info("peername")
        if peer is None or len(port.connections) >= port.max_connections:
            port.drops["tcp_refused"] += 1
            cast(asyncio.Transport, transport).abort()
            return
        # Uvloop's transports are asyncio's by shape, not by class.
        self._transport = cast(asyncio.Transport, transport)
        self.address = TcpAddress(peer[0], peer[1], next(port.numbers))
        _tune(transport.get_extra_info("socket"))
        port.connections[self.address] = self

    def data_received(self, data: bytes) -> None:
        self._received += data
        for frame in self._frames():
            self._port.on_datagram(frame, self.address)
            if self._transport is None:  # closed by what it said
                break
        self._port.on_drained()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._port.connections.pop(self.address, None) is not None:
            self._port.on_lost(self.address)

    # --- the port's side -------------------------------------------------------------------------

    def send(self, datagrams: Sequence[bytes]) -> int:
        transport = self._transport
        if transport is None or transport.is_closing():
            self._port.drops["tcp_gone"] += len(datagrams)
            return 0
        room = MAX_BACKLOG_OCTETS - transport.get_write_buffer_size()
        frames: list[bytes] = []
        for datagram in datagrams:
            room -= _LENGTH.size + len(datagram)
            if room < 0:
                self._port.drops["tcp_backlog"] += len(datagrams) - len(frames) // 2
                break
            frames += (_LENGTH.pack(len(datagram)), datagram)
        if frames:
            transport.write(b"".join(frames))
        return len(frames) // 2

    def end(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _frames(self) -> Iterator[bytes]:
        """Whole frames out of what has come; an impossible length ends the connection."""
        start = 0
        received = self._received
        while len(received) - start >= _LENGTH.size:
            (octets,) = _LENGTH.unpack_from(received, start)
            if octets > MAX_FRAME_OCTETS:
                self._port.drops["tcp_oversize"] += 1
                self.end()
                start = len(received)
                break
            end = start + _LENGTH.size + octets
            if end > len(received):
                break
            frame = bytes(memoryview(received)[start + _LENGTH.size : end])
            start = end
            yield frame
        del received[:start]


def _tune(sock: socket.socket) -> None:
    """Send at once, and keep little that is not yet under way."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if sys.platform == "linux":
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_OCTETS)
