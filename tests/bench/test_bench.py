"""The bench itself: every promised figure comes out, as JSON, with a sane value."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.machine import cpu_seconds, resident_megabytes

ROOT = Path(__file__).parents[2]


def test_a_process_has_cpu_time_and_memory() -> None:
    before = cpu_seconds(os.getpid())
    assert sum(range(2_000_000)) > 0
    assert cpu_seconds(os.getpid()) > before
    assert 10 < resident_megabytes(os.getpid()) < 10_000


@pytest.mark.e2e
@pytest.mark.timeout(180)
def test_every_promised_figure_is_printed(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.bench",
        "micro",
        "one_to_many",
        "province",
        "join_storm",
        "growth",
        "--peers",
        "10",
        "--seconds",
        "1",
        "--picture",
        str(tmp_path / "growth.svg"),
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
        "join_storm",
        "join_storm_restart",
        "growth_viewers",
        "growth_publishers",
    }
    assert promised <= figures.keys()
    assert [name for name in promised if not name.endswith("_loss") and not figures[name] > 0] == []
    assert figures["one_to_many_loss"] < 100
    assert (tmp_path / "growth.svg").read_text().startswith("<svg")
