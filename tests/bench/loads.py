"""A load, put on a server, and what it costs: CPU a forwarded packet, loss, delay."""

import asyncio
from collections.abc import Sequence
from functools import partial

import msgspec

from server.bots.connection import MediaConnection
from tests.bench.load.engine import BROWSERS_SPREAD, LoadEngine, Picture
from tests.bench.sfu import NotServed, Sfu, Takes
from tests.bench.window import SETTLE_S, Figures, look, quietest

VIDEO_BPS = 1_500_000
JOINS_AT_ONCE = 16
FIRST_PACKET_WITHIN_S = 15.0
SERVED_SHARE = 0.98
"""A stream that had less than this of what its source sent in a window was not served."""


class Load(msgspec.Struct, frozen=True):
    """So many publishers, each with sound, and with a picture where ``picture_bps``; so many viewers."""

    name: str
    publishers: int
    viewers: int
    takes: Takes
    picture_bps: int = VIDEO_BPS
    spread: float = BROWSERS_SPREAD


ONE_TO_MANY = Load("one_to_many", 1, 160, Takes(1, 1))
FOUR_TO_FORTY = Load("four_to_forty", 4, 40, Takes(4, 4))
TEN_VOICES = Load("ten_voices", 10, 160, Takes(0, 3), picture_bps=0)
LOADS = {load.name: load for load in (ONE_TO_MANY, FOUR_TO_FORTY, TEN_VOICES)}


class Stand:
    """A server, a load generator, and who is connected by now. Viewers come and go; publishers stay."""

    def __init__(self, sfu: Sfu, engine: LoadEngine, load: Load, server_core: int) -> None:
        self.sfu = sfu
        self.engine = engine
        self.load = load
        self.viewers: list[MediaConnection] = []
        self.streams: list[int] = []
        self._server_core = server_core

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
        """Settle, then look at a window of so many seconds, and at who got what in it."""
        await asyncio.sleep(SETTLE_S)
        heard = self._heard()
        sent = {stream: self.engine.sent(stream) for stream in self.streams}
        figures = await look(self.engine, self.sfu.pid, self._server_core, seconds)
        sent = {stream: self.engine.sent(stream) - before for stream, before in sent.items()}
        took = self._heard()
        unserved = sum(
            count - heard.get(slot, (source, 0))[1] < SERVED_SHARE * sent.get(source, 0)
            for slot, (source, count) in took.items()
        )
        slots = len(self.viewers) * (self.load.takes.pictures + self.load.takes.voices)
        return msgspec.structs.replace(figures, unserved=unserved + slots - len(took))

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


async def run_load(sfu: Sfu, load: Load, seconds: float, server_cpus: Sequence[int]) -> Figures:
    """Put a load on a fresh server and look at one window."""
    async with LoadEngine() as engine:
        stand = Stand(sfu, engine, load, server_cpus[0])
        await stand.open()
        return await quietest(partial(stand.measure, seconds))
