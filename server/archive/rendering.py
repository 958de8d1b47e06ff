"""The queue of films to be rendered: a worker process each, few at a time, kept in the store across restarts."""

import asyncio
import contextlib
import logging
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from sqlalchemy import select, update

from server.archive.catalogue import Catalogue
from server.archive.views import FilmStatus
from server.clock import Clock
from server.errors import DiemcauError
from server.store.store import Store
from server.store.tables import RecordingRow

logger = logging.getLogger(__name__)

_NICE = 10
_KEEP_PROGRESS_S = 5.0
_TERMINATES_WITHIN_S = 5.0
_LONGEST_DETAIL = 500
_LINE_OCTETS = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderLimits:
    """``workers`` at a time. A worker that says nothing for ``stall_s`` is killed. After a failure the next of at most
    ``tries`` follows in ``retry_s``, four times as long each time; every ``look_again_s`` it is seen
    who is due. ``while_recording`` False: none is begun while
    anything is recorded."""

    workers: int = 1
    while_recording: bool = True
    stall_s: float = 600.0
    tries: int = 5
    retry_s: float = 15.0
    look_again_s: float = 30.0


class _Said(msgspec.Struct):
    """A line of a worker: how much is done, 0 to 1."""

    progress: float = 0.0


_said = msgspec.json.Decoder(_Said)


RenderCommand = Callable[[Path, bool], Sequence[str]]


class RenderFailed(Exception):
    """A worker did not make its film; the text says why."""


