"""One peer connection behind the shared port: its ICE, DTLS and SRTP, told the time, sending nothing itself."""

from collections import Counter
from collections.abc import Sequence

from server.sfu.ports import PeerKey
from server.transport.dtls import DtlsCertificate, DtlsConnection, DtlsState, Fingerprint
from server.transport.ice import Address, Credentials, IceAgent
from server.transport.srtp import SrtpSession

CONNECT_S = 30.0
"""A peer that is not connected by then is given up, however often it checks its pair."""


class Peer:
    """``srtp`` is there once connected. ``tag``: kind and mid of the m-section that carries the ICE."""

    def __init__(
        self,
        key: PeerKey,
        local: Credentials,
        remote: Credentials,
        certificate: DtlsCertificate,
        fingerprints: Sequence[Fingerprint],
        tag: tuple[str, str],
        now: float,
    ) -> None:
        self.key = key
        self.tag = tag
        self.ice = IceAgent(local, remote, now)
        self.dtls = DtlsConnection(certificate, fingerprints, server=True)
        self.srtp: SrtpSession | None = None
        self.bound_ufrags: set[str] = set()
        self.bound_addresses: set[Address] = set()
        """What of this peer's ICE stands in the server's tables."""
        self._connect_by = now + CONNECT_S

    def receive_dtls(self, datagram: bytes, drops: Counter[str], now: float) -> str | None:
        """One DTLS datagram. Returns ``connected``, the reason it is over, or None: it goes on."""
        self.dtls.receive(datagram, now)
        return self.settle(drops)

    def settle(self, drops: Counter[str]) -> str | None:
        """What the DTLS association has come to since the last time; see ``receive_dtls``."""
        if self.dtls.state is DtlsState.FAILED:
            return self.dtls.failure
        if self.dtls.state is DtlsState.CLOSED:
            return "peer_closed"
        if self.srtp is None and self.dtls.keys is not None:
            self.srtp = SrtpSession(self.dtls.keys, drops)
            return "connected"
        return None

    def is_lost(self, now: float) -> bool:
        """No consent for 30 s (RFC 7675 5.1), or not connected in time."""
        return now >= self.ice.next_deadline() or (self.srtp is None and now >= self._connect_by)
