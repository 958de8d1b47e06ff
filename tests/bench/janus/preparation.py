"""Janus as the bench wants it: Debian's package, and beside it the same libsrtp built on OpenSSL.

Debian builds libsrtp on NSS, which costs Janus some 2 µs a packet; who runs it under load builds it on OpenSSL, and
so the comparison does. Where that cannot be done Debian's own is measured, and the output says so.
"""

import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from scripts.debian import SetupFailed, ensure_packages, missing_packages
from tests.bench.load.build import BUILT

PACKAGES = ["janus", "iproute2", "util-linux"]
BUILD_PACKAGES = ["gcc", "libc6-dev", "make", "pkg-config", "libssl-dev"]
SOURCE_LIST = "deb-src http://deb.debian.org/debian bookworm main\n"
LIBRARY = "libsrtp2.so.1"


def ensure_janus() -> None:
    """Install the packages. A Janus that came with it is not left running as a service. Raises SetupFailed."""
    is_new = bool(missing_packages(["janus"]))
    ensure_packages(PACKAGES, "`make bench-peers`")
    if is_new and shutil.which("systemctl"):
        subprocess.run(["systemctl", "disable", "--now", "janus.service"], check=False, capture_output=True)


def openssl_srtp() -> tuple[str, str]:
    """(folder of the library, "") or ("", why there is none)."""
    folder = BUILT / "libsrtp-openssl"
    if (folder / LIBRARY).exists():
        return str(folder), ""
    try:
        ensure_packages(BUILD_PACKAGES, "libsrtp on OpenSSL")
        with tempfile.TemporaryDirectory(prefix="libsrtp-") as place:
            built = _build(_source(Path(place)))
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(built, folder / LIBRARY)
    except (SetupFailed, OSError, subprocess.SubprocessError, tarfile.TarError) as error:
        return "", str(error)
    return str(folder), ""


def _source(place: Path) -> Path:
    """Fetch Debian's source package with apt-get, from a list of its own, and unpack what is upstream's."""
    lists = place / "lists"
    (lists / "partial").mkdir(parents=True)
    place.chmod(0o755)
    source_list = place / "sources.list"
    source_list.write_text(SOURCE_LIST)
    options = [f"Dir::Etc::sourcelist={source_list}", "Dir::Etc::sourceparts=-", f"Dir::State::lists={lists}"]
    options += ["APT::Sandbox::User=root"]
    flags = [word for option in options for word in ("-o", option)]
    for words in (["update"], ["source", "--download-only", "libsrtp2"]):
        _run(["apt-get", "-q", *flags, *words], place)
    archive = next(iter(place.glob("libsrtp2_*.orig.tar.gz")), None)
    if archive is None:
        raise FileNotFoundError("apt-get source libsrtp2 brought no sources")
    with tarfile.open(archive) as packed:
        packed.extractall(place / "source", filter="data")
    return next(path for path in (place / "source").iterdir() if path.is_dir())


def _build(source: Path) -> Path:
    _run(["./configure", "--enable-openssl", "CFLAGS=-O3 -fPIC"], source)
    _run(["make", "shared_library"], source)
    return source / LIBRARY


def _run(command: list[str], folder: Path) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode != 0:
        last = "".join(done.stderr.splitlines(keepends=True)[-3:])
        raise SetupFailed(f"`{' '.join(command)}` failed: {last}")
