"""A commune is heard only while it holds the floor: three real browsers, known pictures, known tones."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import async_playwright

from tests.support.browser import Person, chromium_person, firefox_person
from tests.support.server_process import ServerProcess

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

MAIN, COMMUNE_A, COMMUNE_B = 0, 1, 2
TONES = (500, 900, 1300)
PATTERNS = (7, 44, 121)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    async with ServerProcess(tmp_path / "server", endpoints=4, media_host="0.0.0.0") as running:
        yield running


async def set_floor(server: ServerProcess, endpoint: int, granted: bool) -> float:
    """Grant or withdraw by the chair's token; returns when the server had answered."""
    path = f"{server.url}/api/meetings/{server.demo.meeting}/floor/{server.demo.endpoints[endpoint].id}"
    headers = {"Authorization": f"Bearer {server.demo.chair.token}"}
    method = "PUT" if granted else "DELETE"
    async with aiohttp.ClientSession(headers=headers) as http, http.request(method, path) as response:
        assert response.status == 200, await response.text()
    return time.time()


async def join_as(person: Person, server: ServerProcess, endpoint: int) -> None:
    who = server.demo.endpoints[endpoint]
    await person.sign_in(who.username, who.password)
    await person.join()
    await person.page.locator("[data-media=connected]").wait_for(timeout=20_000)
    await person.listen(TONES)


async def test_a_commune_is_heard_only_while_it_holds_the_floor(server: ServerProcess, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        people = []
        for place in (MAIN, COMMUNE_A, COMMUNE_B):
            person = await stack.enter_async_context(
                chromium_person(
                    playwright, server.url, tmp_path / str(place), pattern=PATTERNS[place], tone=TONES[place]
                )
            )
            await join_as(person, server, place)
            people.append(person)
        main, commune_a, commune_b = people

        started = time.time()
        await commune_a.until_heard(TONES[MAIN], started)
        await commune_b.until_heard(TONES[MAIN], started)
        await commune_b.until_sees(picture_of(server, MAIN), PATTERNS[MAIN])
        quiet_until = time.time()

        granted = await set_floor(server, COMMUNE_A, True)
        first_heard = await commune_b.until_heard(TONES[COMMUNE_A], granted - 0.5)
        assert first_heard - granted < 0.5
        await main.until_heard(TONES[COMMUNE_A], granted)
        await commune_b.until_sees(picture_of(server, COMMUNE_A), PATTERNS[COMMUNE_A])
        await main.until_sees(picture_of(server, COMMUNE_A), PATTERNS[COMMUNE_A])

        withdrawn = await set_floor(server, COMMUNE_A, False)
        for listener in (main, commune_b):
            await listener.logged_until(withdrawn + 1.0)
            assert await listener.last_heard(TONES[COMMUNE_A], withdrawn) - withdrawn < 0.3

        for listener, own in zip(people, TONES, strict=True):
            heard = await listener.heard_since(own, started)
            assert heard == [], "nobody hears itself"
        for listener in (main, commune_b):
            assert not [at for at in await listener.heard_since(TONES[COMMUNE_A], started) if at < quiet_until]
        assert await main.heard_since(TONES[COMMUNE_B], started) == []
        for person in people:
            assert await person.probe("offers") == 1
            assert await person.probe("connections") == 1


async def test_firefox_attends(server: ServerProcess, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        commune_a = await stack.enter_async_context(
            chromium_person(playwright, server.url, tmp_path / "a", pattern=PATTERNS[COMMUNE_A], tone=TONES[COMMUNE_A])
        )
        await join_as(commune_a, server, COMMUNE_A)
        firefox = await stack.enter_async_context(firefox_person(playwright, server.url, tmp_path / "firefox"))
        await join_as(firefox, server, COMMUNE_B)
        before = time.time()
        await firefox.logged_until(before + 1.0)
        assert await firefox.heard_since(TONES[COMMUNE_A], before) == []

        granted = await set_floor(server, COMMUNE_A, True)
        assert await firefox.until_heard(TONES[COMMUNE_A], granted - 0.5) - granted < 0.5
        await firefox.until_sees(picture_of(server, COMMUNE_A), PATTERNS[COMMUNE_A])

        withdrawn = await set_floor(server, COMMUNE_A, False)
        await firefox.logged_until(withdrawn + 1.0)
        assert await firefox.last_heard(TONES[COMMUNE_A], withdrawn) - withdrawn < 0.3
        assert await firefox.probe("offers") == 1


def picture_of(server: ServerProcess, endpoint: int) -> str:
    return f"video[data-seat='{server.demo.endpoints[endpoint].id}'][data-track=camera]"
