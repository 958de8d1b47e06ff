"""Run a room full of virtual endpoints: join, behave, come back when the line or the server was gone."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import aiohttp
import msgspec

from server.bots.behaviour import Behaviour, Habits
from server.bots.drawing import office_picture
from server.bots.endpoint import USUAL, Reception, Surroundings, VirtualEndpoint
from server.bots.loops import LoopShelf, Rung, tone_hz
from server.bots.meeting_socket import Refused
from server.bots.players import Pacer
from server.bots.publisher import SIMULCAST, Appearance, make_appearance
from server.bots.roster import EndpointSignIn
from server.clock import SystemClock
from server.errors import DiemcauError, Unavailable
from server.signaling import messages
from server.transport.dtls import DtlsCertificate

logger = logging.getLogger(__name__)

FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 15.0
LONGEST_NAP_S = 2.0
JOINS_AT_ONCE = 16
"""Several hundred handshakes at the same instant would only make each other late."""

Tell = Callable[[str], None]


class BotOptions(msgspec.Struct, frozen=True, kw_only=True):
    """``url``: the server's base, http://host:port. ``cache`` keeps encoded pictures; None: nothing is kept."""

    url: str
    meeting_id: str
    endpoints: tuple[EndpointSignIn, ...]
    cache: Path | None = None
    rungs: tuple[Rung, ...] = SIMULCAST[:2]
    reception: Reception = USUAL
    habits: Habits = Habits()
    seed: int = 1


async def run_bots(options: BotOptions, stop: asyncio.Event, tell: Tell) -> None:
    """Keep the endpoints in the meeting until ``stop`` is set; ``tell`` takes lines for people.

    Returns early where the server has sent everybody away (the meeting ended). Raises
    Unavailable("server_unreachable") where the server cannot be reached at the start, Refused with the server's
    code where nobody was let in. Losses after that are retried, not raised.
    """
    clock = SystemClock()
    tell(f"Drawing and encoding {len(options.endpoints)} endpoints ...")
    shelf = LoopShelf(options.cache)
    looks = [
        await asyncio.to_thread(_look, shelf, options, index, sign_in)
        for index, sign_in in enumerate(options.endpoints)
    ]
    pacer = Pacer(clock)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        company = _Company(options, Surroundings(http, clock, pacer, DtlsCertificate.generate()), tell)
        everybody = asyncio.ensure_future(
            asyncio.gather(*(company.play(index, look) for index, look in enumerate(looks)))
        )
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((everybody, stopping), return_when=asyncio.FIRST_COMPLETED)
            if everybody.done():
                everybody.result()
        finally:
            for task in (everybody, stopping):
                task.cancel()
            await asyncio.gather(everybody, stopping, return_exceptions=True)
            await company.leave()
            pacer.close()
    if company.joined == 0 and company.refusal is not None and not stop.is_set():
        raise company.refusal


def _look(shelf: LoopShelf, options: BotOptions, index: int, sign_in: EndpointSignIn) -> Appearance:
    drawing = office_picture(index, sign_in.name)
    return make_appearance(shelf, f"{index}/{sign_in.name}", drawing, tone_hz(index), options.rungs)


class _Company:
    """All endpoints of one run."""

    def __init__(self, options: BotOptions, around: Surroundings, tell: Tell) -> None:
        self._options = options
        self._around = around
        self._tell = tell
        self._door = asyncio.Semaphore(JOINS_AT_ONCE)
        self._present: dict[int, VirtualEndpoint] = {}
        self.joined = 0
        self.refusal: DiemcauError | None = None

    async def play(self, index: int, look: Appearance) -> None:
        """One endpoint's life. Raises Unavailable where the server was never there."""
        options, sign_in = self._options, self._options.endpoints[index]
        endpoint = VirtualEndpoint(
            self._around, options.url, options.meeting_id, sign_in.token, look, options.reception
        )
        behaviour = Behaviour(options.habits, options.seed * 10_007 + index, self._around.clock.now())
        resume: str | None = None
        retry_s = FIRST_RETRY_S
        while True:
            try:
                async with self._door:
                    welcome = await endpoint.join(resume=resume)
            except Refused as refusal:
                self.refusal = refusal
                if refusal.code in _WORTH_ANOTHER_TRY:
                    resume = None
                else:
                    self._tell(f"{sign_in.name}: not let in: {refusal.detail} ({refusal.code})")
                    return
            except Unavailable as error:
                if not self.joined and error.code == "server_unreachable":
                    raise
                logger.info("%s: %s", sign_in.name, error.detail)
            else:
                resume, retry_s = welcome.resume, FIRST_RETRY_S
                self._note_joined(index, endpoint)
                await self._live(endpoint, behaviour)
                if self._is_over(endpoint, sign_in):
                    return
            await asyncio.sleep(retry_s)
            retry_s = min(LONGEST_RETRY_S, 1.7 * retry_s)

    async def leave(self) -> None:
        """Everybody says good-bye."""
        await asyncio.gather(*(endpoint.leave() for endpoint in self._present.values()), return_exceptions=True)

    def _note_joined(self, index: int, endpoint: VirtualEndpoint) -> None:
        self._present[index] = endpoint
        self.joined += 1
        if self.joined == len(self._options.endpoints):
            self._tell(f"{self.joined} virtual endpoints are in the meeting.")

    async def _live(self, endpoint: VirtualEndpoint, behaviour: Behaviour) -> None:
        """Behave until the socket is gone; bring media back where only that was lost."""
        socket, seat_id, clock = endpoint.socket, endpoint.seat_id, self._around.clock
        assert socket is not None
        changed = asyncio.Event()
        endpoint.on_message = lambda message: changed.set() if isinstance(message, messages.FloorChanged) else None
        while not socket.closed.is_set():
            now = clock.now()
            if seat_id is not None:
                room = socket.room
                behaviour.observe(speaking=room.holds_floor(seat_id), queued=room.queued(seat_id), now=now)
            command = behaviour.decide(now)
            try:
                if command is not None:
                    await socket.command(command)
                    continue
                if endpoint.connection is None or endpoint.connection.closed.is_set():
                    await endpoint.connect_media()
            except DiemcauError as error:  # refused or not answered: a bot shrugs and goes on
                logger.debug("%s: %s", seat_id, error.detail)
            changed.clear()
            nap_s = min(LONGEST_NAP_S, max(0.05, behaviour.next_deadline() - clock.now()))
            try:
                async with asyncio.timeout(nap_s):
                    await changed.wait()
            except TimeoutError:
                pass

    def _is_over(self, endpoint: VirtualEndpoint, sign_in: EndpointSignIn) -> bool:
        good_bye = endpoint.socket.good_bye if endpoint.socket else None
        if good_bye is None or good_bye.code == "draining":
            return False
        self._tell(f"{sign_in.name}: sent away: {good_bye.detail} ({good_bye.code})")
        endpoint.drop_media()
        return True


_WORTH_ANOTHER_TRY = frozenset({"socket_closed", "draining", "in_lobby", "http_502", "http_503", "bad_resume"})
