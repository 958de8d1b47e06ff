"""A real MediaServer on loopback, somebody who records what it tells, and a client small enough to misbehave."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aioice import stun
from aiortc.sdp import SessionDescription

from server.clock import Clock, SystemClock
from server.config import MediaConfig
from server.sfu.ports import PeerKey, TrackLabel
from server.transport.dtls import DtlsCertificate, DtlsConnection, DtlsState, Fingerprint
from server.transport.handler import OpenedPeer
from server.transport.ice import Address, Credentials
from server.transport.sdp import Purpose
from server.transport.server import MediaServer
from server.transport.srtp import SrtpSession

OFFERS = Path(__file__).with_name("offers")
_WITHIN_S = 10.0


class TestClock:
    """Real time, plus what a test adds."""

    __test__ = False

    def __init__(self) -> None:
        self._real = SystemClock()
        self.ahead_s = 0.0

    def now(self) -> float:
        return self._real.now() + self.ahead_s


class Recorder:
    """A MediaHandler that keeps what it is told; ``until`` waits for something to become true."""

    def __init__(self) -> None:
        self.rtp: list[tuple[PeerKey, bytes]] = []
        self.rtcp: list[tuple[PeerKey, bytes]] = []
        self.connected: list[PeerKey] = []
        self.closed: list[tuple[PeerKey, str]] = []
        self.drained = 0
        self.on_packet: Callable[[PeerKey, bytes, float], None] | None = None
        self._changed = asyncio.Event()

    def on_rtp(self, peer: PeerKey, data: bytes, now: float) -> None:
        self.rtp.append((peer, data))
        if self.on_packet is not None:
            self.on_packet(peer, data, now)

    def on_rtcp(self, peer: PeerKey, data: bytes, now: float) -> None:
        self.rtcp.append((peer, data))

    def on_connected(self, peer: PeerKey) -> None:
        self.connected.append(peer)

    def on_closed(self, peer: PeerKey, reason: str) -> None:
        self.closed.append((peer, reason))
        self._changed.set()

    def on_drained(self) -> None:
        self.drained += 1
        self._changed.set()

    async def until(self, is_true: Callable[[], object], within_s: float = _WITHIN_S) -> None:
        """Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while not is_true():
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def media_server(
    handler: Recorder, *, clock: Clock | None = None, host: str = "127.0.0.1", config: MediaConfig | None = None
) -> AsyncIterator[MediaServer]:
    """A started server on a free port; at the end nothing may have gone wrong inside it."""
    server = MediaServer(clock or SystemClock(), handler, host=host, port=0, config=config or MediaConfig())
    await server.start()
    try:
        yield server
    finally:
        await server.close()
    assert server.drops["internal_error"] == 0


