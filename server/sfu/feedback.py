"""RTCP both ways: what peers report and ask for, and what they are told once a second."""

from math import inf

from server.errors import InvalidInput
from server.rtp import rtcp
from server.sfu.arrivals import FEEDBACK_INTERVAL_S
from server.sfu.feeding import Feeding
from server.sfu.outputs import SendRtcp, SendRtp
from server.sfu.peer import Peer
from server.sfu.ports import Kind
from server.sfu.reports import REPORT_INTERVAL_S, CaptureClock, compound, report_block, rtt_from_block
from server.sfu.slot import Slot
from server.sfu.switchboard import Switchboard
from server.sfu.thinning import find_layers
from server.sfu.uplink import SILENT_AFTER_S, Stream

CNAME = "diemcau"
MAX_PACKETS = 32
"""Of one compound no more packets are heard."""


class Feedback:
    """Works on the switchboard beside Feeding."""

    def __init__(self, board: Switchboard, feeding: Feeding) -> None:
        self._board = board
        self._feeding = feeding

    # --- in --------------------------------------------------------------------------------------------------

    def receive(self, peer: Peer, data: bytes, now: float) -> None:
        """Take in one compound. Malformed ones are dropped whole and counted; what names strangers is passed over."""
        try:
            packets = rtcp.parse(data)
        except InvalidInput as error:
            self._board.drops[error.code] += 1
            return
        for packet in packets[:MAX_PACKETS]:
            match packet:
                case rtcp.RtcpSrPacket():
                    self._on_sender_report(peer, packet, now)
                    self._on_blocks(peer, packet.reports, now)
                case rtcp.RtcpRrPacket():
                    self._on_blocks(peer, packet.reports, now)
                case rtcp.RtcpRtpfbPacket():
                    slot = peer.slot_by_ssrc.get(packet.media_ssrc)
                    if slot is not None and rtcp.is_nack(packet):
                        self._resend(peer, slot, packet.lost, now)
                case rtcp.RtcpPsfbPacket():
                    self._on_payload_feedback(peer, packet, now)
                case rtcp.TransportFeedback():
                    self._on_transport_feedback(peer, packet, now)
                case _:
                    # SDES names nobody we do not know by signalling; after a BYE the stream simply falls silent.
                    pass

    def _on_sender_report(self, peer: Peer, packet: rtcp.RtcpSrPacket, now: float) -> None:
        stream = peer.by_ssrc.get(packet.ssrc)
        if stream is None or stream.codec is None:
            return
        info = packet.sender_info
        stream.clock = CaptureClock(info.ntp_timestamp, info.rtp_timestamp, stream.codec.clock_rate, now)
        peer.offset.on_report(stream.clock)

    def _on_blocks(self, peer: Peer, blocks: list[rtcp.RtcpReceiverInfo], now: float) -> None:
        for block in blocks:
            if block.ssrc not in peer.slot_by_ssrc:
                continue
            rtt_s = rtt_from_block(block, now)
            if rtt_s is not None:
                peer.on_rtt(rtt_s)
                peer.budget.on_rtt(rtt_s, now)
            peer.on_down_report(block.ssrc, block.highest_sequence, block.packets_lost)
        loss = peer.take_down_loss()
        if loss is not None and peer.budget.on_loss(loss, peer.sending_bps(), now):
            self._feeding.refresh(peer, now)

    def _on_payload_feedback(self, peer: Peer, packet: rtcp.RtcpPsfbPacket, now: float) -> None:
        bitrate_bps = rtcp.remb_bps(packet)
        if bitrate_bps is not None:
            self._on_estimate(peer, bitrate_bps, now)
            return
        for ssrc in rtcp.keyframe_ssrcs(packet):
            slot = peer.slot_by_ssrc.get(ssrc)
            if slot is not None and slot.feed is not None:
                self._board.want_keyframe(slot.feed.stream.whole, now)

    def _on_transport_feedback(self, peer: Peer, packet: rtcp.TransportFeedback, now: float) -> None:
        if peer.sent_log is None:
            return
        bitrate_bps = peer.delivery.on_feedback(packet, peer.sent_log, now)
        if bitrate_bps is not None:
            self._on_estimate(peer, bitrate_bps, now)

    def _on_estimate(self, peer: Peer, bitrate_bps: int, now: float) -> None:
        if peer.budget.on_estimate(bitrate_bps, peer.sending_bps(), now):
            self._feeding.refresh(peer, now)

    def _resend(self, peer: Peer, slot: Slot, sequences: list[int], now: float) -> None:
        resender = peer.resenders[slot.spec.ssrc]
        rate_bps = slot.feed.stream.bitrate_bps if slot.feed is not None else 0
        packets, refused = resender.answer(slot, sequences, peer.likely_rtt(), rate_bps, now)
        self._board.outputs += [SendRtp(peer.key, packet) for packet in packets]
        if refused:
            self._board.drops["nack_over_budget"] += refused

    # --- asking publishers for lost packets ------------------------------------------------------------------

    def watch_gaps(self, stream: Stream) -> None:
        """Schedule the next NACK of a stream whose gaps changed."""
        reception = stream.reception
        assert reception is not None
        stream.nack_due_at = reception.gaps.next_at
        if stream.nack_due_at < inf:
            self._board.schedule.set(("nack", stream.key), stream.nack_due_at, lambda now: self._ask(stream, now))

    def mend(self, stream: Stream, now: float) -> None:
        """Where packets were given up that somebody needs, ask for a key frame instead."""
        reception = stream.reception
        assert reception is not None
        if reception.gaps.take_given_up() and stream.uplink.spec.kind is Kind.VIDEO:
            self._board.want_keyframe(stream, now)

    def _ask(self, stream: Stream, now: float) -> None:
        owner = self._board.peers[stream.uplink.peer]
        reception = stream.reception
        assert reception is not None
        assert stream.ssrc is not None
        missing = reception.gaps.take_due(now, owner.likely_rtt())
        if missing:
            self._board.send_feedback(owner, rtcp.nack(owner.local_ssrc, stream.ssrc, missing))
        self.mend(stream, now)
        self.watch_gaps(stream)

    # --- out, once a second ----------------------------------------------------------------------------------

    def report_by(self, peer: Peer, at: float) -> None:
        """See to it that the peer's next report goes out at ``at`` or before."""
        self._board.schedule.bring_forward(("report", peer.key), at, lambda now: self._report(peer, now))

    def announce_remb(self, peer: Peer, now: float) -> None:
        """Tell a publisher soon that less fits than it was told."""
        if peer.estimate is not None and peer.takes_remb:
            at = peer.estimate.next_send_at(now)
            self._board.schedule.bring_forward(("remb", peer.key), at, lambda now: self._send_remb(peer, now))

    def report_arrivals_soon(self, peer: Peer, media_ssrc: int, now: float) -> None:
        """Tell a publisher within the interval which of its packets came when."""
        self._board.schedule.bring_forward(
            ("arrivals", peer.key), now + FEEDBACK_INTERVAL_S, lambda _: self._report_arrivals(peer, media_ssrc)
        )

    def _report_arrivals(self, peer: Peer, media_ssrc: int) -> None:
        feedback = peer.arrivals.take(peer.local_ssrc, media_ssrc)
        if feedback:
            self._board.send_feedback(peer, feedback)

    def _report(self, peer: Peer, now: float) -> None:
        self.report_by(peer, now + REPORT_INTERVAL_S)
        self._sample(peer, now)
        reports = [report for slot in peer.slots.values() if (report := self._sender_report(slot, now))]
        blocks = [block for stream in peer.streams if (block := _block(stream, now))]
        if reports or blocks:
            self._board.outputs.append(SendRtcp(peer.key, compound(peer.local_ssrc, CNAME, reports, blocks)))
        if peer.estimate is not None and peer.takes_remb and peer.estimate.next_send_at(now) <= now:
            self._send_remb(peer, now)
        self._feeding.refresh(peer, now)

    def _sample(self, peer: Peer, now: float) -> None:
        interval_s = now - peer.sampled_at
        if interval_s < REPORT_INTERVAL_S / 2:
            return
        peer.sampled_at = now
        for stream in peer.streams:
            stream.sample_bitrate(interval_s)
            stream.cache.drop_old(now)
            find_layers(stream)
            for thin in stream.thins:
                thin.sample_while_taken(interval_s, now)
                thin.cache.drop_old(now)
            if stream.live and now - stream.newest_at > SILENT_AFTER_S:
                self._feeding.stream_went(stream, now)
        peer.meter.sample(peer.totals(now))

    def _sender_report(self, slot: Slot, now: float) -> bytes:
        """The slot's RTP time at this very moment, by its source's own clock where that is known."""
        feed = slot.feed
        if feed is None:
            return b""
        stream = feed.stream.whole
        newest = feed.stream.newest
        assert newest is not None
        owner = self._board.peers[stream.uplink.peer]
        sender_s = owner.offset.sender_time(now)
        if stream.clock is not None and sender_s is not None:
            rtp_timestamp = stream.clock.rtp_at(sender_s)
        else:
            rtp_timestamp = newest.timestamp + round((now - stream.newest_at) * feed.codec.clock_rate)
        rtp_timestamp += feed.flow.timestamp_delta
        return rtcp.sender_report(slot.spec.ssrc, rtcp.ntp_from_unix(now), rtp_timestamp, slot.packets, slot.octets)

    def _send_remb(self, peer: Peer, now: float) -> None:
        assert peer.estimate is not None
        self._board.schedule.cancel(("remb", peer.key))
        ssrcs = [stream.ssrc for stream in peer.streams if stream.ssrc is not None and stream.measured_by]
        self._board.send_feedback(peer, rtcp.remb(peer.local_ssrc, peer.estimate.take(now), ssrcs))


def _block(stream: Stream, now: float) -> rtcp.RtcpReceiverInfo | None:
    reception = stream.reception
    if reception is None or stream.ssrc is None or not stream.live:
        return None
    return report_block(
        stream.ssrc,
        reception.take_fraction_lost(),
        reception.lost,
        reception.extended_highest,
        reception.jitter,
        stream.clock,
        now,
    )
