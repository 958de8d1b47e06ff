"""What the transport tells the layer above, and what it hands over for an opened peer."""

from typing import Protocol

import msgspec

from server.sfu.ports import PeerKey, SlotSpec, UplinkSpec


class MediaHandler(Protocol):
    """Called synchronously on the event loop's thread. An exception is logged and counted, and ends nothing."""

    def on_rtp(self, peer: PeerKey, data: bytes, now: float) -> None:
        """One authenticated RTP packet."""
        ...

    def on_rtcp(self, peer: PeerKey, data: bytes, now: float) -> None:
        """One authenticated RTCP compound packet."""
        ...

    def on_connected(self, peer: PeerKey) -> None:
        """DTLS is done and the fingerprint verified: media may flow."""
        ...

    def on_closed(self, peer: PeerKey, reason: str) -> None:
        """Exactly once for every opened peer, by whomever closed.

        ``reason``: ``timeout`` (never connected, or silent for 30 s), ``dtls_failed``, ``fingerprint_mismatch``,
        ``peer_closed`` (the client's DTLS good-bye), ``server_closed``, or what ``close_peer`` was given.
        """
        ...

    def on_drained(self) -> None:
        """The socket is empty for now, or its turn is over: flush the fan-out, take the routers' output."""
        ...


class OpenedPeer(msgspec.Struct, frozen=True):
    """An answered offer. ``key`` is also the fan-out's destination; ``ufrag`` names the ICE session (WHIP's ETag)."""

    key: PeerKey
    answer: str
    uplinks: tuple[UplinkSpec, ...]
    slots: tuple[SlotSpec, ...]
    ufrag: str
