"""The sending side of a connection: order, merging, slow and dead readers (SCENARIOS row 6 for signalling)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest
from aiohttp import web

from server.hub.ports import Feed, Link
from server.room.views import ChatView
from server.signaling import messages
from server.signaling.connection import Connection
from server.signaling.encoding import SharedEncoder
from server.signaling.outbox import MAX_MESSAGES
from tests.signaling.house import Client, House
from tests.signaling.test_encoding import FLOOR, MEETING, SEAT

LINK = Link("ep_1", 1, 2, 0.0, 0.0, None, "connected")


@asynccontextmanager
async def pair(stall_s: float = 5.0) -> AsyncIterator[tuple[Connection, Client, "asyncio.Task[None]"]]:
    """A Connection on a real socket and the client at its other end; the task carries it out."""
    opened: asyncio.Future[tuple[Connection, asyncio.Task[None]]] = asyncio.get_running_loop().create_future()

    async def handler(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(timeout=0.5)
        await socket.prepare(request)
        assert request.transport is not None
        connection = Connection(socket, request.transport.abort, "acc_1", "fingerprint", SharedEncoder())
        task = asyncio.create_task(connection.carry_out(stall_s))
        opened.set_result((connection, task))
        await asyncio.gather(task, return_exceptions=True)
        return socket

    app = web.Application()
    app.router.add_get("/", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    try:
        async with aiohttp.ClientSession() as http, http.ws_connect(f"http://127.0.0.1:{port}/") as socket:
            connection, task = await opened
            yield connection, Client(socket), task
            connection.end("lost", 1000)
    finally:
        await runner.cleanup()


async def welcome_of(house: House) -> messages.Welcome:
    async with house.connect("observer") as client:
        return await client.hello()


async def test_the_welcome_comes_first(house: House) -> None:
    """What the hub says while it seats somebody follows the welcome; sections before it are older than its room."""
    welcome = await welcome_of(house)
    async with pair() as (connection, client, _):
        connection.tell(SEAT)
        connection.feeds((Feed("5", "ep_1", "camera"),))
        connection.alarm("journal_failing", "disk full", 1.0, True)
        connection.greet(welcome)
        connection.tell(FLOOR)
        heard = [await client.hear() for _ in range(4)]
    assert [type(one) for one in heard] == [
        messages.Welcome,
        messages.Slots,
        messages.Alarm,
        messages.FloorChanged,
    ]


async def test_feeds_and_links_that_wait_are_merged_by_slot_and_seat(house: House) -> None:
    welcome = await welcome_of(house)
    async with pair() as (connection, client, _):
        connection.greet(welcome)
        connection.feeds((Feed("5", "ep_1", "camera"), Feed("6", "ep_2", "camera")))
        connection.links((LINK,))
        connection.feeds((Feed("6", None, ""),))
        connection.links((msgspec.structs.replace(messages.LinkView("ep_2", 0, 0, 0.0, 0.0, 1.0, "none")),))  # type: ignore[arg-type]  # same fields
        connection.links(())
        connection.speaking(("ep_1",))
        assert isinstance(await client.hear(), messages.Welcome)
        slots = await client.hear()
        assert slots == messages.Slots((messages.SlotFeed("5", "ep_1", "camera"), messages.SlotFeed("6", None, "")))
        links = await client.hear()
        assert isinstance(links, messages.Links)
        assert [link.seat_id for link in links.links] == ["ep_1", "ep_2"]
        assert await client.hear() == messages.Speaking(("ep_1",))
        connection.feeds((Feed("7", "ep_3", "screen"),))
        connection.links((LINK,))
        assert await client.hear() == messages.Slots((messages.SlotFeed("7", "ep_3", "screen"),)), "sent ones are gone"
        later = await client.hear()
        assert isinstance(later, messages.Links)
        assert [link.seat_id for link in later.links] == ["ep_1"]


@pytest.mark.parametrize(
    ("code", "close_code"),
    [("ended", 1000), ("draining", 1001), ("moved", 4409), ("signed_out", 4401), ("removed", 4403), ("other", 4403)],
)
async def test_good_byes(house: House, code: str, close_code: int) -> None:
    welcome = await welcome_of(house)
    async with pair() as (connection, client, task):
        connection.greet(welcome)
        connection.tell(MEETING)
        connection.close(code, "because")
        connection.close("ended", "the first reason counts")
        connection.tell(FLOOR)
        heard = [await client.hear() for _ in range(3)]
        assert heard[1:] == [messages.MeetingChanged(MEETING), messages.GoodBye(code, "because")]
        assert await client.closed() == close_code
        await task
    assert connection.reason == code


async def test_a_refusal_before_the_welcome_comes_alone(house: House) -> None:
    async with pair() as (connection, client, _):
        connection.alarm("journal_failing", "disk full", 1.0, True)
        connection.fail("locked", "The meeting is locked.", 409)
        assert await client.hear() == messages.Refusal(None, "locked", "The meeting is locked.")
        assert await client.closed() == 4409


async def test_a_client_that_does_not_read_is_closed_and_nothing_piles_up(house: House) -> None:
    welcome = await welcome_of(house)
    async with pair() as (connection, _, _):
        connection.greet(welcome)
        for number in range(MAX_MESSAGES * 2):
            connection.tell(SEAT)
            connection.tell(ChatView(number, 0.0, None, "x", "y"))
            assert len(connection.outbox) <= MAX_MESSAGES + 1
        assert connection.reason == "too_slow"
        assert len(connection.outbox) == 1, "only why"


async def test_states_alone_never_pile_up(house: House) -> None:
    welcome = await welcome_of(house)
    async with pair() as (connection, client, _):
        connection.greet(welcome)
        for number in range(MAX_MESSAGES * 3):
            connection.tell(msgspec.structs.replace(SEAT, since=float(number)))
        assert connection.reason == ""
        assert connection.outbox.merged == MAX_MESSAGES * 3 - 1
        assert isinstance(await client.hear(), messages.Welcome)
        last = await client.hear()
        assert isinstance(last, messages.SeatChanged)
        assert last.seat.since == MAX_MESSAGES * 3 - 1


async def test_a_client_that_takes_nothing_is_cut_off(house: House) -> None:
    """Its window closes, the socket's buffers fill, and a send waits: no longer than ``stall_s``."""
    welcome = await welcome_of(house)
    async with pair(stall_s=0.1) as (connection, client, task):
        transport = transport_of(client)
        transport.pause_reading()
        connection.greet(welcome)
        while not task.done():
            # 3 MB at a time, until the kernel takes no more.
            for number in range(1_500):
                connection.tell(ChatView(number, 0.0, None, "x", "y" * 2_000))
            await connection_idle(connection, task)
        transport.resume_reading()
    assert connection.reason == "stalled"


def transport_of(client: Client) -> asyncio.Transport:
    response = client.socket._response
    assert response.connection is not None
    assert response.connection.transport is not None
    return response.connection.transport


async def connection_idle(connection: Connection, task: "asyncio.Task[None]") -> None:
    """Return when everything has been handed to the kernel, or the carrying has ended."""
    while len(connection.outbox) and not task.done():
        await asyncio.wait([task], timeout=0.01)


async def test_a_socket_that_is_gone_ends_the_carrying(house: House) -> None:
    welcome = await welcome_of(house)
    async with pair() as (connection, client, task):
        client.cut()
        await client.socket.receive()
        connection.greet(welcome)
        while not task.done():
            connection.send(messages.Done(1))
            await asyncio.wait([task], timeout=0.01)
    assert connection.reason == "lost"
