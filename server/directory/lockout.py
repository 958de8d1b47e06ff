"""When a sign-in is refused unheard: guessing stops the guesser, not the person guessed at (SCENARIOS row 36).

Wrong sign-ins of the last window are counted in three ways, each with its own limit:

1. from one source against one account: ``allowed`` (5). Stops that source for that account.
2. from one source against any account: 4 x ``allowed``. Stops that source for every account.
3. from anywhere against one account: 10 x ``allowed``. Stops sources that are strange to the account.

So a guesser's own source stops first, long before an account does. A source from which the account's owner signed
in before is held to rule 1 only: neither a flood from elsewhere nor a neighbour behind the same address shuts out a
person at the usual desk, the administrator's among them. Refused attempts are not counted: the door opens again a
window after the last counted one, however hard somebody keeps knocking. Names that do not exist count alike.
"""

import ipaddress
from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.store.tables import LoginFailureRow, SessionRow

_SOURCE_FACTOR = 4
_ACCOUNT_FACTOR = 10


@dataclass(frozen=True, slots=True)
class Failures:
    """Wrong sign-ins within the window. ``familiar``: the account's owner signed in from this source before."""

    pair: int
    source: int
    account: int
    familiar: bool


def is_locked(failures: Failures, allowed: int) -> bool:
    """The three rules at the head of this file."""
    if failures.pair >= allowed:
        return True
    if failures.familiar:
        return False
    return failures.source >= _SOURCE_FACTOR * allowed or failures.account >= _ACCOUNT_FACTOR * allowed


def source_of(remote: str) -> str:
    """The address that counts as one guesser: IPv4 whole, IPv6 by its /64, which one subscriber has to itself."""
    try:
        address = ipaddress.ip_address(remote.partition("%")[0])
    except ValueError:
        return remote[:100]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False))


async def count_failures(
    session: AsyncSession, username_key: str, account_id: str | None, source: str, since: float
) -> Failures:
    """What is known of an attempt before it is made."""
    of_source = LoginFailureRow.source == source
    of_account = LoginFailureRow.username_key == username_key
    counts = select(
        func.count().filter(of_source & of_account),
        func.count().filter(of_source),
        func.count().filter(of_account),
    ).where(LoginFailureRow.at > since, of_source | of_account)
    pair, by_source, by_account = (await session.execute(counts)).one()
    return Failures(pair, by_source, by_account, await _is_familiar(session, account_id, source))


async def record_failure(session: AsyncSession, username_key: str, source: str, now: float, since: float) -> None:
    """Count one, and forget those outside the window: the table stays as small as the attack is."""
    await session.execute(delete(LoginFailureRow).where(LoginFailureRow.at <= since))
    await session.execute(insert(LoginFailureRow), {"at": now, "username_key": username_key, "source": source})


async def forget_failures(session: AsyncSession, username_key: str, source: str | None) -> None:
    """The right password was given from ``source``, or (None) an administrator unlocked the account."""
    condition = LoginFailureRow.username_key == username_key
    if source is not None:
        condition &= LoginFailureRow.source == source
    await session.execute(delete(LoginFailureRow).where(condition))


async def _is_familiar(session: AsyncSession, account_id: str | None, source: str) -> bool:
    if account_id is None:
        return False
    remotes = select(SessionRow.remote).where(SessionRow.account_id == account_id, SessionRow.kind == "cookie")
    return any(source_of(remote) == source for remote in await session.scalars(remotes.distinct()))
