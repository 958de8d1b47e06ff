"""Which stream feeds which slot: assignments, gates, sizes and bandwidth in, flows out.

A picture is switched at a key frame of the new stream, and the old one shows until then; sound is switched at once.
"""

from server.rtp.packet import RtpView
from server.sfu import allocation
from server.sfu.allocation import AUDIO_RESERVE_BPS, Plan, allocate
from server.sfu.codecs import matching_codec
from server.sfu.demand import Demand
from server.sfu.flows import Flow
from server.sfu.layers import LayerOffer
from server.sfu.outputs import SendRtp, Shortage, Starved
from server.sfu.peer import Peer
from server.sfu.ports import TrackLabel
from server.sfu.probing import Probing
from server.sfu.rewrite import copy_now
from server.sfu.slot import Feed, Slot
from server.sfu.switchboard import Switchboard
from server.sfu.thinning import can_continue
from server.sfu.uplink import Stream, Uplink

PATIENCE_S = 3.0
"""So long an old picture stays while the new source owes its first key frame; then an empty slot is more honest."""
MAX_LATE_START = 64
"""A recovered key frame may start a slot when no more packets than this have come since; they are sent after it."""
THIN_PATIENCE_S = 1.0
THIN_SHARES = (0.6, 0.4, 0.25)
"""What a stream takes without one, two or three temporal layers (libwebrtc's rates), until it is measured."""
LAYER_CHECK_S = 0.25
LAYER_SILENT_S = 0.6
"""A layer silent for so long while another layer of the same camera goes on was switched off by its sender."""


