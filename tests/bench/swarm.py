"""Many light peers at once, wholly in Python: they join, they count. (The bench's own take their media by C.)"""

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import aiohttp

from server.bots.connection import MediaConnection
from server.bots.drawing import office_picture
from server.bots.endpoint import Reception, Surroundings, VirtualEndpoint
from server.bots.loops import LoopShelf, tone_hz
from server.bots.players import Pacer
from server.bots.publisher import SINGLE, Appearance, make_appearance
from server.clock import SystemClock
from server.errors import DiemcauError
from server.transport.dtls import DtlsCertificate
from tests.support.server_process import ServerProcess

JOIN_ATTEMPTS = 5
TOO_BUSY = ("http_503", "no_answer", "media_failed", "store_unavailable")


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
