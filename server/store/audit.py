"""Who did what, when, from where."""

import msgspec
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.store.store import Store
from server.store.tables import AuditRow


class AuditLine(msgspec.Struct, frozen=True):
    """``account_id`` None: nobody signed in, or the server itself. ``target``: the id of what it was done to."""

    at: float
    action: str
    account_id: str | None = None
    remote: str = ""
    target: str = ""
    detail: str = ""


class AuditLog:
    """Append-only. Raises Unavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def append(self, line: AuditLine) -> None:
        async with self._store.write() as session:
            await write_line(session, line)

    async def latest(self, limit: int = 100) -> list[AuditLine]:
        """Newest first."""
        newest = select(AuditRow).order_by(AuditRow.line_id.desc()).limit(limit)
        async with self._store.read() as session:
            return [
                AuditLine(row.at, row.action, row.account_id, row.remote, row.target, row.detail)
                for row in await session.scalars(newest)
            ]


async def write_line(session: AsyncSession, line: AuditLine) -> None:
    """In the transaction of what it speaks of: both happen or neither. Fields are cut to what the table takes."""
    cut = {"action": line.action[:200], "remote": line.remote[:100], "target": line.target[:200]}
    await session.execute(insert(AuditRow), msgspec.structs.asdict(line) | cut)
