"""The organisation tree. Levels are administrative tiers with names as data, not depths: a department of the
province is a child of the province and of the same tier."""

import msgspec
from sqlalchemy import ColumnElement, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from server.errors import Conflict, InvalidInput, NotFound
from server.ids import new_id
from server.store.lines import clean_line
from server.store.store import Store
from server.store.tables import LevelRow, UnitRow
from server.store.unit_tree import UnitTree, load_tree


class Level(msgspec.Struct, frozen=True):
    """A named tier, rank 1 is the top: province, district, commune are data."""

    level_id: str
    rank: int
    name: str


class Unit(msgspec.Struct, frozen=True):
    """``path``: names from the top of the tree down to its own."""

    unit_id: str
    parent_id: str | None
    level_id: str
    name: str
    path: tuple[str, ...]


class Units:
    """Names are unique among siblings. Every method raises Unavailable where the store does."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def create_level(self, rank: int, name: str) -> Level:
        """Raises InvalidInput, Conflict("level_taken")."""
        if not 1 <= rank <= 20:
            raise InvalidInput("bad_rank", "a level's rank is 1 (top) to 20")
        level = Level(new_id("lvl"), rank, clean_line(name, "name"))
        try:
            async with self._store.write() as session:
                await session.execute(insert(LevelRow), msgspec.structs.asdict(level))
        except IntegrityError as error:
            raise Conflict("level_taken", f"there is a level of rank {rank} already") from error
        return level

    async def levels(self) -> tuple[Level, ...]:
        """From the top down."""
        async with self._store.read() as session:
            rows = await session.scalars(select(LevelRow).order_by(LevelRow.rank))
            return tuple(Level(row.level_id, row.rank, row.name) for row in rows)

    async def create(self, name: str, level_id: str, parent_id: str | None = None) -> Unit:
        """The last of its siblings. Raises InvalidInput, NotFound("level_unknown" | "unit_unknown"),
        Conflict("unit_taken")."""
        name = clean_line(name, "name")
        async with self._store.write() as session:
            if await session.get(LevelRow, level_id) is None:
                raise NotFound("level_unknown", level_id)
            if parent_id is not None and await session.get(UnitRow, parent_id) is None:
                raise NotFound("unit_unknown", parent_id)
            await _refuse_twin(session, parent_id, name)
            position = await session.scalar(select(func.count()).where(_siblings(parent_id)))
            row = UnitRow(
                unit_id=new_id("unt"), parent_id=parent_id, level_id=level_id, name=name, position=position or 0
            )
            session.add(row)
            await session.flush()
            return _to_unit(row, await load_tree(session))

    async def rename(self, unit_id: str, name: str) -> Unit:
        """Raises InvalidInput, NotFound("unit_unknown"), Conflict("unit_taken")."""
        name = clean_line(name, "name")
        async with self._store.write() as session:
            row = await session.get(UnitRow, unit_id)
            if row is None:
                raise NotFound("unit_unknown", unit_id)
            if row.name != name:
                await _refuse_twin(session, row.parent_id, name)
                row.name = name
                await session.flush()
            return _to_unit(row, await load_tree(session))

    async def get(self, unit_id: str) -> Unit:
        """Raises NotFound("unit_unknown")."""
        async with self._store.read() as session:
            row = await session.get(UnitRow, unit_id)
            if row is None:
                raise NotFound("unit_unknown", unit_id)
            return _to_unit(row, await load_tree(session))

    async def find(self, name: str, parent_id: str | None = None) -> Unit | None:
        """A child of ``parent_id`` (None: a root) by its exact name."""
        async with self._store.read() as session:
            row = await session.scalar(select(UnitRow).where(_siblings(parent_id), UnitRow.name == name))
            return _to_unit(row, await load_tree(session)) if row else None

    async def list(self) -> tuple[Unit, ...]:
        """The whole tree, parents before children, siblings in their order."""
        async with self._store.read() as session:
            tree = await load_tree(session)
            rows = {row.unit_id: row for row in await session.scalars(select(UnitRow))}
        places = {unit_id: [rows[each].position for each in tree.lineage(unit_id)] for unit_id in rows}
        return tuple(_to_unit(rows[unit_id], tree) for unit_id in sorted(rows, key=lambda each: (places[each], each)))


def _siblings(parent_id: str | None) -> ColumnElement[bool]:
    return UnitRow.parent_id.is_(None) if parent_id is None else UnitRow.parent_id == parent_id


async def _refuse_twin(session: AsyncSession, parent_id: str | None, name: str) -> None:
    """The table's own constraint does not hold for roots: NULLs are never equal."""
    if await session.scalar(select(UnitRow.unit_id).where(_siblings(parent_id), UnitRow.name == name)):
        raise Conflict("unit_taken", f"{name} is there already")


def _to_unit(row: UnitRow, tree: UnitTree) -> Unit:
    return Unit(row.unit_id, row.parent_id, row.level_id, row.name, tree.path(row.unit_id))
