"""An address of its own on this machine: a network namespace and a veth pair (Linux, root)."""

import os
import shutil
import subprocess
from types import TracebackType
from typing import Self


class NeedsRoot(Exception):
    """Namespaces cannot be made here; the message is for a person."""


class Namespace:
    """``with``: made, and gone afterwards. ``prefix`` put before a command runs it there, at ``address``.

    Addresses are of RFC 2544's range for measuring, which is nobody's.
    """

    def __init__(self) -> None:
        place = os.getpid() % (1 << 14)
        self._name = f"diemcau-bench-{os.getpid()}"
        self._outside, self.interface = f"dcb{place}a", f"dcb{place}b"
        network = (198 << 24 | 18 << 16) + 4 * place
        self._outside_address, self.address = _dotted(network + 1), _dotted(network + 2)
        self.prefix = ("ip", "netns", "exec", self._name)

    def __enter__(self) -> Self:
        """Raises NeedsRoot."""
        if os.geteuid() != 0 or shutil.which("ip") is None:
            raise NeedsRoot(
                "This part gives each server an address of its own in a network namespace, and that takes root and "
                "the package iproute2. Run it as root (sudo), or in a container that may make namespaces."
            )
        try:
            self._make()
        except subprocess.CalledProcessError as error:
            self._remove()
            raise NeedsRoot(f"This machine makes no network namespaces: {error.stderr.decode().strip()}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def _make(self) -> None:
        inside = ("-n", self._name)
        _ip("netns", "add", self._name)
        _ip("link", "add", self._outside, "type", "veth", "peer", "name", self.interface, "netns", self._name)
        _ip("address", "add", f"{self._outside_address}/30", "dev", self._outside)
        _ip("link", "set", self._outside, "up")
        _ip(*inside, "address", "add", f"{self.address}/30", "dev", self.interface)
        _ip(*inside, "link", "set", "lo", "up")
        _ip(*inside, "link", "set", self.interface, "up")

    def _remove(self) -> None:
        subprocess.run(["ip", "netns", "delete", self._name], check=False, capture_output=True)
        # The kernel takes the veth pair away some time after its namespace: not while its address could be in the way.
        subprocess.run(["ip", "link", "delete", self._outside], check=False, capture_output=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _dotted(address: int) -> str:
    return ".".join(str(address >> shift & 0xFF) for shift in (24, 16, 8, 0))
