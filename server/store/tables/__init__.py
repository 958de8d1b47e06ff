"""Every table, so that ``Base.metadata`` is complete wherever this is imported."""

from server.store.tables.audit import AuditRow
from server.store.tables.base import Base
from server.store.tables.directory import EndpointRow, LevelRow, UnitRow
from server.store.tables.meetings import InvitationRow, MeetingRow, ModeratorRow, RoomEventRow
from server.store.tables.people import AccountRoleRow, AccountRow, LoginFailureRow, SessionRow

__all__ = [
    "AccountRoleRow",
    "AccountRow",
    "AuditRow",
    "Base",
    "EndpointRow",
    "InvitationRow",
    "LevelRow",
    "LoginFailureRow",
    "MeetingRow",
    "ModeratorRow",
    "RoomEventRow",
    "SessionRow",
    "UnitRow",
]
