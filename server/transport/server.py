"""All peers behind one port, UDP and TCP: the asyncio shell of the transport.

A datagram is told apart by its first octet (RFC 7983). Only a STUN check with valid integrity binds an address to a
peer; whatever else comes from an address that no peer proved is dropped and counted.
"""

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Mapping

from server.clock import Clock
from server.config import MediaConfig
from server.errors import NotFound, Unavailable
from server.sfu.ports import PeerKey, TrackLabel
from server.transport.answer import LocalDescription
from server.transport.carriers import choose_carrier
from server.transport.dtls import DtlsCertificate
from server.transport.fanout import Fanout
from server.transport.forked_fanout import ForkedFanout
from server.transport.handler import MediaHandler, OpenedPeer
from server.transport.hosts import candidate_hosts
from server.transport.ice import Address, Credentials, StunRejected, TcpAddress, parse_request
from server.transport.peer import Peer
from server.transport.sdp import Purpose, answer_offer, read_fragment, write_fragment
from server.transport.tcp import TcpPort
from server.transport.udp import UdpPort

logger = logging.getLogger(__name__)

TICK_S = 0.25
"""How often retransmissions of handshakes and lost peers are looked for; DTLS waits 1 s before its first."""
LIVELY_S = 5.0
"""A peer heard within this time keeps its address against another peer's check from there."""
_RTP_HEADER_OCTETS = 12
_ANY_PORT_ATTEMPTS = 8


