"""A steady window: what server, viewers and load generator did in it."""

import asyncio
import os
from collections.abc import Awaitable, Callable

import msgspec

from tests.bench.load.engine import LoadEngine
from tests.bench.machine import core_busy_seconds, cpu_seconds, family_cpu_seconds, resident_megabytes

SETTLE_S = 1.5
MOST_LOSS_PERCENT = 0.1
MOST_DELAY_MS = 100.0
MOST_STRANGERS_PERCENT = 8.0
"""Of the server's core, taken by others or by interrupts: a window with more is noisy."""
ATTEMPTS = 3


class Figures(msgspec.Struct, frozen=True):
    """``cpu_us``: of the server's process, a packet that arrived at a viewer. ``core_us``: the same from the server's
    core, interrupts and strangers included. ``unserved``: slots that had (nearly) nothing, where they are counted.
    """

    cpu_us: float
    core_us: float
    busy_percent: float
    core_busy_percent: float
    packets_per_s: float
    packets_in_per_s: float
    packets: int
    lost: int
    loss_percent: float
    p50_ms: float
    p99_ms: float
    generator_busy_percent: float
    generator_thread_percent: float
    sent_late_ms: float
    memory_mb: float
    unserved: int = 0

    @property
    def strangers_percent(self) -> float:
        return max(0.0, self.core_busy_percent - self.busy_percent)

    @property
    def noisy(self) -> bool:
        return self.strangers_percent > MOST_STRANGERS_PERCENT

    @property
    def carried(self) -> bool:
        """Loss below 0.1 %, p99 within 100 ms, nobody left out."""
        return self.loss_percent < MOST_LOSS_PERCENT and self.p99_ms <= MOST_DELAY_MS and self.unserved == 0


async def look(engine: LoadEngine, pid: int, core: int, seconds: float) -> Figures:
    """Let so many seconds pass and keep the differences. ``pid`` is the server's, ``core`` the one it is pinned to."""
    clock = asyncio.get_running_loop().time
    engine.clear_delays()
    totals, began = engine.totals(), clock()
    server_s, core_s, own_s = family_cpu_seconds(pid), core_busy_seconds(core), cpu_seconds(os.getpid())
    await asyncio.sleep(seconds)
    server_s, core_s = family_cpu_seconds(pid) - server_s, core_busy_seconds(core) - core_s
    own_s, passed = cpu_seconds(os.getpid()) - own_s, clock() - began
    came = engine.totals().since(totals)
    p50_ms, p99_ms = engine.delay_ms(0.5, 0.99)
    packets = max(1, came.packets)
    return Figures(
        cpu_us=1e6 * server_s / packets,
        core_us=1e6 * core_s / packets,
        busy_percent=100 * server_s / passed,
        core_busy_percent=100 * core_s / passed,
        packets_per_s=came.packets / passed,
        packets_in_per_s=came.sent / passed,
        packets=came.packets,
        lost=came.lost,
        loss_percent=came.loss_percent,
        p50_ms=p50_ms,
        p99_ms=p99_ms,
        generator_busy_percent=100 * own_s / passed,
        generator_thread_percent=100 * came.cpu_ns / 1e9 / passed,
        sent_late_ms=came.latest_ns / 1e6,
        memory_mb=resident_megabytes(pid),
    )


async def quietest(measure: Callable[[], Awaitable[Figures]], attempts: int = ATTEMPTS) -> Figures:
    """The first window that strangers left alone, or the one of so many that they disturbed least."""
    windows: list[Figures] = []
    while not windows or (windows[-1].noisy and len(windows) < attempts):
        windows.append(await measure())
    return min(windows, key=lambda figures: figures.strangers_percent)
