"""The real writer process: killed, stopped, starved of room, left alone by its server. What may be lost is bounded."""

import asyncio
import contextlib
import logging
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from server.recording.events import Chatted, Closed, Gap, Paused, Resumed
from server.recording.link import WriterLimits
from server.recording.verify import verify_recording
from tests.recording.live import LiveRecording
from tests.recording.rig import SMALL, closed_segments, decode, events, gaps

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

MAY_BE_LOST_S = 2.0

_logger = logging.getLogger(__name__)


def dice() -> random.Random:
    """Its seed is shown where the test fails."""
    seed = int.from_bytes(os.urandom(4))
    _logger.warning("seed %d", seed)
    return random.Random(seed)  # noqa: S311  moments of a test, no secret


def media_seconds(folder: Path, track: str) -> list[tuple[float, float]]:
    """When something is there, by the server's clock: every segment decoded, its frames counted by their times."""
    spans = []
    for closed in closed_segments(folder, track):
        segment = decode(folder, closed)
        assert set(segment.tones) <= {400.0}
        assert all(abs(value - 60) < 12 for value in segment.brightness)
        assert track == "mic" or len(segment.brightness) == len(segment.times)
        spans += [(time, time + 0.1) for time in segment.times]
    return sorted(spans)


def holes(folder: Path, track: str) -> list[float]:
    """Seconds between two frames, where it is more than a missing one."""
    spans = media_seconds(folder, track)
    assert spans
    return [begin - end for (_, end), (begin, _) in pairwise(spans) if begin - end > 0.1]


def chat(folder: Path) -> list[str]:
    return [event.text for event in events(folder) if isinstance(event, Chatted)]


async def test_what_went_in_is_in_the_files(tmp_path: Path) -> None:
    async with LiveRecording(tmp_path) as recording:
        await asyncio.sleep(2.5)
        await recording.stop_feeding()
        await recording.link.close("stopped")
    assert recording.link.stats.state == "closed"
    assert recording.listener.changes == [("ok", ""), ("closed", "")]
    sound, picture = sorted(closed_segments(recording.folder), key=lambda closed: closed.track != "mic")
    assert len(decode(recording.folder, sound).times) == recording.sounds
    assert len(decode(recording.folder, picture).brightness) == recording.pictures
    assert abs(sound.starts_at - picture.starts_at) < 0.02
    assert chat(recording.folder) == [f"line {number}" for number in range(recording.lines)]
    assert verify_recording(recording.folder).findings == ()


async def test_nothing_is_lost_when_the_writer_is_killed_at_any_moment(tmp_path: Path) -> None:
    """20 kills, at random moments of one recording: its successor goes on in the same files, at the same packet."""
    moments = dice()
    limits = msgspec.structs.replace(SMALL, segment_s=4.0, keyframe_ahead_s=0.5, restart_s=0.01, restart_max_s=0.01)
    async with LiveRecording(tmp_path, limits) as recording:
        await recording.listener.until("ok")
        for _ in range(20):
            await asyncio.sleep(moments.uniform(0.02, 0.8))
            if recording.link.process is not None:
                os.kill(recording.pid, signal.SIGKILL)
            await recording.listener.until("restarting")
            await recording.listener.until("ok")
        await asyncio.sleep(0.5)
        await recording.stop_feeding()
        await recording.link.close("stopped")
    assert recording.link.stats.state == "closed"
    assert recording.link.stats.restarts == 20
    assert holes(recording.folder, "mic") == []
    assert holes(recording.folder, "camera") == []
    assert len(media_seconds(recording.folder, "mic")) == recording.sounds
    assert len(media_seconds(recording.folder, "camera")) == recording.pictures
    assert chat(recording.folder) == [f"line {number}" for number in range(recording.lines)]
    assert gaps(recording.folder) == []
    assert verify_recording(recording.folder).findings == ()


async def test_a_writer_that_stands_still_for_a_while_loses_nothing(tmp_path: Path) -> None:
    """SIGSTOP of 10 s, scaled down together with the limits: an alarm, and then everything is written."""
    limits = msgspec.structs.replace(SMALL, stalled_s=1.0, kill_s=8.0)
    async with LiveRecording(tmp_path, limits) as recording:
        await recording.listener.until("ok")
        await asyncio.sleep(0.7)
        os.kill(recording.pid, signal.SIGSTOP)
        await recording.listener.until("stalled")
        await asyncio.sleep(2.0)
        assert recording.link.stats.backlog_s > 2.0
        os.kill(recording.pid, signal.SIGCONT)
        await recording.listener.until("ok")
        await asyncio.sleep(0.3)
        await recording.stop_feeding()
        await recording.link.close("stopped")
    assert recording.link.stats.restarts == 0
    assert recording.link.stats.dropped_packets == 0
    assert len(media_seconds(recording.folder, "mic")) == recording.sounds
    assert len(media_seconds(recording.folder, "camera")) == recording.pictures
    assert gaps(recording.folder) == []


async def test_a_writer_that_stands_still_for_good_is_replaced_and_nothing_is_lost(tmp_path: Path) -> None:
    limits = msgspec.structs.replace(SMALL, stalled_s=0.8, kill_s=2.5)
    async with LiveRecording(tmp_path, limits) as recording:
        await recording.listener.until("ok")
        await asyncio.sleep(0.7)
        os.kill(recording.pid, signal.SIGSTOP)
        await recording.listener.until("stalled")
        await recording.listener.until("restarting")
        await recording.listener.until("ok")
        await asyncio.sleep(0.5)
        await recording.stop_feeding()
        await recording.link.close("stopped")
    assert len(media_seconds(recording.folder, "mic")) == recording.sounds
    assert len(media_seconds(recording.folder, "camera")) == recording.pictures
    assert verify_recording(recording.folder).findings == ()


