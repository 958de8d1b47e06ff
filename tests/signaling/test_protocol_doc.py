"""docs/protocol.md says what the code does: messages, fields, examples, commands, error codes, routes, limits."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.config import Config
from server.hub import trials
from server.room.commands import PersonCommand
from server.room.views import RoomView
from server.signaling import messages, outbox
from server.signaling.bodies import Problem
from server.signaling.http import route_table
from server.signaling.typescript import UNIONS
from tests.signaling.rest_matrix import ROLES

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")


def members(union: str) -> dict[str, type[msgspec.Struct]]:
    return {str(kind.__struct_config__.tag): kind for kind in UNIONS[union].__args__}


def section(title: str, level: int) -> str:
    """The text under a heading, up to the next of the same or a higher level."""
    found = re.search(
        rf"^{'#' * level} {re.escape(title)}\n(.*?)(?=^#{{1,{level}}} |\Z)", DOC, re.MULTILINE | re.DOTALL
    )
    assert found, title
    return found.group(1)


def rows(text: str) -> Iterator[list[str]]:
    """Cells of the table rows in ``text`` (heads and rules left out)."""
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if cells[0].startswith("`") or cells[0] in {"GET", "POST", "PUT", "PATCH", "DELETE"}:
                yield cells


def fields_of(kind: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind)]


def messages_under(title: str) -> dict[str, str]:
    parts = re.split(r"^#### `(\w+)`\n", section(title, 3), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize(("title", "union"), [("From the client", "FromClient"), ("From the server", "FromServer")])
def test_every_message_is_described(title: str, union: str) -> None:
    described, real = messages_under(title), members(union)
    assert set(described) == set(real)
    for tag, text in described.items():
        assert [cells[0].strip("`") for cells in rows(text)] == fields_of(real[tag]), tag


@pytest.mark.parametrize(("title", "union"), [("From the client", "FromClient"), ("From the server", "FromServer")])
def test_every_example_decodes_and_names_every_field(title: str, union: str) -> None:
    for tag, text in messages_under(title).items():
        (example,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
        message = msgspec.json.decode(example, type=UNIONS[union])
        assert message.__struct_config__.tag == tag
        assert set(msgspec.json.decode(example)) == {"type", *fields_of(type(message))}, tag


def test_every_command_is_described() -> None:
    real = members("PersonCommand")
    described = {cells[0].strip("`"): cells for cells in rows(section("Commands", 3))}
    assert set(described) == set(real)
    for tag, cells in described.items():
        names = re.findall(r"`(\w+)`", re.sub(r"\([^()]*\)", "", cells[1]))
        assert names == fields_of(real[tag]), tag
        command = msgspec.json.decode(cells[2].strip("`"), type=PersonCommand)
        assert command.__struct_config__.tag == tag


def test_every_inner_object_is_described() -> None:
    described = {cells[0].strip("`"): cells[1] for cells in rows(section("What is inside", 3))}
    real = {kind.__name__: kind for kind in _inner_structs()}
    assert set(described) == set(real)
    for name, text in described.items():
        named = re.findall(r"`(\w+)`", re.sub(r"\([^()]*\)", "", text))
        assert [one for one in named if one in fields_of(real[name])] == fields_of(real[name]), name


def _inner_structs() -> set[type[msgspec.Struct]]:
    """Structs within messages; commands and messages themselves are described elsewhere."""
    described = {*members("FromClient").values(), *members("FromServer").values(), *members("PersonCommand").values()}
    found: set[type[msgspec.Struct]] = {RoomView}

    def look(info: msgspec.inspect.Type) -> None:
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls not in described:
                found.add(info.cls)
            for field in info.fields:
                look(field.type)
        elif isinstance(info, msgspec.inspect.UnionType):
            for part in info.types:
                look(part)
        elif isinstance(info, msgspec.inspect.ListType | msgspec.inspect.VarTupleType):
            look(info.item_type)

    look(msgspec.inspect.type_info(messages.FromClient))
    look(msgspec.inspect.type_info(messages.FromServer))
    return found


def test_the_version() -> None:
    assert f"is\n**{messages.VERSION}**" in DOC


def test_the_problem_example() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", section("Errors", 2), re.DOTALL)
    assert msgspec.json.decode(example, type=Problem).code == "seat_taken"


# --- error codes ----------------------------------------------------------------------------------

STATUS = {
    "InvalidInput": 400,
    "NotAuthenticated": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "Conflict": 409,
    "TooLarge": 413,
    "TooMany": 429,
    "Unavailable": 503,
}
RAISED = re.compile(rf'\b({"|".join(STATUS)})[(,]\s*"([a-z_]+)"')
RAISED_WITH_STATUS = re.compile(r'HttpRefusal\((\d+), "([a-z_]+)"')
FAILED_WITH_STATUS = re.compile(r'\.(?:_fail|fail)\(\s*"([a-z_]+)", .*?, (\d+)\)')
ON_THE_WIRE = ("room", "hub", "signaling", "meetings", "archive")
ELSEWHERE = {
    ("bad_credentials", 401),
    ("signin_locked", 429),
    ("signin_busy", 429),
    ("unit_unknown", 404),
    ("bad_text", 400),
    ("store_unavailable", 503),
    ("journal_damaged", 503),
    ("meeting_not_open", 409),
    ("meeting_ended", 409),
    ("too_many_peers", 429),
    ("internal_error", 500),
    ("method_not_allowed", 405),
}
"""Codes that reach clients from the rooms below, or from aiohttp."""
MERGED = {("removed", 409), ("not_holder", 404), ("meeting_not_open", 404)}
"""One code with two statuses is described by the more frequent one."""


def raised_codes() -> set[tuple[str, int]]:
    """Every code with its status that a client may meet, read from the code that raises it."""
    found = set(ELSEWHERE)
    for folder in ON_THE_WIRE:
        for file in (ROOT / "server" / folder).rglob("*.py"):
            text = "\n".join(line for line in file.read_text(encoding="utf-8").splitlines() if "Raises" not in line)
            found |= {(code, STATUS[name]) for name, code in RAISED.findall(text)}
            found |= {(code, int(status)) for status, code in RAISED_WITH_STATUS.findall(text)}
            found |= {(code, int(status)) for code, status in FAILED_WITH_STATUS.findall(text)}
    return found - MERGED


def test_every_error_code_is_described() -> None:
    described = {
        (cells[0].strip("`"), int(cells[1])) for cells in rows(section("Errors", 2)) if cells[0] != "`refused`"
    }
    assert described - raised_codes() == set(), "described but never raised"
    assert raised_codes() - described == set(), "raised but not described"


# --- REST and limits ------------------------------------------------------------------------------


def test_every_route_is_in_the_table_of_rights() -> None:
    table = {(cells[0], cells[1].strip("`")) for cells in rights()}
    assert table == {(route.method, route.path) for route in route_table() if not route.public}


def test_every_public_route_is_named() -> None:
    (public,) = re.findall(r"^Public, for anybody:(.*?)\n\n", DOC, re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"`(\w+ /[^`]*)`", " ".join(public.split())))
    real = {f"{route.method} {route.path}" for route in route_table() if route.public and route.method != "OPTIONS"}
    assert named == real
    assert "`OPTIONS` of WHIP and WHEP" in public


def rights() -> Iterator[list[str]]:
    return (cells for cells in rows(section("Who may do what", 3)) if len(cells) == 2 + len(ROLES))


def test_the_table_has_a_column_a_role() -> None:
    head = next(line for line in section("Who may do what", 3).splitlines() if line.startswith("| method"))
    assert [cell.strip() for cell in head.strip("|").split("|")][2:] == list(ROLES)


def test_limits() -> None:
    table = {cells[0]: cells[1] for cells in _limit_rows()}
    http, media = Config().http, Config().media
    numbers = {name: [int(n.replace(",", "")) for n in re.findall(r"[\d,]*\d", text)] for name, text in table.items()}
    assert numbers == {
        "a WebSocket message": [http.max_message_bytes],
        "WebSocket messages of a client": [http.messages_per_s, http.message_burst],
        "what waits for a client": [outbox.MAX_MESSAGES, outbox.MAX_OCTETS],
        "a client that takes nothing": [http.stall_s],
        "WebSockets of an account, of all": [http.max_connections_per_account, http.max_connections],
        "a REST body": [http.max_body_bytes, http.body_timeout_s],
        "an offer": [100_000],
        "requests of an account": [http.requests_per_s, http.request_burst],
        "trials of the media port of an account, of all": [
            trials.MAX_TRIALS_PER_ACCOUNT,
            trials.MAX_TRIALS,
            int(trials.TRIAL_S),
        ],
        "media connections of an account, of all": [media.max_peers_per_account, media.max_peers],
    }


def _limit_rows() -> Iterator[Any]:
    for line in section("Limits", 2).splitlines():
        if line.startswith("|") and not line.startswith(("|---", "| what |")):
            yield [cell.strip() for cell in line.strip("|").split("|")]
