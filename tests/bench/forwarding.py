"""The loads that Diemcau is measured with alone; ``peers`` puts the same on Janus beside it."""

import os

import msgspec

from tests.bench.diemcau import DiemcauSfu
from tests.bench.limits import most_viewers
from tests.bench.load.engine import LoadEngine
from tests.bench.loads import ONE_TO_MANY, Load, Stand, run_load
from tests.bench.machine import split_cores
from tests.bench.report import say
from tests.bench.window import Figures


async def run_forwarding(load: Load, viewers: int, seconds: float) -> None:
    """One of ``loads``'s loads: CPU, loss, delay, memory. ``viewers`` bounds it."""
    server_cores, own_cores = split_cores()
    os.sched_setaffinity(0, own_cores)
    load = msgspec.structs.replace(load, viewers=min(load.viewers, viewers))
    async with DiemcauSfu(cpus=server_cores, publishers=load.publishers) as sfu:
        figures = await run_load(sfu, load, seconds, server_cores)
    _say(load.name, figures, viewers=load.viewers)


async def run_most_viewers(seconds: float, first: int) -> None:
    """How many viewers of one publisher a core carries: loss below 0.1 %, p99 within 100 ms."""
    server_cores, own_cores = split_cores()
    os.sched_setaffinity(0, own_cores)
    async with DiemcauSfu(cpus=server_cores) as sfu, LoadEngine() as engine:
        stand = Stand(sfu, engine, ONE_TO_MANY, server_cores[0])
        count, figures = await most_viewers(stand, seconds, first)
    details = msgspec.structs.asdict(figures) if figures is not None else {}
    say("most_viewers", count, "viewers", **details)


def _say(name: str, figures: Figures, **details: object) -> None:
    say(
        f"{name}_cpu_per_forwarded_packet",
        figures.cpu_us,
        "µs",
        packets_per_s=figures.packets_per_s,
        server_core_busy_percent=figures.busy_percent,
        strangers_percent=figures.strangers_percent,
        load_generator_busy_percent=figures.generator_busy_percent,
        receivers_take_gro=True,
        **details,
    )
    counts = {"packets": figures.packets, "lost": figures.lost, "unserved": figures.unserved}
    say(f"{name}_loss", figures.loss_percent, "%", **counts)
    say(f"{name}_delay_p50", figures.p50_ms, "ms", sent_late_ms=figures.sent_late_ms)
    say(f"{name}_delay_p99", figures.p99_ms, "ms")
    say(f"{name}_memory", figures.memory_mb, "MB")
