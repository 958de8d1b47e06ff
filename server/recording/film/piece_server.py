"""Pieces on demand for players, made in worker processes: the server's own process decodes and encodes nothing.

One order a worker at a time, one making of a piece however many ask. A worker that dies, or says nothing for a while
(stopped, stuck), is killed, and the order goes to a new one.
"""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from server.errors import Conflict, DiemcauError, NotFound, TooMany, Unavailable
from server.recording.film.piece_worker import Answer, Order

logger = logging.getLogger(__name__)

_LINE_OCTETS: Final = 16 << 20
"""A playlist of a day has 11,000 pieces in 300 KiB."""
_ENDS_WITHIN_S: Final = 5.0
_COMMAND: Final = ("-m", "server.recording.film.piece_worker")


class PieceServer:
    """``workers`` at most run at a time; each ends when it had nothing to do for ``idle_s``. One that is silent for
    ``silent_s`` is killed; an order is tried ``attempts`` times. At most ``waiting`` orders wait."""

    def __init__(
        self,
        workers: int = 1,
        *,
        silent_s: float = 20.0,
        idle_s: float = 120.0,
        attempts: int = 3,
        waiting: int = 64,
        command: Sequence[str] = (),
    ) -> None:
        self._command = tuple(command) or (sys.executable, *_COMMAND)
        self._free = asyncio.Semaphore(workers)
        self._silent_s = silent_s
        self._idle_s = idle_s
        self._attempts = attempts
        self._waiting = waiting
        self._orders: dict[Order, asyncio.Task[Answer]] = {}
        self._idle: list[_Worker] = []
        self._leaving: set[asyncio.Task[None]] = set()
        self._is_closed = False
        self.restarts = 0
        """Workers that died or were killed over an order."""

    async def piece(self, folder: Path, number: int) -> Path:
        """The file of piece ``number`` (from 0) of the recording in ``folder``. It may go once the film is done: open
        it at once. Raises NotFound (``no_such_piece``), Unavailable, TooMany, Conflict (``log_damaged``)."""
        return Path((await self._ask(Order(str(folder), "piece", number))).file)

    async def init(self, folder: Path) -> Path:
        """The file of ``init.mp4``. Raises as ``piece``."""
        return Path((await self._ask(Order(str(folder), "init"))).file)

    async def playlist(self, folder: Path) -> str:
        """The m3u8. Raises as ``piece``."""
        return (await self._ask(Order(str(folder), "playlist"))).text

    async def close(self) -> None:
        """End all workers; who waits gets Unavailable."""
        self._is_closed = True
        for task in self._orders.values():
            task.cancel()
        await asyncio.gather(*self._orders.values(), return_exceptions=True)
        while self._idle:
            self._retire(self._idle[-1])
        await asyncio.gather(*self._leaving)

    async def _ask(self, order: Order) -> Answer:
        task = self._orders.get(order)
        if task is None:
            if self._is_closed:
                raise Unavailable("film_failed", "the server is shutting down")
            if len(self._orders) >= self._waiting:
                raise TooMany("too_many_pieces", "too many pieces are asked for at once")
            task = asyncio.create_task(self._carry_out(order))
            self._orders[order] = task
            task.add_done_callback(lambda _: self._orders.pop(order, None))
        try:
            answer = await asyncio.shield(task)  # another may wait for it too, and a player that left comes back for it
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if task.cancelled() and not (caller is not None and caller.cancelling()):
                raise Unavailable("film_failed", "the server is shutting down") from None
            raise
        if answer.error:
            raise _error(answer)
        return answer

    async def _carry_out(self, order: Order) -> Answer:
        async with self._free:
            for _ in range(self._attempts):
                worker = self._idle.pop() if self._idle else None
                try:
                    worker = worker or await _Worker.start(self._command)
                    worker.stop_waiting()
                    answer = await worker.ask(order, self._silent_s)
                except (OSError, EOFError, TimeoutError, msgspec.DecodeError) as error:
                    logger.warning("a piece worker failed over %s: %r", order, error)
                    self.restarts += 1
                    if worker is not None:
                        await worker.kill()
                except asyncio.CancelledError:
                    if worker is not None:
                        await worker.kill()
                    raise
                else:
                    self._idle.append(worker)
                    worker.wait(self._idle_s, self._retire)
                    return answer
        return Answer(error="film_failed", detail="no worker could make this piece", status=503)

    def _retire(self, worker: "_Worker") -> None:
        self._idle.remove(worker)
        leaving = asyncio.create_task(worker.end())
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)


def _error(answer: Answer) -> DiemcauError:
    kinds: dict[int, type[DiemcauError]] = {404: NotFound, 409: Conflict}
    return kinds.get(answer.status, Unavailable)(answer.error, answer.detail)


class _Worker:
    """One process, its pipes, and the timer that ends it when nobody needs it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    async def start(cls, command: Sequence[str]) -> "_Worker":
        """Raises OSError."""
        pipe = asyncio.subprocess.PIPE
        return cls(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=_LINE_OCTETS))

    async def ask(self, order: Order, silent_s: float) -> Answer:
        """Raises TimeoutError after a silence, EOFError or OSError where the worker is gone."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        while True:
            async with asyncio.timeout(silent_s):
                line = await self._process.stdout.readline()
            if not line.endswith(b"\n"):
                raise EOFError(f"the worker ended with {self._process.returncode}")
            answer = msgspec.json.decode(line, type=Answer)
            if not answer.busy:
                return answer

    def wait(self, idle_s: float, retire: Callable[["_Worker"], None]) -> None:
        """Nothing to do for now; ``retire`` is called when that lasts."""
        self._timer = asyncio.get_running_loop().call_later(idle_s, retire, self)

    def stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def end(self) -> None:
        """It ends with its input; killed where it does not."""
        self.stop_waiting()
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_ENDS_WITHIN_S):
                await self._process.wait()
        except TimeoutError:
            await self.kill()
