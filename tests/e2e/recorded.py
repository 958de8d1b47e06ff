"""A recorded meeting for tests: started and stopped over REST, its folder read, checked and rendered from outside."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from server.recording.events import Event, Gap, Line, SegmentClosed
from server.recording.log import read_log
from tests.support.server_process import ROOT, ServerProcess
from tests.support.virtual_peer import Company

RENDERED_WITHIN_S = 240.0


class RecordedMeeting:
    """The one meeting of a server's demo data."""

    def __init__(self, server: ServerProcess, company: Company) -> None:
        self.server = server
        self.company = company
        self.recording_id = ""

    @property
    def folder(self) -> Path:
        return self.server.folder / "data" / "recordings" / self.recording_id

    async def start(self) -> None:
        started = await self.call("POST", f"/api/meetings/{self.server.demo.meeting}/recording")
        self.recording_id = started["recording_id"]

    async def stop(self) -> None:
        await self.call("DELETE", f"/api/meetings/{self.server.demo.meeting}/recording")

    async def call(self, method: str, path: str, *, who: str = "chair", body: Any = None) -> Any:
        """Raises aiohttp.ClientResponseError."""
        token = getattr(self.server.demo, who).token
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{self.server.url}{path}"
        async with self.company.http.request(method, url, json=body, headers=headers) as response:
            response.raise_for_status()
            return await response.json() if response.content_type == "application/json" else await response.read()

    # --- what is on the disk ---------------------------------------------------------------------

    def lines(self) -> list[Line]:
        """The log as it is now; its chain is checked by the reading."""
        return read_log(self.folder)

    def events(self, kind: type[Event]) -> list[Any]:
        return [line.event for line in self.lines() if isinstance(line.event, kind)]

    def segments(self, number: int, track: str) -> list[SegmentClosed]:
        seat_id = self.server.demo.endpoints[number].id
        found = [it for it in self.events(SegmentClosed) if (it.seat_id, it.track) == (seat_id, track)]
        return sorted(found, key=lambda it: float(it.starts_at))

    def gaps(self) -> list[Gap]:
        return self.events(Gap)

    async def verify(self) -> tuple[int, Any]:
        """Exit status and report of ``diemcau recordings verify``."""
        status, output = await diemcau("recordings", "verify", "--json", str(self.folder))
        return status, msgspec.json.decode(output)

    async def render(self) -> Path:
        """The film, rendered by the command line."""
        data = str(self.server.folder / "data")
        status, output = await diemcau("recordings", "render", str(self.folder), "--data", data)
        assert status == 0, output.decode("utf-8", "replace")
        return self.folder / "film.mp4"

    # --- the writer ------------------------------------------------------------------------------

    def writer_pid(self) -> int:
        """The server's child that writes this recording."""
        found = [pid for pid in children(self.server.pid) if "server.recording.writer" in command_line(pid)]
        assert len(found) == 1, f"writers: {found}"
        return found[0]

    def kill_writer(self) -> None:
        os.kill(self.writer_pid(), signal.SIGKILL)


async def diemcau(*arguments: str, within_s: float = RENDERED_WITHIN_S) -> tuple[int, bytes]:
    """Run the command line; status and what it printed. Raises TimeoutError."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server", *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=None
    )
    try:
        async with asyncio.timeout(within_s):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, output


def children(pid: int) -> Sequence[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in text.split()]


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
