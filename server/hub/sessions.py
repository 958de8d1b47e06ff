"""The peer connections of one meeting, opened within limits and found again by their session id."""

from collections.abc import Mapping

from server.config import MediaConfig
from server.errors import NotFound, TooMany
from server.hub.publishing import MediaPeer
from server.hub.roads import Roads
from server.media import MediaPlane
from server.room.commands import Actor
from server.sfu.ports import Kind, PeerKey, TrackLabel
from server.transport.sdp import Purpose

_WHEP_HEIGHT = 720
"""WHEP has no way to say how large a picture is shown; take it as a full screen."""


class Sessions:
    """Browser, WHIP and WHEP sessions alike."""

    def __init__(self, meeting_id: str, media: MediaPlane, roads: Roads, config: MediaConfig) -> None:
        self._meeting_id = meeting_id
        self._media = media
        self._roads = roads
        self._config = config

    def open(
        self, actor: Actor, sdp: str, labels: Mapping[str, TrackLabel], purpose: Purpose, session_id: str
    ) -> tuple[MediaPeer, str]:
        """Answer an offer. Raises InvalidInput("bad_sdp"), TooMany("too_many_connections" | "too_many_peers")."""
        held = sum(peer.actor.account_id == actor.account_id for peer in self._roads.peers.values())
        if held >= self._config.max_peers_per_account:
            raise TooMany("too_many_connections", "This account holds as many media connections as it may.")
        opened = self._media.open_peer(self._meeting_id, sdp, labels, purpose)
        peer = MediaPeer(opened.peer, actor, purpose, session_id, opened.uplinks, opened.slots)
        self._roads.add(peer)
        if purpose is Purpose.VIEW:
            self.show(peer.key, dict.fromkeys((slot.mid for slot in peer.slots), _WHEP_HEIGHT))
        return peer, opened.answer

    def replace_publishers(self, newest: MediaPeer) -> None:
        """The newest WHIP publisher of a seat takes the place of the ones before."""
        for peer in tuple(self._roads.peers.values()):
            same_seat = peer.actor.seat_id == newest.actor.seat_id
            if same_seat and peer.purpose is Purpose.PUBLISH and peer is not newest:
                self.close(peer.key, "moved")

    def close(self, key: PeerKey, reason: str = "closed") -> None:
        """Close a connection ourselves: its ``media_closed`` finds it gone already."""
        self._roads.remove(key)
        self._media.close_peer(key, reason)

    def restart_ice(self, session_id: str, actor: Actor, fragment: str) -> str:
        return self._media.restart_ice(self.own(session_id, actor).key, fragment)

    def own(self, session_id: str, actor: Actor) -> MediaPeer:
        """Raises NotFound("no_such_session"), also for somebody else's."""
        for peer in self._roads.peers.values():
            if peer.session_id == session_id and peer.actor.account_id == actor.account_id:
                return peer
        raise NotFound("no_such_session")

    def show(self, key: PeerKey, sizes: Mapping[str, int]) -> None:
        """Heights by mid in device pixels; mids that are no video slot of the peer are ignored."""
        for slot in self._roads.peers[key].slots:
            if slot.kind is Kind.VIDEO and slot.mid in sizes:
                self._media.show(key, slot.mid, sizes[slot.mid])