async def test_a_full_backlog_leaves_media_out_and_says_from_when_to_when(tmp_path: Path) -> None:
    limits = msgspec.structs.replace(SMALL, backlog_s=1.5, stalled_s=0.8, kill_s=30.0)
    async with LiveRecording(tmp_path, limits) as recording:
        await recording.listener.until("ok")
        await asyncio.sleep(0.7)
        os.kill(recording.pid, signal.SIGSTOP)
        await asyncio.sleep(3.5)
        dropped = recording.link.stats.dropped_packets
        assert dropped > 20
        os.kill(recording.pid, signal.SIGCONT)
        await recording.listener.until("ok")
        await asyncio.sleep(1.5)
        await recording.stop_feeding()
        await recording.link.close("stopped")
    assert chat(recording.folder) == [f"line {number}" for number in range(recording.lines)]
    (gap,) = gaps(recording.folder)
    assert gap.reason == "queue_full"
    for track in ("mic", "camera"):
        (hole,) = holes(recording.folder, track)
        assert abs(hole - (gap.ends_at - gap.starts_at)) < 0.6
    assert verify_recording(recording.folder).findings == ()


_SERVER = """
import asyncio, sys
from pathlib import Path
from tests.recording.live import LiveRecording
async def main():
    async with LiveRecording(Path(sys.argv[1]), again=sys.argv[2] == "again"):
        print("on", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    servers: list[subprocess.Popen[str]] = []
    yield servers
    for process in servers:
        process.kill()
        process.communicate()


def start(servers: list[subprocess.Popen[str]], folder: Path, *, again: bool) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(folder), "again" if again else "new"], stdout=subprocess.PIPE, text=True
    )
    servers.append(process)
    assert process.stdout is not None
    assert process.stdout.readline() == "on\n"
    return process


async def test_the_server_is_killed_and_comes_back(tmp_path: Path, server: list[subprocess.Popen[str]]) -> None:
    """20 kills of the process that feeds the writer; the writer finishes by itself, the next server goes on."""
    moments = dice()
    for turn in range(20):
        process = start(server, tmp_path, again=turn > 0)
        await asyncio.sleep(moments.uniform(0.1, 0.9))
        process.kill()
        process.wait()
    recording = LiveRecording(tmp_path, again=True)
    async with recording:
        await recording.listener.until("ok")
        await asyncio.sleep(0.5)
        await recording.stop_feeding()
        await recording.link.close("stopped")
    folder = recording.folder
    assert verify_recording(folder).findings == ()
    stops = [gap for gap in gaps(folder) if gap.reason == "server_stopped"]
    assert len(stops) == 20
    assert len([event for event in events(folder) if event == Resumed("server_stopped")]) == 20
    for track in ("mic", "camera"):
        for begin, end in missing(folder, track, stops):
            assert end - begin <= MAY_BE_LOST_S, f"{track} {begin} {end}"


def missing(folder: Path, track: str, stops: list[Gap]) -> list[tuple[float, float]]:
    """Holes beside the gaps that the log tells: media between the start of a server and its kill that is not there."""
    spans = media_seconds(folder, track)
    found = []
    for (_, end), (begin, _) in pairwise(spans):
        told = sum(max(0.0, min(begin, gap.ends_at) - max(end, gap.starts_at)) for gap in stops)
        if begin - end - told > 0.1:
            found.append((end + told, begin))
    return found


async def test_without_its_server_a_writer_finishes_and_goes(
    tmp_path: Path, server: list[subprocess.Popen[str]]
) -> None:
    process = start(server, tmp_path, again=False)
    await asyncio.sleep(1.5)
    process.kill()
    process.wait()
    recording = LiveRecording(tmp_path, again=True)
    async with recording:
        await recording.listener.until("ok")
        await asyncio.sleep(0.3)
        await recording.link.detach()
    assert recording.link.stats.state == "detached"
    closed = closed_segments(recording.folder)
    assert not any(event.recovered for event in closed)
    assert {event.track for event in closed} == {"mic", "camera"}
    assert not any(isinstance(event, Closed) for event in events(recording.folder))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", place]).returncode:
        pytest.skip("only root mounts a tmpfs; test_disk_full does the same without")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill(path: Path) -> None:
    """Until the disk takes no more."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4_096))


async def test_a_full_disk_pauses_the_recording_and_room_resumes_it(small_disk: Path) -> None:
    limits = WriterLimits(reserve_octets=262_144, full_octets=0, resume_octets=1_000_000)
    async with LiveRecording(small_disk, limits) as recording:
        await recording.listener.until("ok")
        await asyncio.sleep(1.0)
        hog = small_disk / "hog"
        fill(hog)
        await recording.listener.until("paused")
        assert recording.listener.changes[-1] == ("paused", "disk_full")
        await asyncio.sleep(1.5)
        hog.unlink()
        await recording.listener.until("ok")
        await asyncio.sleep(1.0)
        await recording.stop_feeding()
        await recording.link.close("stopped")
    folder = recording.folder
    assert verify_recording(folder).findings == ()
    told = [event for event in events(folder) if isinstance(event, Paused | Resumed)]
    assert told == [Paused("disk_full"), Resumed("disk_full")]
    (gap,) = gaps(folder)
    for track in ("mic", "camera"):
        (hole,) = holes(folder, track)
        assert hole <= gap.ends_at - gap.starts_at + MAY_BE_LOST_S
    assert chat(folder) == [f"line {number}" for number in range(recording.lines)]
