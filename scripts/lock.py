"""The lock files: made from pyproject.toml by `make lock`, checked for freshness by `make check`.

requirements-test.lock holds every extra; requirements.lock what a server needs (with the postgres extra), at the very
same versions. Both carry the digest of the tables they were made from, so that freshness is checked without a network.
"""

import hashlib
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from scripts.debian import SetupFailed

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = ROOT / "pyproject.toml"
RUNTIME_LOCK = ROOT / "requirements.lock"
TEST_LOCK = ROOT / "requirements-test.lock"
DIGEST = "# made from: sha256:"
COMPILE_OPTIONS = (
    "--universal",
    "--python-version=3.11",
    "--fork-strategy=fewest",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-header",
    "--quiet",
)


def inputs_digest(pyproject: dict[str, Any]) -> str:
    """Digest of the tables of pyproject.toml that decide what is installed."""
    project = pyproject["project"]
    inputs = [
        pyproject["build-system"]["requires"],
        project["requires-python"],
        project["dependencies"],
        project["optional-dependencies"],
    ]
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def recorded_digest(lock_text: str) -> str:
    """The digest that a lock file says it was made from; "" where it says none."""
    found = re.search(rf"^{re.escape(DIGEST)}([0-9a-f]{{64}})$", lock_text, re.MULTILINE)
    return found[1] if found else ""


def locked_block(lock_text: str, name: str) -> str:
    """One package's pinned line with its hashes, fit for ``pip install --require-hashes -r``."""
    found = re.search(rf"^{re.escape(name)}==.*?(?=^\S|\Z)", lock_text, re.MULTILINE | re.DOTALL)
    if not found:
        raise SetupFailed(f"{name} is not in the lock file")
    return found[0]


def stale_locks() -> list[str]:
    """Names of the lock files that do not belong to today's pyproject.toml."""
    digest = inputs_digest(tomllib.loads(PYPROJECT.read_text("utf-8")))
    return [
        path.name
        for path in (RUNTIME_LOCK, TEST_LOCK)
        if not path.is_file() or recorded_digest(path.read_text("utf-8")) != digest
    ]


def make_locks(*, upgrade: bool) -> None:
    """Resolve again, keeping the versions there are unless ``upgrade``. Needs uv, which it installs in the venv."""
    pyproject = tomllib.loads(PYPROJECT.read_text("utf-8"))
    python = ROOT / ".venv/bin/python"
    if subprocess.run([python, "-m", "uv", "--version"], capture_output=True, check=False).returncode != 0:
        subprocess.run([python, "-m", "pip", "install", "--quiet", "uv>=0.9"], check=True)
    digest = inputs_digest(pyproject)
    build_requires = "\n".join(pyproject["build-system"]["requires"]) + "\n"
    jobs: tuple[tuple[Path, list[str]], ...] = (
        (TEST_LOCK, ["--all-extras"]),
        (RUNTIME_LOCK, ["--extra=postgres", f"--constraint={TEST_LOCK.name}"]),
    )
    for lock, options in jobs:
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / lock.name
            if lock.is_file() and not upgrade:
                output.write_bytes(lock.read_bytes())
            command = [str(python), "-m", "uv", "pip", "compile", PYPROJECT.name, "-", *COMPILE_OPTIONS, *options]
            subprocess.run([*command, f"--output-file={output}"], input=build_requires, text=True, cwd=ROOT, check=True)
            body = output.read_text("utf-8")
        lock.write_text(f"# Made by `make lock`; do not edit.\n{DIGEST}{digest}\n{body}", "utf-8")
        print(f"{lock.name}: {len(re.findall('^[a-z0-9].*==', body, re.MULTILINE))} packages")


def main() -> int:
    if sys.argv[1:] == ["--check"]:
        stale = stale_locks()
        for name in stale:
            print(f"{name} does not belong to this pyproject.toml: type `make lock`", file=sys.stderr)
        return 1 if stale else 0
    make_locks(upgrade=sys.argv[1:] == ["--upgrade"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