class Feeding:
    """Works on the switchboard; every method leaves slots, flows and announcements consistent."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        self._probing = Probing(board, self.refresh)
        self._demand = Demand(board)

    # --- what the caller wants -------------------------------------------------------------------------------

    def assign(self, slot: Slot, uplink: Uplink | None, missing_reason: str, now: float) -> None:
        """From now on ``slot`` shall carry ``uplink``; None: nothing, for ``missing_reason``."""
        before = slot.target
        slot.hope(False)
        if before is not None:
            before.listeners.remove(slot)
        slot.target = uplink
        slot.missing_reason = missing_reason
        if uplink is not None:
            uplink.listeners.append(slot)
        self.refresh(self._board.peers[slot.peer], now)
        if before is not None:
            self._demand.review(before, now)

    def set_gate(self, uplink: Uplink, is_open: bool, now: float) -> None:
        """Open or close the road. Closed: no flow, nothing remembered, nothing asked for."""
        uplink.gate_open = is_open
        if is_open:
            for stream in uplink.streams:
                stream.hear_from_now()
            self.watch_layers(uplink, now)
        else:
            self._close(uplink)
        self._refresh_listeners(uplink, now)

    def show(self, slot: Slot, height: int, now: float) -> None:
        if slot.shown_height != height:
            slot.shown_height = height
            self.refresh(self._board.peers[slot.peer], now)

    def remove_uplink(self, uplink: Uplink, now: float) -> None:
        self._close(uplink)
        for slot in list(uplink.listeners):
            self.assign(slot, None, "source_gone", now)

    def remove_slot(self, slot: Slot, now: float) -> None:
        """Its viewer left: nothing is announced to nobody."""
        self._stop(slot)
        self._wait_no_more(slot)
        slot.layer = None
        slot.hope(False)
        if slot.target is not None:
            slot.target.listeners.remove(slot)
            self._demand.review(slot.target, now)

    # --- what streams do -------------------------------------------------------------------------------------

    def stream_came(self, stream: Stream, now: float) -> None:
        """Packets of a silent stream are coming (again)."""
        stream.live = True
        self._refresh_listeners(stream.uplink, now)
        self.watch_layers(stream.uplink, now)

    def stream_went(self, stream: Stream, now: float) -> None:
        """A stream fell silent: whoever had it gets another layer, or nothing."""
        stream.live = False
        stream.bitrate_bps = 0
        self._refresh_listeners(stream.uplink, now)

    def _close(self, uplink: Uplink) -> None:
        for stream in uplink.streams:
            for feed in _feeds(stream):
                self._stop(feed.slot)
                target = feed.slot.target
                if target is not None and target is not uplink:
                    # It showed this track only until its new one sends a key frame.
                    self._board.announce(feed.slot, target.track, "")
            stream.close()

    def cut(self, stream: Stream) -> None:
        """End whatever the stream feeds, before it is numbered anew. ``resume`` lets it start again."""
        for feed in _feeds(stream):
            self._stop(feed.slot)
        for thin in stream.thins:
            thin.is_idle = True

    def resume(self, stream: Stream, now: float) -> None:
        self._refresh_listeners(stream.uplink, now)

    def start(self, stream: Stream, packet: RtpView, extended: int, now: float) -> None:
        """A key frame (audio: any packet) is here: everybody who waits for the stream starts with it."""
        waiters, stream.waiters = stream.waiters, []
        for slot in waiters:
            slot.waiting = None
            self._board.schedule.cancel(("patience", slot))
            self._start_slot(slot, stream, packet, extended, now)
        stream.refresh_asking()

    def go_on(self, stream: Stream, packet: RtpView, extended: int, now: float) -> None:
        """Not a key frame: with it start only those who have the stream already, but for its temporal layers."""
        for slot in list(stream.waiters):
            running = slot.feed
            if running is not None and can_continue(running.stream, stream, packet):
                stream.waiters.remove(slot)
                slot.waiting = None
                self._board.schedule.cancel(("patience", slot))
                self._start_slot(slot, stream, packet, extended, now, before=running.flow)
        stream.refresh_asking()

    def _start_slot(
        self, slot: Slot, stream: Stream, packet: RtpView, extended: int, now: float, before: Flow | None = None
    ) -> None:
        running = slot.feed.stream if slot.feed is not None else None
        # What goes on in a thinned stream is the packet that the whole one has just taken in.
        self._stop(slot, unsent=int(running is not None and running is stream.whole))
        assert stream.codec is not None
        codec = matching_codec(stream.codec, slot.spec.codecs)
        assert codec is not None, "waits only for what it can take"
        stream.bitrate_bps = stream.bitrate_bps or _offer(stream).bitrate_bps
        feed = slot.begin(stream, codec, packet, extended, now, before)
        stream.feeds.append(feed)
        stream.newest_start = max(stream.newest_start, extended)
        self._board.flows.add(stream.key, feed.flow)
        self._board.announce(slot, stream.uplink.track, "")
        reception = stream.reception
        assert reception is not None
        for number in range(extended + 1, reception.highest + 1):
            later = stream.cache.get(number, now)
            if later is not None:
                again = copy_now(later, feed.flow, now)
                self._board.outputs.append(SendRtp(slot.peer, again))

    def watch_layers(self, uplink: Uplink, now: float) -> None:
        """While several layers come, look often whether one stopped: a viewer's picture would freeze."""
        if uplink.gate_open and len(uplink.live_streams()) > 1:
            self._board.schedule.bring_forward(
                ("layers", uplink.track), now + LAYER_CHECK_S, lambda now: self._check_layers(uplink, now)
            )

    def _check_layers(self, uplink: Uplink, now: float) -> None:
        live = uplink.live_streams()
        if any(now - stream.newest_at < LAYER_SILENT_S / 2 for stream in live):
            for stream in live:
                if now - stream.newest_at > LAYER_SILENT_S:
                    self.stream_went(stream, now)
        self.watch_layers(uplink, now)

    # --- one viewer: plan, then bring every slot to the plan -------------------------------------------------

    def refresh(self, viewer: Peer, now: float) -> None:
        """Plan a viewer's pictures anew and bring each slot to where it should be."""
        self._plan(viewer, now)
        for slot in viewer.slots.values():
            self._settle(slot, now)
        for slot in viewer.video_slots:
            if slot.target is not None:
                self._demand.review(slot.target, now)

    def _refresh_listeners(self, uplink: Uplink, now: float) -> None:
        for key in dict.fromkeys(slot.peer for slot in uplink.listeners):
            self.refresh(self._board.peers[key], now)

    def _plan(self, viewer: Peer, now: float) -> None:
        wishes: list[tuple[Slot, list[Stream]]] = []
        for slot in sorted(viewer.video_slots, key=_class):
            target, slot.layer = slot.target, None
            slot.hope(False)
            if target is not None and not _obstacle(slot) and slot.shown_height != 0:
                offered = [stream for stream in target.offered_streams(now) if _fits(stream, slot)]
                if offered:
                    wishes.append((slot, _rungs(offered, _shows_screen(slot))))
                slot.hope(not offered)
        demands = [_demand(slot, offered) for slot, offered in wishes]
        audio_bps = viewer.audio_bps(AUDIO_RESERVE_BPS)
        running_bps = audio_bps + viewer.video_bps()
        plan = allocate(viewer.budget.limit(running_bps, now), audio_bps, demands)
        step_bps, can_probe = plan.next_step_bps, self._probing.can_probe(viewer)
        if step_bps is not None and viewer.budget.held_back(step_bps, plan.wanted_bps, now, can_probe=can_probe):
            plan = allocate(viewer.budget.limit_bps, audio_bps, demands)
        self._probing.watch(viewer, now)
        for (slot, offered), index in zip(wishes, plan.layers, strict=True):
            slot.layer = offered[index] if index is not None else None
        self._tell_shortage(viewer, plan)

    def _tell_shortage(self, viewer: Peer, plan: Plan) -> None:
        shortage = Shortage.NONE
        if plan.next_step_bps is not None:
            shortage = Shortage.ALL_PICTURES if set(plan.layers) == {None} else Shortage.PICTURES
        if viewer.shortage is not shortage:
            viewer.shortage = shortage
            self._board.outputs.append(Starved(viewer.key, shortage))

    def _settle(self, slot: Slot, now: float) -> None:
        obstacle = _obstacle(slot)
        target = slot.target
        if obstacle or target is None:
            self._stop(slot)
            self._wait_no_more(slot)
            self._board.announce(slot, None, obstacle)
            return
        wanted = target.streams[0] if slot.is_audio else slot.layer
        running = slot.feed.stream if slot.feed is not None else None
        if wanted is None or wanted is running:
            self._wait_no_more(slot)
            if wanted is None:
                self._stop(slot)
            self._board.announce(slot, target.track, "")
            return
        if slot.is_audio:
            self._stop(slot)
            self._board.announce(slot, target.track, "")
        self._wait(slot, wanted, now)

    def _wait(self, slot: Slot, stream: Stream, now: float) -> None:
        if slot.waiting is stream:
            return
        self._wait_no_more(slot)
        slot.waiting = stream
        stream.waiters.append(slot)
        stream.refresh_asking()
        if slot.is_audio:
            return
        if slot.feed is not None and slot.feed.stream.whole is stream.whole:
            # It goes on without a key frame as soon as a frame allows; that one is asked for only where none does.
            self._board.schedule.set(("patience", slot), now + THIN_PATIENCE_S, lambda now: self._press(slot, now))
            return
        self._press(slot, now)

    def _press(self, slot: Slot, now: float) -> None:
        assert slot.waiting is not None
        self._board.want_keyframe(slot.waiting.whole, now)
        self._board.schedule.set(("patience", slot), now + PATIENCE_S, lambda _: self._lose_patience(slot))

    def _lose_patience(self, slot: Slot) -> None:
        """The target owes a key frame for too long: somebody else's old picture goes; a layer of its own stays."""
        target = slot.target
        assert target is not None
        if slot.feed is not None and slot.feed.stream.uplink is not target:
            self._stop(slot)
        self._board.announce(slot, target.track, "")

    def _wait_no_more(self, slot: Slot) -> None:
        stream = slot.waiting
        if stream is not None:
            slot.waiting = None
            stream.waiters.remove(slot)
            stream.refresh_asking()
            self._board.schedule.cancel(("patience", slot))

    def _stop(self, slot: Slot, *, unsent: int = 0) -> None:
        feed = slot.end(unsent=unsent)
        if feed is not None:
            feed.stream.feeds.remove(feed)
            feed.stream.refresh_asking()
            self._board.flows.remove(feed.stream.key, feed.flow)


