"""The archive as an archivist meets it: found in seconds, jumped to, heard, proved, kept, destroyed."""

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Playwright, async_playwright, expect

from server.bots.roster import EndpointSignIn
from server.bots.roster import Person as SignIn
from tests.e2e.archived import (
    NO_FILM,
    SUBJECTS,
    A,
    Archived,
    B,
    archived_meeting,
    start_recording,
    stop_recording,
    when_ended,
)
from tests.support.browser import Person, chromium, chromium_visitor, firefox_person
from tests.support.tones import tone_hz

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]

FILM = "[data-testid=film]"
FOUND_WITHIN_S = 10.0
FILM_READY_WITHIN_MS = 90_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def archived(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Archived]:
    async with archived_meeting(tmp_path_factory.mktemp("archived")) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def playwright() -> AsyncIterator[Playwright]:
    async with async_playwright() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    async with chromium(playwright, tmp_path_factory.mktemp("devices"), pattern=44, tone=900) as running:
        yield running


async def visit(archived: Archived, browser: Browser, who: SignIn | EndpointSignIn | None = None) -> Person:
    """Signed in; the archivist where nobody is named. A dialog of the browser's own would be script that ran."""
    who = who or archived.server.demo.archivist
    person = await chromium_visitor(browser, archived.server.url)
    person.page.on("dialog", lambda dialog: pytest.fail(f"script ran: {dialog.message}"))
    await person.sign_in(who.username, who.password)
    await person.page.get_by_test_id("who").wait_for()
    return person


async def open_recording(archived: Archived, person: Person, at: str = "") -> Page:
    await person.page.goto(f"{archived.server.url}/archive/{archived.recording_id}{at}")
    await person.page.get_by_test_id("timeline").wait_for()
    return person.page


async def position(page: Page) -> float:
    seconds: float = await page.locator(FILM).evaluate("video => video.currentTime")
    return seconds


async def until_film_is_ready(archived: Archived, page: Page) -> None:
    await page.goto(f"{archived.server.url}/archive/{archived.recording_id}")
    await page.locator("[data-testid=recording-state][data-state=ready]").first.wait_for(timeout=FILM_READY_WITHIN_MS)


async def test_before_there_is_a_film_the_segments_are_heard_and_seen(browser: Browser, tmp_path: Path) -> None:
    async with archived_meeting(tmp_path, config=NO_FILM) as archived:
        person = await visit(archived, browser)
        page = await open_recording(archived, person)
        await expect(page.get_by_test_id("player")).to_have_attribute("data-source", "hls")
        for number in (B, A):
            await page.get_by_test_id("chapter").filter(has_text=SUBJECTS[number]).click()
            await person.until_sees(FILM, number + 1)
            await person.until_plays(FILM, tone_hz(number))
        await page.context.close()


async def test_everybody_sees_that_the_meeting_is_recorded(archived: Archived, browser: Browser) -> None:
    await start_recording(archived.server, archived.company.http)
    person = await visit(archived, browser, archived.server.demo.endpoints[3])
    page = person.page
    await person.join()
    sign = page.get_by_test_id("recording-sign")
    await expect(sign).to_contain_text(re.compile(r"Đang ghi hình.*\d\d:\d\d", re.DOTALL))
    await expect(page.get_by_test_id("start-recording")).to_have_count(0)
    await stop_recording(archived.server, archived.company.http)
    await expect(sign).to_have_count(0)
    await expect(page.get_by_test_id("announce-polite")).to_have_text("Đã dừng ghi hình.")
    await page.context.close()


async def test_the_chair_starts_and_stops_it(archived: Archived, browser: Browser) -> None:
    person = await visit(archived, browser, archived.server.demo.chair)
    page = person.page
    await person.join()
    await expect(page.get_by_test_id("recording-space")).to_contain_text(re.compile(r"Còn ghi được .* giờ"))
    await page.get_by_test_id("start-recording").click()
    await page.get_by_test_id("recording-sign").wait_for()
    await page.get_by_test_id("stop-recording").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Hủy").click()
    await expect(page.get_by_test_id("recording-sign")).to_be_visible()
    await page.get_by_test_id("stop-recording").click()
    await page.get_by_test_id("confirm").click()
    await expect(page.get_by_test_id("recording-sign")).to_have_count(0)
    await page.context.close()


