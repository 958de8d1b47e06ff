"""The meeting book: planning, inviting, opening and ending meetings, and who is what in them."""

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.errors import Conflict, Forbidden, NotFound
from server.ids import new_id
from server.meetings.bonds import count_invited, load_bond, load_bonds
from server.meetings.planning import (
    NewMeeting,
    book_endpoints,
    check_form,
    check_moderators,
    insert_invitations,
    insert_meeting,
    list_seats,
)
from server.meetings.roles import Bond, knows_of, may_manage, reach, role_in, seat_in
from server.room.commands import Actor, MeetingRole
from server.room.setup import SeatSetup
from server.room.views import SeatRole
from server.store.audit import AuditLine, write_line
from server.store.meetings import MeetingState, load_seats
from server.store.records import Account, Role
from server.store.store import Store
from server.store.tables import InvitationRow, MeetingRow, UnitRow
from server.store.unit_tree import load_tree

__all__ = ["MeetingBook", "NewMeeting", "Summary"]


class Summary(msgspec.Struct, frozen=True):
    """A meeting in a list. ``my_role`` None: may know of it, does not attend. ``endpoints``: how many are invited."""

    meeting_id: str
    title: str
    host_agency: str
    starts_at: float
    ends_at: float
    state: MeetingState
    my_role: MeetingRole | None
    endpoints: int


