"""A bounded run of the C fan-out's fuzzer, with AddressSanitizer and UndefinedBehaviorSanitizer; past crashes first."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "tests/data/fanout_fuzz"
ROUNDS = 20_000

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler"),
    pytest.mark.skipif(sys.platform != "linux", reason="the C fan-out is for Linux"),
]


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("fuzz") / "fanout_fuzz"
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    source = str(Path(__file__).with_name("fanout_fuzz.c"))
    command = ["cc", "-g", "-O1", "-Wall", "-Werror", *sanitizers, "-DSTANDALONE", "-Iserver/transport", source]
    built = subprocess.run(
        [*command, "-o", str(program)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert built.returncode == 0, built.stderr
    return program


@pytest.mark.parametrize("seed", [1, 2])
def test_noise_breaks_nothing(fuzzer: Path, seed: int) -> None:
    done = subprocess.run([fuzzer, str(ROUNDS), str(seed)], capture_output=True, text=True, check=False, timeout=170)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", sorted(KEPT.glob("*")), ids=lambda path: path.name)
def test_seeds_and_past_crashes_break_nothing(fuzzer: Path, path: Path) -> None:
    done = subprocess.run([fuzzer, path], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
