"""A process that makes pieces on demand: ``python -m server.recording.film.piece_worker``, one order after another.

Orders are JSON lines on standard input, answers on standard output; a line ``{"busy": true}`` now and then says that it
is at work. It ends with its input, and removes the work folders of films that are done.
"""

import os
import shutil
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from server.errors import DiemcauError
from server.recording.film.film import FILM_FILE, MANIFEST_FILE, WORK_FOLDER, Film
from server.recording.film.work import try_lock
from server.recording.log import LOG_FILE

_NICENESS: Final = 10
_OPEN_FILMS: Final = 2
_BUSY_EVERY_S: Final = 0.5


class Order(msgspec.Struct, frozen=True):
    """``what``: piece, init, playlist. ``number``: of the piece, from 0."""

    folder: str
    what: str
    number: int = 0


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """``busy``: no answer yet. Else ``file`` or ``text``; or ``error``: a code, with ``detail`` and HTTP ``status``."""

    busy: bool = False
    file: str = ""
    text: str = ""
    error: str = ""
    detail: str = ""
    status: int = 500


def main() -> None:
    os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
    films = _Films(_say_busy())
    decoder = msgspec.json.Decoder(Order)
    try:
        for line in sys.stdin.buffer:
            _say(films.answer(decoder.decode(line)))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains once more at its end
    finally:
        films.close()


class _Films:
    """The films asked for lately, each as of its log's newest state."""

    def __init__(self, busy: Callable[[], None]) -> None:
        self._busy = busy
        self._open: OrderedDict[tuple[str, int, int], Film] = OrderedDict()
        self._folders: set[Path] = set()

    def answer(self, order: Order) -> Answer:
        try:
            film = self._film(Path(order.folder))
            if order.what == "playlist":
                return Answer(text=film.playlist())
            return Answer(file=str(film.init() if order.what == "init" else film.piece(order.number)))
        except DiemcauError as error:
            return Answer(error=error.code, detail=error.detail, status=error.status)
        except OSError as error:
            return Answer(error="film_failed", detail=str(error), status=503)

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()
        for folder in self._folders:
            _tidy(folder)

    def _film(self, folder: Path) -> Film:
        status = (folder / LOG_FILE).stat()
        key = (str(folder), status.st_size, status.st_mtime_ns)
        film = self._open.pop(key, None) or Film(folder, busy=self._busy)
        self._open[key] = film
        self._folders.add(folder)
        if len(self._open) > _OPEN_FILMS:
            self._open.popitem(last=False)[1].close()
        return film


def _tidy(folder: Path) -> None:
    """Pieces made for a player after the film was done are not kept, unless somebody renders the film again now."""
    work = folder / WORK_FOLDER
    if not (work.exists() and (folder / FILM_FILE).exists() and (folder / MANIFEST_FILE).exists()):
        return
    try:
        descriptor = try_lock(work)
    except OSError:
        return
    if descriptor is not None:
        if not (work / MANIFEST_FILE).exists():
            shutil.rmtree(work, ignore_errors=True)
        os.close(descriptor)


def _say_busy() -> Callable[[], None]:
    """Says it at most twice a second."""
    said_at = 0.0

    def busy() -> None:
        nonlocal said_at
        if time.monotonic() - said_at >= _BUSY_EVERY_S:
            said_at = time.monotonic()
            _say(Answer(busy=True))

    return busy


def _say(answer: Answer) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
