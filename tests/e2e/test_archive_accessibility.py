"""The archive's pages for people who do not see it all: desktop, phone, 200 % zoom, both languages; and ten thousand
recordings, which must stay light."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect
from sqlalchemy import insert, select

from server.archive.folding import fold_line
from server.store.store import Store, sqlite_url
from server.store.tables.recordings import RecordingRow
from tests.e2e.archived import Archived, archived_meeting, start_recording, stop_recording, when_ended
from tests.support.accessibility import bring_instruments, faults
from tests.support.browser import chromium, chromium_visitor

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]

WINDOWS = pytest.mark.parametrize(
    "window",
    [
        pytest.param({"viewport": {"width": 1366, "height": 768}}, id="desktop"),
        pytest.param({"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2}, id="phone"),
        pytest.param({"viewport": {"width": 683, "height": 384}, "device_scale_factor": 2}, id="zoom"),
    ],
)
MANY = 10_000
SCREENS = 30
MOST_NODES = 12_000
"""Three pages of rows are some 5,000; all those that were scrolled past would be more than 50,000."""
DAY_S = 86_400.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def archived(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Archived]:
    async with archived_meeting(tmp_path_factory.mktemp("archived")) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    async with (
        async_playwright() as playwright,
        chromium(playwright, tmp_path_factory.mktemp("devices"), pattern=44, tone=900) as running,
    ):
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def destroyed(archived: Archived) -> str:
    """A recording of which only the certificate is left."""
    recording_id = await start_recording(archived.server, archived.company.http)
    await stop_recording(archived.server, archived.company.http)
    await when_ended(archived.server, archived.company.http, recording_id)
    headers = {"Authorization": f"Bearer {archived.server.demo.archivist.token}"}
    url = f"{archived.server.url}/api/recordings/{recording_id}"
    body = {"reason": "Hết thời hạn bảo quản"}
    async with archived.company.http.delete(url, json=body, headers=headers) as response:
        assert response.status == 200, await response.text()
    return recording_id


async def visit(archived: Archived, browser: Browser, window: dict[str, Any]) -> Page:
    person = await chromium_visitor(browser, archived.server.url, **window)
    await bring_instruments(person.page.context)
    await person.sign_in(archived.server.demo.archivist.username, archived.server.demo.archivist.password)
    await person.page.get_by_test_id("who").wait_for()
    return person.page


async def in_both_languages(page: Page, where: str) -> list[str]:
    found = await faults(page, where)
    await page.locator("button[lang=en]").click()
    found += await faults(page, where)
    await page.locator("button[lang=vi]").click()
    return found


async def in_dialog(page: Page, where: str) -> list[str]:
    """The dialog that is opening; closes it."""
    dialog = page.get_by_role("dialog")
    await dialog.wait_for()
    found = await faults(page, where)
    await page.keyboard.press("Escape")
    await dialog.wait_for(state="detached")
    return found


@WINDOWS
async def test_the_archive(archived: Archived, browser: Browser, window: dict[str, Any]) -> None:
    page = await visit(archived, browser, window)
    await page.goto(f"{archived.server.url}/archive")
    await page.get_by_test_id("recording-link").first.wait_for()
    if await page.get_by_test_id("toggle-filters").is_visible():
        await page.get_by_test_id("toggle-filters").click()
    found = await in_both_languages(page, "archive")
    await page.get_by_test_id("archive-search").fill("giao thong")
    await page.get_by_test_id("hit").first.wait_for()
    found += await in_both_languages(page, "archive, found")
    await page.get_by_test_id("archive-search").fill("khong co gi nhu the")
    await page.get_by_test_id("archive-empty").wait_for()
    found += await in_both_languages(page, "archive, nothing found")
    assert found == []
    await page.context.close()


@WINDOWS
async def test_a_recording(archived: Archived, browser: Browser, destroyed: str, window: dict[str, Any]) -> None:
    page = await visit(archived, browser, window)
    await page.goto(f"{archived.server.url}/archive/{archived.recording_id}?t=3")
    await page.get_by_test_id("timeline").wait_for()
    await page.wait_for_function("() => document.querySelector('[data-testid=film]').readyState > 0")
    found = await in_both_languages(page, "recording")
    await page.get_by_test_id("verify").click()
    await page.get_by_test_id("verify-report").wait_for()
    await page.get_by_test_id("contents-chat").click()
    await page.get_by_test_id("contents-search").fill("tai lieu")
    found += await in_both_languages(page, "recording, verified, chat")
    await page.get_by_test_id("timeline-drawing").focus()
    await page.keyboard.press("?")
    found += await in_dialog(page, "keys")
    await page.get_by_test_id("change-keeping").click()
    await page.get_by_role("switch").click()
    await page.get_by_test_id("save-keeping").click()
    found += await in_dialog(page, "keeping without a reason")
    await page.get_by_test_id("destroy").click()
    await page.get_by_test_id("confirm-destroy").click()
    found += await in_dialog(page, "destroying without a reason")

    await page.goto(f"{archived.server.url}/archive/{destroyed}")
    await page.get_by_test_id("certificate").wait_for()
    found += await in_both_languages(page, "certificate")
    await page.goto(f"{archived.server.url}/archive/rec_nothing")
    await page.get_by_role("heading", level=1).wait_for()
    found += await in_both_languages(page, "no such recording")
    assert found == []
    await page.context.close()


async def test_ten_thousand_recordings_stay_light(archived: Archived, browser: Browser) -> None:
    """Only rows near what is seen are in the page, however far somebody scrolls; going back finds the place again."""
    await fill(archived)
    page = await visit(archived, browser, {"viewport": {"width": 1366, "height": 768}})
    await page.goto(f"{archived.server.url}/archive")
    await expect(page.get_by_test_id("archive-count")).to_have_text(re.compile(r"^10\.00\d bản ghi$"))
    most = 0
    for _ in range(SCREENS):
        height = await page.evaluate("document.body.scrollHeight")
        await page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        await page.wait_for_function("height => document.body.scrollHeight > height", arg=height)
        most = max(most, await page.evaluate("document.getElementsByTagName('*').length"))
    assert most < MOST_NODES
    assert await page.evaluate("document.body.scrollHeight") > SCREENS * 50 * 60

    last = page.locator("[data-recording]:visible").last
    name = await last.get_attribute("data-recording")
    await last.get_by_test_id("recording-link").click()
    await page.get_by_test_id("recording").wait_for()
    await page.go_back()
    await expect(page.locator(f"[data-recording={name}]")).to_be_visible()
    await page.context.close()


async def fill(archived: Archived) -> None:
    """Rows like that of the recording there is, one a day back from it; pages of results are made from rows alone."""
    store = Store(sqlite_url(archived.server.folder / "data" / "diemcau.sqlite3"))
    await store.open()
    async with store.write() as session:
        found = await session.scalars(select(RecordingRow).where(RecordingRow.recording_id == archived.recording_id))
        row = found.one()
        like = {column.name: getattr(row, column.name) for column in RecordingRow.__table__.columns}
        del like["number"]
        copies = [like | _changes(row, number) for number in range(1, MANY)]
        await session.execute(insert(RecordingRow), copies)
    await store.close()


def _changes(row: RecordingRow, number: int) -> dict[str, Any]:
    title = f"Giao ban lần thứ {number}"
    assert row.ended_at is not None
    return {
        "recording_id": f"rec_copy{number:05}_1",
        "title": title,
        "title_key": fold_line(title),
        "started_at": row.started_at - number * DAY_S,
        "ended_at": row.ended_at - number * DAY_S,
        "film_state": "none",
        "state": "closed",
    }
