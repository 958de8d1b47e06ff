"""A load, put on a server, and what it costs: CPU a forwarded packet, loss, delay."""

import asyncio
import os
from collections.abc import Sequence

import msgspec

from server.bots.connection import MediaConnection
from tests.bench.load.engine import LoadEngine, Picture, Totals
from tests.bench.machine import core_busy_seconds, cpu_seconds, resident_megabytes
from tests.bench.sfu import NotServed, Sfu, Takes

VIDEO_BPS = 1_500_000
SETTLE_S = 1.5
JOINS_AT_ONCE = 16
FIRST_PACKET_WITHIN_S = 15.0
SERVED_SHARE = 0.98
"""A stream that had less than this of what its source sent in a window was not served."""
MOST_LOSS_PERCENT = 0.1
MOST_DELAY_MS = 100.0
MOST_STRANGERS_PERCENT = 8.0
"""Of the server's core, taken by others or by interrupts: a window with more is noisy."""


class Load(msgspec.Struct, frozen=True):
    """So many publishers, each with sound, and with a picture where ``picture_bps``; so many viewers."""

    name: str
    publishers: int
    viewers: int
    takes: Takes
    picture_bps: int = VIDEO_BPS
    spread: float = 0.4


ONE_TO_MANY = Load("one_to_many", 1, 160, Takes(1, 1))
FOUR_TO_FORTY = Load("four_to_forty", 4, 40, Takes(4, 4))
TEN_VOICES = Load("ten_voices", 10, 160, Takes(0, 3), picture_bps=0)


class Figures(msgspec.Struct, frozen=True):
    """One steady window. ``cpu_us``: of the server's process, a packet that arrived at a viewer. ``core_us``: the same
    from the server's core, interrupts and strangers included. ``unserved``: slots that had (nearly) nothing."""

    cpu_us: float
    core_us: float
    busy_percent: float
    core_busy_percent: float
    packets_per_s: float
    expected_per_s: float
    loss_percent: float
    unserved: int
    p50_ms: float
    p99_ms: float
    generator_busy_percent: float
    generator_thread_percent: float
    sent_late_ms: float
    memory_mb: float

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


class Stand:
    """A server, a load generator, and who is connected by now. Viewers come and go; publishers stay."""

    def __init__(self, sfu: Sfu, engine: LoadEngine, load: Load, server_cpu: int) -> None:
        self.sfu = sfu
        self.engine = engine
        self.load = load
        self.viewers: list[MediaConnection] = []
        self.streams: list[int] = []
        self._server_cpu = server_cpu

    async def open(self) -> None:
        """Publishers first, then the viewers of the load, all of them receiving."""
        for _ in range(self.load.publishers):
            await self.add_publisher()
        await self.resize(self.load.viewers)

    async def add_publisher(self) -> None:
        bitrate_bps = self.load.picture_bps
        connection = await self.sfu.publish(picture=bitrate_bps > 0)
        self.engine.add(connection)
        if bitrate_bps:
            self.streams.append(self.engine.show(connection, Picture(bitrate_bps, spread=self.load.spread)))
        self.streams.append(self.engine.speak(connection))

    async def resize(self, viewers: int) -> None:
        """Let viewers in, or the last ones go, and wait until all slots have had a packet. Raises NotServed."""
        door = asyncio.Semaphore(JOINS_AT_ONCE)

        async def enter() -> None:
            async with door:
                connection = await self.sfu.view(self.load.takes)
                self.engine.add(connection)
                self.viewers.append(connection)

        await asyncio.gather(*(enter() for _ in range(viewers - len(self.viewers))))
        while len(self.viewers) > viewers:
            connection = self.viewers.pop()
            self.engine.remove(connection)
            await self.sfu.leave(connection)
        deadline = asyncio.get_running_loop().time() + FIRST_PACKET_WITHIN_S
        while not all(map(self._receives, self.viewers)):
            if asyncio.get_running_loop().time() > deadline:
                raise NotServed(f"{self.sfu.name}: not every slot of {viewers} viewers has had a packet")
            await asyncio.sleep(0.05)

    async def measure(self, seconds: float) -> Figures:
        """Settle, then look at a window of so many seconds."""
        engine, pid = self.engine, self.sfu.pid
        await asyncio.sleep(SETTLE_S)
        engine.clear_delays()
        heard = self._heard()
        sent = {stream: engine.sent(stream) for stream in self.streams}
        totals, began = engine.totals(), asyncio.get_running_loop().time()
        server_s, core_s, own_s = cpu_seconds(pid), core_busy_seconds(self._server_cpu), cpu_seconds(os.getpid())
        await asyncio.sleep(seconds)
        server_s, core_s = cpu_seconds(pid) - server_s, core_busy_seconds(self._server_cpu) - core_s
        own_s = cpu_seconds(os.getpid()) - own_s
        came: Totals = engine.totals().since(totals)
        passed = asyncio.get_running_loop().time() - began
        sent = {stream: engine.sent(stream) - before for stream, before in sent.items()}
        p50_ms, p99_ms = engine.delay_ms(0.5, 0.99)
        took = self._heard()
        expected = sum(sent.get(source, 0) for source, _ in took.values())
        unserved = sum(
            count - heard.get(slot, (source, 0))[1] < SERVED_SHARE * sent.get(source, 0)
            for slot, (source, count) in took.items()
        )
        slots = len(self.viewers) * (self.load.takes.pictures + self.load.takes.voices)
        packets = max(1, came.packets)
        return Figures(
            cpu_us=1e6 * server_s / packets,
            core_us=1e6 * core_s / packets,
            busy_percent=100 * server_s / passed,
            core_busy_percent=100 * core_s / passed,
            packets_per_s=came.packets / passed,
            expected_per_s=expected / passed,
            loss_percent=came.loss_percent,
            unserved=unserved + slots - len(took),
            p50_ms=p50_ms,
            p99_ms=p99_ms,
            generator_busy_percent=100 * own_s / passed,
            generator_thread_percent=100 * came.cpu_ns / 1e9 / passed,
            sent_late_ms=came.latest_ns / 1e6,
            memory_mb=resident_megabytes(pid),
        )

    def _receives(self, viewer: MediaConnection) -> bool:
        arrivals = self.engine.arrivals(viewer).values()
        wanted = self.load.takes.pictures + self.load.takes.voices
        return sum(each.source is not None for each in arrivals) >= wanted

    def _heard(self) -> dict[tuple[MediaConnection, str], tuple[int, int]]:
        """(source stream, packets) of every slot that has one."""
        return {
            (viewer, mid): (each.source, each.packets)
            for viewer in self.viewers
            for mid, each in self.engine.arrivals(viewer).items()
            if each.source is not None
        }


async def measure_quietly(stand: Stand, seconds: float, attempts: int = 3) -> Figures:
    """The first window that strangers left alone, or the one of so many that they disturbed least."""
    windows: list[Figures] = []
    while not windows or (windows[-1].noisy and len(windows) < attempts):
        windows.append(await stand.measure(seconds))
    return min(windows, key=lambda figures: figures.strangers_percent)


async def run_load(sfu: Sfu, load: Load, seconds: float, server_cpus: Sequence[int]) -> Figures:
    """Put a load on a fresh server and look at one window."""
    async with LoadEngine() as engine:
        stand = Stand(sfu, engine, load, server_cpus[0])
        await stand.open()
        return await measure_quietly(stand, seconds)
