"""The media port over TCP: whole calls, odd framing, slow readers, strangers; and a move from one to the other."""

import asyncio
import socket
import struct
from collections.abc import Callable

import pytest
import uvloop

from server.config import MediaConfig
from server.errors import Unavailable
from server.rtp.packet import parse
from server.sfu.flows import Flow
from server.transport.dtls import DtlsState
from server.transport.ice import TcpAddress
from server.transport.server import MediaServer
from server.transport.tcp import MAX_BACKLOG_OCTETS, MAX_FRAME_OCTETS, PROVE_WITHIN_S
from tests.transport.calling import Caller, Recorder, TestClock, media_server, rtp_packet
from tests.transport.test_server import echo_works


class TcpCaller(Caller):
    """The same client over one TCP connection (RFC 4571): made at the first datagram, lost with ``hang_up``."""

    def __init__(self) -> None:
        super().__init__()
        self.socket.close()
        self._buffer = b""
        self._is_connected = False

    def connect(self, server: MediaServer, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect(("127.0.0.1", server.port))
        self.socket.setblocking(False)
        self._is_connected, self._buffer = True, b""

    def send(self, datagram: bytes) -> None:
        if not self._is_connected:
            self.connect_to(self.server[1])
        self.socket.sendall(struct.pack("!H", len(datagram)) + datagram)

    def connect_to(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)
        self._is_connected, self._buffer = True, b""

    async def receive(self, within_s: float = 10.0) -> bytes:
        async with asyncio.timeout(within_s):
            while len(self._buffer) < 2 or len(self._buffer) < 2 + int.from_bytes(self._buffer[:2], "big"):
                more = await asyncio.get_running_loop().sock_recv(self.socket, 65_536)
                assert more, "the server closed the connection"
                self._buffer += more
        end = 2 + int.from_bytes(self._buffer[:2], "big")
        frame, self._buffer = self._buffer[2:end], self._buffer[end:]
        return frame

    async def __aenter__(self) -> "TcpCaller":
        return self

    async def until_closed(self) -> None:
        async with asyncio.timeout(10.0):
            try:
                while await asyncio.get_running_loop().sock_recv(self.socket, 65_536):
                    pass
            except ConnectionResetError:
                pass

    def hang_up(self) -> None:
        self.socket.close()
        self._is_connected = False


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until it holds."""
    for _ in range(100_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("in vain")


async def test_a_call() -> None:
    handler = Recorder()
    async with media_server(handler) as server, TcpCaller() as caller:
        await caller.call(server, handler)
        await echo_works(server, handler, caller)
        assert not server.drops


def test_a_call_on_the_loop_that_serves() -> None:
    """The server runs on uvloop, whose transports are no ``asyncio.Transport`` by class."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test_a_call())


async def test_copies_reach_viewers_of_both_kinds_in_order() -> None:
    handler = Recorder()
    async with media_server(handler) as server, TcpCaller() as over_tcp, Caller() as over_udp:
        viewers = [await caller.call(server, handler) for caller in (over_tcp, over_udp)]
        flows = tuple(Flow(viewer.key, 77, 96) for viewer in viewers)
        for number in range(1, 4):
            view = parse(rtp_packet(number))
            assert view is not None
            server.fanout.forward(view, flows, 0.0)
        server.fanout.flush()
        for caller in (over_tcp, over_udp):
            got = [parse(await caller.receive_rtp()) for _ in range(3)]
            assert [packet.sequence for packet in got if packet is not None] == [1, 2, 3]
        assert server.fanout.packets == 6
        assert [flow.sent.packets for flow in flows] == [3, 3]


async def test_frames_come_in_any_pieces() -> None:
    handler = Recorder()
    async with media_server(handler) as server, TcpCaller() as caller:
        opened = await caller.call(server, handler)
        packets = [rtp_packet(number) for number in range(1, 6)]
        stream = b"".join(struct.pack("!H", len(it)) + it for it in map(caller.protected, packets))
        for octet in stream[:-40]:
            caller.socket.sendall(bytes((octet,)))
        caller.socket.sendall(stream[-40:])
        await handler.until(lambda: len(handler.rtp) == 5)
        assert handler.rtp == [(opened.key, packet) for packet in packets]


async def test_a_frame_too_long_ends_the_connection_and_harms_nobody() -> None:
    handler = Recorder()
    async with media_server(handler) as server, TcpCaller() as caller, TcpCaller() as odd:
        await caller.call(server, handler)
        odd.connect(server)
        odd.socket.sendall(struct.pack("!H", MAX_FRAME_OCTETS + 1) + b"x" * 10)
        await odd.until_closed()
        assert server.drops["tcp_oversize"] == 1
        await echo_works(server, handler, caller)


async def test_a_connection_that_proves_nothing_is_closed() -> None:
    handler, clock = Recorder(), TestClock()
    async with media_server(handler, clock=clock) as server, TcpCaller() as caller, TcpCaller() as stranger:
        await caller.call(server, handler)
        stranger.connect(server)
        stranger.send(b"")
        stranger.send(b"\x80" * 40)
        await until(lambda: server.drops["unvalidated_address"] == 1)
        assert server.drops["empty"] == 1
        clock.ahead_s = PROVE_WITHIN_S
        server.tick(clock.now())
        await stranger.until_closed()
        assert server.drops["tcp_unproved"] == 1
        await echo_works(server, handler, caller)


async def test_no_more_connections_than_may_be() -> None:
    handler = Recorder()
    async with media_server(handler, config=MediaConfig(max_peers=1)) as server:
        callers = [TcpCaller() for _ in range(3)]
        for caller in callers:
            caller.connect(server)
        await callers[2].until_closed()
        assert server.drops["tcp_refused"] == 1
        for caller in callers:
            caller.hang_up()


async def test_who_reads_slowly_loses_copies_and_nobody_waits() -> None:
    handler = Recorder()
    async with media_server(handler) as server, TcpCaller() as slow, Caller() as quick:
        slow.open(server)
        slow.connect(server, receive_buffer=4_096)
        await slow.check()
        assert await slow.handshake() is DtlsState.CONNECTED
        assert slow.opened is not None
        key = slow.opened.key
        await handler.until(lambda: key in handler.connected)
        await quick.call(server, handler)
        flow = Flow(key, 77, 96)
        for number in range(8_000):
            packet = parse(rtp_packet(number, payload=b"x" * 1_100))
            assert packet is not None
            server.fanout.forward(packet, (flow,), 0.0)
            server.fanout.flush()
        assert server.drops["tcp_backlog"] > 0
        (connection,) = server._tcp.connections.values()
        assert connection._transport is not None
        assert connection._transport.get_write_buffer_size() <= MAX_BACKLOG_OCTETS
        await echo_works(server, handler, quick)


async def test_a_lost_connection_is_forgotten_and_a_new_one_goes_on() -> None:
    handler = Recorder()
    async with media_server(handler) as server, TcpCaller() as caller:
        opened = await caller.call(server, handler)
        caller.hang_up()
        await until(lambda: not server._by_address)
        server.send_rtp(opened.key, rtp_packet(9))
        assert server.drops["not_connected"] == 1
        caller.connect(server)
        await caller.check()
        await echo_works(server, handler, caller)
        assert [type(address) for address in server._by_address] == [TcpAddress]


async def test_a_viewer_moves_from_udp_to_tcp_and_back() -> None:
    """A network that begins to block UDP in a call."""
    handler = Recorder()
    async with media_server(handler) as server, Caller() as caller:
        opened = await caller.call(server, handler)
        other = TcpCaller()
        other.local, other.remote, other.server, other.opened = caller.local, caller.remote, caller.server, opened
        other.srtp = caller.srtp
        await other.check()
        await echo_works(server, handler, other)
        await forwarded(server, other, opened.key, 21)
        await caller.check()
        await forwarded(server, caller, opened.key, 22)
        other.hang_up()
        await until(lambda: not server._tcp.connections)
        await forwarded(server, caller, opened.key, 23)


async def forwarded(server: MediaServer, caller: Caller, key: int, sequence: int) -> None:
    view = parse(rtp_packet(sequence))
    assert view is not None
    server.fanout.forward(view, (Flow(key, 77, 96),), 0.0)
    server.fanout.flush()
    got = parse(await caller.receive_rtp())
    assert got is not None
    assert got.sequence == sequence


async def test_switched_off_nobody_listens() -> None:
    async with media_server(Recorder(), config=MediaConfig(tcp=False)) as server:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port))


async def test_a_port_that_is_taken_over_tcp_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = MediaServer(
            TestClock(), Recorder(), host="127.0.0.1", port=taken.getsockname()[1], config=MediaConfig()
        )
        with pytest.raises(Unavailable, match="TCP 127"):
            await server.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free_again:
            free_again.bind(taken.getsockname())
