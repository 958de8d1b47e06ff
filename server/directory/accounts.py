"""Accounts: who there is, who may sign in, and what they may do."""

from collections.abc import Iterable

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from server.config import HttpConfig
from server.directory.lockout import forget_failures
from server.directory.passwords import Passwords
from server.directory.sessions import SessionKind, Sessions, SessionView, open_session, revoke_all
from server.directory.sign_in import Door, Session, find_by_key
from server.directory.usernames import clean_username, fold_username
from server.errors import Conflict, InvalidInput, NotFound
from server.ids import new_id
from server.store.audit import AuditLine, write_line
from server.store.lines import clean_line
from server.store.people import load_accounts, to_accounts
from server.store.records import Account, Role, RoleGrant
from server.store.store import Store
from server.store.tables import AccountRoleRow, AccountRow, EndpointRow, UnitRow

__all__ = ["Account", "Accounts", "Role", "RoleGrant", "Session"]

_SHORTEST_PASSWORD, _LONGEST_PASSWORD = 8, 1000


class Accounts:
    """Every method raises Unavailable where the store does. What changes an account leaves an audit line."""

    def __init__(self, store: Store, config: HttpConfig, passwords: Passwords | None = None) -> None:
        self._store = store
        self._passwords = passwords or Passwords()
        self._sessions = Sessions(store, config)
        self._door = Door(store, config, self._passwords)

    # --- who is there -------------------------------------------------------------------------------

    async def sign_in(self, username: str, password: str, remote: str, now: float) -> Session:
        """A new session for the right password. Unknown names, wrong passwords and disabled accounts are answered
        alike in words and in work. Raises NotAuthenticated("bad_credentials"); TooMany("signin_locked") by the rules
        of ``lockout``; TooMany("signin_busy")."""
        return await self._door.sign_in(username, password, remote, now)

    async def account_for(self, token: str, now: float) -> Account:
        """The account behind a session cookie or an API bearer token. Raises NotAuthenticated("bad_token")."""
        return await self._sessions.account_for(token, now)

    async def sign_out(self, token: str, now: float) -> str | None:
        """End the session of ``token``; returns its account id. An unknown token is no error: None."""
        return await self._sessions.end(token, now)

    async def sessions(self, account_id: str, now: float) -> tuple[SessionView, ...]:
        """The live sessions and API tokens of an account, newest first."""
        return await self._sessions.of_account(account_id, now)

    async def issue_token(self, account_id: str, label: str, now: float, lifetime_s: float) -> str:
        """An API bearer token, good for ``lifetime_s``. Raises NotFound("account_unknown"), InvalidInput."""
        label = clean_line(label, "label")
        async with self._store.write() as session:
            await _get_row(session, account_id)
            await write_line(session, AuditLine(now, "token_issued", target=account_id, detail=label))
            return await open_session(
                session, account_id, SessionKind.API, label=label, remote="", now=now, lifetime_s=lifetime_s
            )

    # --- reading ------------------------------------------------------------------------------------

    async def get(self, account_id: str) -> Account:
        """Raises NotFound("account_unknown")."""
        async with self._store.read() as session:
            found = await load_accounts(session, [account_id])
        if account_id not in found:
            raise NotFound("account_unknown")
        return found[account_id]

    async def find(self, username: str) -> Account | None:
        """By user name, whatever its case."""
        async with self._store.read() as session:
            row = await find_by_key(session, fold_username(username))
            return (await to_accounts(session, [row]))[0] if row else None

    async def list(self) -> tuple[Account, ...]:
        """Everybody, in order of user names."""
        async with self._store.read() as session:
            rows = await session.scalars(select(AccountRow).order_by(AccountRow.username_key))
            return tuple(await to_accounts(session, rows.all()))

    # --- changing -----------------------------------------------------------------------------------

    async def create(
        self,
        username: str,
        name: str,
        password: str,
        grants: Iterable[RoleGrant],
        now: float,
        *,
        endpoint_id: str | None = None,
    ) -> Account:
        """``username`` is unique whatever its case. Raises InvalidInput (``bad_text``, ``bad_password``,
        ``endpoint_missing``), Conflict("username_taken"), NotFound("endpoint_unknown" | "unit_unknown")."""
        held = tuple(dict.fromkeys(grants))
        if endpoint_id is None and any(grant.role is Role.ENDPOINT for grant in held):
            raise InvalidInput("endpoint_missing", "an endpoint's account needs its endpoint")
        row = AccountRow(
            account_id=new_id("acc"),
            username=clean_username(username),
            username_key=fold_username(username),
            name=clean_line(name, "name"),
            password_hash=await self._hash(password),
            disabled=False,
            endpoint_id=endpoint_id,
            created_at=now,
            password_changed_at=now,
        )
        async with self._store.write() as session:
            if endpoint_id is not None and await session.get(EndpointRow, endpoint_id) is None:
                raise NotFound("endpoint_unknown", endpoint_id)
            session.add(row)
            try:
                await session.flush()
            except IntegrityError as error:
                raise Conflict("username_taken", "the user name is taken") from error
            await _insert_grants(session, row.account_id, held)
            await write_line(session, AuditLine(now, "account_created", target=row.account_id))
            return (await to_accounts(session, [row]))[0]

    async def set_password(self, account_id: str, password: str, now: float) -> None:
        """Change it, end every session and token, and unlock. Raises NotFound("account_unknown"), InvalidInput."""
        hashed = await self._hash(password)
        async with self._store.write() as session:
            row = await _get_row(session, account_id)
            row.password_hash, row.password_changed_at = hashed, now
            await revoke_all(session, account_id, now)
            await forget_failures(session, row.username_key, None)
            await write_line(session, AuditLine(now, "password_changed", target=account_id))

    async def set_grants(self, account_id: str, grants: Iterable[RoleGrant], now: float) -> Account:
        """Replace the roles; they hold from the next request on. Raises NotFound("account_unknown" |
        "unit_unknown")."""
        async with self._store.write() as session:
            row = await _get_row(session, account_id)
            await session.execute(delete(AccountRoleRow).where(AccountRoleRow.account_id == account_id))
            await _insert_grants(session, account_id, dict.fromkeys(grants))
            await write_line(session, AuditLine(now, "roles_changed", target=account_id))
            return (await to_accounts(session, [row]))[0]

    async def set_disabled(self, account_id: str, disabled: bool, now: float) -> None:
        """Disabling ends every session and token. Raises NotFound("account_unknown")."""
        async with self._store.write() as session:
            row = await _get_row(session, account_id)
            row.disabled = disabled
            if disabled:
                await revoke_all(session, account_id, now)
            action = "account_disabled" if disabled else "account_enabled"
            await write_line(session, AuditLine(now, action, target=account_id))

    async def unlock(self, account_id: str, now: float) -> None:
        """Forget the wrong sign-ins against an account. Raises NotFound("account_unknown")."""
        async with self._store.write() as session:
            row = await _get_row(session, account_id)
            await forget_failures(session, row.username_key, None)
            await write_line(session, AuditLine(now, "account_unlocked", target=account_id))

    async def _hash(self, password: str) -> str:
        if not _SHORTEST_PASSWORD <= len(password) <= _LONGEST_PASSWORD:
            raise InvalidInput("bad_password", f"a password has {_SHORTEST_PASSWORD} to {_LONGEST_PASSWORD} letters")
        return await self._passwords.hash(password)


async def _get_row(session: AsyncSession, account_id: str) -> AccountRow:
    row = await session.get(AccountRow, account_id)
    if row is None:
        raise NotFound("account_unknown")
    return row


async def _insert_grants(session: AsyncSession, account_id: str, grants: Iterable[RoleGrant]) -> None:
    for grant in grants:
        if grant.unit_id is not None and await session.get(UnitRow, grant.unit_id) is None:
            raise NotFound("unit_unknown", grant.unit_id)
        held = {"grant_id": new_id("rol"), "account_id": account_id, "role": grant.role.value, "unit_id": grant.unit_id}
        await session.execute(insert(AccountRoleRow), held)
