"""Peers for tests: real clients of the real server, with eyes and ears.

    async with Company(server) as company:
        commune = await company.join(1)               # endpoints[1] over the WebSocket
        viewer = await company.watch(2)                # endpoints[2]'s token over WHEP
        await company.grant(1)
        await viewer.until_hears(1)                    # the tone of endpoint 1, on any audio slot
        await viewer.until_sees(0)                     # endpoint 0's picture in video slot 0

Endpoint number i shows ``pictures.pattern(i + 1)`` and says ``tones.tone_hz(i)``.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import Self

import aiohttp

from server.bots.connection import MediaConnection
from server.bots.endpoint import Reception, Surroundings, VirtualEndpoint
from server.bots.loops import LoopShelf, Rung, tone_hz
from server.bots.media_http import MediaSession, open_media_session
from server.bots.offer import OfferPlan, read_answer
from server.bots.players import Pacer
from server.bots.publisher import SINGLE, Appearance, Publisher, make_appearance, plan_offer
from server.clock import SystemClock
from server.transport.dtls import DtlsCertificate
from tests.support.pictures import pattern_drawing
from tests.support.senses import WINDOW_S, Attention, Ear, Eye
from tests.support.server_process import ServerProcess

_SHELF = LoopShelf()


def look_of(number: int, rungs: Sequence[Rung] = SINGLE) -> Appearance:
    """Endpoint ``number``'s pattern and tone, encoded once a test run."""
    return make_appearance(_SHELF, f"pattern-{number}", partial(pattern_drawing, number + 1), tone_hz(number), rungs)


class Receiver:
    """Eyes on the video slots and ears on the audio slots of one connection."""

    def __init__(self, connection: MediaConnection, clock: SystemClock) -> None:
        self.connection = connection
        self.attention = Attention()
        self._clock = clock
        self.ears = {mid: Ear(self.attention.wake) for mid in connection.plan.audio_mids}
        self.eyes = {mid: Eye(self.attention.wake) for mid in connection.plan.video_mids}
        sinks = {mid: ear.take for mid, ear in self.ears.items()} | {mid: eye.take for mid, eye in self.eyes.items()}
        for mid in sinks.keys() & connection.reception.by_mid.keys():
            connection.listen(mid, sinks[mid])

    @property
    def first_picture(self) -> Eye:
        """Video slot 0: the stage's first picture."""
        return self.eyes[self.connection.plan.video_mids[0]]

    def hears(self, number: int, window_s: float = WINDOW_S) -> bool:
        """Is endpoint ``number``'s tone in the last ``window_s`` of any audio slot?"""
        now = self._clock.now()
        return any(ear.level_dbfs(tone_hz(number), now, window_s) >= -40.0 for ear in self.ears.values())

    def peak_dbfs(self, number: int, since: float) -> float:
        """The highest level of endpoint ``number``'s tone on any audio slot since then."""
        now = self._clock.now()
        return max(ear.peak_dbfs(tone_hz(number), since, now) for ear in self.ears.values())

    async def until_hears(self, number: int, timeout_s: float = 15.0) -> None:
        """Raises TimeoutError."""
        await self.attention.until(lambda: self.hears(number), timeout_s, f"the tone of endpoint {number}")

    async def hear_for(self, number: int, seconds: float) -> None:
        """Listen to endpoint ``number``'s tone for so long. Raises TimeoutError where it ceases."""
        await self.until_hears(number)
        enough_at = self._clock.now() + seconds
        await self.attention.until(lambda: self._clock.now() >= enough_at, seconds + 5.0, "time passing")
        await self.until_hears(number)

    def longest_pause_s(self, since: float, until: float) -> float:
        """The longest time in which no audio slot got anything."""
        return min(ear.longest_pause_s(since, until) for ear in self.ears.values())

    async def until_silent(self, number: int, timeout_s: float = 15.0) -> None:
        """Wait until the tone is no longer there. Raises TimeoutError."""
        await self.attention.until(lambda: not self.hears(number), timeout_s, f"silence of endpoint {number}")

    async def until_sees(self, number: int, mid: str | None = None, timeout_s: float = 15.0) -> None:
        """Wait for endpoint ``number``'s picture in the slot ``mid`` (the first). Raises TimeoutError."""
        eye = self.eyes[mid] if mid else self.first_picture
        await self.attention.until(lambda: eye.sees == number + 1, timeout_s, f"the picture of endpoint {number}")


class SeatedPeer:
    """An endpoint in its seat, over the WebSocket, as a browser is."""

    def __init__(self, number: int, endpoint: VirtualEndpoint, clock: SystemClock) -> None:
        self.number = number
        self.endpoint = endpoint
        assert endpoint.connection is not None
        assert endpoint.socket is not None
        self.connection = endpoint.connection
        self.socket = endpoint.socket
        self.received = Receiver(endpoint.connection, clock)