class MeetingBook:
    """The rights are in ``roles``. Every method raises NotFound("meeting_unknown") for a meeting that the account may
    not know of, Forbidden for what it may not do, and Unavailable where the store does."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def create(self, account: Account, meeting: NewMeeting, now: float) -> Summary:
        """A scheduled meeting of a unit that the operator or administrator is in charge of. Raises
        Forbidden("may_not_manage"), NotFound("unit_unknown" | "endpoint_unknown"), Conflict("endpoint_booked"),
        InvalidInput (``bad_text``, ``not_a_chair``, and see ``check_form``)."""
        check_form(meeting)
        async with self._store.write() as session:
            tree = await load_tree(session)
            host = await session.get(UnitRow, meeting.host_unit_id)
            if host is None:
                raise NotFound("unit_unknown", meeting.host_unit_id)
            if not reach(account, host.unit_id, tree) & {Role.OPERATOR, Role.ADMINISTRATOR}:
                raise Forbidden("may_not_manage", "meetings are planned by an operator of the host unit")
            await check_moderators(session, meeting, tree)
            wanted = [endpoint_id for endpoint_id, _ in list_seats(meeting)]
            await book_endpoints(session, wanted, meeting.starts_at, meeting.ends_at, now)
            row = await insert_meeting(session, new_id("mtg"), meeting, host.name, account.account_id, now)
            await _note(session, "meeting_created", account, row, now)
            return await _summarise(session, account, row)

    async def invite(
        self, account: Account, meeting_id: str, endpoint_ids: tuple[str, ...], now: float
    ) -> tuple[SeatSetup, ...]:
        """Add branches. The new seats are returned so that a running room can be told (``AddSeat``); endpoints that
        are invited already are passed over. Raises Forbidden("may_not_manage"), NotFound("endpoint_unknown"),
        Conflict("meeting_ended" | "endpoint_booked")."""
        async with self._store.write() as session:
            row = await _managed(session, account, meeting_id)
            if row.state == MeetingState.ENDED:
                raise Conflict("meeting_ended", "the meeting has ended")
            before = {seat.seat_id for seat in await load_seats(session, meeting_id)}
            new = [endpoint_id for endpoint_id in dict.fromkeys(endpoint_ids) if endpoint_id not in before]
            if not new:
                return ()
            await book_endpoints(session, new, row.starts_at, row.ends_at, now)
            last = await session.scalar(
                select(func.max(InvitationRow.position)).where(InvitationRow.meeting_id == meeting_id)
            )
            seats = [(endpoint_id, SeatRole.BRANCH) for endpoint_id in new]
            await insert_invitations(session, meeting_id, seats, first_position=(last or 0) + 1)
            await _note(session, "meeting_invited", account, row, now)
            return tuple(seat for seat in await load_seats(session, meeting_id) if seat.seat_id in new)

    async def open(self, account: Account, meeting_id: str, now: float) -> Summary:
        """Scheduled -> open; an open one stays open. Raises Forbidden("may_not_manage"), Conflict("meeting_ended")."""
        async with self._store.write() as session:
            row = await _managed(session, account, meeting_id)
            if row.state == MeetingState.ENDED:
                raise Conflict("meeting_ended", "the meeting has ended")
            if row.state == MeetingState.SCHEDULED:
                row.state, row.opened_at = MeetingState.OPEN.value, now
                await _note(session, "meeting_opened", account, row, now)
            return await _summarise(session, account, row)

    async def end(self, account: Account, meeting_id: str, now: float) -> Summary:
        """Scheduled or open -> ended. The room of a meeting that is going on is ended by its ``EndMeeting`` command
        instead, which sends everybody home. Raises Forbidden("may_not_manage")."""
        async with self._store.write() as session:
            row = await _managed(session, account, meeting_id)
            if row.state != MeetingState.ENDED:
                row.state, row.ended_at = MeetingState.ENDED.value, now
                await _note(session, "meeting_ended", account, row, now)
            return await _summarise(session, account, row)

    async def list_for(self, account: Account, starts_at: float, ends_at: float) -> tuple[Summary, ...]:
        """Meetings in [starts_at, ends_at) that the account may know of, in order of time. A meeting that is still
        open counts as going on, whatever its planned end."""
        in_time = (
            select(MeetingRow)
            .where(
                MeetingRow.starts_at < ends_at,
                (MeetingRow.ends_at > starts_at) | (MeetingRow.state == MeetingState.OPEN),
            )
            .order_by(MeetingRow.starts_at, MeetingRow.meeting_id)
        )
        async with self._store.read() as session:
            rows = (await session.scalars(in_time)).all()
            bonds = await load_bonds(session, account, rows)
            known = [row for row in rows if knows_of(account, bonds[row.meeting_id])]
            counts = await count_invited(session, [row.meeting_id for row in known])
        return tuple(_to_summary(row, account, bonds[row.meeting_id], counts[row.meeting_id]) for row in known)

    async def summary(self, account: Account, meeting_id: str) -> Summary:
        """One meeting, as in the list."""
        async with self._store.read() as session:
            row, _ = await load_bond(session, account, meeting_id)
            return await _summarise(session, account, row)

    async def actor(self, account: Account, meeting_id: str) -> Actor:
        """Who the account is in a meeting, whatever its state. Raises Forbidden("may_not_attend") where it may know of
        the meeting but not attend (administrators; archivists, of ended meetings)."""
        async with self._store.read() as session:
            _, bond = await load_bond(session, account, meeting_id)
        role = role_in(account, bond)
        if role is None:
            raise Forbidden("may_not_attend", "this account does not attend meetings")
        return Actor(account.account_id, account.name, role, seat_in(account, role, bond))


async def _managed(session: AsyncSession, account: Account, meeting_id: str) -> MeetingRow:
    row, bond = await load_bond(session, account, meeting_id)
    if not may_manage(account, bond):
        raise Forbidden("may_not_manage", "this is for the meeting's chair, an operator or an administrator")
    return row


async def _summarise(session: AsyncSession, account: Account, row: MeetingRow) -> Summary:
    bonds = await load_bonds(session, account, [row])
    counts = await count_invited(session, [row.meeting_id])
    return _to_summary(row, account, bonds[row.meeting_id], counts[row.meeting_id])


def _to_summary(row: MeetingRow, account: Account, bond: Bond, endpoints: int) -> Summary:
    return Summary(
        meeting_id=row.meeting_id,
        title=row.title,
        host_agency=row.host_agency,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        state=MeetingState(row.state),
        my_role=role_in(account, bond),
        endpoints=endpoints,
    )


async def _note(session: AsyncSession, action: str, account: Account, row: MeetingRow, now: float) -> None:
    await write_line(session, AuditLine(now, action, account_id=account.account_id, target=row.meeting_id))
