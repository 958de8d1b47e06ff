"""Endpoints (điểm cầu): the rooms and desks that join."""

from enum import StrEnum

import msgspec
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from server.errors import Conflict, InvalidInput, NotFound
from server.ids import new_id
from server.store.lines import clean_line
from server.store.store import Store
from server.store.tables import EndpointRow, UnitRow
from server.store.unit_tree import UnitTree, load_tree

_LONGEST_NOTES = 10_000


class EndpointKind(StrEnum):
    """ROOM: a meeting room; DESK: a person's own desk; HARDWARE: a codec box that publishes by WHIP or RTSP."""

    ROOM = "room"
    DESK = "desk"
    HARDWARE = "hardware"


class Endpoint(msgspec.Struct, frozen=True):
    """``unit_path``: the names of its units from the top of the tree."""

    endpoint_id: str
    unit_id: str
    kind: EndpointKind
    name: str
    notes: str
    unit_path: tuple[str, ...]


class Endpoints:
    """Names are unique within a unit. Every method raises Unavailable where the store does."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def create(
        self, name: str, unit_id: str, kind: EndpointKind = EndpointKind.ROOM, notes: str = ""
    ) -> Endpoint:
        """Raises InvalidInput, NotFound("unit_unknown"), Conflict("endpoint_taken")."""
        if len(notes) > _LONGEST_NOTES:
            raise InvalidInput("bad_text", f"notes: at most {_LONGEST_NOTES} characters")
        row = EndpointRow(
            endpoint_id=new_id("ept"), unit_id=unit_id, kind=kind.value, name=clean_line(name, "name"), notes=notes
        )
        async with self._store.write() as session:
            if await session.get(UnitRow, unit_id) is None:
                raise NotFound("unit_unknown", unit_id)
            session.add(row)
            return await _finish(session, row)

    async def rename(self, endpoint_id: str, name: str) -> Endpoint:
        """Raises InvalidInput, NotFound("endpoint_unknown"), Conflict("endpoint_taken")."""
        name = clean_line(name, "name")
        async with self._store.write() as session:
            row = await _get_row(session, endpoint_id)
            row.name = name
            return await _finish(session, row)

    async def get(self, endpoint_id: str) -> Endpoint:
        """Raises NotFound("endpoint_unknown")."""
        async with self._store.read() as session:
            return _to_endpoint(await _get_row(session, endpoint_id), await load_tree(session))

    async def find(self, name: str, unit_id: str) -> Endpoint | None:
        """A unit's endpoint by its exact name."""
        same = select(EndpointRow).where(EndpointRow.unit_id == unit_id, EndpointRow.name == name)
        async with self._store.read() as session:
            row = await session.scalar(same)
            return _to_endpoint(row, await load_tree(session)) if row else None

    async def list(self, unit_id: str | None = None) -> tuple[Endpoint, ...]:
        """All, or those of a unit and everything below it; in order of their units' paths and their names."""
        async with self._store.read() as session:
            tree = await load_tree(session)
            rows = await session.scalars(select(EndpointRow))
            found = [_to_endpoint(row, tree) for row in rows if tree.covers(unit_id, row.unit_id)]
        return tuple(sorted(found, key=lambda endpoint: (endpoint.unit_path, endpoint.name)))


async def _get_row(session: AsyncSession, endpoint_id: str) -> EndpointRow:
    row = await session.get(EndpointRow, endpoint_id)
    if row is None:
        raise NotFound("endpoint_unknown", endpoint_id)
    return row


async def _finish(session: AsyncSession, row: EndpointRow) -> Endpoint:
    name = row.name  # not readable any more once the transaction has failed
    try:
        await session.flush()
    except IntegrityError as error:
        raise Conflict("endpoint_taken", f"{name} is there already") from error
    return _to_endpoint(row, await load_tree(session))


def _to_endpoint(row: EndpointRow, tree: UnitTree) -> Endpoint:
    return Endpoint(
        endpoint_id=row.endpoint_id,
        unit_id=row.unit_id,
        kind=EndpointKind(row.kind),
        name=row.name,
        notes=row.notes,
        unit_path=tree.path(row.unit_id),
    )
