"""Who is what in a meeting (pure). The first rule that fits decides:

1. The meeting's chair chairs, its deputies stand by; each sits at the own endpoint where that is invited too.
2. An operator whose scope reaches the host unit serves the meeting, without a seat.
3. An endpoint's account whose endpoint is invited sits in its seat.
4. An observer watches what its scope reaches, or what its endpoint is invited to; it has no seat, so no voice.
5. Everybody else does not attend. An administrator manages meetings within its scope and an archivist knows those
   that have ended (whose recordings it keeps), so these learn that they may not attend; anybody else learns nothing,
   not even that there is such a meeting.

A role granted without a unit reaches everything. A disabled account reaches nothing.
"""

from dataclasses import dataclass

from server.room.commands import MeetingRole
from server.store.meetings import MeetingState
from server.store.records import Account, Role
from server.store.unit_tree import UnitTree


@dataclass(frozen=True, slots=True)
class Bond:
    """What ties an account to a meeting. ``deputy_order``: 0 chairs, 1, 2, ... stand by, None is no moderator.
    ``invited``: the account's own endpoint has a seat. ``reached``: its roles whose scope holds the host unit."""

    state: MeetingState
    deputy_order: int | None
    invited: bool
    reached: frozenset[Role]


def reach(account: Account, host_unit_id: str, tree: UnitTree) -> frozenset[Role]:
    """The roles of an account that hold for the meetings of a unit."""
    if account.disabled:
        return frozenset()
    return frozenset(grant.role for grant in account.grants if tree.covers(grant.unit_id, host_unit_id))


def role_in(account: Account, bond: Bond) -> MeetingRole | None:
    """Rules 1 to 4 above; None: does not attend."""
    if account.disabled:
        return None
    if bond.deputy_order is not None:
        return MeetingRole.CHAIR if bond.deputy_order == 0 else MeetingRole.DEPUTY
    if Role.OPERATOR in bond.reached:
        return MeetingRole.OPERATOR
    if bond.invited and Role.ENDPOINT in account.roles:
        return MeetingRole.ENDPOINT
    if Role.OBSERVER in bond.reached or (bond.invited and Role.OBSERVER in account.roles):
        return MeetingRole.OBSERVER
    return None


def seat_in(account: Account, role: MeetingRole, bond: Bond) -> str | None:
    """The seat (an endpoint's id) that comes with a role."""
    sits = role in {MeetingRole.CHAIR, MeetingRole.DEPUTY, MeetingRole.ENDPOINT}
    return account.endpoint_id if sits and bond.invited else None


def knows_of(account: Account, bond: Bond) -> bool:
    """Rule 5: whether the account may learn that the meeting exists."""
    if role_in(account, bond) is not None or Role.ADMINISTRATOR in bond.reached:
        return True
    return Role.ARCHIVIST in bond.reached and bond.state is MeetingState.ENDED


def may_manage(account: Account, bond: Bond) -> bool:
    """Plan, open and end: the meeting's chair and deputies, operators and administrators of the host unit."""
    if account.disabled:
        return False
    return bond.deputy_order is not None or bool(bond.reached & {Role.OPERATOR, Role.ADMINISTRATOR})
