"""Who did what, when, from where."""

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from server.store.tables.base import Base, Id, Prose, Time


class AuditRow(Base):
    """No foreign keys: a line outlives what it speaks of."""

    __tablename__ = "audit_lines"
    __table_args__ = (Index(None, "at"),)

    line_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[Time]
    action: Mapped[str] = mapped_column(String(200))
    account_id: Mapped[Id | None]
    remote: Mapped[str] = mapped_column(String(100))
    target: Mapped[str] = mapped_column(String(200))
    detail: Mapped[Prose]
