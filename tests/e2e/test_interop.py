"""Other people's WebRTC: ffmpeg and GStreamer publish, aiortc and libwebrtc watch. Picture and tone are checked."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import aiohttp
import pytest

from server.bots.loops import tone_hz
from server.bots.publisher import SIMULCAST
from tests.support.encoders import ffmpeg_whip, gstreamer_whip
from tests.support.server_process import ServerProcess
from tests.support.tones import SILENCE_DBFS
from tests.support.virtual_peer import Company
from tests.support.whep_clients import AiortcViewer, ForeignViewer, LibwebrtcViewer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

MAIN, COMMUNE, OTHER = range(3)


class Encoder(Protocol):
    def __call__(
        self, folder: Path, url: str, token: str, pattern_index: int, tone_hz: int
    ) -> AbstractAsyncContextManager[object]: ...


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    # libnice takes no loopback candidates, so every address of the machine is offered.
    async with ServerProcess(tmp_path, endpoints=3, media_host="0.0.0.0") as server:
        yield server


def whip_url(server: ServerProcess) -> str:
    return f"{server.url}/api/meetings/{server.demo.meeting}/whip"


@pytest.mark.parametrize(
    ("encoder", "viewer"),
    [
        pytest.param(ffmpeg_whip, AiortcViewer, id="ffmpeg-to-aiortc"),
        pytest.param(gstreamer_whip, AiortcViewer, id="gstreamer-to-aiortc"),
        pytest.param(gstreamer_whip, LibwebrtcViewer, id="gstreamer-to-libwebrtc"),
    ],
)
async def test_an_encoder_is_an_endpoint_that_others_see_and_hear(
    server: ServerProcess, tmp_path: Path, encoder: Encoder, viewer: type[ForeignViewer]
) -> None:
    """The main endpoint is an encoder: it holds the floor by right and is the stage's first picture."""
    demo = server.demo
    async with (
        encoder(tmp_path, whip_url(server), demo.endpoints[MAIN].token, MAIN + 1, tone_hz(MAIN)),
        aiohttp.ClientSession() as http,
        viewer(http, server.url, demo.meeting, demo.endpoints[COMMUNE].token) as watching,
    ):
        await watching.until_sees(MAIN + 1)
        await watching.until_hears(tone_hz(MAIN))
        assert not watching.hears(tone_hz(OTHER))
        assert watching.size == (640, 360)


@pytest.mark.parametrize("viewer", [AiortcViewer, LibwebrtcViewer])
async def test_a_foreign_viewer_follows_the_floor(server: ServerProcess, viewer: type[ForeignViewer]) -> None:
    """The commune's voice comes with the grant and goes with its end; the picture stays the main endpoint's."""
    demo = server.demo
    async with Company(server) as company:
        await company.join(MAIN)
        await company.join(COMMUNE)
        async with viewer(company.http, server.url, demo.meeting, demo.endpoints[OTHER].token, 2) as watching:
            await watching.until_sees(MAIN + 1)
            await watching.until_hears(tone_hz(MAIN))
            assert not watching.hears(tone_hz(COMMUNE))
            await company.grant(COMMUNE)
            await watching.until_hears(tone_hz(COMMUNE))
            await company.withdraw(COMMUNE)
            await watching.until_silent(tone_hz(COMMUNE))
            await watching.until_hears(tone_hz(MAIN))
            assert watching.sees == MAIN + 1


@pytest.mark.parametrize("viewer", [AiortcViewer, LibwebrtcViewer])
async def test_a_foreign_viewer_sees_a_simulcast_publisher(server: ServerProcess, viewer: type[ForeignViewer]) -> None:
    demo = server.demo
    async with Company(server) as company:
        await company.join(MAIN, rungs=SIMULCAST)
        async with viewer(company.http, server.url, demo.meeting, demo.endpoints[OTHER].token) as watching:
            await watching.until_sees(MAIN + 1)
            assert watching.size in [(rung.width, rung.height) for rung in SIMULCAST]


async def test_an_encoder_without_the_floor_is_seen_and_not_heard(server: ServerProcess, tmp_path: Path) -> None:
    demo = server.demo
    async with (
        Company(server) as company,
        gstreamer_whip(tmp_path, whip_url(server), demo.endpoints[COMMUNE].token, COMMUNE + 1, tone_hz(COMMUNE)),
    ):
        await company.join(MAIN)
        listener = await company.join(OTHER, video_slots=2)
        second = listener.connection.plan.video_mids[1]
        await listener.received.until_sees(COMMUNE, second, timeout_s=15)
        await listener.received.until_hears(MAIN)
        assert listener.received.peak_dbfs(COMMUNE, 0) < SILENCE_DBFS
        await company.grant(COMMUNE)
        await listener.received.until_hears(COMMUNE)
        await company.withdraw(COMMUNE)
        await listener.received.until_silent(COMMUNE)
