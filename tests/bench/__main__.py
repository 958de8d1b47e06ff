"""``make bench``: one JSON line a figure. The server gets a core of its own, the load generator the others."""

import argparse
import asyncio
import os
from typing import get_args

import uvloop

from server.config import FanoutChoice
from tests.bench.copies import run_copies
from tests.bench.forwarding import run_one_to_many, run_province
from tests.bench.machine import noise_percent, stolen_seconds
from tests.bench.micro import run_micro
from tests.bench.report import say

PARTS = ("micro", "one_to_many", "province")


def main() -> None:
    arguments = _arguments()
    stolen_s = stolen_seconds()
    say("machine_noise", noise_percent(), "%", cores=os.cpu_count(), load_average=os.getloadavg()[0])
    if "micro" in arguments.parts:
        run_micro()
        run_copies()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if "one_to_many" in arguments.parts:
            for fanout in arguments.fanout:
                runner.run(run_one_to_many(arguments.peers, arguments.seconds, fanout))
        if "province" in arguments.parts:
            runner.run(run_province(arguments.peers, arguments.seconds))
    say("machine_noise_after", noise_percent(), "%", stolen_s=stolen_seconds() - stolen_s)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=f"of {', '.join(PARTS)}; all without any")
    parser.add_argument("--peers", type=int, default=160, help="viewers, and endpoints of the province")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long a steady window is")
    choices = get_args(FanoutChoice)
    parser.add_argument("--fanout", nargs="+", choices=choices, default=["auto"], help="one_to_many, once with each")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return arguments


if __name__ == "__main__":
    main()
