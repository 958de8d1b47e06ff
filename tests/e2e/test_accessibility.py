"""Every page for people who do not see it all, on a desktop, on a phone and at 200 % zoom, in both languages."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from playwright.async_api import Browser, async_playwright

from server.bots.meeting_socket import MeetingSocket
from server.room.commands import RequestFloor
from tests.support.accessibility import bring_instruments, faults
from tests.support.browser import Person, chromium, chromium_visitor
from tests.support.server_process import ServerProcess

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

COMMUNE_A, COMMUNE_B = 1, 2
DESKTOP = {"viewport": {"width": 1366, "height": 768}}
PHONE = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2}
ZOOM_200 = {"viewport": {"width": 683, "height": 384}, "device_scale_factor": 2}
"""1366x768 at 200 %: half as many CSS pixels each way, each twice as large."""
WINDOWS = pytest.mark.parametrize(
    "window", [pytest.param(DESKTOP, id="desktop"), pytest.param(PHONE, id="phone"), pytest.param(ZOOM_200, id="zoom")]
)
DEVICES_ITEM = 1
OTHER_LANGUAGE = re.compile("^(English|Tiếng Việt)$")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    async with ServerProcess(tmp_path / "server", endpoints=5) as running:
        yield running


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    async with (
        async_playwright() as playwright,
        chromium(playwright, tmp_path / "devices", pattern=44, tone=900) as running,
    ):
        yield running


@WINDOWS
async def test_before_the_meeting(server: ServerProcess, browser: Browser, window: dict[str, Any]) -> None:
    person = await visit(server, browser, window)
    page, who = person.page, server.demo.endpoints[COMMUNE_A]
    await page.goto(server.url)
    await page.get_by_test_id("sign-in").wait_for()
    found = await in_both_languages(person, "sign-in")
    await page.get_by_test_id("sign-in").click()
    await page.get_by_test_id("sign-in-problem").wait_for()
    found += await in_both_languages(person, "sign-in refused")

    await person.sign_in(who.username, who.password)
    await page.get_by_test_id("meetings").wait_for()
    found += await in_both_languages(person, "meetings")
    await page.get_by_test_id("join").first.click()
    await page.locator("[data-testid=line-verdict][data-verdict=good]").wait_for()
    found += await in_both_languages(person, "device check")
    assert found == []


@WINDOWS
async def test_an_attendee(server: ServerProcess, browser: Browser, window: dict[str, Any]) -> None:
    async with waiting_commune(server, COMMUNE_B):
        person = await visit(server, browser, window)
        await enter(person, server.demo.endpoints[COMMUNE_A].username, server.demo.endpoints[COMMUNE_A].password)
        page, found = person.page, []
        for _ in ("vi", "en"):
            await page.locator("[data-testid=standing][data-standing=muted]").wait_for()
            found += await over_the_tabs(person, "attendee")
            await page.keyboard.press("?")
            found += await in_dialog(person, "shortcuts")
            await page.get_by_test_id("more").click()
            await page.get_by_role("menuitem").nth(DEVICES_ITEM).click()
            found += await in_dialog(person, "devices")

            await set_floor(server, COMMUNE_A, granted=True)
            await page.get_by_test_id("countdown").wait_for()
            found += await faults(page, "attendee with the floor")
            await set_floor(server, COMMUNE_A, granted=False)
            await switch_language_inside(person)
        assert found == []


async def test_the_menu_of_the_meeting(server: ServerProcess, browser: Browser) -> None:
    person = await visit(server, browser, DESKTOP)
    await enter(person, server.demo.endpoints[COMMUNE_A].username, server.demo.endpoints[COMMUNE_A].password)
    await person.page.get_by_test_id("more").click()
    assert await faults(person.page, "menu") == []


@WINDOWS
async def test_the_chair(server: ServerProcess, browser: Browser, window: dict[str, Any]) -> None:
    async with waiting_commune(server, COMMUNE_B):
        await set_floor(server, COMMUNE_A, granted=True)
        person = await visit(server, browser, window)
        await enter(person, server.demo.chair.username, server.demo.chair.password)
        page, found = person.page, []
        await page.get_by_test_id("request").wait_for()
        for _ in ("vi", "en"):
            found += await over_the_tabs(person, "chair")
            if await page.get_by_test_id("endpoint-actions").first.is_visible():
                await page.get_by_test_id("endpoint-actions").first.click()
                found += await faults(page, "menu of an endpoint")
                await page.keyboard.press("Escape")
            if await page.get_by_test_id("mute-all").is_visible():
                await page.get_by_test_id("mute-all").click()
                found += await in_dialog(person, "mute all")
            await switch_language_inside(person)
        assert found == []


FAULTY = """<!doctype html><html lang="en"><title>Faulty</title><main><h1>Faulty</h1>
<p style="color:#ccc;background:#fff">Pale words</p>
<button style="position:absolute;left:0;top:200px">Under the other</button>
<button style="position:absolute;left:40px;top:205px">Over the first</button>
<button style="width:60px;white-space:nowrap;overflow:hidden;position:absolute;top:300px">Far too long for this</button>
<p style="width:3000px">Wide</p></main></html>"""


async def test_the_instruments_find_faults(browser: Browser) -> None:
    page = await browser.new_page(viewport={"width": 683, "height": 384})
    await bring_instruments(page.context)
    await page.goto("data:text/html;charset=utf-8," + quote(FAULTY))
    found = "\n".join(await faults(page, "faulty"))
    for fault in ("color-contrast", "scrolls sideways: 3", "overlap by", "cut off by", '"Far too long for this"'):
        assert fault in found


async def visit(server: ServerProcess, browser: Browser, window: dict[str, Any]) -> Person:
    person = await chromium_visitor(browser, server.url, **window)
    await bring_instruments(person.page.context)
    return person


async def enter(person: Person, username: str, password: str) -> None:
    await person.sign_in(username, password)
    await person.join()
    await person.page.locator("[data-media=connected]").wait_for(timeout=20_000)


async def in_both_languages(person: Person, where: str) -> list[str]:
    """By the switch in the page's head; ends in Vietnamese again."""
    found = await faults(person.page, where)
    await person.page.locator("button[lang=en]").click()
    found += await faults(person.page, where)
    await person.page.locator("button[lang=vi]").click()
    return found


