"""The media plane: carries what the pure routers decide out through the one transport.

A packet's journey passes here twice, synchronously: ``transport`` hands in what it unprotected, the meeting's
``Router`` says which flows take it, ``transport``'s fan-out copies it out. Nothing here decides anything.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from server.clock import Clock
from server.config import MediaConfig
from server.errors import NotFound, TooMany
from server.sfu.ports import PeerKey, SlotSpec, TrackLabel, UplinkSpec
from server.sfu.router import ActiveSpeakers, LinkStats, Router, SendRtcp, SendRtp, SlotFed, TrackId
from server.transport.sdp import Purpose
from server.transport.server import MediaServer

logger = logging.getLogger(__name__)


class MediaObserver(Protocol):
    """Who is told about the media of one meeting (the hub)."""

    def media_connected(self, peer: PeerKey) -> None: ...

    def media_closed(self, peer: PeerKey, reason: str) -> None: ...

    def slot_fed(self, peer: PeerKey, mid: str, track: TrackId | None) -> None: ...

    def speakers_changed(self, tracks: tuple[TrackId, ...]) -> None: ...


@dataclass(slots=True)
class _Room:
    router: Router
    observer: MediaObserver
    peers: set[PeerKey]


@dataclass(frozen=True, slots=True)
class OpenMedia:
    """An answered offer: the peer's key, the SDP answer and what was negotiated."""

    peer: PeerKey
    answer: str
    uplinks: tuple[UplinkSpec, ...]
    slots: tuple[SlotSpec, ...]


