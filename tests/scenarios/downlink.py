"""A viewer behind a bottleneck, on virtual time: it reports as a browser does, and gets what the router makes of it."""

from collections.abc import Callable
from dataclasses import dataclass

from aiortc.rate import RemoteBitrateEstimator

from server.rtp import rtcp
from server.rtp.packet import RtpView, parse
from server.rtp.sequence import unwrap16
from server.rtp.vp8 import keyframe_size
from server.sfu.arrivals import FEEDBACK_INTERVAL_S, ArrivalLog
from server.sfu.outputs import SendRtcp, SendRtp
from server.sfu.ports import Codec, Extensions, Kind, SlotSpec
from server.sfu.rewrite import copy_now
from server.sfu.router import Router
from tests.sfu.bottleneck import Bottleneck, Clock
from tests.sfu.packets import MID, SEND_TIME, VP8, Camera, Microphone, camera, mic

NUMBER = 6
REMB_INTERVAL_S = 0.5
LAYERS = {"q": (1, 560), "h": (2, 1_000), "f": (6, 1_000)}
"""Packets a frame and octets a packet: some 150, 500 and 1500 kbit/s at 30 frames a second."""


@dataclass
class Second:
    """What one second brought: the height of the picture at its end, frames and sound packets, the longest way."""

    height: int = 0
    octets: int = 0
    delay_s: float = 0.0
    sound: int = 0
    frames: int = 0
    switches: int = 0


