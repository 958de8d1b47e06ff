"""The organisation tree in memory: a few hundred units, asked for paths and scopes."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.store.tables import UnitRow


class UnitTree:
    """Built from (unit id, parent id, name) triples; unknown ids raise KeyError, which is our own mistake."""

    def __init__(self, units: Iterable[tuple[str, str | None, str]]) -> None:
        self._parents: dict[str, str | None] = {}
        self._names: dict[str, str] = {}
        for unit_id, parent_id, name in units:
            self._parents[unit_id] = parent_id
            self._names[unit_id] = name

    def lineage(self, unit_id: str) -> tuple[str, ...]:
        """Ids from the top of the tree down to the unit itself."""
        upwards = [unit_id]
        while (parent := self._parents[upwards[-1]]) is not None:
            upwards.append(parent)
        return tuple(reversed(upwards))

    def path(self, unit_id: str) -> tuple[str, ...]:
        """Names from the top of the tree down to the unit's own."""
        return tuple(self._names[each] for each in self.lineage(unit_id))

    def covers(self, scope_id: str | None, unit_id: str) -> bool:
        """Whether a role scoped to ``scope_id`` (None: everywhere) reaches ``unit_id``."""
        return scope_id is None or scope_id in self.lineage(unit_id)

    def within(self, scope_id: str) -> frozenset[str]:
        """The ids of a unit and of all below it; none for an unknown id."""
        return frozenset(unit_id for unit_id in self._parents if scope_id in self.lineage(unit_id))


async def load_tree(session: AsyncSession) -> UnitTree:
    rows = await session.execute(select(UnitRow.unit_id, UnitRow.parent_id, UnitRow.name))
    return UnitTree((row.unit_id, row.parent_id, row.name) for row in rows)
