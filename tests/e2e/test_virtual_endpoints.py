"""`diemcau bots`: virtual endpoints in a real meeting, through a killed server and back."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.bots.behaviour import QUIET, Habits
from server.bots.meeting_socket import Refused
from server.bots.publisher import SINGLE
from server.bots.roster import Roster, choose_endpoints
from server.bots.run import BotOptions, run_bots
from server.errors import Unavailable
from server.room.views import Presence
from tests.support.server_process import ServerProcess
from tests.support.virtual_peer import Company, SeatedPeer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

ENDPOINTS, BOTS = 5, 3


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    async with ServerProcess(tmp_path, endpoints=ENDPOINTS) as server:
        yield server


def options_for(server: ServerProcess, habits: Habits = QUIET, count: int = BOTS) -> BotOptions:
    demo = server.demo
    endpoints = choose_endpoints(Roster(demo.meeting, demo.endpoints), count)
    return BotOptions(
        url=server.url,
        meeting_id=demo.meeting,
        endpoints=endpoints,
        cache=server.folder / "cache",
        rungs=SINGLE,
        habits=habits,
    )


class Running:
    """run_bots as a task; leaves at the end of the block."""

    def __init__(self, options: BotOptions) -> None:
        self.stop = asyncio.Event()
        self.said: list[str] = []
        self.task = asyncio.create_task(run_bots(options, self.stop, self.said.append))

    async def __aenter__(self) -> "Running":
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self.stop.set()
        await self.task


async def until_present(watcher: SeatedPeer, seat_ids: list[str], presence: Presence, timeout_s: float = 30.0) -> None:
    await watcher.socket.until(
        lambda room: all(room.seats[seat_id].presence is presence for seat_id in seat_ids), timeout_s
    )


async def test_they_fill_the_last_seats_and_leave_politely(server: ServerProcess) -> None:
    seat_ids = [endpoint.id for endpoint in server.demo.endpoints[-BOTS:]]
    async with Company(server) as company:
        main = await company.join(0, silent=True)
        async with Running(options_for(server)) as bots:
            await until_present(main, seat_ids, Presence.PRESENT)
            await main.received.attention.until(lambda: len(bots.said) == 2, 15.0, "word of their arrival")
        assert bots.said[-1] == f"{BOTS} virtual endpoints are in the meeting."
        await until_present(main, seat_ids, Presence.ABSENT)


async def test_one_that_has_the_floor_sounds_and_gives_it_back(server: ServerProcess) -> None:
    """The bot of the last seat is endpoint 0 to itself: its tone is the first."""
    last = ENDPOINTS - 1
    async with Company(server) as company:
        main = await company.join(0, silent=True)
        async with Running(options_for(server, Habits(0, 0, 8.0, 0), count=1)):
            await until_present(main, [server.demo.endpoints[last].id], Presence.PRESENT)
            assert not main.received.hears(0)
            await company.grant(last)
            await main.received.until_hears(0)
            await main.received.until_silent(0, timeout_s=30)
            await main.socket.until(lambda room: not room.holds_floor(server.demo.endpoints[last].id))


async def test_they_ask_for_the_floor_in_vietnamese(server: ServerProcess) -> None:
    async with Company(server) as company:
        main = await company.join(0, silent=True)
        async with Running(options_for(server, Habits(request_every_s=2, give_up_after_s=0, chat_every_s=2))):
            await main.socket.until(lambda room: room.floor is not None and len(room.floor.queue) == BOTS, 30)
            await main.socket.until(lambda room: bool(room.chat), 30)
        assert main.socket.room.floor is not None


async def test_they_come_back_after_the_server_was_killed(server: ServerProcess) -> None:
    seat_ids = [endpoint.id for endpoint in server.demo.endpoints[-BOTS:]]
    async with Running(options_for(server)):
        async with Company(server) as company:
            main = await company.join(0, silent=True)
            await until_present(main, seat_ids, Presence.PRESENT)
            server.kill()
        await server.start()
        async with Company(server) as company:
            main = await company.join(0, silent=True)
            await until_present(main, seat_ids, Presence.PRESENT, timeout_s=40)


async def test_a_server_that_is_not_there_is_said_plainly(server: ServerProcess) -> None:
    options = options_for(server)
    await server.stop()
    with pytest.raises(Unavailable) as refusal:
        await run_bots(options, asyncio.Event(), lambda _: None)
    assert refusal.value.code == "server_unreachable"


async def test_nobody_let_in_is_said_plainly(server: ServerProcess) -> None:
    options = options_for(server)
    strangers = tuple(type(each)(each.id, each.name, each.role, "no-such-token") for each in options.endpoints)
    forged = BotOptions(url=options.url, meeting_id=options.meeting_id, endpoints=strangers, rungs=SINGLE)
    with pytest.raises(Refused) as refusal:
        await run_bots(forged, asyncio.Event(), lambda _: None)
    assert re.search("401", str(refusal.value))


async def test_a_taken_seat_is_left_alone(server: ServerProcess) -> None:
    async with Company(server) as company:
        await company.join(ENDPOINTS - 1, silent=True)
        async with Running(options_for(server)) as bots:
            main = await company.join(0, silent=True)
            others = [endpoint.id for endpoint in server.demo.endpoints[-BOTS:-1]]
            await until_present(main, others, Presence.PRESENT)
            assert any("seat_taken" in line for line in bots.said)
