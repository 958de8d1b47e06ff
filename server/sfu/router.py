"""The router of one meeting: packets of all its peers in, flows, feedback and events out. Pure, told the time.

``on_rtp`` is the hot path; it does what has to be done once for every packet that comes in and leaves the rest to
Feeding (what feeds which slot), Feedback (RTCP) and the fan-out (what has to be done once for every packet out).
"""

from collections.abc import Sequence

from server.rtp.packet import RtpView, parse
from server.sfu.bandwidth import PublisherEstimate
from server.sfu.binding import (
    RETIRED_SSRC,
    RTX_PADDING,
    SSRC_CONFLICT,
    UNDECLARED_MID,
    UNDECLARED_PAYLOAD_TYPE,
    UNDECLARED_RID,
    UNDECLARED_SSRC,
    Bound,
    Change,
    resolve,
)
from server.sfu.feedback import Feedback
from server.sfu.feeding import MAX_LATE_START, Feeding
from server.sfu.flows import Flow
from server.sfu.listening import Listening
from server.sfu.outputs import (
    ActiveSpeakers,
    Forward,
    LayerStats,
    LayersWanted,
    LinkStats,
    Output,
    SendRtcp,
    SendRtp,
    Shortage,
    SlotFed,
    Starved,
    TrackId,
    TrackStats,
)
from server.sfu.peer import Peer
from server.sfu.ports import PeerKey, SlotSpec, UplinkSpec
from server.sfu.reception import REFUSED_JUMP, RESTARTED
from server.sfu.reports import FIRST_REPORT_S, REPORT_INTERVAL_S
from server.sfu.switchboard import Switchboard
from server.sfu.uplink import Stream

__all__ = [
    "DROP_REASONS",
    "ActiveSpeakers",
    "Forward",
    "LayerStats",
    "LayersWanted",
    "LinkStats",
    "Output",
    "Router",
    "SendRtcp",
    "SendRtp",
    "Shortage",
    "SlotFed",
    "Starved",
    "TrackId",
    "TrackStats",
]

DROP_REASONS = (
    "malformed_rtp",
    "malformed_rtcp",
    UNDECLARED_PAYLOAD_TYPE,
    UNDECLARED_SSRC,
    UNDECLARED_MID,
    UNDECLARED_RID,
    SSRC_CONFLICT,
    RETIRED_SSRC,
    "duplicate",
    "sequence_jump",
    "nack_over_budget",
)
"""Every key that ``Router.drops`` can have; docs/media.md says what each means."""
MAX_PACKET_LENGTH = 1_500
"""Nothing longer comes over a path unfragmented; what we add in rewriting must still fit a datagram."""


