"""The hot path taken apart: microseconds of the pieces that a packet goes through, best of several rounds."""

import os
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

from server.bots import offer
from server.bots.streams import RtpStream, vp8_descriptor
from server.rtp.packet import parse
from server.sfu.flows import Flow
from server.sfu.ports import Codec, Extensions, Kind, SlotSpec, TrackLabel, UplinkSpec
from server.sfu.rewrite import rewrite
from server.sfu.router import Router
from server.transport.srtp import PROFILES, SrtpKeys, SrtpProfile, SrtpSession
from tests.bench.report import say

ROUNDS = 7
PACKETS = 2_000
VIEWERS = 160
NOW = 1_700_000_000.0
_PUBLISHER, _CAMERA_SSRC = 1, 1_000
_EXTENSIONS = Extensions(mid=offer.MID_ID, abs_send_time=offer.ABS_SEND_TIME_ID)
_VP8 = Codec(offer.VP8, "vp8", 90_000, rtx_payload_type=offer.VP8_RTX, nack=True, pli=True, remb=True)

Round = Callable[[], object]


def run_micro() -> None:
    """Print what parsing, routing, rewriting and protecting one video packet of 1,100 octets costs."""
    packets = _video_packets()
    say("micro_parse", _best_us(lambda: lambda: [parse(packet) for packet in packets]), "µs/packet")
    for viewers in (1, VIEWERS):
        say(
            "micro_router_on_rtp",
            _best_us(partial(_routing, packets, viewers)),
            "µs/packet",
            viewers=viewers,
        )
    say("micro_rewrite", _best_us(partial(_rewriting, packets)), "µs/packet")
    for profile in PROFILES:
        cost = _best_us(partial(_protecting, packets, profile))
        say("micro_protect", cost, "µs/packet", profile=profile.name)


def _best_us(prepare: Callable[[], Round]) -> float:
    """The fastest round: what is slower is other people's work, not ours."""
    times = []
    for _ in range(ROUNDS):
        run = prepare()
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return 1e6 * min(times) / PACKETS


def _video_packets() -> list[bytes]:
    """A keyframe's packet, then packets of delta frames: one frame each."""
    stream = RtpStream(_CAMERA_SSRC, offer.VP8, 90_000, mid="1")
    filler = os.urandom(1_090)
    packets = []
    for number in range(PACKETS):
        head = b"\x51\x01\x00" if number else b"\x50\x01\x00\x9d\x01\x2a\x00\x05\xd0\x02"
        payload = vp8_descriptor(True, number & 0x7FFF) + head + filler
        packets.append(stream.packet(payload, 3_000 * number, True, NOW + number / 30))
    return packets


def _routing(packets: list[bytes], viewers: int) -> Round:
    router = Router()
    uplink = UplinkSpec("1", Kind.VIDEO, TrackLabel.CAMERA, (_VP8,), _EXTENSIONS, ssrcs=(_CAMERA_SSRC,))
    router.add_peer(_PUBLISHER, _PUBLISHER, (uplink,), (), NOW)
    router.set_gate((_PUBLISHER, "1"), True, NOW)
    for number in range(viewers):
        viewer = _PUBLISHER + 1 + number
        slot = SlotSpec("0", Kind.VIDEO, 0, 10_000 + viewer, 20_000 + viewer, (_VP8,), _EXTENSIONS)
        router.add_peer(viewer, viewer, (), (slot,), NOW)
        router.show(viewer, "0", 720, NOW)
        router.assign(viewer, "0", (_PUBLISHER, "1"), NOW)
    first = router.on_rtp(_PUBLISHER, packets[0], NOW)
    assert first is not None, "the packet was dropped"
    assert len(first.flows) == viewers
    router.take_output()

    def run() -> None:
        for number, packet in enumerate(packets[1:]):
            router.on_rtp(_PUBLISHER, packet, NOW + number / 30)

    return run


def _rewriting(packets: list[bytes]) -> Round:
    views = [view for packet in packets if (view := parse(packet)) is not None]
    flow = Flow(
        destination=2,
        ssrc=99,
        payload_type=96,
        seq_delta=1_000,
        timestamp_delta=2_000,
        vp8=True,
        pid_delta=3,
        mid_id=offer.MID_ID,
        mid=b"5",
        abs_send_time_id=offer.ABS_SEND_TIME_ID,
    )
    return lambda: [rewrite(view, flow, 12_345) for view in views]


def _protecting(packets: list[bytes], profile: SrtpProfile) -> Round:
    key = os.urandom(profile.key_octets + profile.salt_octets)
    session = SrtpSession(SrtpKeys(profile, key, key), Counter())
    return lambda: [session.protect(packet) for packet in packets]