async def test_an_archivist_finds_what_a_commune_said_and_hears_it(archived: Archived, browser: Browser) -> None:
    person = await visit(archived, browser)
    page = person.page
    await until_film_is_ready(archived, page)

    began = time.monotonic()
    await page.goto(f"{archived.server.url}/meetings")
    await page.get_by_role("link", name="Lưu trữ").click()
    await page.get_by_test_id("archive-search").fill("giao thong nong thon")
    row = page.locator(f"[data-recording={archived.recording_id}]")
    hit = row.get_by_test_id("hit").filter(has_text=SUBJECTS[A])
    await expect(hit.locator("mark").first).to_have_text("giao")
    await hit.click()
    await expect(page.get_by_test_id("player")).to_have_attribute("data-source", "film")
    await person.until_sees(FILM, A + 1)
    await person.until_plays(FILM, tone_hz(A))
    assert time.monotonic() - began < FOUND_WITHIN_S
    assert await position(page) >= archived.starts_s[A]

    await page.go_back()
    await expect(page.get_by_test_id("archive-search")).to_have_value("giao thong nong thon")
    await expect(hit).to_be_visible()
    await page.context.close()


async def test_firefox_plays_and_changes_chapters(archived: Archived, playwright: Playwright, tmp_path: Path) -> None:
    who = archived.server.demo.archivist
    async with firefox_person(playwright, archived.server.url, tmp_path) as person:
        await person.sign_in(who.username, who.password)
        await person.page.get_by_test_id("who").wait_for()
        await until_film_is_ready(archived, person.page)
        for number in (B, A):
            await person.page.get_by_test_id("chapter").filter(has_text=SUBJECTS[number]).click()
            await person.until_sees(FILM, number + 1)
            await person.until_plays(FILM, tone_hz(number))


async def test_the_player_by_keyboard(archived: Archived, browser: Browser) -> None:
    person = await visit(archived, browser)
    page = await open_recording(archived, person)
    player = page.get_by_test_id("player")
    await page.wait_for_function("() => document.querySelector('[data-testid=film]').readyState > 0")

    await page.keyboard.press("n")
    await expect(page.get_by_test_id("chapter").filter(has_text=SUBJECTS[A])).to_have_attribute("aria-current", "true")
    assert await position(page) == pytest.approx(archived.starts_s[A], abs=0.1)
    await page.keyboard.press("ArrowRight")
    assert await position(page) == pytest.approx(archived.starts_s[A] + 5, abs=0.1)
    await page.keyboard.press("j")
    assert await position(page) == pytest.approx(0.0, abs=0.1)
    await page.keyboard.press("k")
    await expect(player).to_have_attribute("data-playing", "true")
    await page.keyboard.press(" ")
    await expect(player).to_have_attribute("data-playing", "false")
    await page.keyboard.press(".")
    await expect(page.get_by_test_id("speed")).to_have_value("1.25")
    assert await page.locator(FILM).evaluate("video => video.playbackRate") == 1.25

    await page.get_by_test_id("seek").focus()
    await page.keyboard.press("End")
    assert await position(page) > archived.starts_s[B]
    await page.keyboard.press("Home")
    assert await position(page) == 0.0

    await page.keyboard.press("?")
    await page.get_by_role("switch").click()
    await page.keyboard.press("Escape")
    await page.get_by_role("dialog").wait_for(state="detached")
    await page.keyboard.press("n")
    assert await position(page) == 0.0, "letters are switched off"
    await page.context.close()


async def test_the_timeline_leads_to_a_speech(archived: Archived, browser: Browser) -> None:
    person = await visit(archived, browser)
    page = await open_recording(archived, person)
    await expect(page.get_by_test_id("turn")).to_have_count(3)
    for number in (B, A):
        name = archived.server.demo.endpoints[number].name
        await page.get_by_test_id("lane").filter(has_text=name).click()
        await person.until_sees(FILM, number + 1)
    await page.keyboard.press("k")

    drawing = page.get_by_test_id("timeline-drawing")
    box = await drawing.bounding_box()
    assert box is not None
    await drawing.click(position={"x": box["width"] - 40, "y": box["height"] - 10})
    assert await position(page) > archived.starts_s[B]
    await person.until_sees(FILM, B + 1)
    await page.context.close()


async def test_filters_are_in_the_address(archived: Archived, browser: Browser) -> None:
    page = (await visit(archived, browser)).page
    await page.goto(f"{archived.server.url}/archive")
    row = page.locator(f"[data-recording={archived.recording_id}]")
    await row.wait_for()
    await page.get_by_label("Trạng thái").select_option("destroyed")
    await page.get_by_test_id("archive-empty").wait_for()
    assert page.url.endswith("?state=destroyed")
    await page.go_back()
    await row.wait_for()
    await page.goto(f"{archived.server.url}/archive?to=2001-01-01")
    await page.get_by_test_id("archive-empty").wait_for()
    await page.get_by_role("button", name="Bỏ lọc").click()
    await row.wait_for()
    await page.context.close()


