"""An empty house gets its first administrator."""

import msgspec

from server.directory.accounts import Accounts
from server.directory.passphrases import make_passphrase
from server.errors import Conflict
from server.store.records import Role, RoleGrant

_USERNAME = "quantri"
_NAME = "Quản trị hệ thống"


class Credentials(msgspec.Struct, frozen=True):
    """Shown once, to whoever started the server; only a hash of the password is kept."""

    username: str
    password: str


async def ensure_administrator(accounts: Accounts, now: float) -> Credentials | None:
    """Create an administrator where there is no account at all; None where somebody exists already."""
    if await accounts.list():
        return None
    credentials = Credentials(_USERNAME, make_passphrase(4))
    try:
        await accounts.create(credentials.username, _NAME, credentials.password, [RoleGrant(Role.ADMINISTRATOR)], now)
    except Conflict:  # another process started on the same data at the same moment, and printed its own
        return None
    return credentials
