"""How CPU grows with viewers and with publishers: points, the lines through them, and a picture of both."""

import asyncio
import os
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.bench.chart import Panel, Point, draw, fit
from tests.bench.diemcau import CONFIG, DiemcauSfu
from tests.bench.hall import Hall
from tests.bench.load.engine import LoadEngine, Picture
from tests.bench.loads import ONE_TO_MANY, Stand
from tests.bench.machine import split_cores
from tests.bench.report import say, say_figures
from tests.bench.window import SETTLE_S, Figures, look, quietest
from tests.support.server_process import ServerProcess

VIEWERS = (20, 40, 80, 160, 320, 640)
PUBLISHERS = (1, 4, 8, 16, 32, 64)
PICTURE = Path(__file__).parents[2] / "docs/growth.svg"
PUBLISHED = Picture(450_000)
WATCHERS = 5
"""Everybody who publishes is watched by so many, so that what goes out grows as what comes in."""
SLOTS = 16
STRAIGHT = 0.98


async def run_growth(viewers: Sequence[int], publishers: Sequence[int], seconds: float, picture: Path) -> None:
    """Two lines, and their picture in ``picture``."""
    by_viewers = await _grow_viewers(viewers, seconds)
    by_publishers = await _grow_publishers(publishers, seconds)
    for name, points in (("viewers", by_viewers), ("publishers", by_publishers)):
        line = fit(points)
        say(
            f"growth_{name}",
            line.rise,
            "% of a core each",
            start_percent=line.start,
            straightness=line.straightness,
            reached=line.straightness >= STRAIGHT,
        )
    panels = (
        Panel("1 publisher, 1.5 Mbit/s and sound", "viewers", "% of a core", by_viewers),
        Panel(f"450 kbit/s each, {WATCHERS} watch each", "publishers", "% of a core", by_publishers),
    )
    await asyncio.to_thread(picture.write_text, draw(panels), "utf-8")


async def _grow_viewers(counts: Sequence[int], seconds: float) -> tuple[Point, ...]:
    server_cores, own_cores = split_cores()
    os.sched_setaffinity(0, own_cores)
    points: list[Point] = []
    async with DiemcauSfu(cpus=server_cores) as sfu, LoadEngine() as engine:
        stand = Stand(sfu, engine, ONE_TO_MANY, server_cores[0])
        await stand.add_publisher()
        for count in counts:
            await stand.resize(count)
            figures = await quietest(partial(stand.measure, seconds))
            points.append(_point("viewers", count, figures))
    return tuple(points)


async def _grow_publishers(counts: Sequence[int], seconds: float) -> tuple[Point, ...]:
    """Endpoints with cameras, watched as previews: only so can more be seen than a stage has room for."""
    server_cores, own_cores = split_cores()
    os.sched_setaffinity(0, own_cores)
    points: list[Point] = []
    with tempfile.TemporaryDirectory(prefix="diemcau-bench-") as folder:
        server = ServerProcess(Path(folder), endpoints=max(counts), config=CONFIG, cpus=server_cores)
        async with server, LoadEngine() as engine, Hall(server, engine) as hall:
            seats: list[str] = []
            for count in counts:
                new = await hall.enter_all(range(len(seats), count), pictures=0)
                for seat in new:
                    engine.show(seat.connection, PUBLISHED)
                seats += [seat.seat_id for seat in new]
                for first in range(count - len(new), count, SLOTS):
                    shown = seats[first : first + SLOTS]
                    operators = [await hall.watch(shown) for _ in range(WATCHERS)]
                    await hall.until_served(operators, len(shown), 15.0)
                await asyncio.sleep(SETTLE_S)
                figures = await quietest(partial(look, engine, server.pid, server_cores[0], seconds))
                points.append(_point("publishers", count, figures))
    return tuple(points)


def _point(name: str, count: int, figures: Figures) -> Point:
    say_figures(f"growth_{name}", figures, count=count)
    return count, figures.busy_percent
