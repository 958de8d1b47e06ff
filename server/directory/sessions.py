"""Sessions and API tokens: made, looked up, ended. Of a secret only its SHA-256 is kept."""

import hashlib
import logging
from enum import StrEnum

import msgspec
from sqlalchemy import ColumnElement, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.config import HttpConfig
from server.errors import NotAuthenticated, Unavailable
from server.ids import new_id, new_token
from server.store.people import to_accounts
from server.store.records import Account
from server.store.store import Store
from server.store.tables import AccountRow, SessionRow

logger = logging.getLogger(__name__)

_TOUCH_EVERY_S = 60.0
_LONGEST_TOKEN = 200


class SessionKind(StrEnum):
    """COOKIE: a browser's, ends when idle. API: a program's, ends at its time."""

    COOKIE = "cookie"
    API = "api"


class SessionView(msgspec.Struct, frozen=True):
    """A live session as its owner may see it."""

    session_id: str
    kind: SessionKind
    label: str
    remote: str
    created_at: float
    last_seen_at: float
    expires_at: float


class Sessions:
    def __init__(self, store: Store, config: HttpConfig) -> None:
        self._store = store
        self._idle_s = config.session_idle_s

    async def account_for(self, token: str, now: float) -> Account:
        """The account behind a token. Raises NotAuthenticated("bad_token") for one that is forged, expired, idle for
        too long or revoked, and for a disabled account's; the log has the reason, never the token."""
        async with self._store.read() as session:
            found = await _find(session, token)
            reason = self._why_refused(found, now)
            if found is None or reason is not None:
                logger.warning("a token was refused: %s", reason)
                raise NotAuthenticated("bad_token", "sign in again")
            kept, owner = found
            (account,) = await to_accounts(session, [owner])
        if now - kept.last_seen_at > min(_TOUCH_EVERY_S, self._idle_s / 10):
            await self._touch(kept.session_id, now)
        return account

    async def end(self, token: str, now: float) -> str | None:
        """End the session of ``token``, whatever state it is in; its account id, or None for an unknown token."""
        async with self._store.write() as session:
            found = await _find(session, token)
            if found is None:
                return None
            kept, owner = found
            await _revoke(session, SessionRow.session_id == kept.session_id, now)
            return owner.account_id

    async def of_account(self, account_id: str, now: float) -> tuple[SessionView, ...]:
        """The live ones, newest first."""
        mine = select(SessionRow).where(
            SessionRow.account_id == account_id, SessionRow.revoked_at.is_(None), SessionRow.expires_at > now
        )
        async with self._store.read() as session:
            rows = (await session.scalars(mine.order_by(SessionRow.created_at.desc()))).all()
        return tuple(
            SessionView(
                session_id=row.session_id,
                kind=SessionKind(row.kind),
                label=row.label,
                remote=row.remote,
                created_at=row.created_at,
                last_seen_at=row.last_seen_at,
                expires_at=row.expires_at,
            )
            for row in rows
            if not self._is_idle(row, now)
        )

    def _why_refused(self, found: tuple[SessionRow, AccountRow] | None, now: float) -> str | None:
        if found is None:
            return "unknown"
        session, owner = found
        if session.revoked_at is not None:
            return f"revoked ({session.session_id})"
        if session.expires_at <= now or self._is_idle(session, now):
            return f"expired ({session.session_id})"
        if owner.disabled:
            return f"account disabled ({owner.account_id})"
        return None

    def _is_idle(self, session: SessionRow, now: float) -> bool:
        return session.kind == SessionKind.COOKIE and session.last_seen_at + self._idle_s <= now

    async def _touch(self, session_id: str, now: float) -> None:
        """Being unable to note the visit is no reason to turn the visitor away; the store has logged it."""
        try:
            async with self._store.write() as session:
                await session.execute(
                    update(SessionRow)
                    .where(SessionRow.session_id == session_id, SessionRow.last_seen_at < now)
                    .values(last_seen_at=now)
                )
        except Unavailable:
            return


async def open_session(
    session: AsyncSession, account_id: str, kind: SessionKind, *, label: str, remote: str, now: float, lifetime_s: float
) -> str:
    """A new session with a new secret, which is returned and never seen again. A sign-in never takes over a token
    the client brought (session fixation)."""
    token = new_token()
    await session.execute(
        insert(SessionRow),
        {
            "session_id": new_id("ses"),
            "account_id": account_id,
            "kind": kind.value,
            "token_sha256": _sha256(token),
            "label": label,
            "remote": remote[:100],
            "created_at": now,
            "last_seen_at": now,
            "expires_at": now + lifetime_s,
        },
    )
    return token


async def revoke_all(session: AsyncSession, account_id: str, now: float) -> None:
    """End every session and API token of an account."""
    await _revoke(session, SessionRow.account_id == account_id, now)


async def _find(session: AsyncSession, token: str) -> tuple[SessionRow, AccountRow] | None:
    if len(token) > _LONGEST_TOKEN:
        return None
    both = (
        select(SessionRow, AccountRow)
        .join(AccountRow, AccountRow.account_id == SessionRow.account_id)
        .where(SessionRow.token_sha256 == _sha256(token))
    )
    row = (await session.execute(both)).one_or_none()
    return None if row is None else (row[0], row[1])


async def _revoke(session: AsyncSession, condition: ColumnElement[bool], now: float) -> None:
    await session.execute(update(SessionRow).where(condition, SessionRow.revoked_at.is_(None)).values(revoked_at=now))


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
