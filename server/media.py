"""The media plane: carries what the pure routers decide out through the one transport.

A packet's journey passes here twice, synchronously: ``transport`` hands in what it unprotected, the meeting's
``Router`` says which flows take it, ``transport``'s fan-out copies it out. Nothing here decides anything.
"""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from server.clock import Clock
from server.config import MediaConfig
from server.errors import NotFound, TooMany
from server.rtp import rtcp
from server.rtp.extensions import abs_send_time
from server.sfu.ports import PeerKey, SlotSpec, TrackLabel, UplinkSpec
from server.sfu.rewrite import rewrite
from server.sfu.router import (
    ActiveSpeakers,
    Forward,
    LayersWanted,
    LinkStats,
    Router,
    SendRtcp,
    SendRtp,
    Shortage,
    SlotFed,
    Starved,
    TrackId,
)
from server.transport.sdp import Purpose
from server.transport.server import MediaServer

logger = logging.getLogger(__name__)


class MediaObserver(Protocol):
    """Who is told about the media of one meeting (the hub)."""

    def media_connected(self, peer: PeerKey) -> None: ...

    def media_closed(self, peer: PeerKey, reason: str) -> None: ...

    def slot_fed(self, peer: PeerKey, mid: str, track: TrackId | None) -> None: ...

    def speakers_changed(self, tracks: tuple[TrackId, ...]) -> None: ...

    def layers_wanted(self, track: TrackId, rids: tuple[str, ...]) -> None: ...

    def starved(self, peer: PeerKey, shortage: Shortage) -> None: ...


class TapSink(Protocol):
    """Takes what a tap's slots carry, inside this process (the recorder). Called on the hot path; may not raise."""

    def rtp(self, ssrc: int, data: bytes, now: float) -> None:
        """One complete RTP packet of the slot with this SSRC."""
        ...

    def rtcp(self, data: bytes, now: float) -> None:
        """A compound with a sender report of every slot that carries something (RFC 3550 6.4.1)."""
        ...


