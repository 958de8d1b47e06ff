"""Finding recordings, and showing one."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import msgspec
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.archive.access import Right, Rights, Sight, load_sight
from server.archive.catalogue import UNDER_WAY, Catalogue, load_outline
from server.archive.desk import Desk, Visitor, find
from server.archive.folding import Term, mark
from server.archive.keeping import load_hold
from server.archive.reading import CAPTIONS_FILE, Outline
from server.archive.rendering import RenderQueue
from server.archive.search import Order, Query, conditions, parse, select_hits
from server.archive.space import look_at_space, measure_rate
from server.archive.views import (
    Certificate,
    FilmStatus,
    Hit,
    RecordingDetail,
    Recordings,
    RecordingSpace,
    RecordingSummary,
    Retention,
    RetentionClass,
    RetentionClasses,
)
from server.clock import Clock
from server.config import RecordingConfig
from server.errors import Forbidden, Unavailable
from server.store.records import Account, Role
from server.store.store import Store
from server.store.tables import DestructionRow, RecordingRow, RetentionClassRow

_MEASURED = 50
"""Of so many recordings, the newest, it is known how much a second takes."""
_SEE_SPACE = frozenset({Role.ARCHIVIST, Role.ADMINISTRATOR, Role.OPERATOR, Role.CHAIR})


class Finder:
    """Raises NotFound("recording_unknown") alike for no recording and for one that the account may not know of."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        queue: RenderQueue,
        desk: Desk,
        clock: Clock,
        recording: RecordingConfig,
        *,
        recordings_dir: Path,
        default_class: str,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._queue = queue
        self._desk = desk
        self._clock = clock
        self._recording = recording
        self._dir = recordings_dir
        self._default_class = default_class

    async def search(self, account: Account, query: Query) -> Recordings:
        """A page of what the account may know of. Raises InvalidInput("invalid_query")."""
        wanted, order, now = parse(query.text), Order(query.sort, query.cursor), self._clock.now()
        async with self._store.read() as session:
            sight = await load_sight(session, account)
            fitting = conditions(query, wanted, sight, now)
            numbers, total = await _find_page(session, order, fitting, query.limit)
            rows = await session.scalars(select(RecordingRow).where(RecordingRow.number.in_(numbers[: query.limit])))
            by_number = {row.number: row for row in rows}
            shown = [by_number[number] for number in numbers[: query.limit]]
            hits = await _load_hits(session, shown, sight, wanted.terms)
        return Recordings(
            tuple(self._summarise(row, now, hits.get(row.number, ())) for row in shown),
            total,
            order.cursor_of(shown[-1], total) if len(numbers) > query.limit else None,
        )

    async def show(self, visitor: Visitor, recording_id: str) -> RecordingDetail:
        """Everything about one; written into the audit log."""
        entry = await self._desk.look_up(visitor, recording_id)
        if entry.row.state in UNDER_WAY:
            await self._catalogue.refresh_grown(recording_id)
        await self._desk.note_once(visitor, "recording_viewed", recording_id)
        return await self.describe(visitor, recording_id)

    async def describe(self, visitor: Visitor, recording_id: str) -> RecordingDetail:
        """The same for somebody whose look is written down already."""
        folder = self._catalogue.folder(recording_id)
        async with self._store.read() as session:
            entry = await find(session, visitor, recording_id)
            row, rights = entry.row, entry.rights
            outline = await load_outline(session, row.number)
            hold = await load_hold(session, row.number)
            destruction = await session.get(DestructionRow, row.number)
        certificate = None
        if destruction is not None:
            certificate = msgspec.json.decode(destruction.certificate, type=Certificate)
        captions = certificate is None and await asyncio.to_thread((folder / CAPTIONS_FILE).is_file)
        return _detail(
            self._summarise(row, self._clock.now()),
            outline,
            rights if certificate is None else frozenset(),
            row.damage,
            captions=captions,
            hold=hold,
            destroyed=certificate,
        )

    async def classes(self) -> RetentionClasses:
        async with self._store.read() as session:
            rows = await session.scalars(select(RetentionClassRow).order_by(RetentionClassRow.position))
            found = tuple(
                RetentionClass(retention_class=row.class_id, name=row.name, years=row.years, days=row.days)
                for row in rows
            )
        return RetentionClasses(found, self._default_class)

    async def space(self, account: Account) -> RecordingSpace:
        """Raises Forbidden("not_allowed") for those who neither record nor keep; Unavailable("disk_error")."""
        if not _SEE_SPACE.intersection(account.roles):
            raise Forbidden("not_allowed", "This is for those who record and keep.")
        return await self.measure_space()

    async def measure_space(self) -> RecordingSpace:
        row = RecordingRow
        newest = select(row.octets, row.duration_s).where(row.state == "closed").order_by(row.number.desc())
        async with self._store.read() as session:
            recorded = [(found.octets, found.duration_s) for found in await session.execute(newest.limit(_MEASURED))]
        try:
            return await asyncio.to_thread(
                look_at_space, self._dir, measure_rate(recorded), len(self._catalogue.running), self._recording
            )
        except OSError as error:
            raise Unavailable("disk_error", f"the disk of the recordings: {error.strerror}") from error

    def _summarise(self, row: RecordingRow, now: float, hits: tuple[Hit, ...] = ()) -> RecordingSummary:
        film = FilmStatus(row.film_state, row.film_progress, row.film_detail)
        running = row.state in UNDER_WAY
        return RecordingSummary(
            recording_id=row.recording_id,
            meeting_id=row.meeting_id,
            title=row.title,
            host_agency=row.host_agency,
            started_at=row.started_at,
            ended_at=row.ended_at,
            duration_s=max(row.duration_s, now - row.started_at) if running else row.duration_s,
            endpoints=row.endpoints,
            chair=row.chair,
            octets=row.octets,
            state=_state(row),
            film=self._queue.live(row.recording_id, film),
            retention=Retention(
                retention_class=row.retention_class,
                keep_until=row.keep_until,
                legal_hold=row.legal_hold,
                expired=row.state in ("closed", "damaged")
                and row.keep_until is not None
                and row.keep_until <= now
                and not row.legal_hold,
            ),
            hits=hits,
        )


