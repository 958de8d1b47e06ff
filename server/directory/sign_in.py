"""Signing in with a password."""

import logging

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.config import HttpConfig
from server.directory.lockout import count_failures, forget_failures, is_locked, record_failure, source_of
from server.directory.passwords import Passwords
from server.directory.sessions import SessionKind, open_session
from server.directory.turns import Turns
from server.directory.usernames import fold_username
from server.errors import NotAuthenticated, TooMany
from server.store.audit import AuditLine, write_line
from server.store.people import to_accounts
from server.store.records import Account
from server.store.store import Store
from server.store.tables import AccountRow

logger = logging.getLogger(__name__)


class Session(msgspec.Struct, frozen=True):
    """A fresh sign-in. ``token`` is the only time the secret is seen; ``expires_at``: Unix seconds."""

    token: str
    account: Account
    expires_at: float


class Door:
    """Hears one attempt at a time per source, judges it by the rules of ``lockout``, and opens a session."""

    def __init__(self, store: Store, config: HttpConfig, passwords: Passwords) -> None:
        self._store = store
        self._config = config
        self._passwords = passwords
        self._turns = Turns()

    async def sign_in(self, username: str, password: str, remote: str, now: float) -> Session:
        """Raises NotAuthenticated("bad_credentials"), TooMany("signin_locked" | "signin_busy"), Unavailable."""
        key, source = fold_username(username), source_of(remote)
        async with self._turns.take(source):
            row = await self._hear(key, source, now)
            right = await self._passwords.verify(row.password_hash if row else None, password)
            if row is None or not right or row.disabled:
                await self._refuse(key, row, remote, now)
                raise _wrong()
            return await self._admit(row, password, remote, now)

    async def _hear(self, key: str, source: str, now: float) -> AccountRow | None:
        """The account asked for (None: no such), unless this attempt is not to be heard at all."""
        since = now - self._config.login_window_s
        async with self._store.read() as session:
            row = await find_by_key(session, key)
            failures = await count_failures(session, key, row.account_id if row else None, source, since)
        if is_locked(failures, self._config.login_failures):
            logger.warning("a sign-in from %s was not heard: %s", source, failures)
            raise TooMany("signin_locked", "too many wrong sign-ins; wait, or ask an administrator")
        return row

    async def _refuse(self, key: str, row: AccountRow | None, remote: str, now: float) -> None:
        """The name is noted only where it exists: people type passwords into the wrong field."""
        target = row.account_id if row else ""
        logger.warning("a sign-in from %s failed (%s)", remote, target or "no such user")
        async with self._store.write() as session:
            await record_failure(session, key, source_of(remote), now, now - self._config.login_window_s)
            await write_line(session, AuditLine(now, "sign_in_failed", remote=remote, target=target))

    async def _admit(self, heard: AccountRow, password: str, remote: str, now: float) -> Session:
        """The account is read again: it may have been disabled, or its password changed, while we were hashing."""
        rehashed = await self._passwords.hash(password) if self._passwords.is_outdated(heard.password_hash) else None
        lifetime_s = self._config.session_absolute_s
        async with self._store.write() as session:
            row = await session.get_one(AccountRow, heard.account_id)
            if row.disabled or row.password_hash != heard.password_hash:
                raise _wrong()
            (account,) = await to_accounts(session, [row])
            if rehashed is not None:
                row.password_hash = rehashed
            await forget_failures(session, row.username_key, source_of(remote))
            token = await open_session(
                session, row.account_id, SessionKind.COOKIE, label="", remote=remote, now=now, lifetime_s=lifetime_s
            )
            await write_line(session, AuditLine(now, "sign_in", account_id=row.account_id, remote=remote))
        return Session(token, account, now + lifetime_s)


async def find_by_key(session: AsyncSession, username_key: str) -> AccountRow | None:
    """The account of a folded user name."""
    return await session.scalar(select(AccountRow).where(AccountRow.username_key == username_key))


def _wrong() -> NotAuthenticated:
    """One answer for an unknown name, a wrong password and a disabled account."""
    return NotAuthenticated("bad_credentials", "the user name or the password is wrong")
