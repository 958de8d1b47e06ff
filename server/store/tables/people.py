"""Accounts, their roles, their sessions and tokens, and who guessed wrong lately."""

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.store.tables.base import Base, Id, Name, Time


class AccountRow(Base):
    """``username_key`` is the case-folded name: databases fold only ASCII alike."""

    __tablename__ = "accounts"

    account_id: Mapped[Id] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(100))
    username_key: Mapped[str] = mapped_column(String(300), unique=True)
    name: Mapped[Name]
    password_hash: Mapped[str] = mapped_column(String(300))
    disabled: Mapped[bool]
    endpoint_id: Mapped[Id | None] = mapped_column(ForeignKey("endpoints.endpoint_id"))
    created_at: Mapped[Time]
    password_changed_at: Mapped[Time]


class AccountRoleRow(Base):
    """A role within a unit's subtree; ``unit_id`` None: everywhere."""

    __tablename__ = "account_roles"
    __table_args__ = (UniqueConstraint("account_id", "role", "unit_id"),)

    grant_id: Mapped[Id] = mapped_column(primary_key=True)
    account_id: Mapped[Id] = mapped_column(ForeignKey("accounts.account_id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(20))
    unit_id: Mapped[Id | None] = mapped_column(ForeignKey("units.unit_id"))


class SessionRow(Base):
    """A browser's session (``cookie``) or a token of a program (``api``). Of the secret only its SHA-256 (hex)."""

    __tablename__ = "sessions"
    __table_args__ = (Index(None, "account_id", "remote"),)

    session_id: Mapped[Id] = mapped_column(primary_key=True)
    account_id: Mapped[Id] = mapped_column(ForeignKey("accounts.account_id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(10))
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    label: Mapped[Name]
    remote: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[Time]
    last_seen_at: Mapped[Time]
    expires_at: Mapped[Time]
    revoked_at: Mapped[Time | None]


class LoginFailureRow(Base):
    """One wrong sign-in; kept for the lock-out window only. The name need not exist."""

    __tablename__ = "login_failures"
    __table_args__ = (Index(None, "username_key", "at"), Index(None, "source", "at"))

    failure_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[Time]
    username_key: Mapped[str] = mapped_column(String(300))
    source: Mapped[str] = mapped_column(String(100))