class MediaPlane:
    """All meetings' routers over one UDP port. Runs on the event loop's thread; one timer serves every router."""

    def __init__(self, clock: Clock, config: MediaConfig, *, host: str, port: int) -> None:
        self._clock = clock
        self._config = config
        self._rooms: dict[str, _Room] = {}
        self._room_of: dict[PeerKey, _Room] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = float("inf")
        self._retired_drops: Counter[str] = Counter()
        self.transport = MediaServer(clock, self, host=host, port=port, config=config)

    async def start(self) -> None:
        """Bind the port. Raises Unavailable("media_port_busy") where it is taken."""
        await self.transport.start()

    async def close(self) -> None:
        """Say DTLS good-bye to every peer and release the port."""
        if self._timer is not None:
            self._timer.cancel()
        await self.transport.close()

    @property
    def port(self) -> int:
        return self.transport.port

    @property
    def peers(self) -> int:
        """How many peers there are, connected or connecting."""
        return len(self._room_of)

    def drops(self) -> Counter[str]:
        """Packets dropped since the start, by reason: the transport's and every router's."""
        total = self._retired_drops + self.transport.drops
        for room in self._rooms.values():
            total += room.router.drops
        return total

    def open_room(self, meeting_id: str, observer: MediaObserver) -> None:
        router = Router(max_bitrate_bps=self._config.max_bitrate_bps, start_bitrate_bps=self._config.start_bitrate_bps)
        self._rooms[meeting_id] = _Room(router, observer, set())

    def close_room(self, meeting_id: str) -> None:
        """Close every peer of the meeting and forget its router; its drop counts are kept."""
        room = self._rooms.pop(meeting_id, None)
        if room is None:
            return
        for peer in tuple(room.peers):
            self.transport.close_peer(peer, "closed")
        self._retired_drops += room.router.drops

    def open_peer(self, meeting_id: str, offer: str, labels: Mapping[str, TrackLabel], purpose: Purpose) -> OpenMedia:
        """Answer an offer. Raises InvalidInput("bad_sdp"), TooMany("too_many_peers"), NotFound."""
        room = self._rooms.get(meeting_id)
        if room is None:
            raise NotFound("meeting_not_open")
        if len(self._room_of) >= self._config.max_peers:
            raise TooMany("too_many_peers", "The server carries as many media connections as it may.")
        opened = self.transport.open_peer(offer, labels, purpose)
        room.router.add_peer(opened.key, opened.key, opened.uplinks, opened.slots, self._clock.now())
        room.peers.add(opened.key)
        self._room_of[opened.key] = room
        return OpenMedia(opened.key, opened.answer, opened.uplinks, opened.slots)

    def restart_ice(self, peer: PeerKey, fragment: str) -> str:
        """Answer a trickle or ICE restart fragment (RFC 8840); raises InvalidInput("bad_sdp")."""
        return self.transport.restart_ice(peer, fragment)

    def close_peer(self, peer: PeerKey, reason: str = "closed") -> None:
        """Close a peer; its observer hears ``media_closed``. Unknown peers are ignored."""
        if peer in self._room_of:
            self.transport.close_peer(peer, reason)

    # --- what the hub sets -----------------------------------------------------------------------

    def set_gate(self, track: TrackId, is_open: bool) -> None:
        room = self._room_of.get(track[0])
        if room is not None:
            room.router.set_gate(track, is_open, self._clock.now())
            self._carry_out(room)

    def assign(self, peer: PeerKey, mid: str, track: TrackId | None) -> None:
        room = self._room_of.get(peer)
        if room is not None:
            room.router.assign(peer, mid, track, self._clock.now())
            self._carry_out(room)

    def show(self, peer: PeerKey, mid: str, height: int) -> None:
        room = self._room_of.get(peer)
        if room is not None:
            room.router.show(peer, mid, height, self._clock.now())
            self._carry_out(room)

    def link(self, peer: PeerKey) -> LinkStats | None:
        """How the peer's line does; None for an unknown peer."""
        room = self._room_of.get(peer)
        return room.router.link(peer, self._clock.now()) if room is not None else None

    # --- MediaHandler: what the transport tells --------------------------------------------------

    def on_rtp(self, peer: PeerKey, data: bytes, now: float) -> None:
        room = self._room_of.get(peer)
        if room is None:
            return
        forward = room.router.on_rtp(peer, data, now)
        if forward is not None:
            self.transport.fanout.forward(forward.packet, forward.flows, now)

    def on_rtcp(self, peer: PeerKey, data: bytes, now: float) -> None:
        room = self._room_of.get(peer)
        if room is not None:
            room.router.on_rtcp(peer, data, now)

    def on_connected(self, peer: PeerKey) -> None:
        room = self._room_of.get(peer)
        if room is not None:
            room.observer.media_connected(peer)
            self._carry_out(room)

    def on_closed(self, peer: PeerKey, reason: str) -> None:
        room = self._room_of.pop(peer, None)
        if room is None:
            return
        room.peers.discard(peer)
        room.router.remove_peer(peer, self._clock.now())
        room.observer.media_closed(peer, reason)
        self._carry_out(room)

    def on_drained(self) -> None:
        self.transport.fanout.flush()
        for room in self._rooms.values():
            self._carry_out(room)

    # --- the shell ---------------------------------------------------------------------------------

    def _carry_out(self, room: _Room) -> None:
        for output in room.router.take_output():
            match output:
                case SendRtcp(peer, data):
                    self.transport.send_rtcp(peer, data)
                case SendRtp(peer, data):
                    self.transport.send_rtp(peer, data)
                case SlotFed(peer, mid, track):
                    room.observer.slot_fed(peer, mid, track)
                case ActiveSpeakers(tracks):
                    room.observer.speakers_changed(tracks)
        self._arm(room.router.next_deadline())

    def _arm(self, deadline: float | None) -> None:
        if deadline is None or deadline >= self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        delay = max(0.0, deadline - self._clock.now())
        self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _tick(self) -> None:
        self._timer, self._timer_at = None, float("inf")
        now = self._clock.now()
        for room in tuple(self._rooms.values()):
            deadline = room.router.next_deadline()
            if deadline is not None and deadline <= now:
                room.router.tick(now)
            self._carry_out(room)
