"""A recording made elsewhere is imported beside a running server, found in its archive, and taken away again by curl:
broken off by a limit and by a killed server, resumed with ``curl -C -``, and the same to the last octet."""

import asyncio
import random
import time
from pathlib import Path

import aiohttp
import pytest

from server.recording.importing import import_package
from server.recording.keys import SigningKey
from server.recording.package import Package
from server.recording.verify import verify_recording
from tests.support.recordings import a_meeting, make_recording, write_film
from tests.support.server_process import ServerProcess

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

RID = "rec_22222222"
FILM_OCTETS = 64 << 20
CONFIG = "[archive]\nlook_again_s = 0.5\nrender = false\n"
_PARTIAL, _GOT_NOTHING, _RECEIVE_ERROR = 18, 52, 56
"""curl's exit statuses for a transfer that broke off."""


async def run(*command: str | Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode("utf-8", "replace")


def made_elsewhere(folder: Path, meeting_id: str) -> Path:
    key = SigningKey.generate()
    folder.mkdir(parents=True)
    make_recording(folder, key, a_meeting(folder), film=False, meeting_id=meeting_id)
    write_film(folder, key, random.Random(1).randbytes(FILM_OCTETS))  # noqa: S311 - repeatable octets
    return folder


async def is_in_the_archive(url: str, token: str) -> None:
    deadline = time.monotonic() + 30
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        while True:
            async with session.get(f"{url}/api/recordings/{RID}") as response:
                if response.status == 200:
                    assert (await response.json())["title"] == "Giao ban tháng 11"
                    return
                assert time.monotonic() < deadline, await response.text()
            await asyncio.sleep(0.2)  # polls a server: there is nothing to wait for but its answer


def octets_of(path: Path) -> int:
    return path.stat().st_size


async def has_grown(path: Path, octets: int) -> None:
    for _ in range(600):
        if octets_of(path) > octets:
            return
        await asyncio.sleep(0.05)  # another program writes: there is nothing to wait for but the file
    pytest.fail(f"{path.name} does not grow")


async def test_a_package_comes_in_and_goes_out_in_pieces(tmp_path: Path) -> None:
    async with ServerProcess(tmp_path / "server", endpoints=2, config=CONFIG) as server:
        original = made_elsewhere(tmp_path / "elsewhere" / RID, server.demo.meeting)
        recordings = server.folder / "data" / "recordings"
        await asyncio.to_thread(import_package, original, recordings)
        token = server.demo.archivist.token
        await is_in_the_archive(server.url, token)

        for name in ("package.tar", "film.mp4"):
            target = tmp_path / name
            curl = ["curl", "--silent", "--show-error", "--fail", "-H", f"Authorization: Bearer {token}"]
            curl += ["-C", "-", "-o", str(target), f"{server.url}/api/recordings/{RID}/{name}"]
            status, said = await run(*curl, "--limit-rate", "2M", "--max-time", "1")
            assert status == 28, said  # its time was up
            first = octets_of(target)
            assert 0 < first < FILM_OCTETS

            download = asyncio.create_task(run(*curl, "--limit-rate", "4M"))
            await has_grown(target, first)
            server.kill()
            status, said = await download
            assert status in (_PARTIAL, _GOT_NOTHING, _RECEIVE_ERROR), said
            assert first < octets_of(target) < FILM_OCTETS, said

            await server.start()
            status, said = await run(*curl)
            assert status == 0, said

        package = Package(original)
        taken = (tmp_path / "package.tar").read_bytes()
        assert taken == package.read(0, package.size)
        assert (tmp_path / "film.mp4").read_bytes() == (original / "film.mp4").read_bytes()
        back = import_package(tmp_path / "package.tar", tmp_path / "archive")
        assert verify_recording(back.folder).findings == ()
