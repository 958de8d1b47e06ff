"""A router with its peers on virtual time: sends packets in, copies flows out as a fan-out does, keeps what comes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from server.rtp import rtcp
from server.rtp.packet import RtpView, parse
from server.rtp.sequence import difference16, difference32
from server.sfu.outputs import ActiveSpeakers, Forward, LayersWanted, SendRtcp, SendRtp, SlotFed, Starved, TrackId
from server.sfu.ports import SlotSpec, UplinkSpec
from server.sfu.rewrite import copy_now
from server.sfu.router import DROP_REASONS, Router

Feedback = tuple[float, rtcp.AnyRtcpPacket]


class Hall:
    """``received[destination]`` are packets copied out, ``resent[peer]`` those sent again, ``feedback[peer]`` RTCP."""

    def __init__(self, now: float = 1_750_000_000.0) -> None:
        self.router = Router()
        self.now = now
        self.received: dict[int, list[RtpView]] = defaultdict(list)
        self.resent: dict[int, list[RtpView]] = defaultdict(list)
        self.feedback: dict[int, list[Feedback]] = defaultdict(list)
        self.fed: list[SlotFed] = []
        self.speakers: list[tuple[TrackId, ...]] = []
        self.wanted: list[tuple[float, LayersWanted]] = []
        self.shortages: list[Starved] = []

    def join(self, peer: int, uplinks: Sequence[UplinkSpec] = (), slots: Sequence[SlotSpec] = ()) -> None:
        self.router.add_peer(peer, peer, uplinks, slots, self.now)

    def open(self, *tracks: TrackId) -> None:
        for track in tracks:
            self.router.set_gate(track, True, self.now)
        self.collect()

    def close(self, track: TrackId) -> None:
        self.router.set_gate(track, False, self.now)
        self.collect()

    def assign(self, peer: int, mid: str, track: TrackId | None) -> None:
        self.router.assign(peer, mid, track, self.now)
        self.collect()

    def show(self, peer: int, mid: str, height: int) -> None:
        self.router.show(peer, mid, height, self.now)
        self.collect()

    def send(self, peer: int, packets: Iterable[bytes] | bytes) -> list[Forward | None]:
        forwards = []
        for packet in [packets] if isinstance(packets, bytes) else packets:
            forward = self.router.on_rtp(peer, packet, self.now)
            forwards.append(forward)
            while forward is not None:
                self._copy_out(forward)
                forward = forward.then
        self.collect()
        return forwards

    def report(self, peer: int, data: bytes) -> None:
        self.router.on_rtcp(peer, data, self.now)
        self.collect()

    def advance(self, seconds: float) -> None:
        """Let virtual time go by, calling ``tick`` exactly at each deadline."""
        end = self.now + seconds
        while (deadline := self.router.next_deadline()) is not None and deadline <= end:
            assert deadline >= self.now - 1e-6, "a deadline in the past"
            self.now = max(self.now, deadline)
            self.router.tick(self.now)
            after = self.router.next_deadline()
            assert after is None or after > self.now, "tick left something due"
            self.collect()
        self.now = end

    def collect(self) -> None:
        for output in self.router.take_output():
            match output:
                case SendRtcp(peer, data):
                    self.feedback[peer] += [(self.now, packet) for packet in rtcp.parse(data)]
                case SendRtp(peer, data):
                    self.resent[peer].append(look(data))
                case SlotFed():
                    self.fed.append(output)
                case ActiveSpeakers(tracks):
                    self.speakers.append(tracks)
                case LayersWanted():
                    self.wanted.append((self.now, output))
                case Starved():
                    self.shortages.append(output)

    def keyframe_requests(self, peer: int, ssrc: int) -> list[float]:
        """When a key frame of ``ssrc`` was asked of ``peer``."""
        return [
            at
            for at, packet in self.feedback[peer]
            if isinstance(packet, rtcp.RtcpPsfbPacket) and ssrc in rtcp.keyframe_ssrcs(packet)
        ]

    def nacked(self, peer: int) -> list[tuple[float, list[int]]]:
        return [
            (at, packet.lost)
            for at, packet in self.feedback[peer]
            if isinstance(packet, rtcp.RtcpRtpfbPacket) and rtcp.is_nack(packet)
        ]

    def rembs(self, peer: int) -> list[tuple[float, int]]:
        found = []
        for at, packet in self.feedback[peer]:
            bitrate_bps = rtcp.remb_bps(packet) if isinstance(packet, rtcp.RtcpPsfbPacket) else None
            if bitrate_bps is not None:
                found.append((at, bitrate_bps))
        return found

    def sender_reports(self, peer: int, ssrc: int) -> list[tuple[float, rtcp.RtcpSrPacket]]:
        return [(at, p) for at, p in self.feedback[peer] if isinstance(p, rtcp.RtcpSrPacket) and p.ssrc == ssrc]

    def blocks(self, peer: int, ssrc: int) -> list[rtcp.RtcpReceiverInfo]:
        """Report blocks about what the peer sends."""
        reports = [packet for _, packet in self.feedback[peer] if isinstance(packet, rtcp.RtcpRrPacket)]
        return [block for report in reports for block in report.reports if block.ssrc == ssrc]

    def check_drops(self) -> None:
        assert set(self.router.drops) <= set(DROP_REASONS)

    def _copy_out(self, forward: Forward) -> None:
        assert all(flow.destination >= 0 for flow in forward.flows)
        assert all(flow.destination < 0 for flow in forward.taps)
        for flow in (*forward.flows, *forward.taps):
            view = look(copy_now(forward.packet, flow, self.now))
            flow.sent.packets += 1
            flow.sent.octets += view.payload_length
            self.received[flow.destination].append(view)


def look(data: bytes) -> RtpView:
    view = parse(data)
    assert view is not None
    return view


def assert_unbroken(packets: Sequence[RtpView]) -> None:
    """One SSRC, sequence numbers one after the other, timestamps never back, pictures numbered one after the other."""
    assert len({packet.ssrc for packet in packets}) <= 1
    for before, after in pairwise(packets):
        assert difference16(after.sequence, before.sequence) == 1
        assert difference32(after.timestamp, before.timestamp) >= 0
        one, other = before.vp8(), after.vp8()
        if one is not None and other is not None and one.picture_id >= 0 and other.picture_id >= 0:
            step = (other.picture_id - one.picture_id) % (1 << 15 if other.wide_picture_id else 1 << 7)
            assert step == (1 if after.timestamp != before.timestamp else 0)