class Caller:
    """One client: a socket, ICE by hand, DTLS client and SRTP. Every step can be taken wrongly."""

    def __init__(self, certificate: DtlsCertificate | None = None, *, sends: tuple[str, ...] = ("audio",)) -> None:
        self.certificate = certificate or DtlsCertificate.generate()
        self.local = Credentials("caller", "the-caller-s-own-password")
        self.sends = sends
        self.drops: Counter[str] = Counter()
        self.srtp: SrtpSession | None = None
        self.dtls: DtlsConnection | None = None
        self.socket = new_socket()
        self.remote = Credentials("", "")
        self.server_fingerprints: list[Fingerprint] = []
        self.server: Address = ("", 0)
        self.opened: OpenedPeer | None = None

    async def __aenter__(self) -> "Caller":
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self.socket.close()

    @property
    def address(self) -> Address:
        host, port = self.socket.getsockname()[:2]
        return host, port

    def offer(self, *, fingerprint: Fingerprint | None = None, direction: str = "sendrecv") -> str:
        shown = fingerprint or self.certificate.fingerprint()
        lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"]
        lines.append("a=group:BUNDLE " + " ".join(str(place) for place in range(len(self.sends))))
        for place, kind in enumerate(self.sends):
            codec = "111 opus/48000/2" if kind == "audio" else "96 VP8/90000"
            lines += [f"m={kind} 9 UDP/TLS/RTP/SAVPF {codec.split()[0]}", "c=IN IP4 0.0.0.0", f"a=mid:{place}"]
            lines += [f"a=ice-ufrag:{self.local.ufrag}", f"a=ice-pwd:{self.local.password}", "a=setup:actpass"]
            lines += [f"a=fingerprint:{shown.algorithm} {shown.value}", f"a={direction}", "a=rtcp-mux"]
            lines += [f"a=rtpmap:{codec}", "a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid"]
        return "\r\n".join(lines) + "\r\n"

    def open(
        self,
        server: MediaServer,
        offer: str | None = None,
        labels: Mapping[str, TrackLabel] | None = None,
        purpose: Purpose = Purpose.SESSION,
    ) -> OpenedPeer:
        """Have the offer answered and take in the answer."""
        self.opened = server.open_peer(offer or self.offer(), labels or {}, purpose)
        described = SessionDescription.parse(self.opened.answer).media[0]
        assert described.ice is not None
        assert described.dtls is not None
        self.remote = Credentials(described.ice.usernameFragment or "", described.ice.password or "")
        self.server_fingerprints = [Fingerprint(entry.algorithm, entry.value) for entry in described.dtls.fingerprints]
        self.server = (described.ice_candidates[0].ip, described.ice_candidates[0].port)
        return self.opened

    # --- ICE -------------------------------------------------------------------------------------

    def request(self, *, nominate: bool = True, controlled: bool = False, password: str | None = None) -> stun.Message:
        """A check as RFC 8445 wants it, or nearly."""
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        message.attributes["USERNAME"] = f"{self.remote.ufrag}:{self.local.ufrag}"
        message.attributes["PRIORITY"] = 1_853_693_695
        message.attributes["ICE-CONTROLLED" if controlled else "ICE-CONTROLLING"] = 42
        if nominate:
            message.attributes["USE-CANDIDATE"] = None
        message.add_message_integrity((self.remote.password if password is None else password).encode())
        return message

    async def check(self, *, nominate: bool = True, controlled: bool = False) -> stun.Message:
        """Send a check and return the server's answer to it, its integrity verified."""
        request = self.request(nominate=nominate, controlled=controlled)
        self.send(bytes(request))
        while True:
            datagram = await self.receive()
            if datagram[0] < 4:
                answer = stun.parse_message(datagram)
                if answer.transaction_id == request.transaction_id:
                    assert answer.check_message_integrity(self.remote.password.encode())
                    return answer

    # --- DTLS and SRTP -----------------------------------------------------------------------------

    async def handshake(self) -> DtlsState:
        """Client role, until it is decided one way or the other."""
        self.dtls = dtls = DtlsConnection(self.certificate, self.server_fingerprints, server=False)
        now = asyncio.get_running_loop().time
        dtls.start(now())
        while dtls.state is DtlsState.HANDSHAKING:
            for datagram in dtls.take_output():
                self.send(datagram)
            datagram = await self.receive()
            if 20 <= datagram[0] < 64:
                dtls.receive(datagram, now())
        for datagram in dtls.take_output():
            self.send(datagram)
        if dtls.keys is not None:
            self.srtp = SrtpSession(dtls.keys, self.drops)
        return dtls.state

    async def call(self, server: MediaServer, handler: Recorder, **how: Any) -> OpenedPeer:
        """Offer, check, handshake: everything right."""
        opened = self.open(server, **how)
        await self.check()
        assert await self.handshake() is DtlsState.CONNECTED
        await handler.until(lambda: opened.key in handler.connected)
        return opened

    def protected(self, packet: bytes) -> bytes:
        assert self.srtp is not None
        datagram = self.srtp.protect(packet)
        assert datagram is not None
        return datagram

    async def receive_rtp(self) -> bytes:
        """The next RTP packet, decrypted."""
        assert self.srtp is not None
        while True:
            datagram = await self.receive()
            if 128 <= datagram[0] < 192 and not 192 <= datagram[1] < 224:
                packet = self.srtp.unprotect(datagram)
                assert packet is not None
                return packet

    # --- the socket ----------------------------------------------------------------------------------

    def send(self, datagram: bytes) -> None:
        self.socket.sendto(datagram, self.server)

    async def receive(self, within_s: float = _WITHIN_S) -> bytes:
        """Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            return await asyncio.get_running_loop().sock_recv(self.socket, 2048)

    def move(self) -> None:
        """Go on from another port, as after a change of network."""
        self.socket.close()
        self.socket = new_socket()


def new_socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


def rtp_packet(sequence: int = 1, *, ssrc: int = 1234, payload_type: int = 111, payload: bytes = b"opus") -> bytes:
    """A plain RTP packet (RFC 3550 5.1)."""
    header = bytes((0x80, payload_type)) + sequence.to_bytes(2, "big") + (sequence * 960).to_bytes(4, "big")
    return header + ssrc.to_bytes(4, "big") + payload