async def test_script_stays_text(archived: Archived, browser: Browser) -> None:
    """SCENARIOS row 34: in a subject, in chat, and in what was searched for."""
    person = await visit(archived, browser)
    page = person.page
    await page.goto(f"{archived.server.url}/archive?q=kien+nghi")
    await expect(page.get_by_test_id("hit").filter(has_text="<img src=x onerror=alert(1)>").first).to_be_visible()
    await page.get_by_test_id("archive-search").fill("<script>alert(3)</script>")
    await page.get_by_test_id("archive-empty").wait_for()
    await open_recording(archived, person)
    await expect(page.get_by_test_id("chapter").filter(has_text=SUBJECTS[B])).to_be_visible()
    await page.get_by_test_id("contents-search").fill("script")
    chat = page.get_by_test_id("chat-lines").get_by_role("button")
    await expect(chat).to_contain_text("<script>alert(2)</script> Xã đã nhận")
    assert await page.locator("main img, main script").count() == 0
    await page.context.close()


async def test_what_is_whole_is_proved_in_words(archived: Archived, browser: Browser) -> None:
    person = await visit(archived, browser)
    page = await open_recording(archived, person)
    await page.get_by_test_id("verify").click()
    report = page.get_by_test_id("verify-report")
    await expect(report).to_have_attribute("data-ok", "true")
    await expect(report).to_contain_text("không bị cắt, không bị sửa")
    key = await page.evaluate("fetch('/api/recordings/key').then(answer => answer.text())")
    assert (await report.locator("code").inner_text())[:8] in key.replace("\n", "") or "BEGIN PUBLIC KEY" in key
    await page.context.close()


async def test_captions_are_brought_shown_and_removed(archived: Archived, browser: Browser) -> None:
    person = await visit(archived, browser)
    page = await open_recording(archived, person)
    picker = page.get_by_test_id("captions-file")
    await picker.set_input_files({"name": "a.vtt", "mimeType": "text/vtt", "buffer": b"no captions"})
    await expect(page.get_by_test_id("toast-error")).to_be_visible()
    vtt = "WEBVTT\n\n00:00.000 --> 00:59.000\nXin chào\n".encode()
    await picker.set_input_files({"name": "b.vtt", "mimeType": "text/vtt", "buffer": vtt})
    await page.get_by_test_id("captions").click()
    await page.locator(FILM).evaluate("video => video.play()")
    cue = "() => document.querySelector('[data-testid=film]').textTracks[0]?.activeCues?.[0]?.text === 'Xin chào'"
    await page.wait_for_function(cue)
    await page.get_by_test_id("remove-captions").click()
    await page.get_by_test_id("confirm").click()
    await expect(page.get_by_test_id("captions")).to_have_count(0)
    await page.context.close()


async def test_others_find_nothing(archived: Archived, browser: Browser) -> None:
    person = await visit(archived, browser, archived.server.demo.endpoints[A])
    page = person.page
    await expect(page.get_by_role("link", name="Lưu trữ")).to_have_count(0)
    await page.goto(f"{archived.server.url}/archive/{archived.recording_id}")
    await expect(page.get_by_role("heading", name="Không tìm thấy bản ghi này")).to_be_visible()
    await page.context.close()


async def test_held_then_destroyed(archived: Archived, browser: Browser) -> None:
    recording_id = await start_recording(archived.server, archived.company.http)
    await stop_recording(archived.server, archived.company.http)
    title = (await when_ended(archived.server, archived.company.http, recording_id))["title"]
    page = (await visit(archived, browser)).page
    await page.goto(f"{archived.server.url}/archive/{recording_id}")

    for held in (True, False):
        await page.get_by_test_id("change-keeping").click()
        await page.get_by_role("switch").click()
        await page.get_by_test_id("save-keeping").click()
        await expect(page.get_by_text("Nhập lý do.")).to_be_visible()
        await page.get_by_test_id("keeping-reason").fill("Thanh tra tỉnh yêu cầu")
        await page.get_by_test_id("save-keeping").click()
        await page.get_by_role("dialog").wait_for(state="detached")
        destroy = page.get_by_test_id("destroy")
        await (expect(destroy).to_be_disabled() if held else expect(destroy).to_be_enabled())

    await page.get_by_test_id("destroy").click()
    await page.get_by_test_id("destroy-reason").fill("Ghi nhầm")
    await page.get_by_test_id("destroy-title").fill("Cuộc họp khác")
    await page.get_by_test_id("confirm-destroy").click()
    await expect(page.get_by_text("Tên cuộc họp chưa khớp.")).to_be_visible()
    await page.get_by_test_id("destroy-title").fill(title)
    await page.get_by_test_id("confirm-destroy").click()
    certificate = page.get_by_test_id("certificate")
    await expect(certificate).to_contain_text("Ghi nhầm")
    await expect(certificate).to_contain_text(recording_id)
    await expect(page.get_by_test_id("player")).to_have_count(0)
    await page.context.close()
