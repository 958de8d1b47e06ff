"""A writer process and the socket to it: spawned, written to without ever waiting, reaped."""

import asyncio
import contextlib
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections import deque
from collections.abc import Callable
from typing import Final

from server.recording.wire import Ack, AckReader

_READ_OCTETS: Final = 65_536
_BUFFER_OCTETS: Final = 1 << 20


class WriterProcess:
    """``ended`` is set when the process is gone or its socket broken. Nothing here is ever retried."""

    def __init__(self, process: Process, connection: socket.socket, on_ack: Callable[[Ack], None]) -> None:
        self.ended = asyncio.Event()
        self._process = process
        self._socket = connection
        self._on_ack = on_ack
        self._reader = AckReader()
        self._unsent: deque[memoryview] = deque()
        self._is_blocked = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(connection, self._receive)

    @classmethod
    async def start(cls, python: str, on_ack: Callable[[Ack], None]) -> "WriterProcess":
        """Spawn ``python -m server.recording.writer``. Raises OSError."""
        ours, theirs = socket.socketpair()
        try:
            ours.setblocking(False)
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_OCTETS)
            process = await asyncio.create_subprocess_exec(
                python or sys.executable,
                "-m",
                "server.recording.writer",
                str(theirs.fileno()),
                stdin=DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return cls(process, ours, on_ack)

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, data: bytes) -> None:
        """At once as far as the kernel takes it, the rest as soon as it does."""
        if self.ended.is_set():
            return
        self._unsent.append(memoryview(data))
        if not self._is_blocked:
            self._write()

    def hang_up(self) -> None:
        """End of the stream: the writer finishes what it has and goes."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    async def stop(self) -> None:
        """Kill what still runs, reap it, close the socket."""
        self._end()
        self._socket.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    def _write(self) -> None:
        while self._unsent:
            data = self._unsent[0]
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._end()
                return
            if sent == len(data):
                self._unsent.popleft()
                continue
            self._unsent[0] = data[sent:]
            if not self._is_blocked:
                self._is_blocked = True
                self._loop.add_writer(self._socket, self._write)
            return
        if self._is_blocked:
            self._is_blocked = False
            self._loop.remove_writer(self._socket)

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_READ_OCTETS)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end()
            return
        for ack in self._reader.feed(data):
            self._on_ack(ack)

    def _end(self) -> None:
        if not self.ended.is_set():
            self.ended.set()
            self._unsent.clear()
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
