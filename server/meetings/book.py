"""The meeting book: planning, inviting, opening and ending meetings, and who is what in them."""

import msgspec

from server.room.commands import Actor, FloorMode, MeetingRole
from server.room.setup import SeatSetup
from server.store.meetings import MeetingState
from server.store.records import Account
from server.store.store import Store


class NewMeeting(msgspec.Struct, frozen=True, kw_only=True):
    """``endpoints`` are the branches; the chair's and the deputies' own endpoints are invited by naming them there
    or, for the chair's desk, in ``chair_endpoint_id``. Times are Unix seconds."""

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
    def __init__(self, store: Store) -> None:
        self._store = store

    async def create(self, account: Account, meeting: NewMeeting, now: float) -> Summary:
        """Raises Forbidden, InvalidInput, NotFound, Conflict("endpoint_booked")."""
        raise NotImplementedError

    async def invite(
        self, account: Account, meeting_id: str, endpoint_ids: tuple[str, ...], now: float
    ) -> tuple[SeatSetup, ...]:
        """Add branches; the new seats are returned so that a running room can be told (``AddSeat``)."""
        raise NotImplementedError

    async def open(self, account: Account, meeting_id: str, now: float) -> Summary:
        """Scheduled -> open. Raises Forbidden, NotFound, Conflict("meeting_ended")."""
        raise NotImplementedError

    async def end(self, account: Account, meeting_id: str, now: float) -> Summary:
        """Scheduled or open -> ended. A running room is ended by its ``EndMeeting`` command instead."""
        raise NotImplementedError

    async def list_for(self, account: Account, starts_at: float, ends_at: float) -> tuple[Summary, ...]:
        """Meetings in [starts_at, ends_at) that the account may know of, in order of time."""
        raise NotImplementedError

    async def summary(self, account: Account, meeting_id: str) -> Summary:
        """Raises NotFound("meeting_unknown"), also for a meeting the account may not know of."""
        raise NotImplementedError

    async def actor(self, account: Account, meeting_id: str) -> Actor:
        """Who the account is in a meeting. Raises NotFound("meeting_unknown") where it may not know of the meeting,
        Forbidden("may_not_attend") where it may know but not attend (administrators, archivists)."""
        raise NotImplementedError
