"""Writes a room's journal, and keeps the meeting going where the disk says no (the operator is told)."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from server.clock import Clock
from server.errors import Conflict, Unavailable
from server.room.commands import Command
from server.room.effects import Persist

logger = logging.getLogger(__name__)

Alarm = Callable[[str, str, float, bool], None]

_MAX_PENDING = 10_000
_BATCH = 500


class Appendable(Protocol):
    """``store.journal.Journal``, or one that fails on purpose in a test."""

    async def append(self, meeting_id: str, entries: Sequence[tuple[int, float, Command | None]]) -> None: ...


class JournalWriter:
    """One per meeting: entries are written in order by one task, what comes meanwhile in one transaction.

    So 160 endpoints that join at once cost a few commits, and callers go on in the order in which they came.

    ``alarm(code, detail, since, active)`` is called when writing fails or hangs, and when it works again. Entries
    that cannot be written wait, bounded; beyond the bound the oldest are dropped, counted in ``lost`` and named in
    the alarm.
    """

    def __init__(
        self,
        journal: Appendable,
        meeting_id: str,
        clock: Clock,
        alarm: Alarm,
        *,
        patience_s: float = 2.0,
        retry_s: float = 1.0,
    ) -> None:
        self._patience_s = patience_s
        self._retry_s = retry_s
        self._journal = journal
        self._meeting_id = meeting_id
        self._clock = clock
        self._alarm = alarm
        self._pending: deque[Persist] = deque()
        self._waiters: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._failing_since: float | None = None
        self._task: asyncio.Task[None] | None = None
        self.lost = 0

    async def append(self, entries: list[Persist]) -> None:
        """Return when everything is written, or after ``patience_s``; at once while the store is failing."""
        if not entries:
            return
        for entry in entries:
            if len(self._pending) >= _MAX_PENDING:
                self._pending.popleft()
                self.lost += 1
            self._pending.append(entry)
        if self._task is None:
            self._task = asyncio.create_task(self._write())
        if self._failing_since is None:
            await self._wait_for(entries[-1].seq)

    async def close(self) -> None:
        """Give what is left one last chance; what cannot be written is logged as lost."""
        if (task := self._task) is None:
            return
        if self._pending:
            await self._wait_for(self._pending[-1].seq)
        task.cancel()
        if self._pending:
            logger.error("journal of %s closed with %d entries unwritten", self._meeting_id, len(self._pending))

    async def _wait_for(self, seq: int) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append((seq, waiter))
        try:
            async with asyncio.timeout(self._patience_s):
                await waiter
        except TimeoutError:
            self._fail("the store does not answer")

    async def _write(self) -> None:
        while self._pending:
            batch = [self._pending[i] for i in range(min(_BATCH, len(self._pending)))]
            try:
                await self._journal.append(self._meeting_id, [(e.seq, e.at, e.command) for e in batch])
            except Unavailable as error:
                self._fail(error.detail)
                await asyncio.sleep(self._retry_s)
                continue
            except Conflict as error:
                # The lines are there already: a commit whose answer was lost, or a second server on this data.
                logger.exception("journal of %s has lines it should not have", self._meeting_id)
                self._alarm("journal_conflict", error.detail, self._clock.now(), True)
            self._forget(batch[-1].seq)
        self._task = None
        if self._failing_since is not None:
            self._alarm("journal_failing", f"written again, {self.lost} lost", self._failing_since, False)
            self._failing_since = None

    def _forget(self, seq: int) -> None:
        while self._pending and self._pending[0].seq <= seq:
            self._pending.popleft()
        self._release(seq)

    def _release(self, seq: float) -> None:
        while self._waiters and self._waiters[0][0] <= seq:
            _, waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)

    def _fail(self, detail: str) -> None:
        if self._failing_since is None:
            self._failing_since = self._clock.now()
            logger.error("journal of %s cannot be written: %s", self._meeting_id, detail)
        self._alarm(
            "journal_failing", f"{detail}; {len(self._pending)} waiting, {self.lost} lost", self._failing_since, True
        )
        self._release(float("inf"))
