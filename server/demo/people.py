"""Sign-ins of the sample province: made, or made anew."""

import asyncio
import os

from server.config import HttpConfig
from server.demo.result import DemoEndpoint, DemoPerson
from server.directory.accounts import Accounts
from server.directory.endpoints import Endpoint
from server.directory.passphrases import make_passphrase
from server.directory.passwords import Passwords
from server.store.records import Account, Role, RoleGrant
from server.store.store import Store

_TOKEN_LIFETIME_S = 30 * 24 * 3600.0
_AT_ONCE = 8


class SignIns:
    """Makes accounts with a password and a token each. With ``renew`` one that is there already gets new ones, and
    its old sessions and tokens end; without it, it is somebody else's: Conflict("username_taken"). ``password`` is
    everybody's, None: a random one each."""

    def __init__(
        self, store: Store, now: float, *, renew: bool, password: str | None, passwords: Passwords | None
    ) -> None:
        self._accounts = Accounts(store, HttpConfig(), passwords or Passwords(concurrency=os.cpu_count()))
        self._now = now
        self._renew = renew
        self._password = password
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def make_person(
        self, who: tuple[str, str], role: Role, unit_id: str | None, endpoint_id: str | None = None
    ) -> tuple[Account, DemoPerson]:
        """``who``: user name and name. ``unit_id``: the scope of the role."""
        username, name = who
        async with self._free:
            password = self._password or make_passphrase()
            account = await self._accounts.find(username) if self._renew else None
            if account is None:
                grants = [RoleGrant(role, unit_id)]
                account = await self._accounts.create(
                    username, name, password, grants, self._now, endpoint_id=endpoint_id
                )
            else:
                await self._accounts.set_password(account.account_id, password, self._now)
            token = await self._accounts.issue_token(account.account_id, "demo", self._now, _TOKEN_LIFETIME_S)
        return account, DemoPerson(account.name, account.username, password, token)

    async def make_endpoint(self, endpoint: Endpoint, username: str, role: str) -> DemoEndpoint:
        """The account of an endpoint; its name is the endpoint's."""
        who = (username, endpoint.name)
        _, person = await self.make_person(who, Role.ENDPOINT, endpoint.unit_id, endpoint.endpoint_id)
        return DemoEndpoint(
            id=endpoint.endpoint_id,
            name=endpoint.name,
            role=role,
            username=person.username,
            password=person.password,
            token=person.token,
        )
