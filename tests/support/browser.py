"""A person at a browser: a real Chromium or Firefox whose camera and microphone are files, and what it receives.

Each endpoint has a colour pattern (``pictures``) and a tone (``tones``) of its own, so that a test can say who is
seen and who is heard.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from playwright.async_api import Browser, Page, Playwright

from tests.support.pictures import recognise, write_pattern_mjpeg
from tests.support.tones import write_tone_wav

PROBE = (Path(__file__).parent / "browser_probe.js").read_text("utf-8")
HEARD_DB = -60.0
"""Analyser level above which a tone is there. Silence and coding noise stay under -80 dB, our tones reach -20."""

CHROMIUM = "/usr/bin/chromium"
FIREFOX = "/usr/bin/firefox-esr"
_CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]
_FIREFOX_PREFS: dict[str, str | float | bool] = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "media.autoplay.block-webaudio": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "app.update.enabled": False,
}


@dataclass(frozen=True)
class Sample:
    """Levels in dB of the frequencies asked for, at ``at`` (Unix seconds)."""

    at: float
    levels_db: tuple[float, ...]


class Person:
    """Somebody at a page of the product."""

    def __init__(self, page: Page, base_url: str) -> None:
        self.page = page
        self._base_url = base_url
        self._frequencies: tuple[int, ...] = ()

    async def sign_in(self, username: str, password: str) -> None:
        """Through the sign-in page, as a person would."""
        await self.page.goto(f"{self._base_url}/")
        await self.page.locator("input[autocomplete=username]").fill(username)
        await self.page.locator("input[type=password]").fill(password)
        await self.page.get_by_test_id("sign-in").click()

    async def join(self) -> None:
        """From the list of meetings into the open one, past the device check."""
        await self.page.get_by_test_id("join").first.click()
        await self.page.get_by_test_id("enter").click()

    async def listen(self, frequencies: tuple[int, ...]) -> None:
        """Begin to log these tones in everything received."""
        self._frequencies = frequencies
        await self.page.evaluate("frequencies => window.__probe.listen(frequencies)", list(frequencies))

    async def samples(self, since: float = 0.0) -> list[Sample]:
        """What was logged since then (Unix seconds)."""
        rows: list[list[float]] = await self.page.evaluate(
            "since => window.__probe.log.filter(row => row[0] >= since)", since * 1000
        )
        return [Sample(row[0] / 1000, tuple(-200.0 if v is None else v for v in row[1:])) for row in rows]

    async def heard_since(self, frequency: int, since: float) -> list[float]:
        """Times at which the tone was there."""
        place = self._frequencies.index(frequency)
        return [sample.at for sample in await self.samples(since) if sample.levels_db[place] > HEARD_DB]

    async def until_heard(self, frequency: int, since: float, present: bool = True) -> float:
        """Wait until the latest sample has the tone (or has it not); returns the first such time after ``since``."""
        place = self._frequencies.index(frequency)
        found = await self.page.wait_for_function(
            """([place, since, level, present]) => {
                const row = window.__probe.log.find(row => row[0] >= since && (row[place + 1] > level) === present)
                return row ? row[0] : false
            }""",
            arg=[place, since * 1000, HEARD_DB, present],
            timeout=15_000,
            polling=20,
        )
        return float(await found.json_value()) / 1000

    async def logged_until(self, at: float) -> None:
        """Wait until the log covers everything up to ``at`` (Unix seconds)."""
        await self.page.wait_for_function(
            "at => window.__probe.log.length && window.__probe.log.at(-1)[0] >= at", arg=at * 1000, polling=50
        )

    async def last_heard(self, frequency: int, since: float) -> float:
        """The last time at which the tone was there after ``since``; ``since`` itself where it never was."""
        return max(await self.heard_since(frequency, since), default=since)

    async def sees(self, selector: str) -> int | None:
        """Whose pattern a video element shows now."""
        flat: list[int] | None = await self.page.evaluate("selector => window.__probe.pixels(selector)", selector)
        if flat is None:
            return None
        return recognise(np.array(flat, np.uint8).reshape(36, 64, 4)[:, :, :3])

    async def until_sees(self, selector: str, pattern: int) -> None:
        """Wait for the pattern in the element; raises AssertionError after 15 s."""
        seen: int | None = None
        for _ in range(150):
            seen = await self.sees(selector)
            if seen == pattern:
                return
            await self.page.wait_for_timeout(100)
        raise AssertionError(f"{selector} shows {seen}, not {pattern}")

    async def until_plays(self, selector: str, frequency: int) -> None:
        """Wait for the tone in what a media element plays; raises playwright's TimeoutError after 15 s."""
        await self.page.wait_for_function(
            "async ([selector, frequency, level]) => await window.__probe.level(selector, frequency) > level",
            arg=[selector, frequency, HEARD_DB],
            timeout=15_000,
            polling=50,
        )

    async def probe(self, field: str) -> Any:
        """A counter of the probe: ``offers``, and ``connections`` that made one."""
        return await self.page.evaluate("field => window.__probe[field]", field)


