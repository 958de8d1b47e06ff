"""Relay credentials: as coturn checks them, given to sessions, renewed before they expire, never shown."""

import asyncio
import base64
import hashlib
import hmac
import re
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from server.config import TURN_SECRET_VARIABLE, Config, HttpConfig, TurnConfig, load_config
from server.demo.result import DemoResult
from server.errors import InvalidInput
from server.hub import trials
from server.signaling.messages import Answer, IceRestarted, IceServer, IceServers, Offer, Refusal, RestartIce
from server.signaling.turn import NO_RELAY, Relay, link_values, open_relay
from tests.signaling.house import House, copy_template
from tests.signaling.test_whip import PUBLISH, RESTART, SDP, VIEW

TURN = ("turn:relay.example:3478?transport=udp", "turns:relay.example:5349?transport=tcp")
SECRET = "a-secret-of-the-province"


def test_credentials_are_what_coturn_computes() -> None:
    relay = Relay(("stun:relay.example:3478", *TURN), SECRET.encode(), 3_600.0)
    stun, turn = relay.servers_for("acc_1", 1_000.9)
    assert stun == IceServer(("stun:relay.example:3478",))
    assert turn.urls == TURN
    assert turn.username == "4600:acc_1"
    expected = hmac.new(SECRET.encode(), b"4600:acc_1", hashlib.sha1).digest()
    assert turn.credential == base64.b64encode(expected).decode()
    assert relay.renew_at(1_000.0) == 2_800.0


def test_nothing_to_give_without_a_relay() -> None:
    assert NO_RELAY.servers_for("acc_1", 0.0) == ()
    assert NO_RELAY.renew_at(0.0) == float("inf")
    assert open_relay(TurnConfig(), {}).servers_for("acc_1", 0.0) == ()
    only_stun = open_relay(TurnConfig(urls=("stun:relay.example",)), {})
    assert only_stun.servers_for("acc_1", 0.0) == (IceServer(("stun:relay.example",)),)
    assert only_stun.renew_at(0.0) == float("inf")


def test_the_secret_comes_from_a_file_or_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    from_file = open_relay(TurnConfig(urls=TURN, secret_file=str(file)), {TURN_SECRET_VARIABLE: "another"})
    from_environment = open_relay(TurnConfig(urls=TURN), {TURN_SECRET_VARIABLE: SECRET})
    assert from_file.servers_for("a", 0.0) == from_environment.servers_for("a", 0.0)
    assert SECRET not in repr(from_file)


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
def test_a_missing_secret_is_said_at_the_start(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"secret") as refused:
        open_relay(TurnConfig(urls=TURN, secret_file=str(file)), {})
    assert refused.value.code in ("turn_secret_missing", "turn_secret_unreadable")
    with pytest.raises(InvalidInput):
        open_relay(TurnConfig(urls=TURN), {})


@pytest.mark.parametrize(
    "text",
    [
        'urls = ["http://relay.example"]',
        'urls = ["turn:"]',
        'urls = ["turn:relay.example?transport=sctp"]',
        'urls = ["turn:relay.example>; rel=x"]',
        "lifetime_s = 5",
    ],
)
def test_a_setting_that_cannot_be_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"[turn]\n{text}\n")
    with pytest.raises(InvalidInput, match=r"config_invalid|turn"):
        load_config(file)


def test_links_are_one_an_address() -> None:
    servers = (IceServer(("stun:s.example",)), IceServer(("turn:t.example", "turns:t.example"), "4600:acc_1", "Zm9v="))
    assert list(link_values(servers)) == [
        '<stun:s.example>; rel="ice-server"',
        '<turn:t.example>; rel="ice-server"; username="4600:acc_1"; credential="Zm9v="; credential-type="password"',
        '<turns:t.example>; rel="ice-server"; username="4600:acc_1"; credential="Zm9v="; credential-type="password"',
    ]


