"""What the parts of one router share: peers, flows, deadlines, outputs, drops. State only, no decisions."""

from collections import Counter

from server.rtp import rtcp
from server.sfu.flows import FlowTable
from server.sfu.outputs import Output, SendRtcp, SlotFed, TrackId
from server.sfu.peer import Peer
from server.sfu.ports import PeerKey
from server.sfu.schedule import Schedule
from server.sfu.slot import Slot
from server.sfu.uplink import Stream, Uplink


class Switchboard:
    """One per router."""

    def __init__(self) -> None:
        self.peers: dict[PeerKey, Peer] = {}
        self.flows = FlowTable()
        self.drops: Counter[str] = Counter()
        self.schedule = Schedule()
        self.outputs: list[Output] = []

    def uplink(self, track: TrackId) -> Uplink | None:
        peer = self.peers.get(track[0])
        return peer.uplinks.get(track[1]) if peer is not None else None

    def slot(self, peer: PeerKey, mid: str) -> Slot | None:
        owner = self.peers.get(peer)
        return owner.slots.get(mid) if owner is not None else None

    def announce(self, slot: Slot, track: TrackId | None, reason: str) -> None:
        """Say what a slot carries, where that is news."""
        if slot.announced != (track, reason):
            slot.announced = (track, reason)
            self.outputs.append(SlotFed(slot.peer, slot.spec.mid, track, reason))

    def send_feedback(self, peer: Peer, feedback: bytes) -> None:
        """Send feedback behind an empty receiver report: a compound that every stack takes (RFC 3550 6.1)."""
        self.outputs.append(SendRtcp(peer.key, rtcp.receiver_report(peer.local_ssrc, ()) + feedback))

    # --- key frame requests: one place, so that they are coalesced whoever asks ----------------------------------

    def want_keyframe(self, stream: Stream, now: float) -> None:
        """Somebody needs a key frame of ``stream``: ask for one now, or as soon as the interval allows."""
        assert stream.uplink.gate_open
        stream.keyframes.want(now)
        self._request_keyframe(stream, now)

    def _request_keyframe(self, stream: Stream, now: float) -> None:
        owner = self.peers[stream.uplink.peer]
        assert stream.ssrc is not None
        somebody_waits = bool(stream.waiters) or any(thin.waiters for thin in stream.thins)
        if stream.keyframes.take_due(now, somebody_waits):
            codec = stream.codec
            if codec is not None and codec.fir and not codec.pli:
                owner.fir_number += 1
                request = rtcp.fir(owner.local_ssrc, stream.ssrc, owner.fir_number)
            else:
                request = rtcp.pli(owner.local_ssrc, stream.ssrc)
            self.send_feedback(owner, request)
        due_at = stream.keyframes.due_at
        if due_at < float("inf"):
            self.schedule.bring_forward(
                ("keyframe", stream.key), due_at, lambda now: self._request_keyframe(stream, now)
            )
