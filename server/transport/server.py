"""All peers behind one UDP port: the asyncio shell of the transport."""

from collections import Counter
from collections.abc import Mapping

from server.clock import Clock
from server.config import MediaConfig
from server.sfu.ports import PeerKey, TrackLabel
from server.transport.fanout import Fanout
from server.transport.handler import MediaHandler, OpenedPeer
from server.transport.sdp import Purpose


class MediaServer:
    """Opens, carries and closes peers over one UDP port. Not thread-safe: use it on the event loop's thread."""

    fanout: Fanout
    drops: Counter[str]
    packets_in: int
    octets_in: int
    packets_out: int
    octets_out: int
    port: int

    def __init__(
        self, clock: Clock, handler: MediaHandler, *, host: str, port: int, config: MediaConfig = MediaConfig()
    ) -> None: ...

    async def start(self) -> None:
        """Bind the port (0: any). Raises Unavailable("media_port_busy")."""

    async def close(self) -> None:
        """Say good-bye to every peer (``server_closed``) and release the port."""

    def open_peer(self, offer: str, labels: Mapping[str, TrackLabel], purpose: Purpose) -> OpenedPeer:
        """Answer an offer. ``labels``: mid of an uplink -> what it is. Raises InvalidInput("bad_sdp")."""
        raise NotImplementedError

    def restart_ice(self, peer: PeerKey, fragment: str) -> str:
        """Answer a trickle-ICE fragment (RFC 8840). ``""``: nothing to say (only candidates trickled); else the
        fragment with our new credentials and candidates. Raises InvalidInput("bad_sdp"), NotFound("no_such_peer")."""
        raise NotImplementedError

    def close_peer(self, peer: PeerKey, reason: str) -> None:
        """DTLS good-bye, then ``on_closed(peer, reason)``. An unknown peer is ignored."""

    def send_rtp(self, peer: PeerKey, data: bytes) -> None:
        """One complete RTP packet (retransmissions). Dropped and counted where the peer is not connected."""

    def send_rtcp(self, peer: PeerKey, data: bytes) -> None:
        """One RTCP compound packet."""
