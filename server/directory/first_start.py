"""An empty house gets its first administrator."""

import msgspec

from server.directory.accounts import Accounts


class Credentials(msgspec.Struct, frozen=True):
    username: str
    password: str


async def ensure_administrator(accounts: Accounts, now: float) -> Credentials | None:
    """Create an administrator where there is no account at all; None where somebody exists already."""
    raise NotImplementedError
