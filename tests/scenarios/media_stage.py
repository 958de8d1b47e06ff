"""Cameras and viewers as they behave on a bad line, around one real router."""

from collections import Counter
from itertools import pairwise

from server.rtp import rtcp
from server.rtp.extensions import abs_send_time
from server.rtp.packet import RtpView, parse
from server.rtp.rtx import unwrap_rtx, wrap_rtx
from server.rtp.sequence import difference16, difference32, unwrap16
from server.sfu.keyframes import REQUEST_INTERVAL_S
from server.sfu.outputs import Output, SendRtcp, SendRtp, SlotFed
from server.sfu.rewrite import rewrite
from server.sfu.router import Router
from tests.scenarios.virtual_network import Line, VirtualNetwork
from tests.sfu.packets import VP8, Camera, camera, video_slot

FRAME_S = 1 / 30
NACK_S = 0.030
RIDS = ("q", "h", "f")


class Publisher:
    """A camera: one or three layers, answers NACK with RTX and key frame requests with a key frame."""

    def __init__(self, stage: "Stage", peer: int, rids: tuple[str, ...], line: Line) -> None:
        self.stage, self.peer, self.line = stage, peer, line
        self.requests: dict[int, list[float]] = {}
        self._sent: dict[tuple[int, int], bytes] = {}
        self._rtx_sequence = 0
        self.layers = [
            Camera(
                ssrc=1_000 * peer + index,
                rid=rid,
                mid="1",
                sequence=65_000 + 7 * peer + index,
                timestamp=0xFFFFFFFF - 400_000 * index,
                picture_id=0x7FF0 + peer,
                tl0=250,
                height=180 << index,
                packet_octets=60 << index,
                mark=bytes((0x40 + 16 * index + peer,)),
            )
            for index, rid in enumerate(rids or ("",))
        ]
        self._wanted: set[int] = set()
        stage.router.add_peer(peer, peer, [camera(codecs=(VP8,), rids=rids)], [], stage.network.now)
        stage.network.at(stage.network.now, self._frame)

    def _frame(self) -> None:
        now = self.stage.network.now
        for index, layer in enumerate(self.layers):
            key = layer.ssrc in self._wanted
            self._wanted.discard(layer.ssrc)
            for packet in layer.frame(now, key=key):
                sequence = int.from_bytes(packet[2:4], "big")
                self._sent[layer.ssrc, sequence] = packet
                self._sent.pop((layer.ssrc, sequence - 600 & 0xFFFF), None)
                self._send(packet)
            if round(now / FRAME_S) % 30 == index:
                report = rtcp.sender_report(layer.ssrc, rtcp.ntp_from_unix(now - 5_000.0), layer.timestamp, 1, 1)
                self.stage.network.carry(self.line, lambda data: self.stage.rtcp_in(self.peer, data), report)
        self.stage.network.at(now + FRAME_S, self._frame)

    def _send(self, packet: bytes) -> None:
        self.stage.network.carry(self.line, lambda data: self.stage.rtp_in(self.peer, data), packet)

    def hear(self, data: bytes) -> None:
        for packet in rtcp.parse(data):
            if isinstance(packet, rtcp.RtcpRtpfbPacket):
                for sequence in packet.lost:
                    self._again(packet.media_ssrc, sequence)
            elif isinstance(packet, rtcp.RtcpPsfbPacket):
                for ssrc in rtcp.keyframe_ssrcs(packet):
                    self._wanted.add(ssrc)

    def _again(self, ssrc: int, sequence: int) -> None:
        packet = self._sent.get((ssrc, sequence))
        if packet is None:
            return
        view = parse(packet)
        assert view is not None
        self._rtx_sequence += 1
        rtx = bytearray(wrap_rtx(view, 97, self._rtx_sequence & 0xFFFF, ssrc + 500))
        # The RTX stream names the layer it repairs: repaired RID (id 3) where the original has RID (id 2).
        start = view.extensions_offset
        for at in range(start, view.payload_offset):
            if rtx[at] == 2 << 4:
                rtx[at] = 3 << 4
        self._send(bytes(rtx))


