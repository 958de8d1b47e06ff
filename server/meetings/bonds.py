"""What ties an account to meetings, read from the store."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.errors import NotFound
from server.meetings.roles import Bond, knows_of, reach
from server.store.meetings import MeetingState
from server.store.records import Account
from server.store.tables import InvitationRow, MeetingRow, ModeratorRow
from server.store.unit_tree import load_tree


async def load_bonds(session: AsyncSession, account: Account, meetings: Sequence[MeetingRow]) -> dict[str, Bond]:
    """The account's bond to each meeting, by meeting id."""
    ids = [meeting.meeting_id for meeting in meetings]
    tree = await load_tree(session)
    chairing = select(ModeratorRow.meeting_id, ModeratorRow.deputy_order).where(
        ModeratorRow.account_id == account.account_id, ModeratorRow.meeting_id.in_(ids)
    )
    orders = {row.meeting_id: row.deputy_order for row in await session.execute(chairing)}
    invited = select(InvitationRow.meeting_id).where(
        InvitationRow.endpoint_id == account.endpoint_id, InvitationRow.meeting_id.in_(ids)
    )
    seated = set(await session.scalars(invited)) if account.endpoint_id else set()
    return {
        meeting.meeting_id: Bond(
            state=MeetingState(meeting.state),
            deputy_order=orders.get(meeting.meeting_id),
            invited=meeting.meeting_id in seated,
            reached=reach(account, meeting.host_unit_id, tree),
        )
        for meeting in meetings
    }


async def load_bond(session: AsyncSession, account: Account, meeting_id: str) -> tuple[MeetingRow, Bond]:
    """Raises NotFound("meeting_unknown") alike for no such meeting and for one the account may not know of."""
    meeting = await session.get(MeetingRow, meeting_id)
    if meeting is not None:
        bond = (await load_bonds(session, account, [meeting]))[meeting_id]
        if knows_of(account, bond):
            return meeting, bond
    raise NotFound("meeting_unknown", "no such meeting")


async def count_invited(session: AsyncSession, meeting_ids: Sequence[str]) -> dict[str, int]:
    """How many endpoints are invited, by meeting id."""
    counts = (
        select(InvitationRow.meeting_id, func.count().label("endpoints"))
        .where(InvitationRow.meeting_id.in_(meeting_ids))
        .group_by(InvitationRow.meeting_id)
    )
    return {row.meeting_id: row.endpoints for row in await session.execute(counts)}