class MediaServer:
    """Opens, carries and closes peers over one UDP port. Not thread-safe: use it on the event loop's thread."""

    def __init__(self, clock: Clock, handler: MediaHandler, *, host: str, port: int, config: MediaConfig) -> None:
        """Raises Unavailable("fanout_not_built"), see ``MediaConfig.fanout``."""
        self._drops: Counter[str] = Counter()
        self.packets_in = 0
        self.octets_in = 0
        self.port = port
        self._resent_packets = 0
        self._resent_octets = 0
        self._clock = clock
        self._handler = handler
        self._host = host
        self._config = config
        self._hosts: tuple[str, ...] = ()
        self._certificate = DtlsCertificate.generate()
        self._peers: dict[PeerKey, Peer] = {}
        self._by_ufrag: dict[str, Peer] = {}
        self._by_address: dict[Address, Peer] = {}
        self._next_key = 1
        carrier = choose_carrier(config.fanout)
        self._udp = UdpPort(clock, self._drops, self._on_datagram, self._on_drained, carrier.open_intake)
        self._timer: asyncio.TimerHandle | None = None
        self._tcp = TcpPort(
            clock, self._drops, 2 * config.max_peers, self._on_datagram, self._on_drained, self._on_tcp_lost
        )
        self.fanout: Fanout = ForkedFanout(carrier.open_fanout(self._udp, self._drops), self._tcp, self._drops)

    @property
    def drops(self) -> Counter[str]:
        """What was dropped since the start, by reason; ``receive_buffer_full`` is the kernel's own count."""
        full = self._udp.receive_buffer_drops()
        if full:
            self._drops["receive_buffer_full"] = full
        return self._drops

    @property
    def packets_out(self) -> int:
        """RTP packets sent, retransmissions included."""
        return self.fanout.packets + self._resent_packets

    @property
    def octets_out(self) -> int:
        return self.fanout.octets + self._resent_octets

    async def start(self) -> None:
        """Bind the port (0: any), for TCP the same one. Raises Unavailable("media_port_busy")."""
        await self._bind()
        self._hosts = candidate_hosts(self._host, self._config.announce)
        self._arm()

    async def _bind(self) -> None:
        """One number for both; where any will do, another is tried if it is taken over TCP."""
        for attempts_left in reversed(range(_ANY_PORT_ATTEMPTS if self.port == 0 else 1)):
            port = self._udp.open(self._host, self.port)
            try:
                if self._config.tcp:
                    await self._tcp.open(self._host, port)
            except Unavailable:
                self._udp.close()
                if not attempts_left:
                    raise
            else:
                self.port = port
                return

    async def close(self) -> None:
        """Say good-bye to every peer (``server_closed``) and release the port."""
        for key in tuple(self._peers):
            self.close_peer(key, "server_closed")
        if self._timer is not None:
            self._timer.cancel()
        self._tcp.close()
        self._udp.close()

    # --- peers -----------------------------------------------------------------------------------

    def open_peer(self, offer: str, labels: Mapping[str, TrackLabel], purpose: Purpose) -> OpenedPeer:
        """Answer an offer. ``labels``: mid of an uplink -> what it is. Raises InvalidInput("bad_sdp")."""
        local = self._describe(Credentials.generate())
        agreed = answer_offer(offer, labels, purpose, local, self._config, _new_ssrc)
        key = self._next_key
        self._next_key += 1
        peer = Peer(
            key, local.credentials, agreed.remote, self._certificate, agreed.fingerprints, agreed.tag, self._clock.now()
        )
        self._peers[key] = peer
        self._note_ufrags(peer)
        return OpenedPeer(key, agreed.answer, agreed.uplinks, agreed.slots, local.credentials.ufrag)

    def restart_ice(self, peer: PeerKey, fragment: str) -> str:
        """Answer a trickle-ICE fragment (RFC 8840). ``""``: nothing to say (only candidates trickled); else the
        fragment with our new credentials and candidates. Raises InvalidInput("bad_sdp"), NotFound("no_such_peer")."""
        known = self._peers.get(peer)
        if known is None:
            raise NotFound("no_such_peer")
        remote = read_fragment(fragment)
        if remote is None or remote == known.ice.remote:
            return ""
        local = self._describe(Credentials.generate())
        known.ice.restart(local.credentials, remote)
        self._note_ufrags(known)
        return write_fragment(local, known.tag)

    def close_peer(self, peer: PeerKey, reason: str) -> None:
        """DTLS good-bye, then ``on_closed(peer, reason)``. An unknown peer is ignored."""
        known = self._peers.pop(peer, None)
        if known is None:
            return
        known.dtls.close()
        self._send_dtls(known)
        for ufrag in known.bound_ufrags:
            del self._by_ufrag[ufrag]
        for address in known.bound_addresses:
            del self._by_address[address]
        self.fanout.unregister(peer)
        try:
            self._handler.on_closed(peer, reason)
        except Exception:
            self._note_defect("closing peer %s", peer)

    def send_rtp(self, peer: PeerKey, data: bytes) -> None:
        """One complete RTP packet (retransmissions); a sequence number only once, see ``SrtpSession``.

        Dropped and counted where the peer is not connected.
        """
        octets = self._send_protected(peer, data, is_rtcp=False)
        if octets:
            self._resent_packets += 1
            self._resent_octets += octets

    def send_rtcp(self, peer: PeerKey, data: bytes) -> None:
        """One RTCP compound packet."""
        self._send_protected(peer, data, is_rtcp=True)

    def _send_protected(self, key: PeerKey, data: bytes, *, is_rtcp: bool) -> int:
        peer = self._peers.get(key)
        if peer is None or peer.srtp is None or peer.ice.selected is None:
            self._drops["not_connected"] += 1
            return 0
        datagram = peer.srtp.protect_rtcp(data) if is_rtcp else peer.srtp.protect(data)
        return len(datagram) if datagram is not None and self._send(datagram, peer.ice.selected) else 0

    def _send(self, datagram: bytes, address: Address) -> bool:
        if isinstance(address, TcpAddress):
            return self._tcp.send(datagram, address)
        return self._udp.send(datagram, address)

    def _describe(self, credentials: Credentials) -> LocalDescription:
        fingerprint = self._certificate.fingerprint()
        return LocalDescription(
            credentials, fingerprint, self._hosts, self.port, secrets.randbits(62), self._config.tcp
        )

    # --- datagrams -------------------------------------------------------------------------------

    def _on_datagram(self, datagram: bytes, address: Address) -> None:
        try:
            self._demultiplex(datagram, address, self._clock.now())
        except Exception:
            self._note_defect("datagram from %s", address)

    def _demultiplex(self, datagram: bytes, address: Address, now: float) -> None:
        if not datagram:
            self._drops["empty"] += 1
            return
        first = datagram[0]
        peer = self._by_address.get(address)
        if 128 <= first < 192:
            if peer is None:
                self._drops["unvalidated_address"] += 1
            else:
                self._on_srtp(peer, datagram, now)
        elif first < 4:
            self._on_stun(datagram, address, now)
        elif 20 <= first < 64:
            if peer is None:
                self._drops["unvalidated_address"] += 1
            else:
                self._on_dtls(peer, datagram, now)
        else:
            self._drops["stranger" if peer is None else "unknown_protocol"] += 1

    def _on_srtp(self, peer: Peer, datagram: bytes, now: float) -> None:
        srtp = peer.srtp
        if srtp is None:
            self._drops["not_connected"] += 1
        elif len(datagram) < _RTP_HEADER_OCTETS:
            self._drops["truncated"] += 1
        elif 192 <= datagram[1] < 224:  # RFC 5761 4
            compound = srtp.unprotect_rtcp(datagram)
            if compound is not None:
                peer.ice.heard_at = now
                self._handler.on_rtcp(peer.key, compound, now)
        else:
            packet = srtp.unprotect(datagram)
            if packet is not None:
                peer.ice.heard_at = now
                self.packets_in += 1
                self.octets_in += len(datagram)
                self._handler.on_rtp(peer.key, packet, now)

    def _on_stun(self, datagram: bytes, address: Address, now: float) -> None:
        try:
            request = parse_request(datagram)
            peer = self._by_ufrag.get(request.local_ufrag)
            if peer is None:
                raise StunRejected("stranger")
            reply = peer.ice.check(request, address, now, lambda where: self._may_bind(peer, where, now))
        except StunRejected as refusal:
            self._drops[refusal.args[0]] += 1
            return
        self._send(reply, address)
        self._note_addresses(peer)
        self._note_ufrags(peer)

    def _may_bind(self, peer: Peer, address: Address, now: float) -> bool:
        owner = self._by_address.get(address)
        if owner is None or owner is peer:
            return True
        if now - owner.ice.heard_at < LIVELY_S:
            return False
        owner.ice.forget(address)
        self._note_addresses(owner)
        return True

    def _note_addresses(self, peer: Peer) -> None:
        """Keep the address table and the fan-out true to what the peer's ICE has validated."""
        validated = set(peer.ice.addresses)
        for address in peer.bound_addresses - validated:
            del self._by_address[address]
        for address in validated - peer.bound_addresses:
            self._by_address[address] = peer
        peer.bound_addresses = validated
        self._register(peer)

    def _note_ufrags(self, peer: Peer) -> None:
        """The same for its username fragments, of which an ICE restart makes a second for a while."""
        valid = set(peer.ice.ufrags)
        for ufrag in peer.bound_ufrags - valid:
            del self._by_ufrag[ufrag]
        for ufrag in valid - peer.bound_ufrags:
            self._by_ufrag[ufrag] = peer
        peer.bound_ufrags = valid

    def _register(self, peer: Peer) -> None:
        if peer.srtp is None:
            return
        if peer.ice.selected is not None:
            self.fanout.register(peer.key, peer.ice.selected, peer.srtp)
        else:
            self.fanout.unregister(peer.key)

    def _on_dtls(self, peer: Peer, datagram: bytes, now: float) -> None:
        outcome = peer.receive_dtls(datagram, self._drops, now)
        self._send_dtls(peer)
        self._conclude(peer, outcome)

    def _conclude(self, peer: Peer, outcome: str | None) -> None:
        if outcome == "connected":
            self._register(peer)
            self._handler.on_connected(peer.key)
        elif outcome is not None:
            self.close_peer(peer.key, outcome)

    def _send_dtls(self, peer: Peer) -> None:
        for datagram in peer.dtls.take_output():
            if peer.ice.selected is not None:
                self._send(datagram, peer.ice.selected)

    def _on_tcp_lost(self, address: Address) -> None:
        """Another validated address takes its place, or the next check to come."""
        peer = self._by_address.get(address)
        if peer is not None:
            peer.ice.forget(address)
            self._note_addresses(peer)

    def _on_drained(self) -> None:
        try:
            self._handler.on_drained()
        except Exception:
            self._note_defect("after draining the media port")

    # --- time ------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Give up peers that are lost, send handshake flights again. Called every TICK_S while started."""
        self._tcp.tick(now, self._by_address)
        for peer in tuple(self._peers.values()):
            if peer.is_lost(now):
                self.close_peer(peer.key, "timeout")
            elif peer.srtp is None:
                peer.dtls.tick(now)
                self._send_dtls(peer)
                self._conclude(peer, peer.settle(self._drops))

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._on_timer)

    def _on_timer(self) -> None:
        self._arm()
        try:
            self.tick(self._clock.now())
        except Exception:
            self._note_defect("tick of the media port")

    def _note_defect(self, doing: str, *about: object) -> None:
        """A defect of ours must not stop the port that everybody shares; it is counted, and loud in the log."""
        self._drops["internal_error"] += 1
        logger.exception(doing, *about)


def _new_ssrc() -> int:
    return secrets.randbelow(0xFFFFFFFE) + 1
