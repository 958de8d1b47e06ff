"""A whole province in one meeting: how it comes in, what it costs, and that those inside notice nothing of it."""

import asyncio
import os
import tempfile
from pathlib import Path

from server.recording.events import SegmentClosed
from server.recording.log import read_log
from tests.bench.diemcau import CONFIG
from tests.bench.hall import Hall, Seat
from tests.bench.load.engine import LoadEngine, Picture
from tests.bench.loads import VIDEO_BPS
from tests.bench.machine import cpu_seconds, family_cpu_seconds, resident_megabytes, split_cores
from tests.bench.report import say
from tests.bench.window import SETTLE_S, Figures, look, quietest
from tests.support.server_process import ServerProcess

HOLDERS = 3
PREVIEWS = 9
PICTURES = 1 + HOLDERS
MAIN_PICTURE = Picture(VIDEO_BPS)
HOLDER_PICTURE = Picture(450_000)
THUMBNAIL = Picture(130_000, 15)
SILENT_PACKETS_PER_S = 2
"""What a microphone without the floor sends: Opus DTX."""
INSIDE = 20
SERVED_WITHIN_S = 30.0
MOST_BUSY_PERCENT = 70.0
MOST_JOIN_S = 5.0
MOST_ADDED_PERCENT = 5.0
RECORDING_ROUNDS = 3
NO_FILMS = "[archive]\nrender = false\n"
"""Made later, by processes that would run on the server's core here."""


async def run_province(endpoints: int, seconds: float) -> None:
    """All come in at one instant and stay: the main endpoint and three holders are seen and heard by everybody, all
    send thumbnails, and an operator watches nine of them."""
    server_cores, own_cores = split_cores()
    os.sched_setaffinity(0, own_cores)
    with tempfile.TemporaryDirectory(prefix="diemcau-bench-") as folder:
        server = ServerProcess(Path(folder), endpoints=endpoints, config=CONFIG + NO_FILMS, cpus=server_cores)
        async with server, LoadEngine() as engine, Hall(server, engine) as hall:
            before_mb = resident_megabytes(server.pid)
            holders = min(HOLDERS, endpoints - 1)
            seats = await _storm(hall, "province_join", range(endpoints), holders=holders)
            after_mb = resident_megabytes(server.pid)
            say("province_memory_per_endpoint", (after_mb - before_mb) / endpoints, "MB")
            await hall.discuss([seat.seat_id for seat in seats[1 : 1 + holders]])
            watched = [seat.seat_id for seat in seats[-PREVIEWS:]]
            operator = await hall.watch(watched)
            served = await hall.until_served(seats[1 + holders :], 2 * (1 + holders) - 1, SERVED_WITHIN_S)
            previewed = await hall.until_served([operator], len(watched), SERVED_WITHIN_S)
            await asyncio.sleep(SETTLE_S)
            figures = await quietest(lambda: look(engine, server.pid, server_cores[0], seconds))
            _say_window(figures, endpoints=endpoints, served=served, operators_served=previewed)
            await _say_recording(hall, seconds / 2)