async def over_the_tabs(person: Person, where: str) -> list[str]:
    """Each tab of the page's side once, the first again at the end."""
    tabs, found = person.page.get_by_role("tab"), []
    for place in range(await tabs.count()):
        await tabs.nth(place).click()
        words = " ".join((await tabs.nth(place).inner_text()).split())
        found += await faults(person.page, f"{where}, tab {words}")
    await tabs.first.click()
    return found


async def in_dialog(person: Person, where: str) -> list[str]:
    """The dialog that is opening; closes it."""
    dialog = person.page.locator("[role=dialog], [role=alertdialog]")
    await dialog.wait_for()
    found = await faults(person.page, where)
    await person.page.keyboard.press("Escape")
    await dialog.wait_for(state="detached")
    return found


async def switch_language_inside(person: Person) -> None:
    await person.page.get_by_test_id("more").click()
    await person.page.get_by_role("menuitem", name=OTHER_LANGUAGE).click()
    await person.page.get_by_role("menu").wait_for(state="detached")


@asynccontextmanager
async def waiting_commune(server: ServerProcess, endpoint: int) -> AsyncIterator[None]:
    """A commune in the meeting that has asked for the floor with as long a subject as there may be."""
    async with aiohttp.ClientSession() as http:
        socket = MeetingSocket(http, server.url, server.demo.meeting, server.demo.endpoints[endpoint].token)
        await socket.open()
        await socket.command(RequestFloor("Kinh phí làm đường vào bản trước mùa mưa. " * 4))
        yield
        await socket.close()


async def set_floor(server: ServerProcess, endpoint: int, *, granted: bool) -> None:
    path = f"{server.url}/api/meetings/{server.demo.meeting}/floor/{server.demo.endpoints[endpoint].id}"
    headers = {"Authorization": f"Bearer {server.demo.chair.token}"}
    body = {"duration_s": 600.0} if granted else None
    method = "PUT" if granted else "DELETE"
    async with aiohttp.ClientSession(headers=headers) as http, http.request(method, path, json=body) as response:
        assert response.status == 200, await response.text()
