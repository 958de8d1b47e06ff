"""What the hub needs of a stored meeting: its set-up, and its state kept true."""

from enum import StrEnum

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.config import Config
from server.errors import Conflict, NotFound
from server.room.commands import FloorMode
from server.room.setup import ModeratorSetup, RoomSetup, SeatSetup
from server.room.views import SeatRole
from server.store.store import Store
from server.store.tables import AccountRow, EndpointRow, InvitationRow, MeetingRow, ModeratorRow
from server.store.unit_tree import load_tree


class MeetingState(StrEnum):
    """SCHEDULED takes nobody yet; OPEN has a room; ENDED is history."""

    SCHEDULED = "scheduled"
    OPEN = "open"
    ENDED = "ended"


class MeetingShelf:
    """The meetings as the hub sees them."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._floor = config.floor

    async def load_setup(self, meeting_id: str) -> RoomSetup:
        """Raises NotFound("meeting_unknown"), Conflict("meeting_not_open") or Conflict("meeting_ended")."""
        async with self._store.read() as session:
            meeting = await session.get(MeetingRow, meeting_id)
            if meeting is None:
                raise NotFound("meeting_unknown")
            if meeting.state != MeetingState.OPEN:
                raise Conflict("meeting_ended" if meeting.state == MeetingState.ENDED else "meeting_not_open")
            return RoomSetup(
                meeting_id=meeting_id,
                title=meeting.title,
                host_agency=meeting.host_agency,
                seats=await load_seats(session, meeting_id),
                moderators=await _load_moderators(session, meeting_id),
                mode=FloorMode(meeting.mode),
                max_holders=meeting.max_holders,
                lobby=meeting.lobby,
                record=meeting.record,
                lease_s=self._floor.lease_s,
                chair_grace_s=self._floor.chair_grace_s,
                max_queue=self._floor.max_queue,
                max_grant_s=self._floor.max_grant_s,
            )

    async def open_ids(self) -> tuple[str, ...]:
        """Meetings that are open: the rooms to bring back after a restart."""
        opened = select(MeetingRow.meeting_id).where(MeetingRow.state == MeetingState.OPEN)
        async with self._store.read() as session:
            return tuple(await session.scalars(opened.order_by(MeetingRow.starts_at, MeetingRow.meeting_id)))

    async def mark_ended(self, meeting_id: str, now: float) -> None:
        """The room ended: keep it so. Doing it twice changes nothing."""
        async with self._store.write() as session:
            await session.execute(
                update(MeetingRow)
                .where(MeetingRow.meeting_id == meeting_id, MeetingRow.state != MeetingState.ENDED)
                .values(state=MeetingState.ENDED.value, ended_at=now)
            )


async def load_seats(session: AsyncSession, meeting_id: str) -> tuple[SeatSetup, ...]:
    """The invited endpoints, in the order of invitation; a seat's id is its endpoint's."""
    tree = await load_tree(session)
    invited = (
        select(EndpointRow.endpoint_id, EndpointRow.name, EndpointRow.unit_id, InvitationRow.role)
        .join(InvitationRow, InvitationRow.endpoint_id == EndpointRow.endpoint_id)
        .where(InvitationRow.meeting_id == meeting_id)
        .order_by(InvitationRow.position)
    )
    return tuple(
        SeatSetup(row.endpoint_id, row.name, tree.path(row.unit_id), SeatRole(row.role))
        for row in await session.execute(invited)
    )


async def _load_moderators(session: AsyncSession, meeting_id: str) -> tuple[ModeratorSetup, ...]:
    chairing = (
        select(AccountRow.account_id, AccountRow.name, ModeratorRow.deputy_order)
        .join(ModeratorRow, ModeratorRow.account_id == AccountRow.account_id)
        .where(ModeratorRow.meeting_id == meeting_id)
        .order_by(ModeratorRow.deputy_order)
    )
    return tuple(
        ModeratorSetup(row.account_id, row.name, deputy=row.deputy_order > 0) for row in await session.execute(chairing)
    )
