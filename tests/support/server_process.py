"""The real server as a process of its own: filled with demo data, started, killed, started again.

async with ServerProcess(tmp_path, endpoints=4) as server:
    ... server.url, server.demo.endpoints[1].token ...
    server.kill()
    await server.start()          # same folder, same ports
"""

import asyncio
import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from server.bots.roster import Demo, read_demo

ROOT = Path(__file__).parents[2]
READY_WITHIN_S = 30.0
STOP_WITHIN_S = 15.0
_FILL_WITHIN_S = 120.0
_PORT_ATTEMPTS = 3


class ServerFailed(Exception):
    """The process ended or did not become ready; the message carries the end of its log."""


class ServerProcess:
    """``diemcau demo`` once, then ``diemcau serve`` on free ports of 127.0.0.1 with ``folder`` as its data.

    ``media_host`` "0.0.0.0" offers every address of the machine (Firefox takes no loopback one).
    ``config`` is the text of a TOML configuration file. ``cpus`` pins the process to some cores (Linux).
    ``prefix`` is put before the command (``ip netns exec NAME``).
    """

    def __init__(
        self,
        folder: Path,
        *,
        endpoints: int = 3,
        config: str = "",
        host: str = "127.0.0.1",
        media_host: str | None = None,
        cpus: Sequence[int] = (),
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.log_file = folder / "server.log"
        self.host = host
        self._media_host = media_host or host
        self.http_port = 0
        self.media_port = 0
        self._endpoints = endpoints
        self._config = config
        self._cpus = tuple(cpus)
        self._prefix = tuple(prefix)
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._demo: Demo | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.http_port}"

    @property
    def demo(self) -> Demo:
        """Meeting and sign-ins (DESIGN.md's ``diemcau demo --json``). Only after ``start``."""
        assert self._demo is not None, "start() first"
        return self._demo

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        """Everything the server has written so far, over all its starts."""
        return self.log_file.read_text("utf-8", "replace") if self.log_file.exists() else ""

    async def start(self) -> None:
        """Start and wait until ``/healthz`` answers. The second time it takes the same ports and the same data.

        Raises ServerFailed with the log's end.
        """
        assert not self.running, "already running"
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._demo is None:
            self._demo = await asyncio.to_thread(self._fill)
        first = self.http_port == 0
        for attempt in range(_PORT_ATTEMPTS):
            if first:
                self.http_port, self.media_port = _free_port(socket.SOCK_STREAM), _free_port(socket.SOCK_DGRAM)
            self._spawn()
            try:
                await self._wait_until_ready()
            except ServerFailed:
                if not first or attempt == _PORT_ATTEMPTS - 1 or "port_busy" not in self.log():
                    raise
            else:
                return

    async def stop(self) -> int:
        """SIGTERM and wait for the drain. Returns the exit status; raises ServerFailed where it does not end."""
        assert self._process is not None
        self._process.terminate()
        try:
            return await asyncio.to_thread(self._process.wait, STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerFailed(f"no end within {STOP_WITHIN_S} s of SIGTERM\n{self._log_end()}") from None

    def kill(self) -> None:
        """SIGKILL, as a power cut would (SCENARIOS row 8). Returns when the process is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """SIGSTOP, SIGCONT, ..."""
        os.kill(self.pid, number)

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            if self.running:
                self.kill()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self.signal(signal.SIGCONT)
            await self.stop()

    def _fill(self) -> Demo:
        """A copy of this run's demo data with so many endpoints: filling takes seconds (every password is argon2)."""
        filled = _demo_folder(self._endpoints)
        shutil.copytree(filled, self.folder / "data", dirs_exist_ok=True)
        return read_demo(filled / "demo.json")

    def _spawn(self) -> None:
        command = [*self._prefix, sys.executable, "-m", "server", "serve", "--data", str(self.folder / "data")]
        command += ["--http", f"{self.host}:{self.http_port}", "--media", f"{self._media_host}:{self.media_port}"]
        if self._config:
            config_file = self.folder / "config.toml"
            config_file.write_text(self._config, "utf-8")
            command += ["--config", str(config_file)]
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment
            )
        if self._cpus:
            os.sched_setaffinity(self._process.pid, self._cpus)

    async def _wait_until_ready(self) -> None:
        """Ask ``/healthz`` until it says yes: a start is not an event that a client could wait for."""
        assert self._process is not None
        async with aiohttp.ClientSession() as http:
            for _ in range(int(READY_WITHIN_S / 0.05)):
                if self._process.poll() is not None:
                    raise ServerFailed(f"the server ended with {self._process.returncode}\n{self._log_end()}")
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with http.get(f"{self.url}/healthz", timeout=aiohttp.ClientTimeout(2)) as response:
                        if response.status == 200:
                            return
                await asyncio.sleep(0.05)
        self.kill()
        raise ServerFailed(f"not ready within {READY_WITHIN_S} s\n{self._log_end()}")

    def _log_end(self) -> str:
        return "\n".join(self.log().splitlines()[-40:])


@cache
def _demo_folder(endpoints: int) -> Path:
    kept = tempfile.mkdtemp(prefix="diemcau-demo-")
    atexit.register(shutil.rmtree, kept, ignore_errors=True)
    command = [sys.executable, "-m", "server", "demo", "--data", kept, "--endpoints", str(endpoints), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=_FILL_WITHIN_S)
    if done.returncode != 0:
        raise ServerFailed(f"diemcau demo ended with {done.returncode}\n{done.stderr.decode('utf-8', 'replace')}")
    return Path(kept)


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
