"""Many light peers at once: they join, they count, and only a few of them decrypt."""

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import aiohttp
import msgspec

from server.bots.connection import MediaConnection
from server.bots.drawing import office_picture
from server.bots.endpoint import Reception, Surroundings, VirtualEndpoint
from server.bots.loops import LoopShelf, tone_hz
from server.bots.media_http import open_media_session
from server.bots.offer import OfferPlan, read_answer
from server.bots.players import Pacer
from server.bots.publisher import SINGLE, Appearance, make_appearance, plan_offer
from server.clock import SystemClock
from server.errors import DiemcauError
from server.transport.dtls import DtlsCertificate
from tests.support.server_process import ServerProcess

JOIN_ATTEMPTS = 5
TOO_BUSY = ("http_503", "no_answer", "media_failed", "store_unavailable")


class Totals(msgspec.Struct, frozen=True):
    """Sums over all viewers' slots, from RTP headers alone."""

    packets: int
    lost: int

    def since(self, before: "Totals") -> "Totals":
        return Totals(self.packets - before.packets, self.lost - before.lost)

    @property
    def loss_percent(self) -> float:
        return 100 * self.lost / max(1, self.lost + self.packets)


class Swarm:
    """Endpoints and viewers against one server. One picture and one tone for all: what is sent does not matter."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.clock = SystemClock()
        self.pacer = Pacer(self.clock)
        self.endpoints: list[VirtualEndpoint] = []
        self.connections: list[MediaConnection] = []
        self.retries = 0
        self._look: Appearance | None = None

    async def __aenter__(self) -> Self:
        self.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        self._around = Surroundings(self.http, self.clock, self.pacer, DtlsCertificate.generate())
        drawing = office_picture(0, "Điểm cầu")
        self._look = await asyncio.to_thread(make_appearance, LoopShelf(), "bench", drawing, tone_hz(0), SINGLE)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pacer.close()
        await asyncio.gather(*(endpoint.leave() for endpoint in self.endpoints), return_exceptions=True)
        for connection in self.connections:
            connection.close()
        await self.http.close()

    async def join_all(self, numbers: Sequence[int], reception: Reception) -> None:
        """These endpoints take their seats at one instant, publishing camera and microphone.

        A server that is too busy to answer is asked again, as clients do; ``retries`` counts that. Raises Refused.
        """
        demo = self.server.demo
        newcomers = [
            VirtualEndpoint(
                self._around, self.server.url, demo.meeting, demo.endpoints[number].token, self._look, reception
            )
            for number in numbers
        ]
        self.endpoints += newcomers
        await asyncio.gather(*(self._join(endpoint) for endpoint in newcomers))
        self.connections += [endpoint.connection for endpoint in newcomers if endpoint.connection is not None]

    async def _join(self, endpoint: VirtualEndpoint) -> None:
        for attempt in range(1, JOIN_ATTEMPTS + 1):
            try:
                await endpoint.join()
            except DiemcauError as error:
                if attempt == JOIN_ATTEMPTS or error.code not in TOO_BUSY:
                    raise
                self.retries += 1
                await asyncio.sleep(0.5 * attempt)
            else:
                return

    async def open(self, kind: str, number: int, plan: OfferPlan, *, kernel_times: bool = False) -> MediaConnection:
        """One WHIP or WHEP session with that endpoint's token."""
        demo = self.server.demo
        connection = MediaConnection(self.clock, plan, self._around.certificate, kernel_times=kernel_times)
        token = demo.endpoints[number].token
        session = await open_media_session(self.http, self.server.url, demo.meeting, token, kind, connection.offer_sdp)
        await connection.connect(read_answer(session.answer_sdp, plan))
        self.connections.append(connection)
        return connection

    async def watch_all(self, numbers: Sequence[int], at_once: int = 16) -> list[MediaConnection]:
        """A WHEP viewer for each number; every tenth takes kernel arrival times."""
        door = asyncio.Semaphore(at_once)

        async def watch(number: int) -> MediaConnection:
            async with door:
                plan = plan_offer(None, audio_slots=1, video_slots=1)
                return await self.open("whep", number, plan, kernel_times=number % 10 == 1)

        return list(await asyncio.gather(*(watch(number) for number in numbers)))

    def totals(self) -> Totals:
        snapshots = [connection.reception.snapshot() for connection in self.connections]
        return Totals(sum(each.packets for each in snapshots), sum(each.lost for each in snapshots))

    async def until_all_receive(self, within_s: float) -> int:
        """Wait until every connection with slots has had a packet; how many have after ``within_s`` at the latest."""
        watching = [connection for connection in self.connections if connection.reception.by_mid]
        return await self._until_all(lambda connection: connection.reception.snapshot().packets > 0, watching, within_s)

    async def until_all_hear(self, speaker: MediaConnection, within_s: float) -> int:
        """The same for the first audio slot of everybody but ``speaker``."""
        listening = [connection for connection in self.connections if connection is not speaker]
        return await self._until_all(_hears, listening, within_s)

    async def _until_all(
        self, served: Callable[[MediaConnection], bool], connections: list[MediaConnection], within_s: float
    ) -> int:
        deadline = self.clock.now() + within_s
        while True:
            count = sum(map(served, connections))
            if count == len(connections) or self.clock.now() > deadline:
                return count
            await asyncio.sleep(0.01)


def _hears(connection: MediaConnection) -> bool:
    return connection.reception.by_mid[connection.plan.audio_mids[0]].packets > 0
