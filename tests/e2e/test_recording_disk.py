"""The disk is full in a recorded meeting (SCENARIOS row 12): the meeting goes on, the operator knows, nothing is lost
that had been written, and recording goes on where there is room again."""

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.bots.meeting_socket import MeetingSocket
from server.recording.events import Closed, Paused, Resumed
from server.signaling import messages
from tests.e2e.recorded import RecordedMeeting
from tests.support.server_process import ServerProcess
from tests.support.virtual_peer import Company

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

MAIN, A = 0, 1
TOLD_WITHIN_S = 5.0
CONFIG = """
[recording]
full_octets = 4000000
resume_octets = 8000000
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """24 MB of memory as the recordings' disk."""
    folder = tmp_path / "data" / "recordings"
    folder.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


class Operator:
    """Keeps the alarms and what it is told of the recording, with their times."""

    def __init__(self, company: Company, server: ServerProcess) -> None:
        self._clock = company.clock
        self._changed = asyncio.Event()
        self.alarms: list[tuple[float, str, bool]] = []
        self.states: list[tuple[float, str]] = []
        self.socket = MeetingSocket(company.http, server.url, server.demo.meeting, server.demo.operator.token)
        self.socket.on_message = self._take

    def _take(self, message: messages.FromServer) -> None:
        now = self._clock.now()
        if isinstance(message, messages.Alarm):
            self.alarms.append((now, message.code, message.active))
        elif isinstance(message, messages.MeetingChanged):
            recording = message.meeting.recording
            self.states.append((now, recording.state if recording is not None else "none"))
        self._changed.set()

    async def until_told(self, code: str, active: bool) -> float:
        """When the alarm came. Raises TimeoutError."""
        return await self._until(lambda: [at for at, *alarm in self.alarms if alarm == [code, active]])

    async def until_everybody_sees(self, state: str) -> float:
        """When the recording's sign was last told so. Raises TimeoutError."""
        return await self._until(lambda: [at for at, shown in self.states[-1:] if shown == state])

    async def _until(self, times: Callable[[], list[float]]) -> float:
        async with asyncio.timeout(30.0):
            while not (found := times()):
                self._changed.clear()
                await self._changed.wait()
        return found[0]


async def test_a_full_disk_pauses_the_recording_and_not_the_meeting(tmp_path: Path, small_disk: Path) -> None:
    async with ServerProcess(tmp_path, endpoints=3, config=CONFIG) as server, Company(server) as company:
        meeting, operator = RecordedMeeting(server, company), Operator(company, server)
        await operator.socket.open()
        await company.publish(MAIN)
        listener = await company.watch(A)
        await meeting.start()
        await listener.received.hear_for(MAIN, 3.0)

        ballast = small_disk / "ballast"
        full_at = company.clock.now()
        ballast.write_bytes(bytes(20_800_000))
        told_at = await operator.until_told("recording_paused", True)
        assert told_at - full_at <= TOLD_WITHIN_S
        assert await operator.until_everybody_sees("paused") - full_at <= TOLD_WITHIN_S
        await listener.received.hear_for(MAIN, 2.0)
        assert listener.received.longest_pause_s(full_at, company.clock.now()) < 0.5

        ballast.unlink()
        await operator.until_told("recording_paused", False)
        await operator.until_everybody_sees("on")
        free_at = company.clock.now()
        await listener.received.hear_for(MAIN, 3.0)
        await meeting.stop()
        await operator.socket.close(bye=True)

        status, report = await meeting.verify()
        assert (status, report["findings"]) == (0, [])
        kinds = [type(line.event) for line in meeting.lines()]
        assert kinds.count(Paused) == kinds.count(Resumed) == 1
        assert kinds[-1] is Closed
        (gap,) = [gap for gap in meeting.gaps() if gap.reason == "disk_full"]
        assert gap.starts_at - full_at <= TOLD_WITHIN_S
        assert gap.ends_at == pytest.approx(free_at, abs=3.0)
        for track in ("mic", "camera"):
            before = max(it.ends_at for it in meeting.segments(MAIN, track) if it.starts_at < full_at)
            after = min(it.starts_at for it in meeting.segments(MAIN, track) if it.starts_at > full_at)
            assert gap.starts_at - before <= 2.0, "what came before the disk was full is there"
            assert after - gap.ends_at <= 2.0
