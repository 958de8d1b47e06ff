"""Every table, so that ``Base.metadata`` is complete wherever this is imported."""

from server.store.tables.audit import AuditRow
from server.store.tables.base import Base
from server.store.tables.directory import EndpointRow, LevelRow, UnitRow
from server.store.tables.meetings import InvitationRow, MeetingRow, ModeratorRow, RoomEventRow
from server.store.tables.people import AccountRoleRow, AccountRow, LoginFailureRow, SessionRow
from server.store.tables.recordings import (
    DestructionRow,
    RecordingHoldRow,
    RecordingLineRow,
    RecordingOutlineRow,
    RecordingRow,
    RecordingWordRow,
    RetentionClassRow,
)

__all__ = [
    "AccountRoleRow",
    "AccountRow",
    "AuditRow",
    "Base",
    "DestructionRow",
    "EndpointRow",
    "InvitationRow",
    "LevelRow",
    "LoginFailureRow",
    "MeetingRow",
    "ModeratorRow",
    "RecordingHoldRow",
    "RecordingLineRow",
    "RecordingOutlineRow",
    "RecordingRow",
    "RecordingWordRow",
    "RetentionClassRow",
    "RoomEventRow",
    "SessionRow",
    "UnitRow",
]
