"""What a recording keeps of a meeting: who had the floor, nothing of who had not, and all of it through a crash."""

import os
import random
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from server.recording.events import FloorEnded, Granted, Opened, Resumed
from tests.e2e.recorded import RecordedMeeting
from tests.support.films import MediaFile
from tests.support.pictures import recognise
from tests.support.server_process import ServerProcess
from tests.support.tones import level_dbfs, tone_hz
from tests.support.virtual_peer import Company, HttpPeer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

MAIN, A, B, C = 0, 1, 2, 3
HEARD_DBFS, ABSENT_DBFS = -35.0, -50.0
CHAPTER_WITHIN_S = 0.2
LOSS_S = 2.0
KILLS = 20


@dataclass(frozen=True)
class Turn:
    """Giving and taking the floor: when each was asked for, and when it was answered."""

    given: tuple[float, float]
    taken: tuple[float, float]


async def speaks(company: Company, listener: HttpPeer, number: int, seconds: float) -> Turn:
    asked = company.clock.now()
    await company.grant(number)
    given = asked, company.clock.now()
    await listener.received.hear_for(number, seconds)
    asked = company.clock.now()
    await company.withdraw(number)
    return Turn(given, (asked, company.clock.now()))


async def test_each_chapter_has_its_speakers_tone_and_picture(tmp_path: Path) -> None:
    async with ServerProcess(tmp_path, endpoints=4) as server, Company(server) as company:
        meeting = RecordedMeeting(server, company)
        for number in (MAIN, A, B):
            await company.join(number)
        commune_c = await company.join(C, follow_floor=False)
        assert commune_c.endpoint.publisher is not None
        commune_c.endpoint.publisher.microphone.on = True  # without the floor (SCENARIOS row 32)

        listener = await company.watch(C)
        await meeting.start()
        turns = {number: await speaks(company, listener, number, 5.0) for number in (A, B)}
        await listener.received.hear_for(MAIN, 2.0)
        await meeting.stop()
        status, report = await meeting.verify()
        assert (status, report["findings"]) == (0, [])
        film = MediaFile(await meeting.render())

        lines = meeting.lines()
        opened_at = lines[0].at
        assert isinstance(lines[0].event, Opened)
        granted = {line.event.seat_id: line.at for line in lines if isinstance(line.event, Granted)}
        ended = {line.event.seat_id: line.at for line in lines if isinstance(line.event, FloorEnded)}
        names = {endpoint.id: endpoint.name for endpoint in server.demo.endpoints}
        for number, turn in turns.items():
            seat_id = server.demo.endpoints[number].id
            assert turn.given[0] <= granted[seat_id] <= turn.given[1]
            assert turn.taken[0] <= ended[seat_id] <= turn.taken[1]
            start, end, _ = next(chapter for chapter in film.chapters() if chapter[2].startswith(names[seat_id]))
            assert start == pytest.approx(granted[seat_id] - opened_at, abs=CHAPTER_WITHIN_S)
            assert end == pytest.approx(ended[seat_id] - opened_at, abs=CHAPTER_WITHIN_S)
            sound = film.sound(start + 0.7, end - 0.3)
            heard = {other: level_dbfs(sound, 48_000, tone_hz(other)) for other in (A, B, C)}
            assert heard[number] > HEARD_DBFS
            assert all(level < ABSENT_DBFS for other, level in heard.items() if other != number), heard
            assert recognise(film.picture(end - 0.6)) == number + 1

        for file in (meeting.folder / "tracks").glob("*-mic-*.mkv"):
            segment = MediaFile(file)
            sound = segment.sound(0.0, segment.duration_s)
            assert level_dbfs(sound, 48_000, tone_hz(C)) < ABSENT_DBFS, file.name
        assert meeting.segments(C, "mic") == []
        assert meeting.segments(C, "camera") == []


