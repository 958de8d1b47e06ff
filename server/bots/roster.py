"""Who the virtual endpoints are: sign-ins from the demo's file, or from a list of tokens."""

import os
from pathlib import Path

import msgspec

from server.errors import InvalidInput


class Person(msgspec.Struct, frozen=True):
    username: str
    password: str
    token: str
    name: str = ""


class EndpointSignIn(msgspec.Struct, frozen=True):
    """``role``: main or branch. ``token`` is an API bearer token; username and password only where known."""

    id: str
    name: str
    role: str
    token: str
    username: str = ""
    password: str = ""


class Demo(msgspec.Struct, frozen=True):
    """What ``diemcau demo --json`` prints and leaves as ``demo.json`` (DESIGN.md, fixed contract)."""

    meeting: str
    chair: Person
    operator: Person
    archivist: Person
    endpoints: tuple[EndpointSignIn, ...]
    deputy: Person | None = None
    administrator: Person | None = None
    observer: Person | None = None


class Roster(msgspec.Struct, frozen=True):
    """A meeting and the endpoints that may be played in it."""

    meeting: str
    endpoints: tuple[EndpointSignIn, ...]


def read_demo(path: Path) -> Demo:
    """Raises InvalidInput("no_demo") for a file that is missing or not the demo's."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Demo)
    except OSError as error:
        detail = f"{path}: {os.strerror(error.errno or 0)}; run `diemcau demo` first"
        raise InvalidInput("no_demo", detail) from error
    except msgspec.DecodeError as error:
        raise InvalidInput("no_demo", f"{path}: {error}") from error


def read_roster(path: Path) -> Roster:
    """A tokens file: JSON ``{"meeting": ID, "endpoints": [{"id", "name", "role", "token"}]}`` (a demo.json is one too).

    Raises InvalidInput("bad_tokens").
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Roster)
    except OSError as error:
        raise InvalidInput("bad_tokens", f"{path}: {os.strerror(error.errno or 0)}") from error
    except msgspec.DecodeError as error:
        raise InvalidInput("bad_tokens", f"{path}: {error}") from error


def choose_endpoints(roster: Roster, count: int) -> tuple[EndpointSignIn, ...]:
    """The ``count`` endpoints to play: branches from the last on, so that the first stay free for people; the main
    endpoint last of all. Raises InvalidInput("too_many_endpoints") where there are not as many."""
    branches = [endpoint for endpoint in roster.endpoints if endpoint.role == "branch"]
    others = [endpoint for endpoint in roster.endpoints if endpoint.role != "branch"]
    candidates = [*reversed(branches), *others]
    if not 1 <= count <= len(candidates):
        detail = f"{count} endpoints asked for, the meeting has {len(candidates)}"
        raise InvalidInput("too_many_endpoints", detail)
    return tuple(candidates[:count])
