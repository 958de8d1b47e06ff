"""Logs that chain well and say nonsense: verify, its words and its JSON raise nothing, and end."""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from server.recording import wording
from server.recording.keys import SigningKey
from server.recording.log import FIRST_PREV
from server.recording.shelf import look_over
from server.recording.verify import verify_recording
from tests.support.recordings import make_recording

KEY = SigningKey.generate()

_numbers = some.one_of(
    some.integers(-(2**70), 2**70),
    some.floats(allow_nan=False, allow_infinity=False),
    some.sampled_from([0, -1, 1e308, -1e308, 2**63, 2**64, 1_790_000_000]),
)
_values = some.recursive(
    some.one_of(some.none(), some.booleans(), _numbers, some.text(max_size=20)),
    lambda inner: some.one_of(some.lists(inner, max_size=3), some.dictionaries(some.text(max_size=5), inner)),
    max_leaves=5,
)


def _lines() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as place:
        log = make_recording(Path(place) / "rec_a", KEY) / "events.jsonl"
        return [json.loads(line) for line in log.read_bytes().splitlines()]


_LINES = _lines()
_SPOTS = [
    (number, name) for number, line in enumerate(_LINES) for name in ("at", *(f"event.{key}" for key in line["event"]))
]
_TIMES = [(number, name) for number, name in _SPOTS if name.endswith("at") or name == "event.octets"]


def _chained(changes: Mapping[tuple[int, str], Any]) -> bytes:
    log, prev = b"", FIRST_PREV
    for number, line in enumerate(_LINES):
        event = {key: changes.get((number, f"event.{key}"), value) for key, value in line["event"].items()}
        changed = {"n": number + 1, "at": changes.get((number, "at"), line["at"]), "prev": prev, "event": event}
        octets = json.dumps(changed, ensure_ascii=False).encode("utf-8", "surrogatepass")
        prev = hashlib.sha256(octets).hexdigest()
        log += octets + b"\n"
    return log


def _look(log: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "rec_a"
        folder.mkdir()
        (folder / "events.jsonl").write_bytes(log)
        report = verify_recording(folder, KEY.public_base64)
        assert not report.ok
        assert wording.verdict(folder, report).isprintable() is False  # it has more than a line
        msgspec.json.decode(msgspec.json.encode(report))
        overview = look_over(Path(place))
        wording.table(overview)
        msgspec.json.encode(overview, enc_hook=str)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(some.dictionaries(some.sampled_from(_SPOTS), _values, min_size=1, max_size=3))
def test_nonsense_in_any_field(changes: dict[tuple[int, str], Any]) -> None:
    _look(_chained(changes))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(some.dictionaries(some.sampled_from(_TIMES), _numbers, min_size=1, max_size=4))
def test_nonsense_in_numbers(changes: dict[tuple[int, str], Any]) -> None:
    _look(_chained(changes))


@pytest.mark.parametrize(
    "changes",
    [
        {spot: 2**63 for spot in _TIMES if spot[1] == "event.octets"},
        {(0, "at"): -1e308, (len(_LINES) - 1, "at"): 1e308},
        {(0, "at"): 0, (len(_LINES) - 1, "at"): 1e308},
        {spot: -1e308 if spot[1] == "event.starts_at" else 1e308 for spot in _TIMES if "s_at" in spot[1]},
    ],
    ids=["octets", "at", "late", "segments"],
)
def test_numbers_that_overflow(changes: dict[tuple[int, str], Any]) -> None:
    _look(_chained(changes))


@settings(max_examples=100, deadline=None)
@given(some.binary(max_size=500))
def test_any_octets(octets: bytes) -> None:
    _look(octets)
    _look(_chained({})[:1_000] + octets)
