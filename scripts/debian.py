"""Debian packages: which ones are missing, and how they come in."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

TARGETS = ("run", "bench", "test")
LIST = Path(__file__).with_name("debian-packages.txt")


class SetupFailed(Exception):
    """The set-up cannot go on; the message tells a person what to do."""


def listed_packages(text: str, target: str) -> list[str]:
    """Package names of ``debian-packages.txt`` that ``target`` needs, in the file's order: each needs its
    predecessors' in TARGETS too."""
    packages = []
    for line in text.splitlines():
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        if len(words) != 2 or words[0] not in TARGETS:
            raise SetupFailed(f"scripts/debian-packages.txt: cannot read the line {line!r}")
        if TARGETS.index(words[0]) <= TARGETS.index(target):
            packages.append(words[1])
    return packages


def missing_packages(packages: list[str]) -> list[str]:
    """Those of ``packages`` that dpkg does not have installed."""
    if not packages:
        return []
    query = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *packages],
        capture_output=True,
        text=True,
        check=False,  # it exits 1 when one of them is unknown to it: that one is missing
    )
    installed = {line.split()[0] for line in query.stdout.splitlines() if line.endswith(" installed")}
    return [package for package in packages if package not in installed]


def ensure_packages(packages: list[str], purpose: str, *, as_root: bool = os.geteuid() == 0) -> None:
    """Install what is missing when root; otherwise raise SetupFailed with the command to type."""
    if not packages:
        return
    if shutil.which("dpkg-query") is None:
        print(
            f"This is not Debian: make sure that you have what these packages bring ({purpose}): {' '.join(packages)}"
        )
        return
    missing = missing_packages(packages)
    if not missing:
        return
    if not as_root:
        raise SetupFailed(
            f"{purpose} needs Debian packages that are not installed. Please type:\n"
            f"  sudo apt-get update && sudo apt-get install -y --no-install-recommends {' '.join(missing)}"
        )
    print(f"Installing Debian packages ({purpose}): {' '.join(missing)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing],
    ):
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            sys.stderr.buffer.write(done.stdout[-4000:])
            raise SetupFailed(f"`{' '.join(command)}` failed; its last lines are above.")