class RenderQueue:
    """``command`` gives the worker's argv for a recording's folder, and whether a film that is there is made anew."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        clock: Clock,
        command: RenderCommand,
        limits: RenderLimits,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._clock = clock
        self._command = command
        self._limits = limits
        self._tasks: list[asyncio.Task[None]] = []
        self._jobs: dict[str, asyncio.Task[None]] = {}
        self._progress: dict[str, float] = {}
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Go on with what waited, and with what a stopped server was rendering."""
        async with self._store.write() as session:
            await session.execute(
                update(RecordingRow).where(RecordingRow.film_state == "rendering").values(film_state="waiting")
            )
        self._tasks = [asyncio.create_task(self._work()) for _ in range(self._limits.workers)]

    async def stop(self) -> None:
        """End the workers; their films wait for the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def wake(self) -> None:
        """Something was queued, or what it waits for has changed."""
        self._changed.set()

    def live(self, recording_id: str, kept: FilmStatus) -> FilmStatus:
        """The newest that is known: the store is told only every few seconds."""
        progress = self._progress.get(recording_id)
        return kept if progress is None else FilmStatus("rendering", progress, "")

    async def cancel(self, recording_id: str) -> None:
        """End the worker of a recording, if it has one."""
        job = self._jobs.get(recording_id)
        if job is not None:
            job.cancel()
            await asyncio.wait([job])

    # --- the work --------------------------------------------------------------------------------

    async def _work(self) -> None:
        while True:
            self._changed.clear()
            try:
                taken = await self._take()
                if taken is None:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(self._limits.look_again_s):
                            await self._changed.wait()
                    continue
                recording_id, again = taken
                job = asyncio.create_task(self._render(recording_id, again))
                self._jobs[recording_id] = job
                try:
                    await asyncio.wait([job])
                finally:
                    del self._jobs[recording_id]
                    job.cancel()
                    await asyncio.wait([job])
                    self._progress.pop(recording_id, None)
                if not job.cancelled() and (error := job.exception()) is not None:
                    raise error
            except DiemcauError as error:
                logger.error("rendering waits: %s", error.detail)
                await asyncio.sleep(self._limits.look_again_s)
            except Exception:
                logger.exception("rendering failed for a reason of our own, and goes on")
                await asyncio.sleep(self._limits.look_again_s)

    async def _take(self) -> tuple[str, bool] | None:
        """The recording that has waited longest and is due, marked as being rendered; whether anew."""
        if not self._limits.while_recording and self._catalogue.running:
            return None
        row = RecordingRow
        due = (
            select(row)
            .where(
                row.film_state.in_(("waiting", "failed")),
                row.state.in_(("closed", "damaged")),
                row.film_tries < self._limits.tries,
                row.film_due_at <= self._clock.now(),
            )
            .order_by(row.film_due_at, row.number)
            .limit(1)
        )
        async with self._store.read() as session:  # most of the time there is nothing, and then nothing is locked
            if await session.scalar(due) is None:
                return None
        async with self._store.write() as session:
            found = await session.scalar(due)
            if found is None:
                return None
            found.film_state, found.film_progress, found.film_detail = "rendering", 0.0, ""
            return found.recording_id, found.film_again

    async def _render(self, recording_id: str, again: bool) -> None:
        self._progress[recording_id] = 0.0
        logger.info("rendering the film of %s", recording_id)
        try:
            await self._run_worker(recording_id, again)
            await self._set(recording_id, film_again=False)
            await self._catalogue.refresh(recording_id)
            if await self._state(recording_id) == "rendering":
                raise RenderFailed("the worker ended without a film")
        except RenderFailed as failure:
            logger.warning("the film of %s was not rendered: %s", recording_id, failure)
            await self._note_failure(recording_id, str(failure)[:_LONGEST_DETAIL])
        except asyncio.CancelledError:
            await asyncio.shield(self._put_back(recording_id))
            raise

    async def _run_worker(self, recording_id: str, again: bool) -> None:
        """Raises RenderFailed. Cancelled, it ends the worker first."""
        command = self._command(self._catalogue.folder(recording_id), again)
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, limit=_LINE_OCTETS
            )
        except OSError as error:
            raise RenderFailed(f"no worker could be started: {error.strerror}") from error
        assert process.stdout is not None
        assert process.stderr is not None
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
        last_words = deque[str](maxlen=5)
        listening = asyncio.create_task(_listen(process.stderr, last_words))
        try:
            await self._follow(recording_id, process.stdout)
            async with asyncio.timeout(self._limits.stall_s):
                await process.wait()
            await listening
        except TimeoutError:
            raise RenderFailed(f"the worker said nothing for {self._limits.stall_s:.0f} s") from None
        finally:
            await _end(process)
            listening.cancel()
        if process.returncode:
            raise RenderFailed(" ".join(last_words) or f"the worker ended with {process.returncode}")

    async def _follow(self, recording_id: str, lines: asyncio.StreamReader) -> None:
        """Raises TimeoutError for a worker that has nothing to say for too long."""
        kept_at = self._clock.now()
        while True:
            try:
                # Not wait_for: before Python 3.12 it lost a cancellation that came together with a line.
                async with asyncio.timeout(self._limits.stall_s):
                    line = await lines.readline()
            except ValueError:  # longer than any line of ours
                continue
            if not line:
                return
            try:
                progress = min(1.0, max(0.0, _said.decode(line).progress))
            except msgspec.MsgspecError:
                continue
            self._progress[recording_id] = progress
            if self._clock.now() - kept_at >= _KEEP_PROGRESS_S:
                kept_at = self._clock.now()
                await self._set(recording_id, film_progress=progress)

    async def _state(self, recording_id: str) -> str | None:
        async with self._store.read() as session:
            return await session.scalar(
                select(RecordingRow.film_state).where(RecordingRow.recording_id == recording_id)
            )

    async def _note_failure(self, recording_id: str, detail: str) -> None:
        async with self._store.write() as session:
            row = await session.scalar(select(RecordingRow).where(RecordingRow.recording_id == recording_id))
            assert row is not None
            row.film_tries += 1
            row.film_state, row.film_progress, row.film_detail = "failed", 0.0, detail
            row.film_due_at = self._clock.now() + self._limits.retry_s * 4.0 ** (row.film_tries - 1)

    async def _put_back(self, recording_id: str) -> None:
        async with self._store.write() as session:
            await session.execute(
                update(RecordingRow)
                .where(RecordingRow.recording_id == recording_id, RecordingRow.film_state == "rendering")
                .values(film_state="waiting")
            )

    async def _set(self, recording_id: str, **values: object) -> None:
        async with self._store.write() as session:
            await session.execute(
                update(RecordingRow).where(RecordingRow.recording_id == recording_id).values(**values)
            )


def queue_again(row: RecordingRow) -> None:
    """By somebody's wish: at once, and with all tries before it. One that is being rendered goes on."""
    if row.film_state != "rendering":
        row.film_again = row.film_state == "ready"
        row.film_state, row.film_progress, row.film_detail = "waiting", 0.0, ""
    row.film_tries, row.film_due_at = 0, 0.0


async def _listen(errors: asyncio.StreamReader, last_words: deque[str]) -> None:
    while True:
        try:
            line = await errors.readline()
        except ValueError:
            continue
        if not line:
            return
        last_words.append(line.decode(errors="replace").strip())


async def _end(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, and SIGKILL for one that does not hear it (or is stopped)."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_TERMINATES_WITHIN_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