class Viewer:
    """A player: asks again for what is missing, keeps everything it got by its sequence number."""

    def __init__(self, stage: "Stage", peer: int, line: Line) -> None:
        self.stage, self.peer, self.line = stage, peer, line
        self.slot = video_slot(ssrc=100 * peer, codecs=(VP8,))
        self.packets: dict[int, RtpView] = {}
        self.repeated = 0
        self.fed: list[SlotFed] = []
        self._highest: int | None = None
        self._asked: Counter[int] = Counter()
        stage.router.add_peer(peer, peer, [], [self.slot], stage.network.now)
        stage.network.at(stage.network.now, self._ask)

    def hear(self, data: bytes) -> None:
        view = parse(data)
        assert view is not None
        if view.ssrc == self.slot.rtx_ssrc:
            view = parse(unwrap_rtx(view, 96, self.slot.ssrc) or b"")
            assert view is not None
        assert view.ssrc == self.slot.ssrc
        near = self._highest if self._highest is not None else view.sequence + 0x10000
        number = unwrap16(view.sequence, near)
        if self._highest is None and not is_keyframe(view):
            self.ask_keyframe()
        self._highest = max(near, number)
        known = self.packets.setdefault(number, view)
        assert known.payload == view.payload, "two packets with one number"
        assert known.timestamp == view.timestamp
        self.repeated += known is not view

    def _ask(self) -> None:
        if self._highest is not None:
            first = max(min(self.packets), self._highest - 400)
            missing = [n for n in range(first, self._highest) if n not in self.packets and self._asked[n] < 60]
            self._asked.update(missing)
            if missing:
                self._report(rtcp.nack(1, self.slot.ssrc, missing))
        self.stage.network.at(self.stage.network.now + NACK_S, self._ask)

    def ask_keyframe(self) -> None:
        self._report(rtcp.pli(1, self.slot.ssrc))

    def _report(self, data: bytes) -> None:
        self.stage.network.carry(self.line, lambda data: self.stage.rtcp_in(self.peer, data), data)

    def check(self) -> None:
        """What a viewer may rely on: no hole, timestamps never back, pictures in order, a key frame first.

        Of a first key frame lost on its own line a player knows nothing; it asks for another.
        """
        numbers = sorted(self.packets)
        assert numbers == list(range(numbers[0], numbers[-1] + 1)), "a hole"
        first = next(index for index, number in enumerate(numbers) if is_keyframe(self.packets[number]))
        assert first == 0 or self.line.loss
        shown = [self.packets[number] for number in numbers[first:]]
        for before, after in pairwise(shown):
            assert difference16(after.sequence, before.sequence) == 1
            step = difference32(after.timestamp, before.timestamp)
            assert 0 <= step < 90_000, "timestamps go on by about the time that went by"
            one, other = before.vp8(), after.vp8()
            assert one is not None
            assert other is not None
            assert (other.picture_id - one.picture_id) % (1 << 15) == (1 if step else 0)
            assert (other.tl0_picture_index - one.tl0_picture_index) % 256 == (1 if step else 0)
            if mark(before) != mark(after):
                assert is_keyframe(after), "another source or layer begins with its key frame"


class Stage:
    """The router, its devices and the lines between."""

    def __init__(self, seed: int) -> None:
        self.network = VirtualNetwork(seed)
        self.router = Router()
        self.publishers: dict[int, Publisher] = {}
        self.viewers: dict[int, Viewer] = {}
        self.requests: dict[int, list[float]] = {}

    def publisher(self, peer: int, rids: tuple[str, ...] = (), line: Line = Line()) -> Publisher:  # noqa: B008 frozen
        self.publishers[peer] = Publisher(self, peer, rids, line)
        self.router.set_gate((peer, "1"), True, self.network.now)
        return self.publishers[peer]

    def viewer(self, peer: int, line: Line = Line()) -> Viewer:  # noqa: B008 frozen
        self.viewers[peer] = Viewer(self, peer, line)
        return self.viewers[peer]

    def watch(self, viewer: int, publisher: int | None) -> None:
        track = (publisher, "1") if publisher is not None else None
        self.router.assign(viewer, "v0", track, self.network.now)
        self._carry_out()

    def show(self, viewer: int, height: int) -> None:
        self.router.show(viewer, "v0", height, self.network.now)
        self._carry_out()

    def play(self, seconds: float) -> None:
        self.network.run(seconds, self.router.next_deadline, self._tick)

    def rtp_in(self, peer: int, data: bytes) -> None:
        now = self.network.now
        forward = self.router.on_rtp(peer, data, now)
        for flow in forward.flows if forward is not None else ():
            assert forward is not None
            copy = rewrite(forward.packet, flow, abs_send_time(now))
            viewer = self.viewers[flow.destination]
            self.network.carry(viewer.line, viewer.hear, copy)
        self._carry_out()

    def rtcp_in(self, peer: int, data: bytes) -> None:
        self.router.on_rtcp(peer, data, self.network.now)
        self._carry_out()

    def check_requests(self) -> None:
        """At most one key frame request a source and interval, whoever asks."""
        assert self.requests
        for times in self.requests.values():
            assert all(later - earlier >= REQUEST_INTERVAL_S - 1e-6 for earlier, later in pairwise(times))

    def _tick(self, now: float) -> None:
        self.router.tick(now)
        self._carry_out()

    def _carry_out(self) -> None:
        for output in self.router.take_output():
            self._carry_out_one(output)

    def _carry_out_one(self, output: Output) -> None:
        match output:
            case SendRtp(peer, data):
                viewer = self.viewers[peer]
                self.network.carry(viewer.line, viewer.hear, data)
            case SendRtcp(peer, data) if peer in self.publishers:
                self._note_requests(data)
                publisher = self.publishers[peer]
                self.network.carry(publisher.line, publisher.hear, data)
            case SlotFed(peer):
                self.viewers[peer].fed.append(output)
            case _:
                pass

    def _note_requests(self, data: bytes) -> None:
        for packet in rtcp.parse(data):
            if isinstance(packet, rtcp.RtcpPsfbPacket):
                for ssrc in rtcp.keyframe_ssrcs(packet):
                    self.requests.setdefault(ssrc, []).append(self.network.now)


def mark(packet: RtpView) -> int:
    """Whose and which layer's packet this is."""
    return packet.payload[-1]


def is_keyframe(packet: RtpView) -> bool:
    descriptor = packet.vp8()
    assert descriptor is not None
    return descriptor.starts_frame and packet.data[descriptor.frame_offset] & 1 == 0
