"""The organisation tree."""

import msgspec

from server.store.store import Store


class Level(msgspec.Struct, frozen=True):
    """A named tier, 1 is the top: province, district, commune are data."""

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
    def __init__(self, store: Store) -> None:
        self._store = store

    async def create_level(self, rank: int, name: str) -> Level:
        raise NotImplementedError

    async def levels(self) -> tuple[Level, ...]:
        raise NotImplementedError

    async def create(self, name: str, level_id: str, parent_id: str | None = None) -> Unit:
        raise NotImplementedError

    async def rename(self, unit_id: str, name: str) -> Unit:
        raise NotImplementedError

    async def get(self, unit_id: str) -> Unit:
        raise NotImplementedError

    async def list(self) -> tuple[Unit, ...]:
        """The whole tree, parents before children."""
        raise NotImplementedError
