"""Keeping recordings for as long as they must be, and destroying them in order."""

import asyncio
import logging
from pathlib import Path

import msgspec
from sqlalchemy import select

from server.archive import destruction
from server.archive.access import Right
from server.archive.catalogue import UNDER_WAY, Catalogue
from server.archive.desk import Desk, Visitor, find
from server.archive.downloads import Readers
from server.archive.keeping import check_not_held, keep_as, set_hold
from server.archive.rendering import RenderQueue
from server.archive.search import is_expired
from server.archive.views import Certificate
from server.clock import Clock
from server.errors import Conflict, Forbidden, Unavailable
from server.recording.keys import SigningKey
from server.store.audit import write_line
from server.store.lines import clean_line
from server.store.records import Account
from server.store.store import Store
from server.store.tables import DestructionRow, RecordingRow

logger = logging.getLogger(__name__)

_SERVER = Visitor(Account(account_id="server", username="", name="Diemcau", grants=()), "")
"""Who destroys what has expired, where the configuration says so."""


class Keeper:
    """Raises NotFound("recording_unknown") alike for no recording and for one that the account may not know of."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        queue: RenderQueue,
        readers: Readers,
        desk: Desk,
        clock: Clock,
        key: SigningKey,
        *,
        recordings_dir: Path,
        download_wait_s: float,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._queue = queue
        self._readers = readers
        self._desk = desk
        self._clock = clock
        self._key = key
        self._dir = recordings_dir
        self._download_wait_s = download_wait_s
        self._removals: dict[str, asyncio.Task[None]] = {}

    async def keep(self, visitor: Visitor, recording_id: str, class_id: str, legal_hold: bool, reason: str) -> None:
        """Set class and hold. Raises NotFound("retention_class_unknown"), InvalidInput("reason_missing" | "bad_text"),
        Forbidden("not_allowed"), Conflict("recording_destroyed")."""
        now = self._clock.now()
        async with self._store.write() as session:
            entry = await find(session, visitor, recording_id, Right.KEEP, lock=True)
            if entry.row.legal_hold != legal_hold and Right.HOLD not in entry.rights:
                raise Forbidden("not_allowed", "This account may not place or lift holds.")
            before = entry.row.retention_class
            if await keep_as(session, entry.row, class_id):
                line = self._desk.line(visitor, "recording_class_set", recording_id, f"{before} -> {class_id}")
                await write_line(session, line)
            if await set_hold(session, entry.row, legal_hold, reason, visitor.account, now):
                action = "recording_hold_placed" if legal_hold else "recording_hold_lifted"
                await write_line(session, self._desk.line(visitor, action, recording_id, reason))

    async def destroy(self, visitor: Visitor, recording_id: str, reason: str) -> Certificate:
        """Returns when it is certified; the files follow at once, or when running downloads are over.

        Asked for again, the first certificate is the answer. Raises Conflict("legal_hold" | "still_recording"),
        Forbidden("not_allowed"), InvalidInput("bad_text"), Unavailable("disk_error").
        """
        reason = clean_line(reason, "reason", 1_000)
        async with self._store.read() as session:
            entry = await find(session, visitor, recording_id)
        if Right.DESTROY not in entry.rights:
            raise Forbidden("not_allowed", "This account may not destroy recordings.")
        return await self._destroy(visitor, entry.row, reason)

    async def certificate(self, visitor: Visitor, recording_id: str) -> bytes:
        """The document as it was signed. Raises Conflict("not_destroyed")."""
        async with self._store.read() as session:
            entry = await find(session, visitor, recording_id)
            found = await session.get(DestructionRow, entry.row.number)
        if found is None:
            raise Conflict("not_destroyed", "The recording has not been destroyed.")
        return found.certificate.encode()

    async def go_on(self) -> None:
        """Remove what is destroyed by certificate only: after a kill, or a disk that did not let it."""
        for recording_id in await destruction.list_undone(self._store):
            self._remove_soon(recording_id)

    async def destroy_expired(self) -> None:
        """Those that are proposed for destruction. Only where the configuration says so."""
        async with self._store.read() as session:
            rows = (await session.scalars(select(RecordingRow).where(is_expired(self._clock.now())))).all()
        for row in rows:
            await self._destroy(_SERVER, row, f"The retention class {row.retention_class} has ended.")

    async def settled(self) -> None:
        """Wait until what is being removed is gone."""
        await asyncio.gather(*self._removals.values())

    async def stop(self) -> None:
        """What waits for downloads is left to the next start."""
        removals = list(self._removals.values())
        for removal in removals:
            removal.cancel()
        await asyncio.gather(*removals, return_exceptions=True)

    async def _destroy(self, visitor: Visitor, row: RecordingRow, reason: str) -> Certificate:
        if row.state in UNDER_WAY:
            raise Conflict("still_recording", "The recording is still running.")
        check_not_held(row)
        folder, now = self._catalogue.folder(row.recording_id), self._clock.now()
        await self._queue.cancel(row.recording_id)
        try:
            files = await asyncio.to_thread(destruction.list_files, folder)
        except OSError as error:
            raise Unavailable("disk_error", f"what is destroyed must be read first: {error}") from error
        document = destruction.certify(row, files, visitor.account, reason, now, self._key)
        line = self._desk.line(visitor, "recording_destroyed", row.recording_id, reason)
        document = await destruction.order_destruction(self._store, row.recording_id, document, line, UNDER_WAY)
        self._remove_soon(row.recording_id)
        return msgspec.json.decode(document, type=Certificate)

    def _remove_soon(self, recording_id: str) -> None:
        if recording_id not in self._removals:
            task = asyncio.create_task(self._remove(recording_id))
            self._removals[recording_id] = task
            task.add_done_callback(lambda _: self._removals.pop(recording_id, None))

    async def _remove(self, recording_id: str) -> None:
        if not await self._readers.gone(recording_id, self._download_wait_s):
            logger.warning("downloads of %s are cut off: it is being destroyed", recording_id)
        await self._queue.cancel(recording_id)
        try:
            await asyncio.to_thread(destruction.remove, self._dir, recording_id)
        except OSError as error:
            logger.error("recording %s could not be removed, and will be tried again: %s", recording_id, error)
            return
        await destruction.mark_done(self._store, recording_id, self._clock.now())
        logger.info("recording %s is destroyed", recording_id)
