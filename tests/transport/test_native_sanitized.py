"""The C fan-out's own tests once more, compiled with AddressSanitizer and UndefinedBehaviorSanitizer."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = ("test_fanout.py", "test_native_fanout.py", "test_native_sending.py", "test_udp.py")

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler"),
    pytest.mark.skipif(sys.platform != "linux", reason="the C fan-out is for Linux"),
]


LIE = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("server.transport._native", sys.argv[1])
module = importlib.util.module_from_spec(spec)
ffi, lib = module.ffi, module.lib
flow, viewer = ffi.new("struct flow *"), ffi.new("struct viewer *")
copies = ffi.new("struct copy[]", [(flow, viewer)])
lib.fanout_forward(lib.fanout_new(ffi.NULL), bytes(100), 900, 12, 900, 0, 1, 0, 1, 1, copies, 0, 1, 0, 0.0)
"""


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("sanitized")
    command = [sys.executable, "-m", "scripts.build_fanout", "--sanitize", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert built.returncode == 0, built.stdout + built.stderr
    return built.stdout.split()[-1]


def sanitized(command: list[str]) -> subprocess.CompletedProcess[str]:
    runtime = subprocess.run(["cc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("COV")},
        "LD_PRELOAD": runtime.stdout.strip(),
        # Python itself keeps memory to the end. Its own allocator would hide where one object ends.
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYTHONMALLOC": "malloc",
    }
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=220)


def test_the_tests_hold_under_sanitizers(extension: str) -> None:
    tests = [f"tests/transport/{name}" for name in TESTS]
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:cov"]
    done = sanitized([sys.executable, "-m", "tests.transport.sanitized", extension, *options, *tests])
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout, "they must have found the extension"


def test_the_sanitizers_watch(extension: str) -> None:
    """A packet that is said to be longer than it is must be noticed, or the test above proves nothing."""
    done = sanitized([sys.executable, "-c", LIE, extension])
    assert done.returncode != 0
    assert "heap-buffer-overflow" in done.stderr
