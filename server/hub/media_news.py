"""Tells each connection how its own media stand: what its slots carry, who speaks, what is watched, how it fares."""

from server.hub.people import People
from server.hub.ports import Listener
from server.hub.publishing import MediaPeer
from server.hub.roads import Roads
from server.sfu.ports import PeerKey
from server.sfu.router import Shortage, TrackId


class MediaNews:
    """Keeps on the peer what was told, so that a client that lost sight of it can be told again."""

    def __init__(self, people: People, roads: Roads) -> None:
        self._people = people
        self._roads = roads

    def slot_fed(self, peer: PeerKey, mid: str, track: TrackId | None) -> None:
        known = self._roads.peers.get(peer)
        if known is None:
            return
        feed = known.fed[mid] = self._roads.feed(mid, track)
        listener = self._listener(known)
        if listener is not None:
            listener.feeds((feed,))

    def speakers_changed(self, tracks: tuple[TrackId, ...]) -> None:
        seats = self._roads.speakers_changed(tracks)
        for attendance, listener in self._people.listening():
            if attendance.admitted:
                listener.speaking(seats)

    def layers_wanted(self, track: TrackId, rids: tuple[str, ...]) -> None:
        known = self._roads.peers.get(track[0])
        if known is None:
            return
        known.layers[track[1]] = rids
        listener = self._listener(known)
        if listener is not None:
            listener.layers(track[1], rids)

    def starved(self, peer: PeerKey, shortage: Shortage) -> None:
        known = self._roads.peers.get(peer)
        if known is None:
            return
        known.shortage = shortage
        listener = self._listener(known)
        if listener is not None:
            listener.shortage(shortage.value)

    def catch_up(self, listener: Listener, peer: PeerKey) -> None:
        """Say again how things stand on a connection that outlived its WebSocket."""
        known = self._roads.peers[peer]
        listener.feeds(tuple(known.fed.values()))
        for mid, rids in known.layers.items():
            listener.layers(mid, rids)
        listener.shortage(known.shortage.value)

    def _listener(self, peer: MediaPeer) -> Listener | None:
        attendance = self._people.get(peer.session_id)
        return attendance.listener if attendance is not None else None
