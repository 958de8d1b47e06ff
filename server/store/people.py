"""Reading accounts, for every room above the store."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.store.records import Account, Role, RoleGrant
from server.store.tables import AccountRoleRow, AccountRow


async def load_accounts(session: AsyncSession, account_ids: Sequence[str]) -> dict[str, Account]:
    """Accounts by id; unknown ids are left out."""
    rows = await session.scalars(select(AccountRow).where(AccountRow.account_id.in_(account_ids)))
    return {account.account_id: account for account in await to_accounts(session, rows.all())}


async def to_accounts(session: AsyncSession, rows: Iterable[AccountRow]) -> list[Account]:
    """Rows with their roles, in the order given."""
    kept = list(rows)
    wanted = [row.account_id for row in kept]
    grants: defaultdict[str, list[RoleGrant]] = defaultdict(list)
    for grant in await session.scalars(select(AccountRoleRow).where(AccountRoleRow.account_id.in_(wanted))):
        grants[grant.account_id].append(RoleGrant(Role(grant.role), grant.unit_id))
    return [
        Account(
            account_id=row.account_id,
            username=row.username,
            name=row.name,
            grants=tuple(sorted(grants[row.account_id], key=lambda grant: (grant.role, grant.unit_id or ""))),
            endpoint_id=row.endpoint_id,
            disabled=row.disabled,
        )
        for row in kept
    ]
