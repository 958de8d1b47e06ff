"""The server is killed in a meeting and started again: everybody is back in their seat, the floor is as it was."""

import asyncio
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import async_playwright

from server.bots.meeting_socket import MeetingSocket
from server.room.commands import RequestFloor
from tests.support.browser import Person, chromium_person
from tests.support.server_process import ServerProcess

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

MAIN, COMMUNE_A, COMMUNE_B, COMMUNE_C = 0, 1, 2, 3
TONES = (500, 900, 1300)
PATTERNS = (7, 44, 121)
GRANT_S = 600.0
BACK_WITHIN_S = 10.0
WATCHED_S = 3.0
"""How long after the return a commune without the floor is listened for."""


async def test_a_killed_server_takes_everybody_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(ServerProcess(tmp_path / "server", endpoints=4))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        playwright = await stack.enter_async_context(async_playwright())
        people = []
        for place in (MAIN, COMMUNE_A, COMMUNE_B):
            folder = tmp_path / str(place)
            devices = chromium_person(playwright, server.url, folder, pattern=PATTERNS[place], tone=TONES[place])
            person = await stack.enter_async_context(devices)
            await join_as(person, server, place)
            people.append(person)
        main, commune_a, commune_b = people
        socket_of_c = await attend_by_socket(http, server, COMMUNE_C)

        await call(http, server, "PUT", f"floor/{seat(server, COMMUNE_A)}", {"duration_s": GRANT_S})
        await ask_for_the_floor(commune_b, "Đường vào bản")
        await socket_of_c.command(RequestFloor("Nước sạch"))
        await main.until_heard(TONES[COMMUNE_A], time.time())
        before = await call(http, server, "GET", "room")
        assert [it["seat_id"] for it in before["floor"]["queue"]] == [seat(server, COMMUNE_B), seat(server, COMMUNE_C)]

        server.kill()
        # Its socket is gone, and it stays away: its place in the queue shall wait for it.
        await socket_of_c.close(bye=False)
        killed = time.time()
        await server.start()
        ready = time.time()
        tell(capsys, f"ready {ready - killed:.2f} s after the kill")
        at_start = await call(http, server, "GET", "room")
        assert floor_of(at_start) == floor_of(before)

        back = await asyncio.gather(*(until_back(person) for person in people))
        waits = ", ".join(f"{at - ready:+.2f} s" for at in back)
        tell(capsys, f"back with media, from the server's readiness on: {waits}")
        assert max(back) - ready < BACK_WITHIN_S

        after = await call(http, server, "GET", "room")
        assert floor_of(after) == floor_of(before)
        assert presences(after, server) == ["present", "present", "present", "suspended"]
        own = {it["seat_id"]: it["suspended_until"] for it in after["floor"]["holders"]}
        assert own == {seat(server, MAIN): None, seat(server, COMMUNE_A): None}

        heard = [await it.until_heard(TONES[COMMUNE_A], ready) for it in (main, commune_b)]
        tell(capsys, f"the speaker heard again: {', '.join(f'{at - ready:+.2f} s' for at in heard)}")
        assert max(heard) - ready < BACK_WITHIN_S
        await commune_b.until_sees(f"video[data-seat='{seat(server, COMMUNE_A)}']", PATTERNS[COMMUNE_A])
        for listener in (main, commune_a):
            await listener.logged_until(max(back) + WATCHED_S)
            assert await listener.heard_since(TONES[COMMUNE_B], 0.0) == [], "it never had the floor"

        assert await standing(commune_a) == "speaking"
        assert await standing(commune_b) == "on_deck"
        assert await commune_a.page.get_by_test_id("countdown").count() == 1

        returned = await attend_by_socket(http, server, COMMUNE_C)
        stack.push_async_callback(returned.close)
        assert floor_of(await call(http, server, "GET", "room")) == floor_of(before)
        await the_gate_still_closes(http, server, main)


def tell(capsys: pytest.CaptureFixture[str], figure: str) -> None:
    """A measured figure, for whoever looks at the run."""
    with capsys.disabled():
        sys.stdout.write(f"\n{figure}\n")


async def the_gate_still_closes(http: aiohttp.ClientSession, server: ServerProcess, main: Person) -> None:
    """The floor that outlived the restart can be withdrawn like any other."""
    await call(http, server, "DELETE", f"floor/{seat(server, COMMUNE_A)}")
    withdrawn = time.time()
    silent = await main.until_heard(TONES[COMMUNE_A], withdrawn + 0.3, present=False)
    await main.logged_until(silent + 1.0)
    assert await main.last_heard(TONES[COMMUNE_A], silent) == silent


async def join_as(person: Person, server: ServerProcess, endpoint: int) -> None:
    who = server.demo.endpoints[endpoint]
    await person.sign_in(who.username, who.password)
    await person.join()
    await person.page.locator("[data-media=connected]").wait_for(timeout=20_000)
    await person.listen(TONES)


async def attend_by_socket(http: aiohttp.ClientSession, server: ServerProcess, endpoint: int) -> MeetingSocket:
    """A commune without media."""
    token = server.demo.endpoints[endpoint].token
    socket = MeetingSocket(http, server.url, server.demo.meeting, token)
    await socket.open()
    return socket


async def ask_for_the_floor(person: Person, subject: str) -> None:
    await person.page.get_by_role("button", name="Thêm nội dung").click()
    await person.page.locator("#subject").fill(subject)
    await person.page.locator("#subject").press("Enter")
    await person.page.locator("[data-testid=standing][data-standing=on_deck]").wait_for()


async def until_back(person: Person) -> float:
    """Unix time at which the page, untouched, has its signalling and a second, working peer connection."""
    found = await person.page.wait_for_function(
        """() => window.__probe.connections === 2
            && document.querySelector('[data-connection=open][data-media=connected]')
            && Date.now()""",
        timeout=30_000,
        polling=20,
    )
    return float(await found.json_value()) / 1000


async def standing(person: Person) -> str | None:
    return await person.page.get_by_test_id("meeting").get_attribute("data-standing")


async def call(http: aiohttp.ClientSession, server: ServerProcess, method: str, path: str, body: Any = None) -> Any:
    """REST by the chair's token."""
    url = f"{server.url}/api/meetings/{server.demo.meeting}/{path}"
    headers = {"Authorization": f"Bearer {server.demo.chair.token}"}
    async with http.request(method, url, headers=headers, json=body) as response:
        assert response.status == 200, await response.text()
        return await response.json()


def floor_of(room: dict[str, Any]) -> dict[str, Any]:
    """The floor but for ``suspended_until``, which tells of the holder's line and not of its right."""
    floor: dict[str, Any] = room["floor"]
    return {**floor, "holders": [{**holder, "suspended_until": None} for holder in floor["holders"]]}


def presences(room: dict[str, Any], server: ServerProcess) -> list[str]:
    found = {it["seat_id"]: it["presence"] for it in room["seats"]}
    return [found[endpoint.id] for endpoint in server.demo.endpoints]


def seat(server: ServerProcess, endpoint: int) -> str:
    return server.demo.endpoints[endpoint].id
