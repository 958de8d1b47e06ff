"""REMB out to publishers, by when their packets arrive."""

from itertools import pairwise

import pytest

from server.rtp.extensions import abs_send_time
from server.sfu.bandwidth import MIN_BITRATE_BPS, PublisherEstimate
from server.sfu.ports import Extensions
from tests.sfu.bottleneck import Bottleneck, Clock
from tests.sfu.hall import Hall, look
from tests.sfu.packets import MID, SEND_TIME, VP8, Camera, Microphone, camera, mic, rtp


def test_a_publisher_hears_at_once_where_to_start_and_then_every_second() -> None:
    hall = Hall()
    hall.join(1, [mic(), camera(codecs=(VP8,))])
    hall.send(1, Microphone().packet())
    hall.advance(2.0)
    assert hall.rembs(1) == []
    source = Camera(packets_per_frame=6, packet_octets=1_100)
    for _ in range(150):
        hall.send(1, source.frame(hall.now))
        hall.advance(1 / 30)
    rembs = hall.rembs(1)
    assert rembs[0][1] == pytest.approx(1_200_000, rel=0.001)
    assert 5 <= len(rembs) <= 7
    assert rembs[-1][1] > rembs[0][1], "a good line grows"


def test_a_line_that_fills_up_is_told_promptly() -> None:
    hall = Hall()
    hall.join(1, [camera(codecs=(VP8,))])
    source = Camera(packet_octets=1_000)
    queued_s = 0.0
    start = hall.now
    for index in range(600):
        sent_at = start + index / 30
        queued_s += 0.012 if index > 300 else 0.0
        for packet in source.frame(sent_at):
            hall.advance(max(0.0, sent_at + queued_s + 0.001 - hall.now))
            hall.send(1, packet)
    rembs = hall.rembs(1)
    congested_at = start + 300 / 30
    before = max(bitrate for at, bitrate in rembs if at < congested_at)
    fell = next(at for at, bitrate in rembs if at > congested_at and bitrate < 0.8 * before)
    assert fell - congested_at < 1.5
    assert all(later - earlier >= 0.199 for (earlier, _), (later, _) in pairwise(rembs))


class Uplinked:
    """A sender that obeys its REMB behind a bottleneck: frames, ``paced`` (as browsers do) or all at once."""

    def __init__(self, rate_bps: float, *, paced: bool, jitter_s: float = 0.0, frames_a_second: int = 30) -> None:
        self.clock = Clock(1_750_000_000.0)
        self.line = Bottleneck(rate_bps, jitter_s=jitter_s)
        self.estimate = PublisherEstimate(1_200_000, 2_500_000, self.clock.now)
        self.rate_bps = 1_200_000
        self._paced, self._frame_s = paced, 1 / frames_a_second
        self._last_arrival = 0.0
        self._frame()

    def after(self, seconds: float) -> int:
        self.clock.run(seconds)
        return self.rate_bps

    def _frame(self) -> None:
        octets = int(self.rate_bps * self._frame_s / 8)
        packets = max(1, octets // 1_100)
        for index in range(packets):
            spread_s = 0.8 * self._frame_s * index / packets if self._paced else 0.0
            self.clock.at(self.clock.now + spread_s, lambda: self._send(octets // packets))
        self.clock.at(self.clock.now + self._frame_s, self._frame)

    def _send(self, octets: int) -> None:
        arrives_at = self.line.send(octets, self.clock.now)
        if arrives_at is not None:
            stamp = abs_send_time(self.clock.now).to_bytes(3, "big")
            data = rtp(96, 1, 2, 3, bytes(octets), extensions=((SEND_TIME, stamp),))
            self._last_arrival = max(arrives_at, self._last_arrival)
            self.clock.at(self._last_arrival, lambda: self._arrive(data))

    def _arrive(self, data: bytes) -> None:
        now = self.clock.now
        prompt = self.estimate.arrived(look(data), SEND_TIME, now)
        if (prompt and self.estimate.next_send_at(now) <= now) or now - self.estimate.sent_at >= 1.0:
            self.estimate.take(now)
            self.clock.at(now + 0.02, lambda: setattr(self, "rate_bps", self.estimate.sent_bps))


@pytest.mark.parametrize(
    ("paced", "jitter_s", "frames_a_second"), [(True, 0.0, 30), (False, 0.0, 30), (True, 0.02, 30), (False, 0.0, 10)]
)
def test_settles_backs_off_and_comes_back(paced: bool, jitter_s: float, frames_a_second: int) -> None:
    """1 Mbit/s, then 300 kbit/s, then 3 Mbit/s: near what fits, little delay, and no long way back."""
    uplinked = Uplinked(1_000_000, paced=paced, jitter_s=jitter_s, frames_a_second=frames_a_second)
    uplinked.after(5.0)
    settled = [uplinked.after(0.5) for _ in range(20)]
    assert 0.72e6 < sum(settled) / len(settled) < 1.02e6
    assert uplinked.line.dropped < 60
    uplinked.line.rate_bps = 300_000
    assert uplinked.after(5.0) < 320_000
    small = [uplinked.after(0.5) for _ in range(20)]
    assert 0.21e6 < sum(small) / len(small) < 0.34e6
    uplinked.line.rate_bps = 3_000_000
    assert uplinked.after(15.0) > 2_000_000
    assert uplinked.line.queue_s(uplinked.clock.now) < 0.15


def test_nobody_is_measured_without_send_times_or_remb() -> None:
    for spec in (
        camera(codecs=(VP8,), extensions=Extensions(mid=MID)),
        camera(codecs=(VP8.__class__(96, "vp8", 90_000),)),
    ):
        hall = Hall()
        hall.join(1, [spec])
        hall.send(1, Camera().frame(hall.now))
        hall.advance(3.0)
        assert hall.rembs(1) == []


def test_packets_without_a_stamp_are_passed_over() -> None:
    estimate = PublisherEstimate(1_000_000, 2_000_000, 0.0)
    packet = look(Camera().frame(0.0)[0])
    assert not estimate.arrived(packet, 9, 1.0)
    assert not estimate.arrived(packet, MID, 2.0)
    assert estimate.bitrate_bps == 1_000_000


def test_a_burst_is_looked_at_once_and_overtaken_packets_not_at_all() -> None:
    estimate = PublisherEstimate(100_000, 2_000_000, 0.0)
    packets = [look(Camera(packet_octets=60_000).frame(at)[0]) for at in (1.0, 1.001, 0.9, 2.0)]
    rates = []
    for index, packet in enumerate(packets):
        estimate.arrived(packet, SEND_TIME, 10.0 + 0.4 * index)
        rates.append(estimate.bitrate_bps)
    assert rates[0] == rates[1] == rates[2] < rates[3]


def test_never_above_the_limit_nor_below_the_floor() -> None:
    assert PublisherEstimate(9_000_000, 2_000_000, 0.0).bitrate_bps == 2_000_000
    estimate = PublisherEstimate(100_000, 2_000_000, 0.0)
    source = Camera(packet_octets=10, packets_per_frame=1)
    now = 0.0
    for index in range(400):
        now += 0.033 + 0.02
        estimate.arrived(look(source.frame(index * 0.033)[0]), SEND_TIME, now)
    assert estimate.bitrate_bps == MIN_BITRATE_BPS
