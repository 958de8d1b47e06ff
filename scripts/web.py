"""The web client: a Node.js that is new enough, npm packages from the lock, and a build when sources changed.

`python3 -m scripts.web ARGUMENTS` runs `npm ARGUMENTS` in web/ with that Node.js.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from scripts.debian import SetupFailed
from scripts.lock import ROOT
from scripts.python_env import ensure_node_package

WEB = ROOT / "web"
BUILT_PAGE = ROOT / "server/static/index.html"
PACKAGES_STAMP = WEB / "node_modules/.diemcau-packages.stamp"
BUILD_STAMP = WEB / "node_modules/.diemcau-build.stamp"
NOT_SOURCES = {"node_modules", "coverage", "dist", ".vite"}


def new_enough(version: str, npm_version: str) -> bool:
    """Whether Vite 8 runs with it: Node.js ^20.19 or >=22.12, and npm 11 (npm 10 leaves Vite's native parts out)."""
    node, npm = (_numbers(text) for text in (version, npm_version))
    node_fits = (20, 19) <= node < (21,) or node >= (22, 12)
    return node_fits and npm >= (11,)


def ensure_client_built(environment: dict[str, str]) -> None:
    """Have server/static built from today's sources, with the npm packages that are in web/node_modules."""
    wanted = _digest(_sources())
    if BUILT_PAGE.is_file() and _read(BUILD_STAMP) == wanted:
        return
    print("Building the web client ...", flush=True)
    npm(environment, "run", "--silent", "build", "--", "--logLevel=warn")
    BUILD_STAMP.write_text(wanted, "utf-8")


def ensure_npm_packages(environment: dict[str, str]) -> None:
    """`npm ci`, unless node_modules was made from this very lock file by this very Node.js."""
    node = _first_line(["node", "--version"], environment)
    wanted = f"{node} {_digest([WEB / 'package.json', WEB / 'package-lock.json'])}"
    if _read(PACKAGES_STAMP) == wanted:
        return
    print(f"Installing npm packages of web/package-lock.json (once, Node.js {node}) ...", flush=True)
    npm(environment, "ci", "--no-audit", "--no-fund", "--loglevel=error")
    PACKAGES_STAMP.write_text(wanted, "utf-8")


def node_environment() -> dict[str, str]:
    """An environment whose PATH finds a Node.js that is new enough: the system's, or the one of the venv."""
    environment = {"NPM_CONFIG_UPDATE_NOTIFIER": "false", **os.environ}
    if not _system_node_fits(environment):
        environment["PATH"] = f"{ensure_node_package()}{os.pathsep}{environment.get('PATH', os.defpath)}"
    return environment


def npm(environment: dict[str, str], *arguments: str) -> None:
    """Run npm in web/. Raises SetupFailed."""
    if subprocess.run(["npm", *arguments], cwd=WEB, env=environment, check=False).returncode != 0:
        raise SetupFailed(f"`npm {' '.join(arguments)}` failed in web/; what it said is above.")


def _system_node_fits(environment: dict[str, str]) -> bool:
    if shutil.which("node") is None or shutil.which("npm") is None:
        return False
    return new_enough(_first_line(["node", "--version"], environment), _first_line(["npm", "--version"], environment))


def _first_line(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=WEB, env=environment, capture_output=True, text=True, check=False)
    return done.stdout.strip().partition("\n")[0]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _sources() -> list[Path]:
    found = []
    for folder, folders, files in os.walk(WEB):
        folders[:] = [name for name in folders if name not in NOT_SOURCES]
        found += [Path(folder, name) for name in files]
    return sorted(found)


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(WEB)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _read(stamp: Path) -> str:
    return stamp.read_text("utf-8") if stamp.is_file() else ""


def main() -> int:
    try:
        npm(node_environment(), *sys.argv[1:])
    except SetupFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
