"""Fill an empty house with the sample province."""

import msgspec

from server.directory.passwords import Passwords
from server.store.store import Store


class DemoPerson(msgspec.Struct, frozen=True):
    name: str
    username: str
    password: str
    token: str


class DemoEndpoint(msgspec.Struct, frozen=True):
    id: str
    name: str
    role: str
    username: str
    password: str
    token: str


class DemoResult(msgspec.Struct, frozen=True):
    """DESIGN.md's fixed contract: ``msgspec.json.encode(result)`` is what ``diemcau demo --json`` prints."""

    meeting: str
    chair: DemoPerson
    deputy: DemoPerson
    operator: DemoPerson
    archivist: DemoPerson
    observer: DemoPerson
    administrator: DemoPerson
    endpoints: tuple[DemoEndpoint, ...]


async def fill_demo(
    store: Store,
    endpoints: int,
    now: float,
    *,
    again: bool = False,
    password: str | None = None,
    passwords: Passwords | None = None,
) -> DemoResult:
    """Raises Conflict("demo_exists") where it is there already and ``again`` is not set, InvalidInput for the count."""
    raise NotImplementedError
