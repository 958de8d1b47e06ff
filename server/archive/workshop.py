"""Looking a recording through, and having its film rendered."""

import asyncio
from pathlib import Path

from server.archive.access import Right
from server.archive.catalogue import Catalogue
from server.archive.desk import Desk, Visitor, find
from server.archive.downloads import Readers
from server.archive.lending import check_closed
from server.archive.rendering import RenderQueue, queue_again
from server.archive.views import FilmStatus, VerifyFinding, VerifyReport
from server.errors import TooMany
from server.recording.keys import SigningKey
from server.recording.verify import verify_recording
from server.store.audit import write_line
from server.store.store import Store

_WAITING = 4
"""Verifications that may wait for the one that runs: each reads everything, which takes minutes."""


class Workshop:
    """Raises NotFound("recording_unknown"), Forbidden("not_allowed"), Conflict("recording_destroyed" |
    "still_recording")."""

    def __init__(
        self, store: Store, catalogue: Catalogue, queue: RenderQueue, readers: Readers, desk: Desk, key: SigningKey
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._queue = queue
        self._readers = readers
        self._desk = desk
        self._key = key
        self._verifying = asyncio.Semaphore(1)
        self._asked = 0

    async def verify(self, visitor: Visitor, recording_id: str) -> VerifyReport:
        """Check every hash, the chain and the signatures; one recording at a time. Raises
        TooMany("too_many_verifications")."""
        entry = await self._desk.look_up(visitor, recording_id, Right.VERIFY)
        check_closed(entry)
        if self._asked > _WAITING:
            raise TooMany("too_many_verifications", "Recordings are being verified; try again later.")
        self._asked += 1
        try:
            with self._readers.reading(recording_id, visitor.account.account_id):
                async with self._verifying:
                    report = await asyncio.to_thread(self._verify, self._catalogue.folder(recording_id))
        finally:
            self._asked -= 1
        result = "ok" if report.ok else ", ".join(sorted({finding.code for finding in report.findings}))
        await self._desk.note(visitor, "recording_verified", recording_id, result)
        return report

    async def render(self, visitor: Visitor, recording_id: str) -> FilmStatus:
        """Queue the film (again), before those that failed."""
        async with self._store.write() as session:
            entry = await find(session, visitor, recording_id, Right.RENDER, lock=True)
            check_closed(entry)
            queue_again(entry.row)
            await write_line(session, self._desk.line(visitor, "recording_render_asked", recording_id))
        self._queue.wake()
        row = entry.row
        return self._queue.live(recording_id, FilmStatus(row.film_state, row.film_progress, row.film_detail))

    def _verify(self, folder: Path) -> VerifyReport:
        """What was rendered here is signed with our key; what was recorded elsewhere, with that server's."""
        found = verify_recording(folder, also_trusted=(self._key.public_base64,))
        return VerifyReport(
            ok=found.ok,
            findings=tuple(
                VerifyFinding(one.code, one.detail, one.file or "", one.line or 0) for one in found.findings
            ),
            gaps=len(found.gaps),
            segments=found.segments,
            octets=found.octets,
            seconds=found.seconds,
            film=found.film,
        )
