"""How long recordings are kept, and what holds them longer."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.archive.views import LegalHold
from server.errors import Conflict, InvalidInput, NotFound
from server.ids import new_id
from server.store.lines import clean_line
from server.store.records import Account
from server.store.tables import RecordingHoldRow, RecordingRow, RetentionClassRow


def end_of_keeping(ended_at: float, years: int | None, days: int | None) -> float | None:
    """Calendar years or days after the end; None: for ever. The 29th of February ends with the 28th."""
    end = datetime.fromtimestamp(ended_at, UTC)
    if years is not None:
        year = end.year + years
        try:
            return end.replace(year=year).timestamp()
        except ValueError:
            return end.replace(year=year, day=28).timestamp()
    return None if days is None else (end + timedelta(days=days)).timestamp()


async def keep_as(session: AsyncSession, row: RecordingRow, class_id: str) -> bool:
    """Keep it as a class says, from its end on. Returns whether that is a change.

    Raises NotFound("retention_class_unknown").
    """
    kind = await session.get(RetentionClassRow, class_id)
    if kind is None:
        raise NotFound("retention_class_unknown", "no such retention class")
    is_change = row.retention_class != class_id
    row.retention_class = class_id
    row.keep_until = None if row.ended_at is None else end_of_keeping(row.ended_at, kind.years, kind.days)
    return is_change


async def set_hold(
    session: AsyncSession, row: RecordingRow, wanted: bool, reason: str, account: Account, now: float
) -> bool:
    """Place or lift the legal hold. Returns whether that is a change. Raises InvalidInput("reason_missing")."""
    if row.legal_hold == wanted:
        return False
    if not reason.strip():
        raise InvalidInput("reason_missing", "A hold is placed and lifted for a reason.")
    reason = clean_line(reason, "reason", 1_000)
    row.legal_hold = wanted
    if wanted:
        session.add(
            RecordingHoldRow(
                hold_id=new_id("hold"),
                number=row.number,
                reason=reason,
                placed_at=now,
                placed_by=account.account_id,
                placed_by_name=account.name,
                lifted_at=None,
                lifted_by=None,
                lift_reason="",
            )
        )
        return True
    for hold in await session.scalars(_holding(row.number)):
        hold.lifted_at, hold.lifted_by, hold.lift_reason = now, account.account_id, reason
    return True


async def load_hold(session: AsyncSession, number: int) -> LegalHold | None:
    hold = await session.scalar(_holding(number).limit(1))
    return None if hold is None else LegalHold(hold.reason, hold.placed_at, hold.placed_by_name)


def check_not_held(row: RecordingRow) -> None:
    """Raises Conflict("legal_hold")."""
    if row.legal_hold:
        raise Conflict("legal_hold", "A legal hold is on this recording.")


def _holding(number: int) -> Select[RecordingHoldRow]:
    return (
        select(RecordingHoldRow)
        .where(RecordingHoldRow.number == number, RecordingHoldRow.lifted_at.is_(None))
        .order_by(RecordingHoldRow.placed_at.desc())
    )
