"""A meeting as it is asked for: checked whole, then written whole."""

import math
from collections.abc import Sequence

import msgspec
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.errors import Conflict, InvalidInput, NotFound
from server.meetings.roles import reach
from server.room.commands import FloorMode
from server.room.views import SeatRole
from server.store.lines import clean_line
from server.store.meetings import MeetingState
from server.store.people import load_accounts
from server.store.records import Role
from server.store.tables import EndpointRow, InvitationRow, MeetingRow, ModeratorRow
from server.store.unit_tree import UnitTree

_LONGEST_S = 7 * 24 * 3600.0
_MOST_HOLDERS = 32
_MOST_ENDPOINTS = 2_000


class NewMeeting(msgspec.Struct, frozen=True, kw_only=True):
    """``endpoint_ids`` are the branches, the deputies' own endpoints among them; ``chair_endpoint_id`` is the chair's
    own desk where it is not the main endpoint. Times are Unix seconds."""

    title: str
    host_unit_id: str
    starts_at: float
    ends_at: float
    main_endpoint_id: str
    chair_account_id: str
    deputy_account_ids: tuple[str, ...] = ()
    endpoint_ids: tuple[str, ...] = ()
    chair_endpoint_id: str | None = None
    mode: FloorMode = FloorMode.LECTURE
    max_holders: int = 3
    lobby: bool = False
    record: bool = False


def check_form(meeting: NewMeeting) -> None:
    """What can be said without the store. Raises InvalidInput (``bad_times``, ``bad_max_holders``, ``bad_endpoints``,
    ``bad_moderators``)."""
    if not all(map(math.isfinite, (meeting.starts_at, meeting.ends_at))):
        raise InvalidInput("bad_times", "times are Unix seconds")
    if not 0 < meeting.ends_at - meeting.starts_at <= _LONGEST_S:
        raise InvalidInput("bad_times", "a meeting ends after it starts, within a week")
    if not 1 <= meeting.max_holders <= _MOST_HOLDERS:
        raise InvalidInput("bad_max_holders", f"1 to {_MOST_HOLDERS} may speak at once")
    seats = [endpoint_id for endpoint_id, _ in list_seats(meeting)]
    if len(set(seats)) != len(seats) or len(seats) > _MOST_ENDPOINTS:
        raise InvalidInput("bad_endpoints", f"each endpoint once, at most {_MOST_ENDPOINTS}")
    moderators = list_moderators(meeting)
    if len(set(moderators)) != len(moderators):
        raise InvalidInput("bad_moderators", "each moderator once")


def list_seats(meeting: NewMeeting) -> list[tuple[str, SeatRole]]:
    """Endpoint ids with their roles, in the order in which they are shown."""
    seats = [(meeting.main_endpoint_id, SeatRole.MAIN)]
    if meeting.chair_endpoint_id is not None:
        seats.append((meeting.chair_endpoint_id, SeatRole.CHAIR))
    return seats + [(endpoint_id, SeatRole.BRANCH) for endpoint_id in meeting.endpoint_ids]


def list_moderators(meeting: NewMeeting) -> list[str]:
    """The chair, then the deputies in order."""
    return [meeting.chair_account_id, *meeting.deputy_account_ids]


async def check_moderators(session: AsyncSession, meeting: NewMeeting, tree: UnitTree) -> None:
    """Only who holds the role of a chair for the host unit may chair. Raises InvalidInput("not_a_chair")."""
    found = await load_accounts(session, list_moderators(meeting))
    for account_id in list_moderators(meeting):
        account = found.get(account_id)
        if account is None or Role.CHAIR not in reach(account, meeting.host_unit_id, tree):
            raise InvalidInput("not_a_chair", f"{account_id} may not chair meetings of this unit")


async def book_endpoints(
    session: AsyncSession, endpoint_ids: Sequence[str], starts_at: float, ends_at: float, now: float
) -> None:
    """See that the endpoints exist and are free (article 6.2: no overlap). Locks their rows where the database can,
    so that of two bookings at the same moment one is first. A meeting that runs late is taken to end now.
    Raises NotFound("endpoint_unknown"), Conflict("endpoint_booked")."""
    ids = sorted(endpoint_ids)
    locked = select(EndpointRow.endpoint_id).where(EndpointRow.endpoint_id.in_(ids)).order_by(EndpointRow.endpoint_id)
    known = set(await session.scalars(locked.with_for_update()))
    for endpoint_id in ids:
        if endpoint_id not in known:
            raise NotFound("endpoint_unknown", endpoint_id)
    overlapping = (
        select(EndpointRow.name, MeetingRow.title)
        .join(InvitationRow, InvitationRow.endpoint_id == EndpointRow.endpoint_id)
        .join(MeetingRow, MeetingRow.meeting_id == InvitationRow.meeting_id)
        .where(
            EndpointRow.endpoint_id.in_(ids),
            MeetingRow.state != MeetingState.ENDED,
            MeetingRow.starts_at < ends_at,
            (MeetingRow.ends_at > starts_at) | ((MeetingRow.state == MeetingState.OPEN) & (starts_at < now)),
        )
        .limit(1)
    )
    taken = (await session.execute(overlapping)).first()
    if taken is not None:
        raise Conflict("endpoint_booked", f"{taken.name} is booked for {taken.title}")


async def insert_meeting(
    session: AsyncSession, meeting_id: str, meeting: NewMeeting, host_agency: str, created_by: str, now: float
) -> MeetingRow:
    """Write a checked meeting with its seats and moderators. Raises InvalidInput("bad_text")."""
    row = MeetingRow(
        meeting_id=meeting_id,
        title=clean_line(meeting.title, "title"),
        host_unit_id=meeting.host_unit_id,
        host_agency=host_agency,
        starts_at=meeting.starts_at,
        ends_at=meeting.ends_at,
        state=MeetingState.SCHEDULED.value,
        mode=meeting.mode.value,
        max_holders=meeting.max_holders,
        lobby=meeting.lobby,
        record=meeting.record,
        created_at=now,
        created_by=created_by,
    )
    session.add(row)
    await session.flush()
    await insert_invitations(session, meeting_id, list_seats(meeting), first_position=0)
    await session.execute(
        insert(ModeratorRow),
        [
            {"meeting_id": meeting_id, "account_id": account_id, "deputy_order": order}
            for order, account_id in enumerate(list_moderators(meeting))
        ],
    )
    return row


async def insert_invitations(
    session: AsyncSession, meeting_id: str, seats: Sequence[tuple[str, SeatRole]], first_position: int
) -> None:
    await session.execute(
        insert(InvitationRow),
        [
            {"meeting_id": meeting_id, "endpoint_id": endpoint_id, "role": role.value, "position": position}
            for position, (endpoint_id, role) in enumerate(seats, first_position)
        ],
    )