async def run_storm(endpoints: int) -> None:
    """Some are in already; all others come at one instant. Then the server is killed, started, and all come again."""
    server_cores, own_cores = split_cores()
    os.sched_setaffinity(0, own_cores)
    inside = min(INSIDE, endpoints // 2)
    with tempfile.TemporaryDirectory(prefix="diemcau-bench-") as folder:
        server = ServerProcess(Path(folder), endpoints=endpoints, config=CONFIG, cpus=server_cores)
        async with server, LoadEngine() as engine, Hall(server, engine) as hall:
            early = await hall.enter_all(range(inside), pictures=PICTURES)
            engine.show(early[0].connection, MAIN_PICTURE)
            engine.speak(early[0].connection)
            await hall.until_served(early[1:], 2, SERVED_WITHIN_S)
            await asyncio.sleep(SETTLE_S)
            lost = hall.lost(early)
            engine.clear_delays()
            await _storm(hall, "join_storm", range(inside, endpoints))
            p99_ms, longest_ms = engine.delay_ms(0.99, 1.0)
            say(
                "join_storm_lost_by_those_inside",
                hall.lost(early) - lost,
                "packets",
                inside=len(early),
                p99_ms=p99_ms,
                longest_ms=longest_ms,
            )
            server.kill()
            await hall.leave(hall.seats, bye=False)
            await server.start()
            await _storm(hall, "join_storm_restart", range(endpoints))


async def _storm(hall: Hall, figure: str, numbers: range, *, holders: int = 0) -> list[Seat]:
    """Let them in at one instant. The main endpoint (number 0) shows and speaks, the next ``holders`` try to."""
    loop, server = asyncio.get_running_loop(), hall.server
    retries, began, cpu_s, own_s = hall.retries, loop.time(), cpu_seconds(server.pid), cpu_seconds(os.getpid())
    seats = await hall.enter_all(numbers, pictures=PICTURES)
    joined_s = loop.time() - began
    for number, seat in zip(numbers, seats, strict=True):
        hall.engine.show(
            seat.connection, MAIN_PICTURE if number == 0 else HOLDER_PICTURE if number <= holders else THUMBNAIL
        )
        hall.engine.speak(seat.connection, 50 if number <= holders else SILENT_PACKETS_PER_S)
    viewers = seats[1:] if 0 in numbers else seats
    served = await hall.until_served(viewers, 2, SERVED_WITHIN_S)
    served_s, own_s = loop.time() - began, cpu_seconds(os.getpid()) - own_s
    say(
        figure,
        joined_s,
        "s",
        endpoints=len(seats),
        server_cpu_ms_per_endpoint=1_000 * (cpu_seconds(server.pid) - cpu_s) / len(seats),
        load_generator_cpu_s=own_s,
        retries=hall.retries - retries,
        target=MOST_JOIN_S,
        reached=joined_s <= MOST_JOIN_S,
    )
    say(f"{figure}_until_all_receive", served_s, "s", viewers=len(viewers), receiving=served)
    return seats


async def _say_recording(hall: Hall, seconds: float) -> None:
    """What it adds to record the floor: the same load without and with, in turn, so that a drift falls on both."""
    pid = hall.server.pid
    server: dict[bool, float] = {False: 0.0, True: 0.0}
    family = server.copy()
    for is_recorded in (False, True) * RECORDING_ROUNDS:
        if is_recorded:
            await hall.record("POST")
        await asyncio.sleep(SETTLE_S)
        server_s, family_s = cpu_seconds(pid), family_cpu_seconds(pid)
        await asyncio.sleep(seconds)
        server[is_recorded] += (cpu_seconds(pid) - server_s) / (seconds * RECORDING_ROUNDS)
        family[is_recorded] += (family_cpu_seconds(pid) - family_s) / (seconds * RECORDING_ROUNDS)
        if is_recorded:
            await hall.record("DELETE")
    packets_per_s = _recorded_packets_per_s(hall.server.folder / "data" / "recordings")
    added, writer = server[True] - server[False], family[True] - family[False] - (server[True] - server[False])
    percent = 100 * added / server[False]
    details = {"sources": PICTURES, "recorded_packets_per_s": packets_per_s}
    say("recording_cpu_per_recorded_packet", 1e6 * added / packets_per_s, "µs", **details)
    say("recording_writer_cpu_per_recorded_packet", 1e6 * writer / packets_per_s, "µs")
    say("recording_adds_to_province", percent, "%", target=MOST_ADDED_PERCENT, reached=percent <= MOST_ADDED_PERCENT)


def _recorded_packets_per_s(folder: Path) -> float:
    packets, passed_s = 0, 0.0
    for recording in folder.iterdir():
        lines = read_log(recording)
        packets += sum(line.event.packets for line in lines if isinstance(line.event, SegmentClosed))
        passed_s += lines[-1].at - lines[0].at
    return packets / passed_s


def _say_window(figures: Figures, **details: object) -> None:
    generator = figures.generator_busy_percent
    per_s = {"packets_per_s": figures.packets_per_s, "packets_in_per_s": figures.packets_in_per_s}
    details |= {"load_generator_busy_percent": generator}
    say("province_cpu_per_forwarded_packet", figures.cpu_us, "µs", **per_s, **details)
    say(
        "province_core_busy",
        figures.busy_percent,
        "%",
        target=MOST_BUSY_PERCENT,
        reached=figures.busy_percent < MOST_BUSY_PERCENT and figures.lost == 0,
        strangers_percent=figures.strangers_percent,
    )
    say("province_loss", figures.loss_percent, "%", packets=figures.packets, lost=figures.lost)
    say("province_delay_p50", figures.p50_ms, "ms")
    say("province_delay_p99", figures.p99_ms, "ms")
    say("province_memory", figures.memory_mb, "MB")
