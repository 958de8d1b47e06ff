"""``make bench``: one JSON line a figure. The server gets a core of its own, the load generator the others."""

import argparse
import asyncio
import os
from pathlib import Path
from typing import get_args

import uvloop

from server.config import FanoutChoice
from tests.bench.archive import run_archive
from tests.bench.copies import run_copies
from tests.bench.forwarding import run_forwarding, run_most_viewers
from tests.bench.growth import PICTURE, PUBLISHERS, VIEWERS, run_growth
from tests.bench.loads import LOADS
from tests.bench.machine import noise_percent, stolen_seconds
from tests.bench.micro import run_micro
from tests.bench.province import run_province, run_storm
from tests.bench.report import say
from tests.bench.sfu import raise_file_limit

PARTS = ("micro", *LOADS, "most_viewers", "province", "join_storm", "growth", "archive")


def main() -> None:
    arguments = _arguments()
    stolen_s = stolen_seconds()
    say("machine_noise", noise_percent(), "%", cores=os.cpu_count(), load_average=os.getloadavg()[0])
    if "micro" in arguments.parts:
        run_micro()
        run_copies()
    raise_file_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for part in arguments.parts:
            if part != "micro":
                runner.run(_run(part, arguments))
    say("machine_noise_after", noise_percent(), "%", stolen_s=stolen_seconds() - stolen_s)


async def _run(part: str, arguments: argparse.Namespace) -> None:
    peers, seconds = arguments.peers, arguments.seconds
    match part:
        case "most_viewers":
            await run_most_viewers(seconds / 2, peers)
        case "province":
            await run_province(peers, seconds)
        case "join_storm":
            await run_storm(peers)
        case "archive":
            await run_archive()
        case "growth":
            viewers = [count for count in VIEWERS if count <= 4 * peers]
            publishers = [count for count in PUBLISHERS if count <= peers]
            await run_growth(viewers, publishers, seconds / 2, arguments.picture)
        case _:
            await run_forwarding(LOADS[part], peers, seconds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=f"of {', '.join(PARTS)}; all without any")
    parser.add_argument("--peers", type=int, default=160, help="viewers, and endpoints of the province")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long a steady window is")
    choices = get_args(FanoutChoice)
    parser.add_argument("--fanout", nargs="+", choices=choices, default=["auto"], help="one_to_many, once with each")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="where the part growth draws (SVG)")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return arguments


if __name__ == "__main__":
    main()
