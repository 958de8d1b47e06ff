"""One virtual endpoint's media connection: a UDP socket, ICE, DTLS-SRTP, counters. Thin: decisions are elsewhere."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable

import msgspec
from aiortc.rtp import RtcpPacket

from server.bots.datagrams import DatagramSocket
from server.bots.ice import IceClient
from server.bots.offer import Credentials, OfferPlan, RemoteAnswer, build_offer
from server.bots.reception import Arrivals, Reception
from server.bots.reports import Feedback, Reporter
from server.bots.streams import RtpStream
from server.clock import Clock
from server.errors import Unavailable
from server.transport.dtls import DtlsCertificate, DtlsConnection, DtlsState, Fingerprint
from server.transport.srtp import SrtpSession

_DRAIN = 64
"""Datagrams taken from one socket before others have their turn."""


class HandedOver(msgspec.Struct, frozen=True):
    """What somebody else needs to do a connection's RTP and RTCP: the connected socket's descriptor and the keys."""

    socket: int
    srtp: SrtpSession


class MediaConnection:
    """Make it, send ``offer_sdp``, then ``await connect(answer)``. ``closed`` is set when it is over, for ``reason``.

    Outgoing streams are made with ``add_stream`` (keyframe requests for them call back) and sent with ``send_rtp``.
    Incoming slots are counted in ``reception``; ``listen`` decrypts one of them for a sink.
    """

    def __init__(
        self, clock: Clock, plan: OfferPlan, certificate: DtlsCertificate, *, kernel_times: bool = False
    ) -> None:
        """``kernel_times``: tell sinks when the kernel took a packet in, not when we came to look (for measuring)."""
        self.plan = plan
        self.reception = Reception()
        self.rtcp_seen: Counter[str] = Counter()
        self.drops: Counter[str] = Counter()
        self.closed = asyncio.Event()
        self.reason: str | None = None
        self.srtp: SrtpSession | None = None
        self._clock = clock
        self._certificate = certificate
        self._ufrag, self._pwd = secrets.token_hex(4), secrets.token_hex(12)
        self._connected = asyncio.Event()
        self._socket: DatagramSocket | None = None
        self.kernel_times = kernel_times
        self._ice: IceClient | None = None
        self._dtls: DtlsConnection | None = None
        self._reporter = Reporter(self.reception)
        self._timer: asyncio.TimerHandle | None = None
        self._handed_over = False

    @property
    def credentials(self) -> Credentials:
        fingerprint = self._certificate.fingerprint()
        return Credentials(self._ufrag, self._pwd, f"{fingerprint.algorithm} {fingerprint.value}")

    @property
    def offer_sdp(self) -> str:
        """The offer; the same text every time."""
        return build_offer(self.plan, self.credentials)

    @property
    def local_address(self) -> tuple[str, int]:
        """Where it sends from. Only once ``connect`` has begun."""
        assert self._socket is not None
        host, port = self._socket.socket.getsockname()[:2]
        return host, port

    def add_stream(self, stream: RtpStream, on_keyframe_request: Callable[[], None] | None = None) -> None:
        """Report on ``stream`` (SR), answer NACKs for it, pass keyframe requests on."""
        self._reporter.add(stream, on_keyframe_request)

    def listen(self, mid: str, sink: Callable[[bytes, float], None] | None) -> None:
        """Decrypt the slot's packets for ``sink`` from now on; None stops it. Raises KeyError for an unknown mid."""
        self.reception.by_mid[mid].sink = sink

    async def connect(self, answer: RemoteAnswer, timeout_s: float = 15.0) -> None:
        """ICE and DTLS. Raises Unavailable("media_failed") where they do not succeed in time."""
        for slot in answer.slots:
            self.reception.expect(slot.mid, slot.ssrc)
            if slot.rtx_ssrc:
                self.reception.expect_retransmissions(slot.mid, slot.rtx_ssrc)
        self._socket = DatagramSocket(answer.address, self.drops, kernel_times=self.kernel_times)
        asyncio.get_running_loop().add_reader(self._socket.socket, self._on_readable)
        now = self._clock.now()
        self._ice = IceClient(
            local_ufrag=self._ufrag,
            local_pwd=self._pwd,
            remote_ufrag=answer.ufrag,
            remote_pwd=answer.pwd,
            tie_breaker=secrets.randbits(64),
            now=now,
        )
        fingerprints = [Fingerprint(*text.split(" ", 1)) for text in answer.fingerprints]
        self._dtls = DtlsConnection(self._certificate, fingerprints, server=False)
        self._tick()
        try:
            async with asyncio.timeout(timeout_s):
                await self._connected.wait()
        except TimeoutError:
            state = "no answer to ICE checks" if not self._ice.connected else "the DTLS handshake did not finish"
            self.close("timeout")
            raise Unavailable("media_failed", f"{state} from {answer.address[0]}:{answer.address[1]}") from None
        if self.reason is not None:
            raise Unavailable("media_failed", f"the media connection ended at once: {self.reason}")

    def hand_over(self) -> HandedOver:
        """Neither read the socket nor report from now on. Consent and DTLS stay here: ``receive`` what comes of them.

        The socket is closed by ``close``, as ever. Raises Unavailable("media_failed") where it is not up.
        """
        if self._socket is None or self.srtp is None:
            raise Unavailable("media_failed", f"the media connection is not up: {self.reason}")
        asyncio.get_running_loop().remove_reader(self._socket.socket)
        self._handed_over = True
        return HandedOver(self._socket.socket.fileno(), self.srtp)

    def receive(self, datagram: bytes) -> None:
        """Take in a datagram that somebody else read from the socket."""
        self._on_datagram(datagram, self._clock.now())

    def send_rtp(self, packet: bytes) -> None:
        """Protect and send; nothing where the connection is not up (media may come before and after)."""
        if self.srtp is not None:
            protected = self.srtp.protect(packet)
            if protected is not None:
                self.send_raw(protected)

    def send_rtcp(self, packet: bytes) -> None:
        """Protect and send an RTCP compound."""
        if self.srtp is not None:
            protected = self.srtp.protect_rtcp(packet)
            if protected is not None:
                self.send_raw(protected)

    def send_raw(self, datagram: bytes) -> None:
        """Send octets as they are, from the address the server knows."""
        if self._socket is not None:
            self._socket.send(datagram)

    def close(self, reason: str = "closed") -> None:
        """End it (close_notify, socket closed). Idempotent."""
        if self.closed.is_set():
            return
        self.reason = reason
        if self._dtls is not None:
            self._dtls.close()
            self._flush_dtls()
        if self._timer is not None:
            self._timer.cancel()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.socket)
            self._socket.close()
            self._socket = None
        self.srtp = None
        self.closed.set()
        self._connected.set()

    # --- in ---

    def _on_readable(self) -> None:
        now = self._clock.now()
        for _ in range(_DRAIN):
            if self._socket is None:
                return
            received = self._socket.receive(now)
            if received is None:
                return
            self._on_datagram(*received)

    def _on_datagram(self, datagram: bytes, now: float) -> None:
        """Demultiplex by the first octet (RFC 7983)."""
        if len(datagram) < 2:
            return
        first = datagram[0]
        if 128 <= first <= 191:
            if 192 <= datagram[1] <= 223:
                self._on_rtcp(datagram, now)
            elif len(datagram) >= 12:
                self._on_rtp(datagram, now)
        elif 20 <= first <= 63:
            self._on_dtls(datagram, now)
        elif first <= 3 and self._ice is not None and self._socket is not None:
            response = self._ice.receive(datagram, self._socket.remote, now)
            if response is not None:
                self.send_raw(response)
            if self._ice.connected and self._dtls is not None and self._dtls.state is DtlsState.NEW:
                self._dtls.start(now)
                self._flush_dtls()
                self._arm()

    def _on_rtp(self, datagram: bytes, now: float) -> None:
        arrivals: Arrivals | None = self.reception.by_ssrc.get(int.from_bytes(datagram[8:12], "big"))
        if arrivals is None:
            self.reception.unknown += 1
            return
        arrivals.count(datagram[2] << 8 | datagram[3], len(datagram))
        if arrivals.sink is not None and self.srtp is not None:
            packet = self.srtp.unprotect(datagram)
            if packet is not None:
                arrivals.sink(packet, now)

    def _on_rtcp(self, datagram: bytes, now: float) -> None:
        compound = self.srtp.unprotect_rtcp(datagram) if self.srtp is not None else None
        if compound is None:
            return
        try:
            packets = RtcpPacket.parse(compound)
        except ValueError:
            self.drops["malformed_rtcp"] += 1
            return
        feedback: Feedback = self._reporter.receive(packets, now)
        self.rtcp_seen.update(feedback.kinds)
        for packet in feedback.retransmissions:
            self.send_rtp(packet)

    def _on_dtls(self, datagram: bytes, now: float) -> None:
        if self._dtls is None:
            return
        self._dtls.receive(datagram, now)
        self._flush_dtls()
        if self._dtls.state is DtlsState.CONNECTED and self.srtp is None and self._dtls.keys is not None:
            self.srtp = SrtpSession(self._dtls.keys, self.drops)
            self._connected.set()
        elif self._dtls.state in (DtlsState.FAILED, DtlsState.CLOSED):
            self.close(self._dtls.failure or "dtls_closed")
            return
        self._arm()

    def _flush_dtls(self) -> None:
        if self._dtls is not None:
            for datagram in self._dtls.take_output():
                self.send_raw(datagram)

    # --- time ---

    def _tick(self) -> None:
        self._timer = None
        now = self._clock.now()
        if self._ice is None or self._dtls is None:
            return
        if self._ice.expired(now):
            self.close("consent_expired")
            return
        check = self._ice.tick(now)
        if check is not None:
            self.send_raw(check)
        self._dtls.tick(now)
        self._flush_dtls()
        if self.srtp is not None and not self._handed_over:
            report = self._reporter.tick(now)
            if report is not None:
                self.send_rtcp(report)
        self._arm()

    def _arm(self) -> None:
        if self._ice is None or self._dtls is None or self.closed.is_set():
            return
        deadlines = [self._ice.next_deadline()]
        handshake = self._dtls.next_deadline()
        if handshake is not None:
            deadlines.append(handshake)
        if self.srtp is not None and not self._handed_over:
            deadlines.append(self._reporter.next_deadline())
        if self._timer is not None:
            self._timer.cancel()
        delay = max(0.0, min(deadlines) - self._clock.now())
        self._timer = asyncio.get_running_loop().call_later(delay, self._tick)
