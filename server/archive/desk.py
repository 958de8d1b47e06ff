"""Who stands at the archive's desk: rights looked up, and every view and download written down."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.archive.access import Right, Rights, load_sight
from server.clock import Clock
from server.errors import Conflict, Forbidden, NotFound
from server.store.audit import AuditLine, write_line
from server.store.records import Account
from server.store.store import Store
from server.store.tables import RecordingRow

NOTED_AGAIN_S = 600.0
"""A player asks for a film in many pieces: within this time they are one download."""
_MOST_NOTED = 10_000


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks into the archive, and from where."""

    account: Account
    remote: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A recording and what the visitor may do with it."""

    row: RecordingRow
    rights: Rights


class Desk:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._noted: dict[tuple[str, str, str, str, str], float] = {}

    async def look_up(self, visitor: Visitor, recording_id: str, right: Right | None = None) -> Entry:
        """Raises NotFound("recording_unknown") alike for no such recording and for one that the account may not know
        of, Forbidden("not_allowed") without the right, Conflict("recording_destroyed") where a right asks for more
        than to know."""
        async with self._store.read() as session:
            return await find(session, visitor, recording_id, right)

    async def note(self, visitor: Visitor, action: str, recording_id: str, detail: str = "") -> None:
        """A line in the audit log. Raises Unavailable: what cannot be written down does not happen."""
        async with self._store.write() as session:
            await write_line(session, self.line(visitor, action, recording_id, detail))

    async def note_once(self, visitor: Visitor, action: str, recording_id: str, detail: str = "") -> None:
        """The same, but once for all that belongs together."""
        key = (visitor.account.account_id, visitor.remote, action, recording_id, detail)
        now = self._clock.now()
        if now - self._noted.get(key, 0.0) < NOTED_AGAIN_S:
            return
        await self.note(visitor, action, recording_id, detail)
        if len(self._noted) >= _MOST_NOTED:
            self._noted.clear()
        self._noted[key] = now

    def line(self, visitor: Visitor, action: str, recording_id: str, detail: str = "") -> AuditLine:
        account_id = visitor.account.account_id
        return AuditLine(self._clock.now(), action, account_id, visitor.remote, recording_id, detail)


async def find(
    session: AsyncSession, visitor: Visitor, recording_id: str, right: Right | None = None, *, lock: bool = False
) -> Entry:
    """As ``Desk.look_up``, in a session of the caller's. ``lock``: to change the row (SQLite has one writer anyway)."""
    asked = select(RecordingRow).where(RecordingRow.recording_id == recording_id)
    row = await session.scalar(asked.with_for_update() if lock else asked)
    rights = None
    if row is not None:
        rights = (await load_sight(session, visitor.account)).rights(row.meeting_id, row.host_unit_id)
    if row is None or rights is None:
        raise NotFound("recording_unknown", "no such recording")
    if right is not None and right not in rights:
        raise Forbidden("not_allowed", f"This account may not {right.value} this recording.")
    if right is not None and row.state == "destroyed":
        raise Conflict("recording_destroyed", "The recording has been destroyed.")
    return Entry(row, rights)