@pytest.fixture
async def relayed(template: tuple[Path, DemoResult], tmp_path: Path) -> AsyncIterator[House]:
    """A house with a relay, which looks at its sessions all the time."""
    copy_template(template[0], tmp_path)
    secret_file = tmp_path / "turn-secret"
    secret_file.write_text(SECRET)
    turn = TurnConfig(urls=TURN, secret_file=str(secret_file), lifetime_s=3_600.0)
    async with House(tmp_path, template[1], Config(http=HttpConfig(session_check_s=0.05), turn=turn)) as house:
        yield house


async def test_a_session_is_given_credentials_and_newer_ones_before_they_expire(relayed: House) -> None:
    async with relayed.connect("endpoint1") as client:
        given = (await client.hello()).ice_servers
        assert [server.urls for server in given] == [TURN]
        relayed.clock.ahead_s += 1_801.0
        renewed = (await client.hear_a(IceServers)).ice_servers
    assert [server.urls for server in renewed] == [TURN]
    expiry = {servers: float((servers[0].username or "").partition(":")[0]) for servers in (given, renewed)}
    assert expiry[renewed] - expiry[given] == pytest.approx(1_801, abs=10)


async def test_whip_and_the_line_test_name_the_relay(relayed: House) -> None:
    async with relayed.ask("POST", f"{relayed.meeting}/whip", "endpoint1", data=PUBLISH, headers=SDP) as response:
        links = response.headers.getall("Link")
    assert [link.partition(">")[0] for link in links] == [f"<{url}" for url in TURN]
    assert all('rel="ice-server"' in link and 'credential-type="password"' in link for link in links)
    async with relayed.ask("GET", "/api/line-test/media", "endpoint1") as response:
        servers = (await response.json())["ice_servers"]
    assert [server["urls"] for server in servers] == [list(TURN)]


# --- trials of the media port ----------------------------------------------------------------------------------------


async def test_a_trial_is_answered_outside_every_meeting_and_ends_by_itself(
    relayed: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "TRIAL_S", 0.2)
    async with relayed.ask("POST", "/api/line-test/media", "endpoint1", data=VIEW, headers=SDP) as response:
        assert response.status == 201
        answer = await response.text()
    assert "a=candidate" in answer
    assert relayed.media.trials == 1
    assert relayed.media.peers == 0
    async with asyncio.timeout(5):
        while relayed.media.trials:  # noqa: ASYNC110 - a timer of the server's, which tells nobody
            await asyncio.sleep(0.02)


async def test_trials_are_few_at_a_time(relayed: House) -> None:
    path = "/api/line-test/media"
    for _ in range(trials.MAX_TRIALS_PER_ACCOUNT):
        async with relayed.ask("POST", path, "endpoint1", data=VIEW, headers=SDP) as response:
            assert response.status == 201
    refused = await relayed.problem("POST", path, "endpoint1", data=VIEW, headers=SDP)
    assert refused == (429, "too_many_trials")
    async with relayed.ask("POST", path, "endpoint2", data=VIEW, headers=SDP) as response:
        assert response.status == 201, "another account's are its own"
    assert await relayed.problem("POST", path, "chair", data="v=0", headers=SDP) == (400, "bad_sdp")


# --- restarting the ICE of a session ---------------------------------------------------------------------------------


async def test_a_session_restarts_its_ice(house: House) -> None:
    async with house.join("endpoint1") as client:
        await client.say(RestartIce(RESTART))
        assert (await client.hear_a(Refusal)).code == "no_such_session"
        await client.say(Offer(PUBLISH))
        first = (await client.hear_a(Answer)).sdp
        await client.say(RestartIce(RESTART))
        fragment = (await client.hear_a(IceRestarted)).fragment
        ufrags = [re.findall(r"^a=ice-ufrag:(\S+)", text, re.MULTILINE) for text in (first, fragment)]
        assert ufrags[0] != ufrags[1]
        assert "a=candidate" in fragment
        await client.say(RestartIce("a=ice-ufrag:x\r\n"))
        assert (await client.hear_a(Refusal)).code == "bad_sdp"


def test_the_configuration_has_a_place_for_it() -> None:
    config = msgspec.toml.decode(b'[turn]\nurls = ["turn:relay.example"]\nlifetime_s = 900\n', type=Config)
    assert config.turn == TurnConfig(urls=("turn:relay.example",), lifetime_s=900.0)
