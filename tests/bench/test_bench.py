"""The bench itself: every promised figure comes out, as JSON, with a sane value."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from server.bots import offer
from server.bots.streams import RtpStream
from server.clock import SystemClock
from server.rtp.packet import parse
from server.rtp.vp8 import is_keyframe_start
from tests.bench.machine import cpu_seconds, percentile, resident_megabytes
from tests.bench.stamped import StampedVideo, stamp_of

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 6), (0.99, 10), (1.0, 10)])
def test_percentiles(share: float, expected: float) -> None:
    assert percentile([float(number) for number in range(10, 0, -1)], share) == expected


def test_no_values_have_no_percentile() -> None:
    assert math.isnan(percentile([], 0.5))


def test_a_process_has_cpu_time_and_memory() -> None:
    before = cpu_seconds(os.getpid())
    assert sum(range(2_000_000)) > 0
    assert cpu_seconds(os.getpid()) > before
    assert 10 < resident_megabytes(os.getpid()) < 10_000


def test_stamped_packets_say_when_they_left_at_the_wanted_rate() -> None:
    clock = SystemClock()
    sent: list[bytes] = []
    player = StampedVideo(RtpStream(1, offer.VP8, 90_000, mid="1"), sent.append, clock, 1_500_000)
    began = clock.now()
    now: float | None = began
    while now is not None and now < began + 2.0:
        now = player.play(now)
    assert 8 * sum(map(len, sent)) / 2.0 == pytest.approx(1_500_000, rel=0.1)
    stamps = [stamp_of(packet) for packet in sent]
    assert all(stamp is not None and began <= stamp <= clock.now() for stamp in stamps)
    views = [view for packet in sent if (view := parse(packet)) is not None]
    assert sum(view.marker for view in views) == 60
    assert [is_keyframe_start(view.data, view.payload_offset, view.payload_end) for view in views].count(True) == 1
    assert stamp_of(b"short") is None


@pytest.mark.e2e
@pytest.mark.timeout(180)
def test_every_promised_figure_is_printed() -> None:
    command = [
        sys.executable,
        "-m",
        "tests.bench",
        "micro",
        "one_to_many",
        "province",
        "--peers",
        "3",
        "--seconds",
        "1",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=170)
    assert done.returncode == 0, done.stderr
    figures = {line["figure"]: line["value"] for line in map(json.loads, done.stdout.splitlines())}
    promised = {
        "province_join",
        "province_join_until_all_receive",
        "one_to_many_cpu_per_forwarded_packet",
        "province_cpu_per_forwarded_packet",
        "one_to_many_loss",
        "one_to_many_memory",
        "one_to_many_delay_p50",
        "one_to_many_delay_p99",
        "micro_parse",
        "micro_router_on_rtp",
        "micro_rewrite",
        "micro_protect",
        "micro_fanout_forward",
        "micro_fanout_flush",
        "machine_noise",
    }
    assert promised <= figures.keys()
    assert [name for name in promised if not name.endswith("_loss") and not figures[name] > 0] == []
    assert figures["one_to_many_loss"] < 100
