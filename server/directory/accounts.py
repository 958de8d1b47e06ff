"""Accounts: signing in and out, tokens, and who somebody is."""

from collections.abc import Iterable

import msgspec

from server.config import HttpConfig
from server.directory.passwords import Passwords
from server.store.records import Account, Role, RoleGrant
from server.store.store import Store

__all__ = ["Account", "Accounts", "Role", "RoleGrant", "Session"]


class Session(msgspec.Struct, frozen=True):
    """A fresh sign-in. ``token`` is the only time the secret is seen; ``expires_at``: Unix seconds."""

    token: str
    account: Account
    expires_at: float


class Accounts:
    def __init__(self, store: Store, config: HttpConfig, passwords: Passwords | None = None) -> None:
        self._store = store

    async def sign_in(self, username: str, password: str, remote: str, now: float) -> Session:
        """Raises NotAuthenticated("bad_credentials"), TooMany("signin_locked"), TooMany("signin_busy")."""
        raise NotImplementedError

    async def account_for(self, token: str, now: float) -> Account:
        """The account behind a session cookie or an API bearer token. Raises NotAuthenticated("bad_token")."""
        raise NotImplementedError

    async def sign_out(self, token: str, now: float) -> str | None:
        """End the session of ``token``; returns its account id. An unknown token is no error: None."""
        raise NotImplementedError

    async def issue_token(self, account_id: str, label: str, now: float, lifetime_s: float) -> str:
        """An API bearer token. Raises NotFound("account_unknown")."""
        raise NotImplementedError

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
        """Raises InvalidInput, Conflict("username_taken"), NotFound("endpoint_unknown" | "unit_unknown")."""
        raise NotImplementedError

    async def get(self, account_id: str) -> Account:
        """Raises NotFound("account_unknown")."""
        raise NotImplementedError

    async def set_password(self, account_id: str, password: str, now: float) -> None:
        """Change it and end every session and token. Raises NotFound("account_unknown"), InvalidInput."""
        raise NotImplementedError

    async def set_disabled(self, account_id: str, disabled: bool, now: float) -> None:
        """Disabling ends every session and token. Raises NotFound("account_unknown")."""
        raise NotImplementedError