async def _find_page(
    session: AsyncSession, order: Order, fitting: Sequence[ColumnElement[bool]], limit: int
) -> tuple[list[int], int]:
    """Numbers of a page and of one more, and how many there are in all: counted on the way, with the first page."""
    found = await session.execute(
        order.apply(select(RecordingRow.number, func.count().over().label("total")).where(*fitting)).limit(limit + 1)
    )
    rows = found.all()
    return [row.number for row in rows], order.total if order.total is not None else rows[0].total if rows else 0


async def _load_hits(
    session: AsyncSession, rows: Sequence[RecordingRow], sight: Sight, terms: Sequence[Term]
) -> dict[int, tuple[Hit, ...]]:
    if not terms or not rows:
        return {}
    heard = [row.number for row in rows if Right.PLAY in (sight.rights(row.meeting_id, row.host_unit_id) or ())]
    found = defaultdict[int, list[Hit]](list)
    for line in await session.execute(select_hits([row.number for row in rows], heard, terms)):
        found[line.number].append(Hit(line.at_s, line.kind, line.text, mark(line.text, terms)))
    return {number: tuple(hits) for number, hits in found.items()}


def _state(row: RecordingRow) -> str:
    """Of a closed recording, how far its film is."""
    return row.film_state if row.state == "closed" and row.film_state in ("rendering", "ready") else row.state


def _detail(
    summary: RecordingSummary, outline: Outline, rights: Rights, damage: str, **more: object
) -> RecordingDetail:
    fields = {name: getattr(summary, name) for name in RecordingSummary.__struct_fields__}
    return RecordingDetail(
        **fields,
        endpoints_list=outline.endpoints,
        chapters=outline.chapters,
        speaking=outline.speaking,
        gaps=outline.gaps,
        chat=outline.chat if Right.PLAY in rights else (),
        tracks=outline.tracks,
        may=tuple(right.value for right in Right if right in rights),
        damage=damage,
        **more,  # type: ignore[arg-type]  # captions, hold, destroyed: checked by their only caller's names
    )
