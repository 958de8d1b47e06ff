"""The book of recordings: a row for every folder from its first second on, and the words it is found by."""

import asyncio
import logging
from collections.abc import Collection, Iterable
from pathlib import Path

import msgspec
from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.archive.abandoned import close_abandoned
from server.archive.keeping import end_of_keeping
from server.archive.reading import Outline, Reading, RecordingUnreadable, log_size, read_recording
from server.archive.search import title_key
from server.clock import Clock
from server.errors import DiemcauError
from server.store.store import Store
from server.store.tables import (
    MeetingRow,
    RecordingLineRow,
    RecordingOutlineRow,
    RecordingRow,
    RecordingWordRow,
    RetentionClassRow,
)

logger = logging.getLogger(__name__)

PREFIX = "rec_"
UNDER_WAY = ("recording", "paused")
_NEVER_CLOSED = "the log has no closing line"
_NAME = 300

_outlines = msgspec.json.Decoder(Outline)


class Catalogue:
    """What the folder of recordings holds, in the store. Raises Unavailable where the store does."""

    def __init__(
        self, store: Store, recordings_dir: Path, key_path: Path, clock: Clock, default_class: str, *, films: bool
    ) -> None:
        """``films``: whether what is closed waits for its film to be rendered."""
        self._store = store
        self._dir = recordings_dir
        self._key_path = key_path
        self._clock = clock
        self._default_class = default_class
        self._films = films
        self._indexing = asyncio.Lock()
        self.running = set[str]()
        """Recordings that this server is writing."""

    def folder(self, recording_id: str) -> Path:
        """Of an id that the store knows; nothing that a client sent comes here otherwise."""
        return self._dir / recording_id

    # --- RecordingShelf --------------------------------------------------------------------------

    async def opened(self, recording_id: str, meeting_id: str, at: float) -> None:
        """A recording runs, or runs again after a restart."""
        self.running.add(recording_id)
        async with self._store.write() as session:
            row = await _find(session, recording_id)
            if row is not None:
                row.state, row.damage = "recording", ""
                return
            meeting = await session.get(MeetingRow, meeting_id)
            title = meeting.title if meeting is not None else meeting_id
            session.add(
                _new_row(
                    recording_id,
                    meeting_id,
                    title,
                    meeting.host_agency if meeting is not None else "",
                    at,
                    host_unit_id=meeting.host_unit_id if meeting is not None else None,
                    retention_class=await self._class_for(session, meeting_id),
                )
            )

    async def closed(self, recording_id: str, reason: str) -> None:
        """It is finished, and nothing more comes; where the end could not be written it is damaged."""
        self.running.discard(recording_id)
        await self.refresh(recording_id)

    # --- folders and rows ------------------------------------------------------------------------

    async def reconcile(self, recorded_meetings: Collection[str] = ()) -> None:
        """Rows for folders that have none; what changed is read again; rows whose folder is gone are damaged. What runs
        in ``recorded_meetings`` is left to the recorder, which says ``opened`` as soon as its writer is back; other
        recordings that were never ended are closed. For the start only, when nothing else is being recorded."""
        names = await asyncio.to_thread(self._list_folders)
        async with self._store.read() as session:
            kept = select(
                RecordingRow.recording_id, RecordingRow.meeting_id, RecordingRow.state, RecordingRow.log_octets
            )
            rows = (await session.execute(kept)).all()
        finished = {row.recording_id for row in rows if row.state in ("closed", "destroyed")}
        for recording_id in sorted(names - finished - self.running):
            folder, now = self.folder(recording_id), self._clock.now()
            await asyncio.to_thread(close_abandoned, folder, self._key_path, recorded_meetings, now)
        for recording_id in sorted(names - {row.recording_id for row in rows}):
            await self._try(recording_id)
        for row in rows:
            under_way = row.state in UNDER_WAY
            if row.state == "destroyed" or (under_way and row.meeting_id in recorded_meetings):
                continue
            size = await asyncio.to_thread(log_size, self.folder(row.recording_id))
            if size != row.log_octets or under_way:
                await self._try(row.recording_id)

    async def follow(self) -> None:
        """Read those again that run and have grown, and folders that came meanwhile."""
        names = await asyncio.to_thread(self._list_folders)
        async with self._store.read() as session:
            known = set(await session.scalars(select(RecordingRow.recording_id)))
            under_way = select(RecordingRow.recording_id, RecordingRow.log_octets).where(
                RecordingRow.state.in_(UNDER_WAY)
            )
            running = (await session.execute(under_way)).all()
        for recording_id in sorted(names - known):
            await self._try(recording_id)
        for row in running:
            if await asyncio.to_thread(log_size, self.folder(row.recording_id)) != row.log_octets:
                await self._try(row.recording_id)

    async def refresh_grown(self, recording_id: str) -> None:
        """Read one again that somebody looks at while it runs, if it has grown."""
        async with self._store.read() as session:
            row = await _find(session, recording_id)
        size = await asyncio.to_thread(log_size, self.folder(recording_id))
        if row is not None and size not in (-1, row.log_octets):
            await self._try(recording_id)

    async def refresh(self, recording_id: str) -> None:
        """Read a folder again and index it. A folder that cannot be read makes its row damaged.

        Raises RecordingUnreadable for a folder without a row that is no recording.
        """
        async with self._indexing:
            try:
                reading = await asyncio.to_thread(read_recording, self.folder(recording_id))
                if reading.recording_id != recording_id:
                    raise RecordingUnreadable(f"the folder {recording_id} holds {reading.recording_id}")
            except RecordingUnreadable as missing:
                await self._mark_damaged(recording_id, missing)
                return
            await self._write(reading)

    async def _try(self, recording_id: str) -> None:
        try:
            await self.refresh(recording_id)
        except DiemcauError as error:
            logger.warning("recording %s was not taken in: %s", recording_id, error.detail)

    async def _mark_damaged(self, recording_id: str, missing: RecordingUnreadable) -> None:
        async with self._store.write() as session:
            row = await _find(session, recording_id)
            if row is None:
                raise missing
            if row.state != "destroyed" and recording_id not in self.running:
                logger.warning("recording %s is damaged: %s", recording_id, missing.detail)
                row.state, row.damage, row.log_octets = "damaged", missing.detail, -1

    async def _write(self, reading: Reading) -> None:
        words = {(word, line.kind) for line in reading.lines for word in line.folded.split()}
        async with self._store.write() as session:
            row = await _find(session, reading.recording_id)
            if row is None:
                row = await self._import(session, reading)
            elif row.state == "destroyed":
                return
            await self._update(session, row, reading)
            number = row.number
            await _forget_index(session, number)
            session.add(RecordingOutlineRow(number=number, outline=msgspec.json.encode(reading.outline).decode()))
            await _insert(
                session,
                RecordingLineRow,
                (
                    {
                        "number": number,
                        "position": position,
                        "kind": line.kind,
                        "at_s": line.at_s,
                        "text": line.text,
                        "folded": line.folded,
                    }
                    for position, line in enumerate(reading.lines)
                ),
            )
            await _insert(
                session,
                RecordingWordRow,
                ({"word": word, "number": number, "kind": kind} for word, kind in sorted(words)),
            )

    async def _import(self, session: AsyncSession, reading: Reading) -> RecordingRow:
        """A folder that came without the server: from elsewhere, or written while the store could not be."""
        meeting = await session.get(MeetingRow, reading.meeting_id)
        row = _new_row(
            reading.recording_id,
            reading.meeting_id,
            reading.title,
            reading.host_agency,
            reading.started_at,
            host_unit_id=meeting.host_unit_id if meeting is not None else None,
            retention_class=await self._class_for(session, reading.meeting_id),
        )
        session.add(row)
        await session.flush()
        logger.info("recording %s taken in", reading.recording_id)
        return row

    async def _update(self, session: AsyncSession, row: RecordingRow, reading: Reading) -> None:
        row.title, row.title_key = reading.title[:_NAME], title_key(reading.title)
        row.host_agency, row.chair = reading.host_agency[:_NAME], reading.chair[:_NAME]
        row.started_at, row.duration_s = reading.started_at, reading.length_s
        row.endpoints, row.octets = len(reading.outline.endpoints), reading.octets
        row.log_octets, row.damage = reading.log_octets, reading.damage
        if reading.closed is not None:
            row.state = "damaged" if reading.damage else "closed"
            row.ended_at = reading.started_at + reading.length_s
            kind = await session.get_one(RetentionClassRow, row.retention_class)
            row.keep_until = end_of_keeping(row.ended_at, kind.years, kind.days)
            if reading.has_film and not row.film_again:
                row.film_state, row.film_progress, row.film_detail = "ready", 1.0, ""
            elif row.film_state in ("none", "ready"):
                row.film_state, row.film_progress = "waiting" if self._films else "none", 0.0
        elif reading.recording_id in self.running:
            row.state, row.damage = "paused" if reading.paused else "recording", ""
        else:
            row.state, row.damage = "damaged", reading.damage or _NEVER_CLOSED

    async def _class_for(self, session: AsyncSession, meeting_id: str) -> str:
        """A meeting's recordings are kept alike: as its latest one, to begin with."""
        latest = (
            select(RecordingRow.retention_class)
            .where(RecordingRow.meeting_id == meeting_id)
            .order_by(RecordingRow.number.desc())
            .limit(1)
        )
        return await session.scalar(latest) or self._default_class

    def _list_folders(self) -> set[str]:
        if not self._dir.is_dir():
            return set()
        return {entry.name for entry in self._dir.iterdir() if entry.name.startswith(PREFIX) and entry.is_dir()}


