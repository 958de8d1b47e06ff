"""Which connection of a seat is its voice and face. Pure.

A seat may have a browser session and a hardware encoder (WHIP) at once; exactly one of them is taken as the
source: the newest WHIP publisher that is connected, else the session. Everything else stays gated.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from server.hub.ports import Feed
from server.room.commands import Actor
from server.sfu.ports import PeerKey, SlotSpec, TrackLabel, UplinkSpec
from server.sfu.router import Shortage, TrackId
from server.transport.sdp import Purpose


@dataclass(slots=True, eq=False)
class MediaPeer:
    """One peer connection in a meeting and what the hub has set on it."""

    key: PeerKey
    actor: Actor
    purpose: Purpose
    session_id: str
    uplinks: tuple[UplinkSpec, ...]
    slots: tuple[SlotSpec, ...]
    connected: bool = False
    open_gates: set[TrackId] = field(default_factory=set)
    wanted: dict[str, TrackId | None] = field(default_factory=dict)
    fed: dict[str, Feed] = field(default_factory=dict)
    layers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By mid, what of a picture anybody takes; missing: all of it."""
    shortage: Shortage = Shortage.NONE

    @property
    def publishes(self) -> bool:
        return bool(self.uplinks) and self.actor.seat_id is not None

    def track(self, label: TrackLabel) -> TrackId | None:
        """The peer's uplink with that label, None where it offered none."""
        for uplink in self.uplinks:
            if uplink.label is label:
                return (self.key, uplink.mid)
        return None

    def label_of(self, mid: str) -> TrackLabel:
        return next(uplink.label for uplink in self.uplinks if uplink.mid == mid)


def choose_publishers(peers: Iterable[MediaPeer]) -> dict[str, MediaPeer]:
    """Return the publishing peer of every seat that has a connected one."""
    chosen: dict[str, MediaPeer] = {}
    for peer in peers:
        if not (peer.connected and peer.publishes):
            continue
        seat_id = peer.actor.seat_id
        assert seat_id is not None
        held = chosen.get(seat_id)
        if held is None or _rank(peer) > _rank(held):
            chosen[seat_id] = peer
    return chosen


def _rank(peer: MediaPeer) -> tuple[bool, int]:
    return (peer.purpose is Purpose.PUBLISH, peer.key)