@dataclass(slots=True)
class _Room:
    router: Router
    observer: MediaObserver
    peers: set[PeerKey]
    taps: dict[PeerKey, TapSink] = field(default_factory=dict)


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
        self._next_tap = -1
        self._trials: set[PeerKey] = set()
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
        return sum(len(room.peers) for room in self._rooms.values())

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
        for tap in room.taps:
            del self._room_of[tap]
        self._retired_drops += room.router.drops

    def open_peer(self, meeting_id: str, offer: str, labels: Mapping[str, TrackLabel], purpose: Purpose) -> OpenMedia:
        """Answer an offer. Raises InvalidInput("bad_sdp"), TooMany("too_many_peers"), NotFound."""
        room = self._rooms.get(meeting_id)
        if room is None:
            raise NotFound("meeting_not_open")
        if self.peers >= self._config.max_peers:
            raise TooMany("too_many_peers", "The server carries as many media connections as it may.")
        opened = self.transport.open_peer(offer, labels, purpose)
        room.router.add_peer(opened.key, opened.key, opened.uplinks, opened.slots, self._clock.now())
        room.peers.add(opened.key)
        self._room_of[opened.key] = room
        return OpenMedia(opened.key, opened.answer, opened.uplinks, opened.slots)

    def open_trial(self, offer: str) -> OpenMedia:
        """Answer an offer outside every meeting, to try whether the media port is reached: nothing is routed to or from
        such a peer. Raises as ``open_peer``; ``close_trial`` ends it."""
        if len(self._trials) + self.peers >= self._config.max_peers:
            raise TooMany("too_many_peers", "The server carries as many media connections as it may.")
        opened = self.transport.open_peer(offer, {}, Purpose.VIEW)
        self._trials.add(opened.key)
        return OpenMedia(opened.key, opened.answer, opened.uplinks, opened.slots)

    def close_trial(self, peer: PeerKey) -> None:
        """Unknown peers are ignored."""
        if peer in self._trials:
            self.transport.close_peer(peer, "closed")

    @property
    def trials(self) -> int:
        """How many trials are open."""
        return len(self._trials)

    def restart_ice(self, peer: PeerKey, fragment: str) -> str:
        """Answer a trickle or ICE restart fragment (RFC 8840); raises InvalidInput("bad_sdp")."""
        return self.transport.restart_ice(peer, fragment)

    def close_peer(self, peer: PeerKey, reason: str = "closed") -> None:
        """Close a peer; its observer hears ``media_closed``. Unknown peers are ignored."""
        if peer in self._room_of:
            self.transport.close_peer(peer, reason)

    # --- taps: Sinks inside this process -----------------------------------------------------------

    def open_tap(self, meeting_id: str, slots: Sequence[SlotSpec], sink: TapSink) -> PeerKey:
        """A virtual peer that only receives; ``assign`` feeds its slots like any viewer's. Raises NotFound."""
        room = self._rooms.get(meeting_id)
        if room is None:
            raise NotFound("meeting_not_open")
        key, self._next_tap = self._next_tap, self._next_tap - 1
        room.router.add_peer(key, key, (), slots, self._clock.now())
        room.taps[key] = sink
        self._room_of[key] = room
        return key

    def close_tap(self, tap: PeerKey) -> None:
        """Take a tap away; its sink hears no more. Unknown ones are ignored."""
        room = self._room_of.pop(tap, None)
        if room is not None:
            del room.taps[tap]
            room.router.remove_peer(tap, self._clock.now())
            self._carry_out(room)

    def want_keyframe(self, tap: PeerKey, ssrc: int) -> None:
        """Ask whoever feeds the tap's slot for a key frame, as a viewer would (RFC 4585 6.3.1)."""
        room = self._room_of.get(tap)
        if room is not None:
            room.router.on_rtcp(tap, rtcp.pli(ssrc, ssrc), self._clock.now())
            self._carry_out(room)

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
        while forward is not None:
            if forward.flows:
                self.transport.fanout.forward(forward.packet, forward.flows, now)
            if forward.taps:
                _fill_taps(room, forward, now)
            forward = forward.then

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
        self._trials.discard(peer)
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
                case SendRtcp(peer) | SendRtp(peer) if peer < 0:
                    _fill_tap(room, output, self._clock.now())
                case SendRtcp(peer, data):
                    self.transport.send_rtcp(peer, data)
                case SendRtp(peer, data):
                    self.transport.send_rtp(peer, data)
                case SlotFed(peer, mid, track):
                    room.observer.slot_fed(peer, mid, track)
                case ActiveSpeakers(tracks):
                    room.observer.speakers_changed(tracks)
                case LayersWanted(track, rids):
                    room.observer.layers_wanted(track, rids)
                case Starved(peer, shortage):
                    room.observer.starved(peer, shortage)
        self._arm(room.router.next_deadline())

    def _arm(self, deadline: float | None) -> None:
        if deadline is None or deadline >= self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        # In whole milliseconds, rounded up: the loop knows no less, and a timer that rings early is set anew.
        delay = max(0.001, math.ceil((deadline - self._clock.now()) * 1_000) / 1_000)
        self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _tick(self) -> None:
        self._timer, self._timer_at = None, float("inf")
        now = self._clock.now()
        for room in tuple(self._rooms.values()):
            deadline = room.router.next_deadline()
            if deadline is not None and deadline <= now:
                room.router.tick(now)
            self._carry_out(room)


def _fill_tap(room: _Room, output: SendRtcp | SendRtp, now: float) -> None:
    sink = room.taps.get(output.peer)
    if sink is None:  # closed since
        return
    if isinstance(output, SendRtcp):
        sink.rtcp(output.data, now)
    else:
        sink.rtp(int.from_bytes(output.data[8:12], "big"), output.data, now)


def _fill_taps(room: _Room, forward: Forward, now: float) -> None:
    """Copy as the fan-out does, and count what sender reports say (RFC 3550 6.4.1)."""
    packet, stamp = forward.packet, abs_send_time(now)
    for flow in forward.taps:
        room.taps[flow.destination].rtp(flow.ssrc, rewrite(packet, flow, stamp), now)
        flow.sent.packets += 1
        flow.sent.octets += packet.payload_length
