"""What ``diemcau demo --json`` prints: DESIGN.md's fixed contract, with more people than it asks for."""

import msgspec


class DemoPerson(msgspec.Struct, frozen=True):
    """``token`` is an API bearer token."""

    name: str
    username: str
    password: str
    token: str


class DemoEndpoint(msgspec.Struct, frozen=True):
    """``id`` is the endpoint's, which is its seat's too. ``role``: main or branch."""

    id: str
    name: str
    role: str
    username: str
    password: str
    token: str


class DemoResult(msgspec.Struct, frozen=True):
    """``msgspec.json.encode(result)`` is the printed line; ``endpoints[0]`` is the main one."""

    meeting: str
    chair: DemoPerson
    deputy: DemoPerson
    operator: DemoPerson
    archivist: DemoPerson
    observer: DemoPerson
    administrator: DemoPerson
    endpoints: tuple[DemoEndpoint, ...]