async def load_outline(session: AsyncSession, number: int) -> Outline:
    """Empty for a recording that was never indexed, or is destroyed."""
    row = await session.get(RecordingOutlineRow, number)
    return _outlines.decode(row.outline) if row is not None else Outline()


async def forget_content(session: AsyncSession, number: int) -> None:
    """Of a destroyed recording what was said is not found any more; that there was one still is."""
    kept = ("title", "agency", "person")
    for table in (RecordingLineRow, RecordingWordRow):
        await session.execute(delete(table).where(table.number == number, table.kind.not_in(kept)))
    await session.execute(delete(RecordingOutlineRow).where(RecordingOutlineRow.number == number))


async def _forget_index(session: AsyncSession, number: int) -> None:
    for table in (RecordingLineRow, RecordingWordRow, RecordingOutlineRow):
        await session.execute(delete(table).where(table.number == number))


async def _find(session: AsyncSession, recording_id: str) -> RecordingRow | None:
    return await session.scalar(select(RecordingRow).where(RecordingRow.recording_id == recording_id))


async def _insert(session: AsyncSession, table: type, rows: Iterable[dict[str, object]]) -> None:
    listed = list(rows)
    if listed:
        await session.execute(insert(table), listed)


async def count_under_way(session: AsyncSession) -> int:
    under_way = select(func.count()).select_from(RecordingRow).where(RecordingRow.state.in_(UNDER_WAY))
    return await session.scalar(under_way) or 0


def _new_row(
    recording_id: str,
    meeting_id: str,
    title: str,
    host_agency: str,
    started_at: float,
    *,
    host_unit_id: str | None,
    retention_class: str,
) -> RecordingRow:
    return RecordingRow(
        recording_id=recording_id,
        meeting_id=meeting_id[:40],
        host_unit_id=host_unit_id,
        title=title[:_NAME],
        title_key=title_key(title),
        host_agency=host_agency[:_NAME],
        chair="",
        started_at=started_at,
        ended_at=None,
        duration_s=0.0,
        endpoints=0,
        octets=0,
        state="recording",
        damage="",
        film_state="none",
        film_progress=0.0,
        film_detail="",
        film_tries=0,
        film_due_at=0.0,
        film_again=False,
        retention_class=retention_class,
        keep_until=None,
        legal_hold=False,
        log_octets=-1,
    )
