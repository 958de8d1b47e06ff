"""The film before its film is done: HLS pieces, made when a player asks, in a process of their own.

Decoding and encoding would hold up the server's own thread, and a broken file must not take the server along.
"""

import asyncio
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, Final

from server.errors import DiemcauError, NotFound, TooMany, Unavailable

if TYPE_CHECKING:
    from server.recording.film.film import Film

MOST_WAITING: Final = 32
_NICE: Final = 5


class PieceServer:
    """Gives files of ``film/pieces``, made where they are missing. Raises NotFound("no_such_file" | "no_such_piece"),
    TooMany("too_many_pieces"), Unavailable("film_failed")."""

    def __init__(self, workers: int = 1) -> None:
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._asked = 0

    async def playlist(self, folder: Path) -> str:
        """HLS (RFC 8216); an EVENT while the recording runs."""
        return await self._ask(folder, "playlist", 0)

    async def init(self, folder: Path) -> Path:
        return Path(await self._ask(folder, "init", 0))

    async def piece(self, folder: Path, number: int) -> Path:
        return Path(await self._ask(folder, "piece", number))

    def stop(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    async def _ask(self, folder: Path, what: str, number: int) -> str:
        if self._asked >= MOST_WAITING:
            raise TooMany("too_many_pieces", "Too many players wait for pieces of films.")
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._workers, mp_context=context, initializer=_be_nice)
        self._asked += 1
        pool = self._pool
        try:
            found, answer = await asyncio.get_running_loop().run_in_executor(pool, _make, str(folder), what, number)
        except BrokenProcessPool as error:
            if self._pool is pool:  # the next one who asks gets a new worker
                self.stop()
            raise Unavailable("film_failed", "what makes the film's pieces broke down; try again") from error
        finally:
            self._asked -= 1
        if not found:
            raise NotFound("no_such_piece", answer)
        return answer


# --- in the worker process -------------------------------------------------------------------------

_open: tuple[tuple[str, int], "Film"] | None = None
"""The film that was asked for last, and of which log: most players ask for the next piece of the same."""


def _be_nice() -> None:
    os.setpriority(os.PRIO_PROCESS, 0, _NICE)


def _make(folder: str, what: str, number: int) -> tuple[bool, str]:
    """(True, playlist or path) or (False, why there is none)."""
    try:
        film = _film(folder)
        if what == "playlist":
            return True, film.playlist()
        return True, str(film.init() if what == "init" else film.piece(number))
    except (DiemcauError, OSError) as error:
        return False, str(error)


def _film(folder: str) -> "Film":
    global _open
    from server.recording.film.film import Film  # here: the server itself need not load FFmpeg for it
    from server.recording.log import LOG_FILE

    key = (folder, (Path(folder) / LOG_FILE).stat().st_size)
    if _open is None or _open[0] != key:
        if _open is not None:
            _open[1].close()
        _open = None
        _open = (key, Film(Path(folder)))
    return _open[1]
