"""Hold the last test run's branch coverage to its marks: the pure rooms whole, everything together nine tenths."""

import subprocess
import sys

GATES: tuple[tuple[str, int], ...] = (
    ("server/rtp/*", 100),
    ("server/sfu/*", 100),
    ("server/room/*", 100),
    ("server/*", 90),
)


def main() -> int:
    failed = []
    for pattern, percent in GATES:
        command = [sys.executable, "-m", "coverage", "report", f"--include={pattern}", f"--fail-under={percent}"]
        report = subprocess.run(
            [*command, "--show-missing", "--skip-covered"], capture_output=True, text=True, check=False
        )
        print(f"coverage of {pattern}, at least {percent} %: {_total(report.stdout)}")
        if report.returncode != 0:
            print(report.stdout + report.stderr, file=sys.stderr)
            failed.append(pattern)
    if failed:
        print(f"Coverage is below its mark in {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed else 0


def _total(report: str) -> str:
    lines = [line for line in report.splitlines() if line.startswith("TOTAL")]
    return lines[-1].split()[-1] if lines else "no data"


if __name__ == "__main__":
    sys.exit(main())
