"""Take docs/screenshots: every page in Vietnamese, on a desktop and on a phone, from a demo with moving endpoints."""

import asyncio
import os
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from av import VideoFrame
from PIL import Image
from playwright.async_api import Browser, Page, Playwright, async_playwright, expect

from scripts.lock import ROOT
from server.bots.drawing import office_picture
from tests.support.server_process import ServerProcess

FOLDER = ROOT / "docs/screenshots"
CHROMIUM = "/usr/bin/chromium"
ENDPOINTS = 24
BOTS = 16
SIZES = {"desktop": (1366, 768), "phone": (390, 844)}
SUBJECT = "Kinh phí làm đường vào bản"
SEARCHED = "lam duong"  # as somebody types in a hurry
FILM_READY_WITHIN_MS = 240_000
NAME_BAND = 0.2  # of the height: a real camera shows no name on its picture
SETTLED_MS = 2_500  # pictures have come in at the size they are shown at, and notices have gone by


async def take_all() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        async with ServerProcess(folder, endpoints=ENDPOINTS) as server, async_playwright() as playwright:
            bots = await _start_bots(server, folder)
            try:
                await _take_pages(playwright, server, folder)
            finally:
                bots.terminate()
                await bots.wait()


async def _start_bots(server: ServerProcess, folder: Path) -> Process:
    """Returns when all of them are in the meeting."""
    command = ["-m", "server", "bots", "--data", str(folder / "data"), "--url", server.url, "--endpoints", str(BOTS)]
    bots = await asyncio.create_subprocess_exec(sys.executable, *command, cwd=ROOT, stdout=PIPE)
    assert bots.stdout is not None
    while b"are in the meeting" not in (line := await bots.stdout.readline()):
        if not line:
            raise SystemExit("the moving endpoints did not get in")
    return bots


async def _take_pages(playwright: Playwright, server: ServerProcess, folder: Path) -> None:
    chair, commune = server.demo.chair, server.demo.endpoints[1]
    async with (
        _browser(playwright, folder, 0) as chair_browser,
        _browser(playwright, folder, 1) as commune_browser,
    ):
        for size in SIZES:
            await _take_the_way_in(commune_browser, server, commune.username, commune.password, size)
        chair_page = await _join(chair_browser, server, chair.username, chair.password, "desktop")
        await chair_page.get_by_test_id("start-recording").click()
        await chair_page.get_by_test_id("recording-sign").wait_for()
        attendee = await _join(commune_browser, server, commune.username, commune.password, "desktop")
        await _ask_for_the_floor(attendee)
        await chair_page.get_by_test_id("request").filter(has_text=commune.name).wait_for()
        # Moving endpoints ask for the floor by themselves, now and then.
        await expect(chair_page.get_by_test_id("request").nth(2)).to_be_attached(timeout=120_000)
        await _take(chair_page, "chair", "desktop")
        await _take(attendee, "attendee-queued", "desktop")
        await chair_page.get_by_test_id("request").filter(has_text=commune.name).get_by_test_id("grant").click()
        await attendee.locator("[data-testid=meeting][data-standing=speaking]").wait_for()
        await _take(attendee, "attendee", "desktop")
        await attendee.context.close()
        attendee = await _join(commune_browser, server, commune.username, commune.password, "phone")
        await _take(attendee, "attendee", "phone")
        await chair_page.context.close()
        chair_page = await _join(chair_browser, server, chair.username, chair.password, "phone")
        await _take(chair_page, "chair", "phone")
        await chair_page.goto(server.url)
        await _stop_recording(chair_page, server)
        await chair_page.context.close()
        for size in SIZES:
            await _take_the_archive(commune_browser, server, size)


async def _ask_for_the_floor(attendee: Page) -> None:
    await attendee.get_by_role("button", name="Thêm nội dung").click()
    await attendee.locator("#subject").fill(SUBJECT)
    await attendee.locator("form", has=attendee.locator("#subject")).get_by_role("button").click()


async def _stop_recording(chair_page: Page, server: ServerProcess) -> None:
    path = f"/api/meetings/{server.demo.meeting}/recording"
    assert await chair_page.evaluate("async path => (await fetch(path, {method: 'DELETE'})).ok", path)


