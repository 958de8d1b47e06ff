"""Who plays: demo files, token files, and the choice among them."""

from pathlib import Path

import msgspec
import pytest

from server.bots.roster import Demo, EndpointSignIn, Person, Roster, choose_endpoints, read_demo, read_roster
from server.errors import InvalidInput

ENDPOINTS = tuple(
    EndpointSignIn(f"e{number}", f"Xã {number}", "branch" if number else "main", f"token-{number}")
    for number in range(5)
)


def test_branches_play_from_the_last_on_and_the_main_endpoint_last_of_all() -> None:
    roster = Roster("m", ENDPOINTS)
    assert [endpoint.id for endpoint in choose_endpoints(roster, 2)] == ["e4", "e3"]
    assert [endpoint.id for endpoint in choose_endpoints(roster, 5)] == ["e4", "e3", "e2", "e1", "e0"]


@pytest.mark.parametrize("count", [0, -1, 6])
def test_no_more_than_there_are(count: int) -> None:
    with pytest.raises(InvalidInput) as refusal:
        choose_endpoints(Roster("m", ENDPOINTS), count)
    assert refusal.value.code == "too_many_endpoints"


def test_a_demo_file_is_read_and_is_a_tokens_file_too(tmp_path: Path) -> None:
    person = Person("chutoa", "secret", "token")
    demo = Demo("m", person, person, person, ENDPOINTS)
    path = tmp_path / "demo.json"
    path.write_bytes(msgspec.json.encode(demo))
    assert read_demo(path) == demo
    assert read_roster(path) == Roster("m", ENDPOINTS)


@pytest.mark.parametrize("content", [None, b"", b"{}", b"rubbish"])
def test_an_unusable_file_is_said_plainly(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "demo.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInput, match="demo"):
        read_demo(path)
    with pytest.raises(InvalidInput):
        read_roster(path)