def _feeds(stream: Stream) -> list[Feed]:
    """Those of its thinned ones too."""
    return [feed for each in (stream, *stream.thins) for feed in each.feeds]


def _obstacle(slot: Slot) -> str:
    """Why the slot may not carry its target; "": nothing stands in the way."""
    target = slot.target
    if target is None:
        return slot.missing_reason
    if not target.gate_open:
        return "gate_closed"
    if target.spec.kind is not slot.spec.kind:
        return "codec_not_negotiated"
    codecs = [stream.codec for stream in target.streams if stream.codec is not None] or target.spec.codecs
    if not any(matching_codec(codec, slot.spec.codecs) for codec in codecs):
        return "codec_not_negotiated"
    return ""


def _fits(stream: Stream, slot: Slot) -> bool:
    return stream.codec is not None and matching_codec(stream.codec, slot.spec.codecs) is not None


def _class(slot: Slot) -> int:
    """Slot 0 (who has the floor) before screens before the rest; within a class by index."""
    if not slot.spec.index:
        return 0
    return 1 if _shows_screen(slot) else 2


def _shows_screen(slot: Slot) -> bool:
    return slot.target is not None and slot.target.spec.label is TrackLabel.SCREEN


def _rungs(offered: list[Stream], is_screen: bool) -> list[Stream]:
    """The streams from worst to best, each after its thinned ones. A camera would rather be small than jerky: only its
    smallest goes down to the lowest frame rate. A screen would rather be jerky than small.
    """
    rungs: list[Stream] = []
    for stream in offered:
        rungs += stream.thins if is_screen or stream is offered[0] else stream.thins[-1:]
        rungs.append(stream)
    return rungs


def _demand(slot: Slot, rungs: list[Stream]) -> allocation.Demand:
    offers = tuple(_offer(stream) for stream in rungs)
    return allocation.Demand(offers, slot.shown_height, _index_in_use(slot, rungs), _shows_screen(slot))


def _offer(stream: Stream) -> LayerOffer:
    whole = stream.whole
    bitrate_bps = whole.bitrate_bps or whole.usual_bps
    if stream is whole:
        return LayerOffer(bitrate_bps, whole.height)
    share = THIN_SHARES[len(whole.thins) - 1 - stream.max_layer]
    return LayerOffer(stream.bitrate_bps or int(share * bitrate_bps), whole.height, is_thin=True)


def _index_in_use(slot: Slot, live: list[Stream]) -> int | None:
    """The layer a slot has or waits for; at a change of source the same layer of the new one: its room is there."""
    running = slot.feed.stream if slot.feed is not None else None
    for stream in (running, slot.waiting):
        if stream in live:
            return live.index(stream)
    same = [index for index, stream in enumerate(live) if running is not None and stream.rid == running.rid]
    return same[-1] if same else None