@asynccontextmanager
async def chromium(
    playwright: Playwright,
    folder: Path,
    *,
    pattern: int,
    tone: int,
    program: str | Path = CHROMIUM,
    flags: Sequence[str] = (),
) -> AsyncIterator[Browser]:
    """A Chromium whose camera shows the pattern and whose microphone hears the tone, for all its people."""
    picture, sound = _write_devices(folder, pattern, tone)
    browser = await playwright.chromium.launch(
        executable_path=program,
        args=[
            *_CHROMIUM_FLAGS,
            *flags,
            f"--use-file-for-fake-video-capture={picture}",
            f"--use-file-for-fake-audio-capture={sound}",
        ],
    )
    try:
        yield browser
    finally:
        await browser.close()


async def chromium_visitor(browser: Browser, base_url: str, **window: Any) -> Person:
    """Somebody with a window and a sign-in of their own in a shared Chromium; ``window``: Playwright's options."""
    context = await browser.new_context(**{"locale": "vi-VN", "permissions": ["camera", "microphone"], **window})
    await context.add_init_script(PROBE)
    return Person(await context.new_page(), base_url)


@asynccontextmanager
async def chromium_person(
    playwright: Playwright, base_url: str, folder: Path, *, pattern: int, tone: int
) -> AsyncIterator[Person]:
    """Somebody with a Chromium alone (fake devices are per process): a pattern as camera, tone as microphone."""
    async with chromium(playwright, folder, pattern=pattern, tone=tone) as browser:
        yield await chromium_visitor(browser, base_url)


def _write_devices(folder: Path, pattern: int, tone: int) -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    return write_pattern_mjpeg(folder / "camera.mjpeg", pattern), write_tone_wav(folder / "microphone.wav", tone)


@asynccontextmanager
async def firefox_person(playwright: Playwright, base_url: str, folder: Path) -> AsyncIterator[Person]:
    """Firefox ESR with its own fake camera and microphone.

    Its audio clock stands still without a sound card, so it gets one that goes nowhere.
    """
    async with _null_sound_card(folder) as sound_server:
        browser = await playwright.firefox.launch(
            channel="moz-firefox",
            executable_path=FIREFOX,
            firefox_user_prefs=_FIREFOX_PREFS,
            env={**os.environ, "PULSE_SERVER": sound_server},
        )
        try:
            context = await browser.new_context(locale="vi-VN")
            await context.add_init_script(PROBE)
            yield Person(await context.new_page(), base_url)
        finally:
            await browser.close()


@asynccontextmanager
async def _null_sound_card(folder: Path) -> AsyncIterator[str]:
    """A PulseAudio server of its own with a null sink; yields its address."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    path = folder / "pulse"
    server = await asyncio.create_subprocess_exec(
        "pulseaudio",
        "-n",
        "--daemonize=no",
        "--exit-idle-time=-1",
        "--load=module-null-sink",
        f"--load=module-native-protocol-unix auth-anonymous=1 socket={path}",
        env={**os.environ, "PULSE_RUNTIME_PATH": str(folder), "HOME": str(folder)},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield f"unix:{path}"
    finally:
        server.terminate()
        await server.wait()
