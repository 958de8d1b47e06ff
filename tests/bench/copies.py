"""One packet to 160 viewers, the way out alone: microseconds a copy for either fan-out, singly and in runs."""

import socket
import statistics
import time
from collections import Counter

from server.bots import offer
from server.bots.streams import RtpStream, vp8_descriptor
from server.config import FanoutChoice
from server.errors import Unavailable
from server.rtp.packet import RtpView, parse
from server.sfu.flows import Flow
from server.transport.carriers import choose_carrier
from server.transport.srtp import PROFILES, SrtpKeys, SrtpSession
from server.transport.udp import UdpPort
from tests.bench.micro import NOW, VIEWERS
from tests.bench.report import say

ROUNDS = 120
BURSTS = (1, 3, 6)
"""Packets that lie ready at once: each viewer's share of them is one run."""
_CHOICES: tuple[FanoutChoice, ...] = ("python", "c")


class _Clock:
    def now(self) -> float:
        return NOW


def run_copies() -> None:
    """Print what rewriting and protecting a copy costs, and what sending it over loopback does."""
    for choice in _CHOICES:
        for burst in BURSTS:
            try:
                forward_us, flush_us = _measure(choice, burst)
            except Unavailable:
                return
            say("micro_fanout_forward", forward_us, "µs/copy", implementation=choice, burst=burst)
            say("micro_fanout_flush", flush_us, "µs/copy", implementation=choice, burst=burst)


def _measure(choice: FanoutChoice, burst: int) -> tuple[float, float]:
    """Medians over ROUNDS. Raises Unavailable where there is no such fan-out."""
    drops: Counter[str] = Counter()
    port = UdpPort(_Clock(), drops, lambda *_: None, lambda: None)
    fan = choose_carrier(choice).open_fanout(port, drops)
    receivers = [_receiver() for _ in range(VIEWERS)]
    port.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    port.can_segment = True
    flows = tuple(
        Flow(
            viewer, viewer, offer.VP8, vp8=True, mid_id=offer.MID_ID, mid=b"5", abs_send_time_id=offer.ABS_SEND_TIME_ID
        )
        for viewer in range(VIEWERS)
    )
    key = bytes(PROFILES[0].key_octets + PROFILES[0].salt_octets)
    keys = SrtpKeys(PROFILES[0], key, key)
    for number, receiver in enumerate(receivers):
        fan.register(number, receiver.getsockname(), SrtpSession(keys, drops))
    views = _views(burst * ROUNDS)
    forwards, flushes = [], []
    for first in range(0, len(views), burst):
        begin = time.perf_counter()
        for view in views[first : first + burst]:
            fan.forward(view, flows, NOW)
        between = time.perf_counter()
        fan.flush()
        end = time.perf_counter()
        forwards.append(between - begin)
        flushes.append(end - between)
        for receiver in receivers:
            for _ in range(burst):
                receiver.recv(2_048)
    for sock in (*receivers, port.socket):
        sock.close()
    assert not drops, drops
    scale = 1e6 / (VIEWERS * burst)
    return scale * statistics.median(forwards), scale * statistics.median(flushes)


def _receiver() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    return sock


def _views(count: int) -> list[RtpView]:
    stream = RtpStream(1_000, offer.VP8, 90_000, mid="1")
    packets = (stream.packet(vp8_descriptor(False, 7) + bytes(1_090), 3_000, False, NOW) for _ in range(count))
    return [view for packet in packets if (view := parse(packet)) is not None]
