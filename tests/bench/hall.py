"""A province's endpoints in their seats, as browsers are: a WebSocket and one media connection each, media by C."""

import asyncio
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import Self

import aiohttp
import msgspec

from server.bots.connection import MediaConnection
from server.bots.meeting_socket import MeetingSocket
from server.bots.offer import OfferPlan, read_answer
from server.bots.publisher import SINGLE, plan_offer
from server.clock import SystemClock
from server.room.commands import FloorMode, GrantFloor, SetMode
from server.signaling import messages
from tests.bench.load.engine import LoadEngine
from tests.bench.sfu import make_certificate, patiently
from tests.support.server_process import ServerProcess

VOICE_SLOTS = 3


class Seat(msgspec.Struct, frozen=True, eq=False):
    """Somebody who is in: ``seat_id`` as the room names it."""

    socket: MeetingSocket
    connection: MediaConnection
    seat_id: str

    def close_media(self) -> None:
        self.connection.close()


class Hall:
    """``async with``: lets endpoints in, counts their attempts, sees them out."""

    def __init__(self, server: ServerProcess, engine: LoadEngine) -> None:
        self.server = server
        self.engine = engine
        self.retries = 0
        self.seats: list[Seat] = []
        self._clock = SystemClock()
        self._certificate = make_certificate()

    async def __aenter__(self) -> Self:
        self.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave(self.seats)
        await self.http.close()

    async def enter_all(self, numbers: Sequence[int], *, pictures: int, shown_height: int = 360) -> list[Seat]:
        """These endpoints take their seats at one instant, each with a silent microphone and camera, three voices and
        so many pictures. A server that is too busy is asked again, as clients do. Raises DiemcauError."""
        plans = [plan_offer(SINGLE, audio_slots=VOICE_SLOTS, video_slots=pictures, screen=False) for _ in numbers]
        tokens = [self.server.demo.endpoints[number].token for number in numbers]
        entering = (self._enter(token, plan, shown_height) for token, plan in zip(tokens, plans, strict=True))
        return list(await asyncio.gather(*entering))

    async def watch(self, seat_ids: Sequence[str]) -> Seat:
        """An operator's control centre: previews of these seats, nothing sent."""
        plan = plan_offer(None, audio_slots=0, video_slots=len(seat_ids))
        operator = await self._enter(self.server.demo.operator.token, plan, 180)
        for mid, seat_id in zip(plan.video_mids, seat_ids, strict=True):
            await operator.socket.watch(mid, seat_id)
        return operator

    async def discuss(self, seat_ids: Sequence[str]) -> None:
        """The chair lets these hold the floor at the same time."""
        demo = self.server.demo
        chair = MeetingSocket(self.http, self.server.url, demo.meeting, demo.chair.token)
        await chair.open()
        await chair.command(SetMode(FloorMode.DISCUSSION, max(1, len(seat_ids))))
        for seat_id in seat_ids:
            await chair.command(GrantFloor(seat_id))
        await chair.close()

    async def record(self, method: str) -> None:
        """POST starts the meeting's recording, DELETE stops it. Raises aiohttp.ClientResponseError."""
        demo = self.server.demo
        url = f"{self.server.url}/api/meetings/{demo.meeting}/recording"
        headers = {"Authorization": f"Bearer {demo.chair.token}"}
        async with self.http.request(method, url, headers=headers) as response:
            response.raise_for_status()

    async def leave(self, seats: Sequence[Seat], *, bye: bool = True) -> None:
        """See them out. ``bye`` False: their line is gone."""
        leaving = list(seats)
        for seat in leaving:
            self.engine.remove(seat.connection)
            seat.connection.close()
            self.seats.remove(seat)
        await asyncio.gather(*(seat.socket.close(bye=bye) for seat in leaving), return_exceptions=True)

    async def until_served(self, seats: Sequence[Seat], slots: int, within_s: float) -> int:
        """Wait until so many slots of each have had a packet; how many seats have, at the latest after that time."""
        deadline = self._clock.now() + within_s
        while True:
            count = sum(len(self._fed(seat)) >= slots for seat in seats)
            if count == len(seats) or self._clock.now() > deadline:
                return count
            await asyncio.sleep(0.02)

    def lost(self, seats: Sequence[Seat]) -> int:
        """Packets missing so far among theirs."""
        return sum(each.lost for seat in seats for each in self.engine.arrivals(seat.connection).values())

    def _fed(self, seat: Seat) -> list[str]:
        return [mid for mid, each in self.engine.arrivals(seat.connection).items() if each.packets]

    async def _enter(self, token: str, plan: OfferPlan, shown_height: int) -> Seat:
        def note_retry() -> None:
            self.retries += 1

        return await patiently(partial(self._try_to_enter, token, plan, shown_height), note_retry)

    async def _try_to_enter(self, token: str, plan: OfferPlan, shown_height: int) -> Seat:
        socket = MeetingSocket(self.http, self.server.url, self.server.demo.meeting, token)
        connection = MediaConnection(self._clock, plan, self._certificate, kernel_times=True)
        try:
            welcome = await socket.open(take_over=True)
            tracks = [messages.OfferedTrack(track.mid, track.label) for track in plan.sends]
            answer = await socket.offer(connection.offer_sdp, tracks)
            await socket.show(dict.fromkeys(plan.video_mids, shown_height))
            await connection.connect(read_answer(answer.sdp, plan))
        except BaseException:
            connection.close()
            await socket.close(bye=False)
            raise
        self.engine.add(connection)
        seat = Seat(socket, connection, welcome.you.seat_id or "")
        self.seats.append(seat)
        return seat
