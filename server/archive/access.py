"""Who may do what with a recording. docs/roles.md has the table, and a test holds it to this one.

1. An archivist whose scope holds the host unit may do everything.
2. An administrator of the host unit knows the recording and keeps it (class, hold), but neither hears nor destroys it.
3. An operator of the host unit hears it and has its film rendered.
4. The meeting's chair and deputies hear it and take it along.
5. To everybody else there is no such recording. One whose host unit is not known here (imported from elsewhere) is for
   those only whose role holds everywhere.

Rights add up where an account has several of these roles.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Select, false, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from server.store.records import Account, Role
from server.store.tables import ModeratorRow, RecordingRow
from server.store.unit_tree import load_tree


class Right(StrEnum):
    """PLAY: the film, its pieces, captions, chat. DOWNLOAD: tracks, log, package. CAPTIONS: to change them."""

    PLAY = "play"
    DOWNLOAD = "download"
    RENDER = "render"
    VERIFY = "verify"
    KEEP = "keep"
    HOLD = "hold"
    DESTROY = "destroy"
    CAPTIONS = "captions"


Rights = frozenset[Right]

BY_ROLE: Mapping[Role, Rights] = {
    Role.ARCHIVIST: frozenset(Right),
    Role.ADMINISTRATOR: frozenset({Right.RENDER, Right.VERIFY, Right.KEEP, Right.HOLD}),
    Role.OPERATOR: frozenset({Right.PLAY, Right.RENDER, Right.VERIFY}),
}
OF_MODERATORS: Rights = frozenset({Right.PLAY, Right.DOWNLOAD, Right.VERIFY})


@dataclass(frozen=True, slots=True)
class Sight:
    """What an account sees of the archive. ``units``: by role, the units within its scope; None: everywhere.
    ``meetings``: those it chairs or stands by in."""

    account_id: str
    units: Mapping[Role, frozenset[str] | None]
    meetings: frozenset[str]

    def rights(self, meeting_id: str, host_unit_id: str | None) -> Rights | None:
        """None: to this account there is no such recording."""
        found = [BY_ROLE[role] for role, units in self.units.items() if units is None or host_unit_id in units]
        if meeting_id in self.meetings:
            found.append(OF_MODERATORS)
        return frozenset[Right]().union(*found) if found else None

    def knows(self) -> ColumnElement[bool]:
        """The recordings that ``rights`` is not None for, as SQL."""
        return self._reaches(frozenset(self.units))

    def hears(self) -> ColumnElement[bool]:
        """The recordings that may be played, as SQL."""
        return self._reaches(frozenset(role for role in self.units if Right.PLAY in BY_ROLE[role]))

    def hears_all_it_knows(self) -> bool:
        return all(Right.PLAY in BY_ROLE[role] for role in self.units)

    def _reaches(self, roles: frozenset[Role]) -> ColumnElement[bool]:
        scopes = [units for role, units in self.units.items() if role in roles]
        if None in scopes:
            return true()
        units = frozenset[str]().union(*(scope for scope in scopes if scope is not None))
        within = RecordingRow.host_unit_id.in_(sorted(units)) if units else false()
        return or_(within, RecordingRow.meeting_id.in_(_chaired(self.account_id))) if self.meetings else within


async def load_sight(session: AsyncSession, account: Account) -> Sight:
    if account.disabled:
        return Sight(account.account_id, {}, frozenset())
    tree = await load_tree(session)
    units: dict[Role, frozenset[str] | None] = {}
    for role in BY_ROLE:
        scopes = [grant.unit_id for grant in account.grants if grant.role is role]
        if None in scopes:
            units[role] = None
        elif scopes:
            units[role] = frozenset[str]().union(*(tree.within(scope) for scope in scopes if scope is not None))
    chaired = frozenset(await session.scalars(_chaired(account.account_id)))
    return Sight(account.account_id, units, chaired)


def _chaired(account_id: str) -> Select[str]:
    return select(ModeratorRow.meeting_id).where(ModeratorRow.account_id == account_id)