class Downlink:
    """One speaker with three layers and a microphone; one viewer that reports by REMB or, ``numbered``, by packet."""

    def __init__(
        self,
        rate_bps: float,
        *,
        numbered: bool,
        loss: float = 0.0,
        max_queue_s: float = 0.5,
        pattern: tuple[tuple[int, bool], ...] = ((0, False),),
    ) -> None:
        self.clock = Clock(1_750_000_000.0)
        self.line = Bottleneck(rate_bps, max_queue_s=max_queue_s)
        self.line.loss = loss
        self.router = Router()
        self.second = Second()
        self._numbered = numbered
        self._layers = [
            Camera(
                ssrc=1_000 + index,
                rid=rid,
                height=180 << index,
                packets_per_frame=packets,
                packet_octets=octets,
                pattern=pattern,
            )
            for index, (rid, (packets, octets)) in enumerate(LAYERS.items())
        ]
        self._mic = Microphone()
        self._wanted: set[int] = set()
        self._estimator = RemoteBitrateEstimator()
        self._remb_bps, self._remb_at = 0, 0.0
        self._arrivals = ArrivalLog(self.clock.now)
        self._last_arrival = 0.0
        self._heard: dict[int, tuple[int, float]] = {}
        """The last sender report of each slot and when it came."""
        self._highest: dict[int, int] = {}
        self._first: dict[int, int] = {}
        self._count: dict[int, int] = {}
        self._join()
        for interval_s, do in (
            (1 / 30, self._frame),
            (0.020, self._speak),
            (0.005, self._tick),
            (FEEDBACK_INTERVAL_S, self._tell_arrivals),
            (1.0, self._report),
        ):
            self._repeat(interval_s, do)

    def play(self, seconds: int) -> list[Second]:
        """Let time go by. Returns its seconds."""
        played = []
        for _ in range(seconds):
            self.second = Second(height=self.second.height)
            self.clock.run(1.0)
            played.append(self.second)
        return played

    def _join(self) -> None:
        codec = Codec(96, "vp8", 90_000, rtx_payload_type=97, nack=True, pli=True, remb=True, transport_cc=True)
        extensions = Extensions(
            mid=MID,
            abs_send_time=None if self._numbered else SEND_TIME,
            transport_cc=NUMBER,
        )
        sound = Codec(111, "opus", 48_000, transport_cc=True)
        slots = [
            SlotSpec("v0", Kind.VIDEO, 0, 9_000, 9_500, (codec,), extensions),
            SlotSpec("a0", Kind.AUDIO, 0, 8_000, 0, (sound,), extensions),
        ]
        now = self.clock.now
        self.router.add_peer(1, 1, [mic(), camera(codecs=(VP8,), rids=tuple(LAYERS))], [], now)
        self.router.add_peer(2, 2, [], slots, now)
        for slot_mid, mid in (("a0", "0"), ("v0", "1")):
            self.router.set_gate((1, mid), True, now)
            self.router.assign(2, slot_mid, (1, mid), now)

    def _repeat(self, interval_s: float, do: Callable[[], None]) -> None:
        do()
        self.clock.at(self.clock.now + interval_s, lambda: self._repeat(interval_s, do))

    # --- the speaker -----------------------------------------------------------------------------------------

    def _frame(self) -> None:
        for layer in self._layers:
            is_key = layer.ssrc in self._wanted
            self._wanted.discard(layer.ssrc)
            for packet in layer.frame(self.clock.now, key=is_key):
                self._route(packet)

    def _speak(self) -> None:
        self._route(self._mic.packet())

    def _route(self, packet: bytes) -> None:
        now = self.clock.now
        forward = self.router.on_rtp(1, packet, now)
        while forward is not None:
            for flow in forward.flows:
                flow.sent.packets += 1
                self._carry(copy_now(forward.packet, flow, now))
            forward = forward.then
        self._collect()

    def _tick(self) -> None:
        deadline = self.router.next_deadline()
        if deadline is not None and deadline <= self.clock.now:
            self.router.tick(self.clock.now)
        self._collect()

    def _collect(self) -> None:
        for output in self.router.take_output():
            match output:
                case SendRtp(_, data):
                    self._carry(data)
                case SendRtcp(1, data):
                    asked = [packet for packet in rtcp.parse(data) if isinstance(packet, rtcp.RtcpPsfbPacket)]
                    self._wanted.update(ssrc for packet in asked for ssrc in rtcp.keyframe_ssrcs(packet))
                case SendRtcp(2, data):
                    self._carry_report(data)
                case _:
                    pass

    # --- the viewer ------------------------------------------------------------------------------------------

    def _carry(self, data: bytes) -> None:
        sent_at = self.clock.now
        arrives_at = self.line.send(len(data), sent_at)
        if arrives_at is not None:
            self._last_arrival = max(arrives_at, self._last_arrival)
            self.clock.at(self._last_arrival, lambda: self._hear(data, sent_at))

    def _carry_report(self, data: bytes) -> None:
        arrives_at = self.line.send(len(data), self.clock.now)
        for packet in rtcp.parse(data) if arrives_at is not None else ():
            if isinstance(packet, rtcp.RtcpSrPacket):
                self._heard[packet.ssrc] = (rtcp.compact_ntp(packet.sender_info.ntp_timestamp), arrives_at or 0.0)

    def _hear(self, data: bytes, sent_at: float) -> None:
        view = parse(data)
        assert view is not None
        self.second.octets += len(data)
        self.second.delay_s = max(self.second.delay_s, self.clock.now - sent_at)
        self._estimate(view)
        if view.ssrc in (8_000, 9_000):
            self._count_in(view)
        if view.ssrc == 8_000:
            self.second.sound += 1
        if view.ssrc == 9_000:
            size = keyframe_size(view.data, view.payload_offset, view.payload_end)
            if size is not None and size[1] != self.second.height:
                self.second.switches += 1
                self.second.height = size[1]
            self.second.frames += view.marker

    def _count_in(self, view: RtpView) -> None:
        highest = self._highest.get(view.ssrc, view.sequence + 0x10000)
        number = unwrap16(view.sequence, highest)
        self._first.setdefault(view.ssrc, number)
        self._highest[view.ssrc] = max(highest, number)
        self._count[view.ssrc] = self._count.get(view.ssrc, 0) + 1

    def _estimate(self, view: RtpView) -> None:
        now = self.clock.now
        self._arrivals.arrived(view, NUMBER, now)
        stamp = view.extension(SEND_TIME)
        if self._numbered or stamp is None:
            return
        found = self._estimator.add(int(now * 1000), int.from_bytes(stamp, "big"), len(view.data), 0)
        if found is not None:
            before, self._remb_bps = self._remb_bps, found[0]
            if self._remb_bps < 0.97 * before or now - self._remb_at > REMB_INTERVAL_S:
                self._remb_at = now
                self._send(rtcp.remb(1, self._remb_bps, [9_000]))

    def _tell_arrivals(self) -> None:
        feedback = self._arrivals.take(1, 9_000)
        if feedback and self._numbered:
            self._send(feedback)

    def _report(self) -> None:
        blocks = []
        for ssrc, highest in self._highest.items():
            lost = highest - self._first[ssrc] + 1 - self._count[ssrc]
            compact, heard_at = self._heard.get(ssrc, (0, 0.0))
            if heard_at > self.clock.now:
                compact = 0
            since = int((self.clock.now - heard_at) * 65_536) if compact else 0
            blocks.append(rtcp.RtcpReceiverInfo(ssrc, 0, max(0, lost), highest & 0xFFFFFFFF, 0, compact, since))
        if blocks:
            self._send(rtcp.receiver_report(1, blocks))

    def _send(self, data: bytes) -> None:
        self.clock.at(self.clock.now + 0.020, lambda: self._take_in(data))

    def _take_in(self, data: bytes) -> None:
        self.router.on_rtcp(2, data, self.clock.now)
        self._collect()
