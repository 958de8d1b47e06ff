"""Building the C fan-out: left out without a compiler, built again when its sources change."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import build_fanout
from scripts.lock import ROOT
from scripts.python_env import NATIVE
from server.transport.native_sources import FOLDER, SOURCES


def build(folder: Path, compiler: str | None) -> list[Path]:
    """Have setuptools build what setup.py says; what came of it."""
    environment = {**os.environ, **({"CC": compiler} if compiler else {})}
    command = [sys.executable, "setup.py", "-q", "build_ext"]
    command += ["--build-lib", str(folder / "lib"), "--build-temp", str(folder / "temp")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 0, done.stderr
    return sorted((folder / "lib").rglob("_native*.so"))


def test_without_a_compiler_the_set_up_goes_on(tmp_path: Path) -> None:
    assert build(tmp_path, "/nonexistent/cc") == []


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_with_a_compiler_it_is_built(tmp_path: Path) -> None:
    (built,) = build(tmp_path, None)
    assert built.parent == tmp_path / "lib/server/transport"


def test_a_change_of_its_sources_sets_up_anew() -> None:
    assert {FOLDER / name for name in SOURCES} | {ROOT / "setup.py", ROOT / "scripts/build_fanout.py"} == set(NATIVE)


def test_what_it_is_asked_for_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["build_fanout"])
    assert build_fanout.main() == 2
    assert "--sanitize FOLDER" in capsys.readouterr().err
