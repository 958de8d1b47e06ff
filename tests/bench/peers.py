"""``make bench-peers``: the same loads on Diemcau and on Janus 1.1.2, in turn. JSON lines, then a table.

Both servers run in one network namespace, pinned to one core; the load generator has the other. Runs are interleaved,
figures are medians. Janus is given every setting of ``event_loops`` that could suit it, and its best one counts.
"""

import argparse
import asyncio
import os
import statistics
import sys
from collections.abc import Callable, Sequence

import msgspec
import uvloop

from scripts.debian import SetupFailed
from tests.bench.diemcau import DiemcauSfu
from tests.bench.janus.preparation import ensure_janus, openssl_srtp
from tests.bench.janus.server import JanusSettings, JanusSfu
from tests.bench.limits import most_viewers
from tests.bench.load.engine import BROWSERS_SPREAD, LoadEngine
from tests.bench.loads import LOADS, ONE_TO_MANY, Load, Stand, run_load
from tests.bench.machine import noise_percent, split_cores, stolen_seconds
from tests.bench.namespace import Namespace, NeedsRoot
from tests.bench.report import say, say_figures, table
from tests.bench.sfu import Sfu, raise_file_limit
from tests.bench.window import MOST_LOSS_PERCENT, Figures

MOST_VIEWERS = "most_viewers"
TARGETS = {"one_to_many": 0.30, "four_to_forty": 0.35, "ten_voices": 0.35}
DELAY_TARGET = 0.3
VIEWERS_TARGET = 3.0
EVENT_LOOPS = (0, 1, 2)
PROBE_S = 4.0

Start = Callable[[], Sfu]


