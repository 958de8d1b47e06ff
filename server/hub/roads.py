"""The roads of one meeting: opens and closes gates and feeds slots as the room's state says.

Closing a gate is immediate; everything else is worked out once per turn of the event loop, however many
commands came in it (160 endpoints may join within a second).
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping

from server.clock import Clock
from server.hub.feeds import choose_feeds, order_voices
from server.hub.ports import Feed, Link
from server.hub.publishing import MediaPeer, choose_publishers
from server.media import MediaPlane
from server.room.room import Room
from server.room.views import Presence
from server.sfu.ports import Kind, PeerKey, TrackLabel
from server.sfu.router import TrackId
from server.transport.sdp import Purpose


class Roads:
    """``watching(session_id)`` gives a session's previews: mid -> seat. ``on_refreshed`` is called whenever gates and
    slots were brought to the room's state."""

    def __init__(
        self,
        room: Room,
        media: MediaPlane,
        clock: Clock,
        watching: Callable[[str], Mapping[str, str]],
    ) -> None:
        self._room = room
        self._media = media
        self._clock = clock
        self._watching = watching
        self._last_spoken: dict[TrackId, float] = {}
        self._refreshing = False
        self._voices = room.gates
        self._publishers: dict[str, MediaPeer] = {}
        self.peers: dict[PeerKey, MediaPeer] = {}
        self.on_refreshed: Callable[[], None] = _ignore

    def add(self, peer: MediaPeer) -> None:
        self.peers[peer.key] = peer
        self.refresh_soon()

    def remove(self, key: PeerKey) -> MediaPeer | None:
        peer = self.peers.pop(key, None)
        if peer is not None:
            for track in [track for track in self._last_spoken if track[0] == key]:
                del self._last_spoken[track]
            self.refresh_soon()
        return peer

    def close_voice(self, seat_id: str) -> None:
        """Close every audio road of a seat at once, whichever connection it comes from."""
        self._voices -= {seat_id}
        for peer in self.peers.values():
            if peer.actor.seat_id == seat_id:
                self._set_gate(peer, peer.track(TrackLabel.MIC), False)

    def open_voices(self, journalled: frozenset[str]) -> None:
        """Open the gates that the journal has; what the room has closed since stays closed."""
        self._voices = journalled & self._room.gates
        self.refresh_soon()

    def speakers_changed(self, tracks: Iterable[TrackId]) -> tuple[str, ...]:
        """Note who speaks; return their seats, loudest first."""
        now = self._clock.now()
        seats = []
        for track in tracks:
            self._last_spoken[track] = now
            peer = self.peers.get(track[0])
            if peer is not None and peer.actor.seat_id is not None:
                seats.append(peer.actor.seat_id)
        self.refresh_soon()
        return tuple(seats)

    def feed(self, mid: str, track: TrackId | None) -> Feed:
        """Say in seats what a slot carries."""
        source = self.peers.get(track[0]) if track is not None else None
        if track is None or source is None:
            return Feed(mid, None, "")
        return Feed(mid, source.actor.seat_id, source.label_of(track[1]).value)

    def seats(self) -> set[str]:
        """Seats that have a media connection."""
        return {peer.actor.seat_id for peer in self.peers.values() if peer.actor.seat_id is not None}

    def link(self, seat_id: str) -> Link:
        """The line of a seat: of its publishing connection, else of any it has."""
        peer = self._publishers.get(seat_id) or next(
            (peer for peer in self.peers.values() if peer.actor.seat_id == seat_id), None
        )
        stats = self._media.link(peer.key) if peer is not None else None
        if peer is None or stats is None:
            return Link(seat_id, 0, 0, 0.0, 0.0, None, "none")
        return Link(
            seat_id,
            round(stats.up_bps),
            round(stats.down_bps),
            round(stats.up_loss_percent, 1),
            round(stats.down_loss_percent, 1),
            stats.rtt_ms,
            "connected" if peer.connected else "connecting",
        )

    def refresh_soon(self) -> None:
        if not self._refreshing:
            self._refreshing = True
            asyncio.get_running_loop().call_soon(self._refresh)

    def _refresh(self) -> None:
        self._refreshing = False
        self._publishers = choose_publishers(self.peers.values())
        for peer in self.peers.values():
            self._set_gates(peer)
        pictures = self._picture_tracks()
        voices = order_voices(self._voice_tracks(), self._last_spoken)
        for peer in self.peers.values():
            if peer.connected and peer.slots:
                self._feed(peer, pictures, voices)
        self.on_refreshed()

    def _set_gates(self, peer: MediaPeer) -> None:
        seat_id = peer.actor.seat_id
        chosen = seat_id is not None and self._publishers.get(seat_id) is peer
        opened = {
            TrackLabel.MIC: chosen and seat_id in self._voices,
            TrackLabel.CAMERA: chosen and self._is_in(seat_id),
            TrackLabel.SCREEN: chosen and seat_id in self._room.screens,
        }
        for label, is_open in opened.items():
            self._set_gate(peer, peer.track(label), is_open)

    def _set_gate(self, peer: MediaPeer, track: TrackId | None, is_open: bool) -> None:
        if track is None or (track in peer.open_gates) == is_open:
            return
        (peer.open_gates.add if is_open else peer.open_gates.discard)(track)
        self._media.set_gate(track, is_open)

    def _is_in(self, seat_id: str | None) -> bool:
        return seat_id is not None and self._room.presence(seat_id) is Presence.PRESENT

    def _picture_tracks(self) -> list[TrackId]:
        tracks = []
        for picture in self._room.stage.pictures:
            track = self.track(picture.seat_id, TrackLabel(picture.track))
            if track is not None:
                tracks.append(track)
        return tracks

    def _voice_tracks(self) -> list[TrackId]:
        seats = sorted(self._voices)
        return [track for seat in seats if (track := self.track(seat, TrackLabel.MIC)) is not None]

    def track(self, seat_id: str, label: TrackLabel) -> TrackId | None:
        """What a seat publishes under a label now; None: nothing."""
        publisher = self._publishers.get(seat_id)
        return publisher.track(label) if publisher is not None else None

    def _feed(self, peer: MediaPeer, pictures: list[TrackId], voices: list[TrackId]) -> None:
        own = peer.actor.seat_id
        watched = {
            mid: self.track(seat_id, TrackLabel.CAMERA)
            for mid, seat_id in self._watching(peer.session_id).items()
            if any(slot.mid == mid and slot.kind is Kind.VIDEO for slot in peer.slots)
        }
        wanted = choose_feeds(
            peer.slots,
            peer.wanted,
            pictures if peer.purpose is Purpose.VIEW else self._of_others(pictures, own),
            self._of_others(voices, own),
            watched,
        )
        for mid, track in wanted.items():
            if peer.wanted.get(mid) != track:
                self._media.assign(peer.key, mid, track)
        peer.wanted = wanted

    def _of_others(self, tracks: list[TrackId], seat_id: str | None) -> list[TrackId]:
        return [track for track in tracks if seat_id is None or self.peers[track[0]].actor.seat_id != seat_id]


def _ignore() -> None:
    """Nobody follows."""
