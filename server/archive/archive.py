"""The archive: its parts put together, started and stopped, and the work that comes back every minute."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path
from typing import Final

from server.archive.catalogue import Catalogue
from server.archive.desk import Desk
from server.archive.downloads import Readers
from server.archive.finder import Finder
from server.archive.keeper import Keeper
from server.archive.lending import Lending
from server.archive.rendering import RenderCommand, RenderLimits, RenderQueue
from server.archive.workshop import Workshop
from server.clock import Clock
from server.config import ArchiveConfig, RecordingConfig
from server.errors import DiemcauError
from server.recording.film.piece_server import PieceServer
from server.recording.keys import SigningKey
from server.store.store import Store

logger = logging.getLogger(__name__)


_LAST_ROUND_S: Final = 5.0
"""How long a stop waits for a look at the folders that is under way."""


class Archive:
    """``finder``, ``lending``, ``keeper`` and ``workshop`` serve people; ``opened`` and ``closed`` the recorder (it is
    a ``hub.recorder.RecordingShelf``).

    ``data_dir`` is handed to the render worker, ``recordings_dir`` holds a folder a recording, ``key_path`` the key
    that signs them (made at first use; raises Unavailable). ``render_command`` gives a worker's argv.
    """

    def __init__(
        self,
        store: Store,
        data_dir: Path,
        clock: Clock,
        config: ArchiveConfig,
        recording: RecordingConfig,
        *,
        recordings_dir: Path,
        key_path: Path,
        render_command: RenderCommand | None = None,
    ) -> None:
        self._config = config
        self._dir = recordings_dir
        key = SigningKey.load_or_make(key_path)
        self.public_key = key.public.pem.decode()
        """PEM."""
        desk, readers = Desk(store, clock), Readers()
        self._catalogue = Catalogue(store, recordings_dir, key_path, clock, config.default_class, films=config.render)
        limits = RenderLimits(
            workers=config.render_workers if config.render else 0,
            while_recording=config.render_while_recording,
            stall_s=config.render_stall_s,
        )
        command = render_command or _render_by_cli(data_dir)
        self._queue = RenderQueue(store, self._catalogue, clock, command, limits)
        self._pieces = PieceServer()
        self.finder = Finder(
            store,
            self._catalogue,
            self._queue,
            desk,
            clock,
            recording,
            recordings_dir=recordings_dir,
            default_class=config.default_class,
        )
        self.lending = Lending(store, self._catalogue, readers, self._pieces, desk)
        self.keeper = Keeper(
            store,
            self._catalogue,
            self._queue,
            readers,
            desk,
            clock,
            key,
            recordings_dir=recordings_dir,
            download_wait_s=config.download_wait_s,
        )
        self.workshop = Workshop(store, self._catalogue, self._queue, readers, desk, key)
        self._rounds: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    async def start(self, recorded_meetings: Collection[str] = ()) -> None:
        """Once the store is open and the meetings are back: ``recorded_meetings`` have a recording that goes on.

        Folders and rows are brought together in the background, so a large archive does not hold up the start.
        """
        await asyncio.to_thread(self._dir.mkdir, parents=True, exist_ok=True)
        await self._queue.start()
        self._stopping.clear()
        self._rounds = asyncio.create_task(self._go_round(frozenset(recorded_meetings)))

    async def stop(self) -> None:
        """End workers and background work; what was begun goes on at the next start."""
        if self._rounds is not None:
            self._stopping.set()
            # A round that is under way is let finish: what it has begun in the store is not torn off.
            _, pending = await asyncio.wait([self._rounds], timeout=_LAST_ROUND_S)
            for late in pending:
                late.cancel()
                await asyncio.wait([late])
            self._rounds = None
        await self.keeper.stop()
        await self._queue.stop()
        await self._pieces.close()

    async def opened(self, recording_id: str, meeting_id: str, at: float) -> None:
        await self._catalogue.opened(recording_id, meeting_id, at)

    async def closed(self, recording_id: str, reason: str) -> None:
        await self._catalogue.closed(recording_id, reason)
        self._queue.wake()

    async def look_again(self) -> None:
        """What has to be done now and then: what grew or came is indexed, what is destroyed is removed."""
        await self._catalogue.follow()
        await self.keeper.go_on()
        if self._config.destroy_expired:
            await self.keeper.destroy_expired()
        self._queue.wake()

    async def _go_round(self, recorded_meetings: frozenset[str]) -> None:
        await self._guarded(self.keeper.go_on)
        await self._guarded(lambda: self._catalogue.reconcile(recorded_meetings))
        self._queue.wake()
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._config.look_again_s):
                    await self._stopping.wait()
                return
            await self._guarded(self.look_again)

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except DiemcauError as error:
            logger.error("the archive looks again later: %s", error.detail)
        except Exception:
            logger.exception("the archive failed at its round, and looks again later")


def _render_by_cli(data_dir: Path) -> RenderCommand:
    """The worker is our own command line: what is rendered here can be rendered by hand just so."""

    def command(folder: Path, again: bool) -> Sequence[str]:
        return (
            sys.executable,
            "-m",
            "server",
            "recordings",
            "render",
            str(folder),
            "--data",
            str(data_dir),
            "--progress",
            *(["--again"] if again else []),
        )

    return command