class Comparison:
    """Everything of one call: where servers run, what was measured."""

    def __init__(self, namespace: Namespace, arguments: argparse.Namespace) -> None:
        self._namespace = namespace
        self._seconds: float = arguments.seconds
        self._runs: int = arguments.runs
        self._viewers: int | None = arguments.viewers
        self._spread: float = arguments.spread
        self._server_cores, own_cores = split_cores()
        os.sched_setaffinity(0, own_cores)
        self._rows: list[Sequence[str]] = []
        library, why_not = openssl_srtp()
        self._settings = [JanusSettings(loops, library) for loops in EVENT_LOOPS]
        if library:
            self._settings.append(JanusSettings(0))  # as packaged, to be seen beside the others
        else:
            say("janus_without_openssl_srtp", 1, "", reason=why_not)

    async def compare(self, name: str) -> None:
        """Choose Janus's best setting for this load, then measure both in turn."""
        load = self._sized(LOADS[name])
        best = await self._choose(load)
        figures: dict[str, list[Figures]] = {"diemcau": [], "janus": []}
        for run in range(self._runs):
            for who, start in self._turns(run, load, best):
                async with start() as sfu:
                    figures[who].append(await run_load(sfu, load, self._seconds, self._server_cores))
                say_figures(f"{name}_{who}", figures[who][-1], run=run + 1, viewers=load.viewers, server=sfu.name)
        self._rate(f"{name}_cpu", "µs", figures, lambda each: each.cpu_us, TARGETS[name])
        if name == ONE_TO_MANY.name:
            self._rate(f"{name}_delay_p50", "ms", figures, lambda each: each.p50_ms, DELAY_TARGET)
            self._rate(f"{name}_delay_p99", "ms", figures, lambda each: each.p99_ms, DELAY_TARGET)
        lost = {who: max(each.loss_percent for each in windows) for who, windows in figures.items()}
        self._rows.append((f"{name}_loss", f"{lost['diemcau']:.3f} %", f"{lost['janus']:.3f} %", "", "< 0.1 %"))

    async def compare_most_viewers(self) -> None:
        """How many viewers of one publisher a core carries."""
        load = self._sized(ONE_TO_MANY)
        best = await self._choose(load)
        found: dict[str, list[int]] = {"diemcau": [], "janus": []}
        for run in range(self._runs):
            for who, start in self._turns(run, load, best):
                async with start() as sfu, LoadEngine() as engine:
                    count, figures = await most_viewers(
                        Stand(sfu, engine, load, self._server_cores[0]), self._seconds / 2
                    )
                found[who].append(count)
                say(f"{MOST_VIEWERS}_{who}", count, "viewers", run=run + 1, server=sfu.name)
                if figures is not None:
                    say_figures(f"{MOST_VIEWERS}_{who}", figures, run=run + 1, viewers=count)
        ours, theirs = (statistics.median(found[who]) for who in ("diemcau", "janus"))
        ratio = ours / max(1.0, theirs)
        say(f"{MOST_VIEWERS}_ratio", ratio, "", target=VIEWERS_TARGET, reached=ratio >= VIEWERS_TARGET)
        self._rows.append((MOST_VIEWERS, f"{ours:.0f}", f"{theirs:.0f}", f"{ratio:.2f}", f">= {VIEWERS_TARGET}"))

    def table(self) -> str:
        return table(("figure", "Diemcau", "Janus, best", "ratio", "target"), self._rows)

    async def _choose(self, load: Load) -> JanusSettings:
        """One short window for each setting: the cheapest that loses nothing, or the cheapest."""
        tried: list[tuple[bool, float, JanusSettings]] = []
        for settings in self._settings:
            async with self._janus(settings)() as sfu:
                figures = await run_load(sfu, load, min(PROBE_S, self._seconds), self._server_cores)
            say_figures(f"{load.name}_janus_setting", figures, viewers=load.viewers, server=sfu.name)
            lost = figures.loss_percent >= MOST_LOSS_PERCENT or figures.unserved > 0
            tried.append((lost, figures.cpu_us, settings))
        return min(tried, key=lambda each: each[:2])[2]

    def _rate(
        self, name: str, unit: str, figures: dict[str, list[Figures]], of: Callable[[Figures], float], target: float
    ) -> None:
        ours, theirs = (statistics.median(map(of, figures[who])) for who in ("diemcau", "janus"))
        ratio = ours / theirs
        noisy = sum(each.noisy for windows in figures.values() for each in windows)
        say(
            f"{name}_ratio",
            ratio,
            "",
            diemcau=ours,
            janus=theirs,
            figures_in=unit,
            target=target,
            reached=ratio <= target,
            noisy_windows=noisy,
        )
        mark = " (noisy)" if noisy else ""
        self._rows.append((name, f"{ours:.3g} {unit}", f"{theirs:.3g} {unit}", f"{ratio:.2f}{mark}", f"<= {target}"))

    def _turns(self, run: int, load: Load, best: JanusSettings) -> list[tuple[str, Start]]:
        """Who begins changes from run to run: what drifts is shared."""
        turns = [("diemcau", self._diemcau(load)), ("janus", self._janus(best))]
        return turns if run % 2 == 0 else turns[::-1]

    def _sized(self, load: Load) -> Load:
        viewers = load.viewers if self._viewers is None else self._viewers
        return msgspec.structs.replace(load, viewers=viewers, spread=self._spread)

    def _diemcau(self, load: Load) -> Start:
        where = self._namespace
        return lambda: DiemcauSfu(
            cpus=self._server_cores, publishers=load.publishers, host=where.address, prefix=where.prefix
        )

    def _janus(self, settings: JanusSettings) -> Start:
        return lambda: JanusSfu(self._namespace, settings, cpus=self._server_cores)


async def run(arguments: argparse.Namespace) -> None:
    """Raises NeedsRoot, SetupFailed, NoCompiler."""
    stolen_s = stolen_seconds()
    with Namespace() as namespace:
        comparison = Comparison(namespace, arguments)
        say("machine_noise", noise_percent(), "%", cores=os.cpu_count(), load_average=os.getloadavg()[0])
        for part in arguments.parts:
            if part == MOST_VIEWERS:
                await comparison.compare_most_viewers()
            else:
                await comparison.compare(part)
        say("machine_noise_after", noise_percent(), "%", stolen_s=stolen_seconds() - stolen_s)
        sys.stderr.write("\n" + comparison.table() + "\n")


def main() -> int:
    parts = (*LOADS, MOST_VIEWERS)
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers", description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(parts), help=f"of {', '.join(parts)}; all without any")
    parser.add_argument("--runs", type=int, default=3, help="of each server; figures are their medians")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long a steady window is")
    parser.add_argument("--viewers", type=int, help="another number of viewers than the loads have")
    spread_help = "the share of a frame's interval in which its packets leave"
    parser.add_argument("--spread", type=float, default=BROWSERS_SPREAD, help=spread_help)
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(parts)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    raise_file_limit()
    try:
        ensure_janus()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(arguments))
    except (NeedsRoot, SetupFailed) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