async def _take_the_archive(browser: Browser, server: ServerProcess, size: str) -> None:
    page = await _open(browser, size)
    await page.goto(server.url)
    await _fill_in_sign_in(page, server.demo.archivist.username, server.demo.archivist.password)
    await page.get_by_test_id("who").wait_for()
    await page.goto(f"{server.url}/archive?q={SEARCHED}")
    hit = page.get_by_test_id("hit").first
    await hit.wait_for()
    await page.locator("[data-state=ready]").first.wait_for(timeout=FILM_READY_WITHIN_MS)
    await _take(page, "archive", size)
    await hit.click()
    await page.get_by_test_id("timeline").wait_for()
    await _take(page, "recording", size)
    await page.context.close()


async def _take_the_way_in(browser: Browser, server: ServerProcess, username: str, password: str, size: str) -> None:
    page = await _open(browser, size)
    await page.goto(server.url)
    await page.get_by_label("Tên đăng nhập").wait_for()
    await _take(page, "sign-in", size)
    await _sign_in(page, username, password)
    await _take(page, "meetings", size)
    await page.goto(f"{server.url}/meetings/{server.demo.meeting}/check")
    await page.get_by_test_id("enter").wait_for()
    await _take(page, "check", size)
    await page.context.close()


async def _join(browser: Browser, server: ServerProcess, username: str, password: str, size: str) -> Page:
    page = await _open(browser, size)
    await page.goto(server.url)
    await _sign_in(page, username, password)
    await page.goto(f"{server.url}/meetings/{server.demo.meeting}/check")
    await page.get_by_test_id("enter").click()
    await page.locator("[data-testid=meeting][data-media=connected]").wait_for()
    return page


async def _sign_in(page: Page, username: str, password: str) -> None:
    await _fill_in_sign_in(page, username, password)
    await page.get_by_test_id("join").first.wait_for()


async def _fill_in_sign_in(page: Page, username: str, password: str) -> None:
    await page.get_by_label("Tên đăng nhập").fill(username)
    await page.get_by_label("Mật khẩu", exact=True).fill(password)
    await page.get_by_role("button", name="Đăng nhập").click()


async def _open(browser: Browser, size: str) -> Page:
    width, height = SIZES[size]
    phone = size == "phone"
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=2 if phone else 1,
        has_touch=phone,
        is_mobile=phone,
        locale="vi-VN",
        timezone_id="Asia/Ho_Chi_Minh",
        permissions=["camera", "microphone"],
    )
    return await context.new_page()


async def _take(page: Page, name: str, size: str) -> None:
    await expect(page.get_by_text("Đang chờ hình").filter(visible=True)).to_have_count(0, timeout=20_000)
    await page.wait_for_timeout(SETTLED_MS)
    path = FOLDER / f"{name}-{size}.png"
    await page.screenshot(path=path)
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path.relative_to(ROOT), f"{path.stat().st_size // 1024} KiB", flush=True)


@asynccontextmanager
async def _browser(playwright: Playwright, folder: Path, index: int) -> AsyncIterator[Browser]:
    """Chromium whose camera shows a drawn person."""
    camera = _camera_file(folder / f"camera{index}.y4m", index)
    browser = await playwright.chromium.launch(
        executable_path=CHROMIUM,
        env={**os.environ, "LANGUAGE": "vi"},  # how Chromium itself writes dates in its own fields
        args=[
            "--no-sandbox",
            "--lang=vi",
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={camera}",
            "--autoplay-policy=no-user-gesture-required",
        ],
    )
    try:
        yield browser
    finally:
        await browser.close()


def _camera_file(path: Path, index: int, width: int = 640, height: int = 360, frames: int = 30) -> Path:
    draw, band = office_picture(index, ""), round(height * NAME_BAND)
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F15:1 Ip A1:1 C420mpeg2\n".encode())
        for number in range(frames):
            picture = VideoFrame.from_ndarray(
                np.asarray(draw(width, height + band, number, frames))[band:], format="rgb24"
            )
            file.write(b"FRAME\n" + picture.reformat(format="yuv420p").to_ndarray().tobytes())
    return path


if __name__ == "__main__":
    asyncio.run(take_all())