async def test_a_killed_server_loses_two_seconds_at_most_each_time(tmp_path: Path) -> None:
    """Row 8, at many random moments of one recording."""
    chance = random.Random(8)  # noqa: S311 - when to strike
    recording_id = ""
    async with ServerProcess(tmp_path, endpoints=2) as server:
        killed: list[float] = []
        back: list[float] = []
        for round_number in range(KILLS + 1):
            async with Company(server) as company:
                meeting = RecordedMeeting(server, company)
                await company.publish(MAIN)
                listener = await company.watch(A)
                if recording_id:
                    meeting.recording_id = recording_id
                else:
                    await meeting.start()
                    recording_id = meeting.recording_id
                back.append(company.clock.now())
                await listener.received.hear_for(MAIN, chance.uniform(0.1, 3.0))
                if round_number == KILLS:
                    await meeting.stop()
                    break
                server.kill()
                killed.append(company.clock.now())
            await server.start()

        status, report = await meeting.verify()
        assert (status, report["findings"]) == (0, [])
        assert len(meeting.events(Opened)) == 1
        assert len(meeting.events(Resumed)) == KILLS
        for track in ("mic", "camera"):
            spans = [(it.starts_at, it.ends_at) for it in meeting.segments(MAIN, track)]
            for began, kill in zip(back, killed, strict=False):
                if kill - began > LOSS_S:
                    last = max((min(end, kill) for start, end in spans if start < kill), default=0.0)
                    assert kill - last <= LOSS_S, f"{track}: {kill - last:.2f} s before a kill"
            for came in back[1:]:
                first = min((start for start, end in spans if end > came), default=float("inf"))
                assert first - came <= LOSS_S, f"{track}: {first - came:.2f} s after a return"
        assert len([gap for gap in meeting.gaps() if gap.reason == "server_stopped"]) >= KILLS


@pytest.mark.parametrize("blow", ["killed", "frozen"])
async def test_a_lost_writer_harms_nobody_and_loses_little(tmp_path: Path, blow: str) -> None:
    """Rows 9 and 10: another writer takes over; who listens hears on."""
    async with ServerProcess(tmp_path, endpoints=3) as server, Company(server) as company:
        meeting = RecordedMeeting(server, company)
        await company.publish(MAIN)
        listener = await company.watch(A)
        await meeting.start()
        await listener.received.hear_for(MAIN, 3.0)
        struck = company.clock.now()
        pid = meeting.writer_pid()
        if blow == "killed":
            os.kill(pid, signal.SIGKILL)
            await listener.received.hear_for(MAIN, 6.0)
            assert meeting.writer_pid() != pid
        else:
            os.kill(pid, signal.SIGSTOP)
            await listener.received.hear_for(MAIN, 10.0)
            os.kill(pid, signal.SIGCONT)
            await listener.received.hear_for(MAIN, 2.0)
            assert meeting.writer_pid() == pid
        now = company.clock.now()
        assert listener.received.longest_pause_s(struck, now) < 0.5
        await meeting.stop()

        status, report = await meeting.verify()
        assert (status, report["findings"]) == (0, [])
        allowed_s = LOSS_S if blow == "killed" else 0.1
        for track in ("mic", "camera"):
            assert longest_hole_s(meeting, track, struck - 2.0, now) <= allowed_s


def longest_hole_s(meeting: RecordedMeeting, track: str, since: float, until: float) -> float:
    """The longest time between ``since`` and ``until`` that no segment of the main endpoint's track covers."""
    covered, longest = since, 0.0
    for segment in meeting.segments(MAIN, track):
        if segment.ends_at > covered:
            longest = max(longest, min(segment.starts_at, until) - covered)
            covered = segment.ends_at
    return max(longest, until - covered)


async def test_sigterm_in_a_recorded_meeting_loses_nothing_and_it_goes_on(tmp_path: Path) -> None:
    """Row 18: drained, started again, the same recording."""
    async with ServerProcess(tmp_path, endpoints=2) as server:
        async with Company(server) as company:
            meeting = RecordedMeeting(server, company)
            await company.publish(MAIN)
            listener = await company.watch(A)
            await meeting.start()
            recording_id = meeting.recording_id
            await listener.received.hear_for(MAIN, 3.0)
            assert await server.stop() == 0
            stopped = company.clock.now()
        await server.start()
        async with Company(server) as company:
            meeting = RecordedMeeting(server, company)
            meeting.recording_id = recording_id
            await company.publish(MAIN)
            listener = await company.watch(A)
            await listener.received.hear_for(MAIN, 2.0)
            await meeting.stop()
        status, report = await meeting.verify()
        assert (status, report["findings"]) == (0, [])
        before = [it for it in meeting.segments(MAIN, "mic") if it.starts_at < stopped]
        after = [it for it in meeting.segments(MAIN, "mic") if it.starts_at >= stopped]
        assert stopped - max(it.ends_at for it in before) <= LOSS_S
        assert after
        assert not any(it.recovered for it in before)