class HttpPeer:
    """A WHIP publisher or a WHEP viewer."""

    def __init__(
        self, connection: MediaConnection, session: MediaSession, publisher: Publisher | None, clock: SystemClock
    ) -> None:
        self.connection = connection
        self.session = session
        self.publisher = publisher
        self.received = Receiver(connection, clock)

    async def leave(self) -> None:
        if self.publisher is not None:
            self.publisher.stop()
        try:
            await self.session.delete()
        finally:  # a server that was killed answers nothing
            self.connection.close()


class Company:
    """All virtual peers of one test, and what they share. Everybody leaves at the end."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.clock = SystemClock()
        self._seated: list[SeatedPeer] = []
        self._others: list[HttpPeer] = []

    async def __aenter__(self) -> Self:
        self.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        self.pacer = Pacer(self.clock)
        self.around = Surroundings(self.http, self.clock, self.pacer, DtlsCertificate.generate())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pacer.close()
        leaving = [peer.endpoint.leave() for peer in self._seated] + [peer.leave() for peer in self._others]
        await asyncio.gather(*leaving, return_exceptions=True)
        await self.http.close()

    async def join(
        self,
        number: int,
        *,
        audio_slots: int = 3,
        video_slots: int = 2,
        shown_height: int = 180,
        rungs: Sequence[Rung] = SINGLE,
        follow_floor: bool = True,
        silent: bool = False,
        take_over: bool = False,
    ) -> SeatedPeer:
        """endpoints[number] takes its seat. ``follow_floor`` False: it minds its own microphone.
        ``silent``: it sends nothing at all."""
        demo = self.server.demo
        endpoint = VirtualEndpoint(
            self.around,
            self.server.url,
            demo.meeting,
            demo.endpoints[number].token,
            None if silent else await asyncio.to_thread(look_of, number, rungs),
            Reception(audio_slots, video_slots, shown_height),
        )
        endpoint.follow_floor = follow_floor
        await endpoint.join(take_over=take_over)
        peer = SeatedPeer(number, endpoint, self.clock)
        self._seated.append(peer)
        return peer

    async def publish(self, number: int, rungs: Sequence[Rung] = SINGLE, *, speaking: bool = True) -> HttpPeer:
        """endpoints[number] publishes over WHIP; ``speaking``: its tone is on, whatever the floor says."""
        look = await asyncio.to_thread(look_of, number, rungs)
        plan = plan_offer(rungs, audio_slots=0, video_slots=0, screen=False)
        peer = await self._open("whip", self.server.demo.endpoints[number].token, plan, look)
        if peer.publisher is not None:
            peer.publisher.microphone.on = speaking
        return peer

    async def watch(self, number: int, *, audio_slots: int = 3, video_slots: int = 1) -> HttpPeer:
        """A WHEP viewer with endpoints[number]'s token."""
        plan = plan_offer(None, audio_slots=audio_slots, video_slots=video_slots)
        return await self._open("whep", self.server.demo.endpoints[number].token, plan, None)

    async def grant(self, number: int, duration_s: float | None = None) -> None:
        """PUT floor/ENDPOINT by the chair. Raises aiohttp.ClientResponseError."""
        body = {} if duration_s is None else {"duration_s": duration_s}
        await self._floor("PUT", number, body)

    async def withdraw(self, number: int) -> None:
        """DELETE floor/ENDPOINT by the chair."""
        await self._floor("DELETE", number, None)

    async def _floor(self, method: str, number: int, body: dict[str, float] | None) -> None:
        demo = self.server.demo
        url = f"{self.server.url}/api/meetings/{demo.meeting}/floor/{demo.endpoints[number].id}"
        headers = {"Authorization": f"Bearer {demo.chair.token}"}
        async with self.http.request(method, url, json=body, headers=headers) as response:
            response.raise_for_status()

    async def _open(self, kind: str, token: str, plan: OfferPlan, look: Appearance | None) -> HttpPeer:
        demo = self.server.demo
        connection = MediaConnection(self.clock, plan, self.around.certificate)
        session = await open_media_session(self.http, self.server.url, demo.meeting, token, kind, connection.offer_sdp)
        await connection.connect(read_answer(session.answer_sdp, plan))
        publisher = None
        if look is not None:
            publisher = Publisher(connection, look, self.pacer, self.clock)
            publisher.start()
        peer = HttpPeer(connection, session, publisher, self.clock)
        self._others.append(peer)
        return peer
