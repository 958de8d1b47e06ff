"""Endpoints (điểm cầu): the rooms and desks that join."""

from enum import StrEnum

import msgspec

from server.store.store import Store


class EndpointKind(StrEnum):
    """ROOM: a meeting room; DESK: a person's own desk; HARDWARE: a codec box that publishes by WHIP or RTSP."""

    ROOM = "room"
    DESK = "desk"
    HARDWARE = "hardware"


class Endpoint(msgspec.Struct, frozen=True):
    endpoint_id: str
    unit_id: str
    kind: EndpointKind
    name: str
    notes: str
    unit_path: tuple[str, ...]


class Endpoints:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def create(
        self, name: str, unit_id: str, kind: EndpointKind = EndpointKind.ROOM, notes: str = ""
    ) -> Endpoint:
        raise NotImplementedError

    async def rename(self, endpoint_id: str, name: str) -> Endpoint:
        raise NotImplementedError

    async def get(self, endpoint_id: str) -> Endpoint:
        raise NotImplementedError

    async def list(self, unit_id: str | None = None) -> tuple[Endpoint, ...]:
        """All, or those of a unit and everything below it."""
        raise NotImplementedError