class Router:
    """See docs/media.md. Peers, mids and tracks it does not know (any more) are ignored: signalling and media race.

    ``drops`` counts refused input by DROP_REASONS. What a closed gate holds back is not a drop.
    """

    def __init__(self, *, max_bitrate_bps: int = 2_500_000, start_bitrate_bps: int = 1_200_000) -> None:
        """The bitrates are what a publisher's REMB says at most, and at first."""
        self._board = Switchboard()
        self._feeding = Feeding(self._board)
        self._feedback = Feedback(self._board, self._feeding)
        self._max_bitrate_bps = max_bitrate_bps
        self._start_bitrate_bps = start_bitrate_bps
        self._listening = Listening(self._board)
        self._next_stream = 1
        self._peers = self._board.peers
        self._by_stream = self._board.flows.by_stream
        self._taps = self._board.flows.taps
        self.flows = self._board.flows
        self.drops = self._board.drops

    # --- peers -----------------------------------------------------------------------------------------------

    def add_peer(
        self, peer: PeerKey, destination: int, uplinks: Sequence[UplinkSpec], slots: Sequence[SlotSpec], now: float
    ) -> None:
        """Take in a peer as negotiated; ``destination`` is what its flows will say. Every gate is closed.

        A negative ``destination``: a Sink inside this process, which gets its copies as ``Forward.taps``.
        """
        assert peer not in self._peers
        entry = Peer(peer, destination, uplinks, slots, self._next_stream, now)
        self._next_stream += len(entry.streams)
        self._peers[peer] = entry
        # Spread over the second, so that two hundred peers are not reported to in one go.
        self._feedback.report_by(entry, now + REPORT_INTERVAL_S * (0.5 + peer * 0.618 % 0.5))

    def remove_peer(self, peer: PeerKey, now: float) -> None:
        """Forget a peer; slots that carried it are told (SlotFed None, source_gone)."""
        entry = self._peers.get(peer)
        if entry is None:
            return
        for slot in entry.slots.values():
            self._feeding.remove_slot(slot, now)
        for uplink in entry.uplinks.values():
            uplink.gate_open = False
            self._feeding.remove_uplink(uplink, now)
            self._board.schedule.cancel(("layers", uplink.track))
            self._board.schedule.cancel(("demand", uplink.track))
        for stream in entry.streams:
            self._listening.silence(stream)
            self._board.schedule.cancel(("nack", stream.key))
            self._board.schedule.cancel(("keyframe", stream.key))
        self._board.schedule.cancel(("report", peer))
        self._board.schedule.cancel(("remb", peer))
        self._board.schedule.cancel(("arrivals", peer))
        self._board.schedule.cancel(("probe", peer))
        del self._peers[peer]

    # --- packets ---------------------------------------------------------------------------------------------

    def on_rtp(self, peer: PeerKey, data: bytes, now: float) -> Forward | None:
        """One unprotected RTP packet of ``peer``. Returns what to copy out, None where nobody takes it.

        The returned packet and flows stay valid however long they are kept. Raises nothing for any input.
        """
        owner = self._peers.get(peer)
        if owner is None:
            return None
        packet = parse(data) if len(data) <= MAX_PACKET_LENGTH else None
        if packet is None:
            self.drops["malformed_rtp"] += 1
            return None
        recovered = False
        stream = owner.by_ssrc.get(packet.ssrc)
        if stream is None or stream.payload_type != packet.payload_type:
            bound = resolve(owner, packet, now)
            if isinstance(bound, str):
                self._leave_out(owner, bound, packet, now)
                return None
            self._bind(owner, bound, now)
            stream, packet, recovered = bound.stream, bound.packet, bound.recovered
        if stream.numbered_by:
            if owner.arrivals.arrived(packet, stream.numbered_by, now):
                self._feedback.report_arrivals_soon(owner, packet.ssrc, now)
        elif stream.measured_by:
            self._measure(owner, stream, packet, now)
        extended = stream.receive(packet, now, recovered)
        if extended < 0:
            if extended != RESTARTED:
                self.drops["sequence_jump" if extended == REFUSED_JUMP else "duplicate"] += 1
                return None
            self._feeding.cut(stream)
            stream.restart(packet.sequence)
            self._feeding.resume(stream, now)
            extended = stream.receive(packet, now, recovered)
        if not stream.live:
            self._feeding.stream_came(stream, now)
        if not stream.uplink.gate_open:
            return None
        return self._forward(stream, packet, extended, now)

    def _forward(self, stream: Stream, packet: RtpView, extended: int, now: float) -> Forward | None:
        if extended < stream.first_heard:
            return None
        reception = stream.reception
        assert reception is not None
        starts = reception.highest - extended <= MAX_LATE_START
        detect = stream.detect_keyframe
        if detect is None:
            if stream.level_id:
                self._listening.hear(stream, packet, now)
        elif starts:
            starts = detect(packet.data, packet.payload_offset, packet.payload_end)
            if starts:
                stream.keyframes.arrived()
                stream.note_size(packet)
        # A late packet is kept even when nobody takes the stream any more: who did may still ask for it.
        if stream.feeds or stream.waiters or extended < reception.highest:
            stream.cache.put(extended, packet, now)
        if stream.waiters:
            if starts:
                self._start(stream, packet, extended, now)
            elif extended == reception.highest:
                self._feeding.go_on(stream, packet, extended, now)
        then = self._forward_thinned(stream, packet, extended, starts, now) if stream.thins else None
        if reception.gaps.next_at != stream.nack_due_at:
            self._feedback.mend(stream, now)
            self._feedback.watch_gaps(stream)
        flows, taps = self._by_stream.get(stream.key, ()), self._taps.get(stream.key, ())
        if extended < stream.newest_start:
            begun = {feed.flow for feed in stream.feeds if feed.first <= extended}
            flows, taps = _among(flows, begun), _among(taps, begun)
        return Forward(packet, flows, taps, then) if flows or taps or then else None

    def _forward_thinned(
        self, stream: Stream, packet: RtpView, extended: int, starts: bool, now: float
    ) -> Forward | None:
        """The same for those who take the stream without its upper temporal layers."""
        then = None
        assert stream.reception is not None
        is_newest = extended == stream.reception.highest
        for thin in stream.thins:
            if not (thin.feeds or thin.waiters):
                thin.is_idle = True
                continue
            if thin.is_idle and not is_newest:
                continue
            taken = thin.take(packet, extended, now)
            if taken is None:
                continue
            copy, number = taken
            thin.cache.put(number, copy, now)
            if thin.waiters and is_newest:
                if starts:
                    self._start(thin, copy, number, now)
                else:
                    self._feeding.go_on(thin, copy, number, now)
            flows, taps = self._by_stream.get(thin.key, ()), self._taps.get(thin.key, ())
            if number < thin.newest_start:
                begun = {feed.flow for feed in thin.feeds if feed.first <= number}
                flows, taps = _among(flows, begun), _among(taps, begun)
            if flows or taps:
                then = Forward(copy, flows, taps, then)
        return then

    def on_rtcp(self, peer: PeerKey, data: bytes, now: float) -> None:
        """One unprotected RTCP compound of ``peer``. Raises nothing for any input."""
        owner = self._peers.get(peer)
        if owner is not None:
            self._feedback.receive(owner, data, now)

    def _leave_out(self, owner: Peer, reason: str, packet: RtpView, now: float) -> None:
        if reason != RTX_PADDING:
            self.drops[reason] += 1
            return
        probed = owner.by_rtx_ssrc[packet.ssrc]
        if probed.numbered_by:
            if owner.arrivals.arrived(packet, probed.numbered_by, now):
                self._feedback.report_arrivals_soon(owner, packet.ssrc, now)
        elif probed.measured_by:
            self._measure(owner, probed, packet, now)

    def _bind(self, owner: Peer, bound: Bound, now: float) -> None:
        stream, packet = bound.stream, bound.packet
        if bound.change is Change.NONE:
            return
        self._feeding.cut(stream)
        if bound.change is Change.CODEC:
            stream.set_codec(bound.codec)
            stream.forget_packets()
        else:
            if stream.ssrc is not None:
                owner.retired.append(stream.ssrc)
                del owner.by_ssrc[stream.ssrc]
            if stream.rtx_ssrc is not None:
                owner.retired.append(stream.rtx_ssrc)
                del owner.by_rtx_ssrc[stream.rtx_ssrc]
            stream.bind(packet.ssrc, bound.codec, packet.sequence, now)
            owner.by_ssrc[packet.ssrc] = stream
        self._feeding.resume(stream, now)

    def _start(self, stream: Stream, packet: RtpView, extended: int, now: float) -> None:
        viewers = [slot.peer for slot in stream.waiters]
        self._feeding.start(stream, packet, extended, now)
        for viewer in viewers:
            # Spread, so that a switch for two hundred viewers is not followed by two hundred reports in one go.
            self._feedback.report_by(self._peers[viewer], now + FIRST_REPORT_S * (1 + viewer * 0.618 % 1))

    def _measure(self, owner: Peer, stream: Stream, packet: RtpView, now: float) -> None:
        estimate = owner.estimate
        if estimate is None:
            estimate = owner.estimate = PublisherEstimate(self._start_bitrate_bps, self._max_bitrate_bps, now)
            self._feedback.announce_remb(owner, now)
        if estimate.arrived(packet, stream.measured_by, now):
            self._feedback.announce_remb(owner, now)

    # --- what goes where -------------------------------------------------------------------------------------

    def set_gate(self, track: TrackId, open: bool, now: float) -> None:  # noqa: A002 the plainest word for it
        """Open or close an uplink. Closed: no flow, no cache, no key frame request, nobody hears of it."""
        uplink = self._board.uplink(track)
        if uplink is None or uplink.gate_open == open:
            return
        self._feeding.set_gate(uplink, open, now)
        if not open:
            for stream in uplink.streams:
                self._listening.silence(stream)

    def assign(self, peer: PeerKey, mid: str, track: TrackId | None, now: float) -> None:
        """What a slot shall carry from now on; SlotFed follows when it does. A track that is gone counts as None."""
        slot = self._board.slot(peer, mid)
        if slot is None:
            return
        uplink = self._board.uplink(track) if track is not None else None
        reason = "unassigned" if track is None else "source_gone"
        if slot.target is None or slot.target is not uplink:
            self._feeding.assign(slot, uplink, reason, now)

    def show(self, peer: PeerKey, mid: str, height: int, now: float) -> None:
        """How tall a video slot is shown, in device pixels; 0: hidden, no packets. Until told: as good as it gets."""
        slot = self._board.slot(peer, mid)
        if slot is not None and not slot.is_audio:
            self._feeding.show(slot, height, now)

    # --- time and results ------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When ``tick`` is to be called next, None: not before something comes in."""
        return self._board.schedule.next_deadline()

    def tick(self, now: float) -> None:
        """Do what is due: NACK and key frame retries, reports, the speakers' window, patience."""
        while (run := self._board.schedule.pop(now)) is not None:
            run(now)

    def take_output(self) -> list[Output]:
        """What came of everything since the last call, in order."""
        outputs, self._board.outputs = self._board.outputs, []
        return outputs

    def link(self, peer: PeerKey, now: float) -> LinkStats:
        """How the peer's line did over the last five seconds. Raises KeyError for an unknown peer."""
        entry = self._peers[peer]
        meter = entry.meter
        return LinkStats(
            up_bps=meter.up_bps,
            down_bps=meter.down_bps,
            up_loss_percent=meter.up_loss_percent,
            down_loss_percent=meter.down_loss_percent,
            rtt_ms=None if entry.rtt_s is None else round(entry.rtt_s * 1000, 1),
            estimate_bps=entry.budget.estimate_bps,
        )

    def track_stats(self, track: TrackId, now: float) -> TrackStats:
        """What comes in on an uplink. Raises KeyError for an unknown track."""
        uplink = self._peers[track[0]].uplinks[track[1]]
        layers = tuple(_layer_stats(stream) for stream in uplink.streams if stream.ssrc is not None)
        return TrackStats(uplink.spec.label, uplink.spec.kind, uplink.gate_open, layers)


def _among(flows: tuple[Flow, ...], begun: set[Flow]) -> tuple[Flow, ...]:
    """The flows that had begun when a late packet was sent; for younger ones its number is another packet's."""
    return tuple(flow for flow in flows if flow in begun)


def _layer_stats(stream: Stream) -> LayerStats:
    reception = stream.reception
    return LayerStats(
        rid=stream.rid,
        ssrc=stream.ssrc or 0,
        codec=stream.codec.name if stream.codec is not None else "",
        bitrate_bps=stream.bitrate_bps,
        width=stream.width,
        height=stream.height,
        packets=reception.received if reception is not None else 0,
        lost=reception.lost if reception is not None else 0,
    )
