"""Meetings, who is invited, who chairs, and what happened in the room."""

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from server.store.tables.base import Base, Id, Name, Prose, Time


class MeetingRow(Base):
    """``host_agency`` keeps the agency's name as it was when the meeting was called. The main endpoint is the
    invitation whose role is ``main``: said once."""

    __tablename__ = "meetings"
    __table_args__ = (Index(None, "starts_at"),)

    meeting_id: Mapped[Id] = mapped_column(primary_key=True)
    title: Mapped[Name]
    host_unit_id: Mapped[Id] = mapped_column(ForeignKey("units.unit_id"))
    host_agency: Mapped[Name]
    starts_at: Mapped[Time]
    ends_at: Mapped[Time]
    state: Mapped[str] = mapped_column(String(20), index=True)
    mode: Mapped[str] = mapped_column(String(20))
    max_holders: Mapped[int]
    lobby: Mapped[bool]
    record: Mapped[bool] = mapped_column(server_default=false())
    created_at: Mapped[Time]
    created_by: Mapped[Id | None] = mapped_column(ForeignKey("accounts.account_id"))
    opened_at: Mapped[Time | None]
    ended_at: Mapped[Time | None]


class InvitationRow(Base):
    """An endpoint's seat. A meeting has one main endpoint and at most one chair's desk: the index holds it."""

    __tablename__ = "invitations"
    __table_args__ = (
        Index(
            "uq_invitations_single_roles",
            "meeting_id",
            "role",
            unique=True,
            sqlite_where=text("role <> 'branch'"),
            postgresql_where=text("role <> 'branch'"),
        ),
        Index(None, "endpoint_id"),
    )

    meeting_id: Mapped[Id] = mapped_column(ForeignKey("meetings.meeting_id", ondelete="CASCADE"), primary_key=True)
    endpoint_id: Mapped[Id] = mapped_column(ForeignKey("endpoints.endpoint_id"), primary_key=True)
    role: Mapped[str] = mapped_column(String(20))
    position: Mapped[int]


class ModeratorRow(Base):
    """``deputy_order`` 0 is the chair, 1, 2, ... the deputies in the order in which they take over."""

    __tablename__ = "meeting_moderators"
    __table_args__ = (UniqueConstraint("meeting_id", "deputy_order"), Index(None, "account_id"))

    meeting_id: Mapped[Id] = mapped_column(ForeignKey("meetings.meeting_id", ondelete="CASCADE"), primary_key=True)
    account_id: Mapped[Id] = mapped_column(ForeignKey("accounts.account_id"), primary_key=True)
    deputy_order: Mapped[int]


class RoomEventRow(Base):
    """A journal line: the command as JSON, None for a deadline that passed. ``crc32`` is over the whole line, since
    a database's own check finds a broken page but not a changed letter."""

    __tablename__ = "room_events"

    meeting_id: Mapped[Id] = mapped_column(ForeignKey("meetings.meeting_id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[Time]
    command: Mapped[Prose | None]
    crc32: Mapped[str] = mapped_column(String(8))
