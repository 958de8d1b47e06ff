"""A recorded meeting to be found in the archive: speeches with subjects, chat, script in both."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from server.room.commands import RequestFloor, Say
from tests.support.server_process import ServerProcess
from tests.support.virtual_peer import Company

MAIN, A, B = 0, 1, 2
SUBJECTS = {A: "Vướng mắc về giao thông nông thôn", B: "<img src=x onerror=alert(1)> Kiến nghị kinh phí"}
CHAT = ("Đề nghị gửi lại tài liệu số ba", "<script>alert(2)</script> Xã đã nhận")
SPEECH_S = 4.0
ENDED_WITHIN_S = 20.0
NO_FILM = "[archive]\nrender = false\n"


@dataclass(frozen=True)
class Archived:
    """A server with one closed recording. ``starts_s``: film seconds at which each commune's speech begins."""

    server: ServerProcess
    company: Company
    recording_id: str
    starts_s: dict[int, float]


@asynccontextmanager
async def archived_meeting(folder: Path, *, endpoints: int = 4, config: str = "") -> AsyncIterator[Archived]:
    """Communes A and B speak in turn to a subject each, and write a line of chat each."""
    async with ServerProcess(folder, endpoints=endpoints, config=config) as server, Company(server) as company:
        communes = {number: await company.join(number) for number in (MAIN, A, B)}
        listener = await company.watch(endpoints - 1)
        recording_id = await start_recording(server, company.http)
        await listener.received.hear_for(MAIN, 2.0)
        for number, line in zip((A, B), CHAT, strict=True):
            await communes[number].socket.command(RequestFloor(SUBJECTS[number]))
            await company.grant(number)
            await communes[number].socket.command(Say(line))
            await listener.received.hear_for(number, SPEECH_S)
            await company.withdraw(number)
        await stop_recording(server, company.http)
        detail = await when_ended(server, company.http, recording_id)
        starts = {chapter["seat_id"]: chapter["starts_s"] for chapter in detail["chapters"]}
        seats = {number: server.demo.endpoints[number].id for number in (A, B)}
        yield Archived(server, company, recording_id, {number: starts[seat] for number, seat in seats.items()})


async def start_recording(server: ServerProcess, http: aiohttp.ClientSession) -> str:
    path = f"/api/meetings/{server.demo.meeting}/recording"
    return str((await call(server, http, "POST", path, who="chair"))["recording_id"])


async def stop_recording(server: ServerProcess, http: aiohttp.ClientSession) -> None:
    await call(server, http, "DELETE", f"/api/meetings/{server.demo.meeting}/recording", who="chair")


async def when_ended(server: ServerProcess, http: aiohttp.ClientSession, recording_id: str) -> Any:
    """The recording's detail as soon as the archive knows that it has ended. REST tells nobody, so it is asked."""
    async with asyncio.timeout(ENDED_WITHIN_S):
        while True:
            detail = await call(server, http, "GET", f"/api/recordings/{recording_id}", who="archivist")
            if detail["ended_at"] is not None:
                return detail
            await asyncio.sleep(0.1)


async def call(
    server: ServerProcess, http: aiohttp.ClientSession, method: str, path: str, *, who: str, body: Any = None
) -> Any:
    """Raises aiohttp.ClientResponseError."""
    headers = {"Authorization": f"Bearer {getattr(server.demo, who).token}"}
    async with http.request(method, f"{server.url}{path}", json=body, headers=headers) as response:
        response.raise_for_status()
        return await response.json() if response.content_type == "application/json" else await response.read()
