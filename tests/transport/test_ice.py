"""ICE-lite: which checks are believed, and what they bind."""

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from server.transport.ice import (
    CONSENT_S,
    MAX_ADDRESSES,
    Address,
    Credentials,
    IceAgent,
    StunRejected,
    parse_request,
    plain_host,
)

LOCAL, REMOTE = Credentials("server", "the-server-s-password-here"), Credentials("client", "the-client-s-password-here")
HOME: Address = ("192.0.2.1", 5000)
AWAY: Address = ("198.51.100.7", 40_000)


def check(
    *,
    username: str = "server:client",
    password: str = LOCAL.password,
    nominate: bool = False,
    role: str = "ICE-CONTROLLING",
    without: str = "",
) -> bytes:
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes["USERNAME"] = username
    message.attributes["PRIORITY"] = 1
    message.attributes[role] = 7
    if nominate:
        message.attributes["USE-CANDIDATE"] = None
    if without:
        message.attributes.pop(without, None)
    message.add_message_integrity(password.encode())
    if without == "MESSAGE-INTEGRITY":
        del message.attributes["MESSAGE-INTEGRITY"]
        message.add_fingerprint()
    if without == "FINGERPRINT":
        del message.attributes["FINGERPRINT"]
    return bytes(message)


def agent() -> IceAgent:
    return IceAgent(LOCAL, REMOTE, now=100.0)


def receive(ice: IceAgent, datagram: bytes, address: Address = HOME, now: float = 101.0) -> stun.Message:
    return stun.parse_message(ice.check(parse_request(datagram), address, now, lambda _: True))


def where(ice: IceAgent) -> tuple[Address | None, list[Address]]:
    return ice.selected, list(ice.addresses)


def refusal(ice: IceAgent, datagram: bytes) -> str:
    with pytest.raises(StunRejected) as refused:
        receive(ice, datagram)
    reason: str = refused.value.args[0]
    return reason


def test_a_check_is_answered_with_the_address_it_came_from() -> None:
    ice = agent()
    datagram = check()
    answer = receive(ice, datagram)
    assert answer.message_class is stun.Class.RESPONSE
    assert answer.transaction_id == stun.parse_message(datagram).transaction_id
    assert answer.attributes["XOR-MAPPED-ADDRESS"] == HOME
    assert "FINGERPRINT" in answer.attributes
    assert answer.check_message_integrity(LOCAL.password.encode())
    assert (ice.selected, ice.addresses, ice.heard_at) == (HOME, (HOME,), 101.0)


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (check(password="guessed-password-0000000"), "bad_integrity"),
        (check(username="server:another"), "bad_integrity"),
        (check(username="server"), "bad_stun"),
        (check(without="USERNAME"), "bad_integrity"),
        (check(without="MESSAGE-INTEGRITY"), "bad_integrity"),
        (check(without="FINGERPRINT"), "bad_integrity"),
        (check()[:-1], "bad_stun"),
        (check()[:-4] + b"\0\0\0\0", "bad_stun"),
        (b"", "bad_stun"),
        (b"\x00\x01\x00\x00", "bad_stun"),
        (bytes(stun.Message(stun.Method.BINDING, stun.Class.INDICATION)), "stun_not_request"),
        (bytes(stun.Message(stun.Method.BINDING, stun.Class.RESPONSE)), "stun_not_request"),
        (bytes(stun.Message(stun.Method.ALLOCATE, stun.Class.REQUEST)), "stun_not_request"),
        # A PRIORITY of two octets: aioice unpacks it without a look.
        (b"\x00\x01\x00\x08\x21\x12\xa4\x42" + bytes(12) + b"\x00\x24\x00\x02\x01\x01\x00\x00", "bad_stun"),
    ],
)
def test_forged_checks_bind_nothing(datagram: bytes, reason: str) -> None:
    """SCENARIOS 21."""
    ice = agent()
    assert refusal(ice, datagram) == reason
    assert (ice.selected, ice.addresses, ice.heard_at) == (None, (), 100.0)


def test_an_attribute_behind_the_integrity_is_not_believed() -> None:
    """USE-CANDIDATE appended by somebody on the way (RFC 8489 14.5)."""
    ice = agent()
    receive(ice, check(), HOME)
    message = stun.parse_message(check())
    del message.attributes["FINGERPRINT"]
    message.attributes["USE-CANDIDATE"] = None
    message.add_fingerprint()
    receive(ice, bytes(message), AWAY)
    assert ice.selected == HOME


def test_the_last_nominated_address_is_where_we_send() -> None:
    ice = agent()
    receive(ice, check(), HOME)
    receive(ice, check(), AWAY)
    assert ice.selected == HOME, "before a nomination the first that proved itself"
    receive(ice, check(nominate=True), AWAY)
    assert ice.selected == AWAY
    receive(ice, check(), HOME)
    assert ice.selected == AWAY, "a plain check of another pair moves nothing"
    receive(ice, check(nominate=True), HOME)
    assert ice.selected == HOME


def test_a_controlled_client_is_told_to_switch() -> None:
    answer = receive(agent(), check(role="ICE-CONTROLLED"))
    assert answer.message_class is stun.Class.ERROR
    assert answer.error_code == 487


def test_an_address_of_another_is_not_bound() -> None:
    ice = agent()
    with pytest.raises(StunRejected, match="address_taken"):
        ice.check(parse_request(check(nominate=True)), HOME, 101.0, lambda address: address != HOME)
    assert ice.addresses == ()


def test_addresses_are_bounded_and_the_selected_one_stays() -> None:
    ice = agent()
    receive(ice, check(nominate=True), HOME)
    for port in range(MAX_ADDRESSES + 3):
        receive(ice, check(), ("203.0.113.5", port))
    assert len(ice.addresses) == MAX_ADDRESSES
    assert HOME in ice.addresses
    assert ("203.0.113.5", 3) not in ice.addresses
    assert ("203.0.113.5", 4) in ice.addresses


def test_a_forgotten_address_is_found_again_by_the_next_check() -> None:
    ice = agent()
    receive(ice, check(nominate=True), HOME)
    receive(ice, check(), AWAY)
    ice.forget(AWAY)
    assert where(ice) == (HOME, [HOME])
    ice.forget(HOME)
    assert where(ice) == (None, [])
    receive(ice, check(), AWAY)
    assert ice.selected == AWAY


def test_consent_lasts_thirty_seconds_from_the_last_sign_of_life() -> None:
    ice = agent()
    assert ice.next_deadline() == 100.0 + CONSENT_S
    receive(ice, check(), now=120.0)
    assert ice.next_deadline() == 150.0


def test_a_restart_keeps_the_old_way_until_the_new_one_is_nominated() -> None:
    ice = agent()
    receive(ice, check(nominate=True), HOME)
    newer = Credentials("server2", "the-server-s-new-password"), Credentials("client2", "the-client-s-new-password")
    ice.restart(*newer)
    assert list(ice.ufrags) == ["server2", "server"]
    receive(ice, check(nominate=True), HOME, now=105.0)  # consent on the old pair goes on
    assert refusal(ice, check(username="server2:client", password=newer[0].password)) == "bad_integrity"
    receive(ice, check(username="server2:client2", password=newer[0].password), AWAY)
    assert list(ice.ufrags) == ["server2", "server"]
    receive(ice, check(username="server2:client2", password=newer[0].password, nominate=True), AWAY)
    assert ice.selected == AWAY
    assert list(ice.ufrags) == ["server2"]
    assert refusal(ice, check(nominate=True)) == "bad_integrity"


def test_credentials_differ_and_fit_the_grammar() -> None:
    """RFC 8839 5.4: ice-char is a letter, a digit, + or /."""
    made = [Credentials.generate() for _ in range(50)]
    assert len({one.ufrag for one in made}) == len({one.password for one in made}) == 50
    for one in made:
        assert all(character.isalnum() or character in "+/" for character in one.ufrag + one.password)
        assert len(one.ufrag) >= 4
        assert len(one.password) >= 22


@pytest.mark.parametrize(
    ("host", "plain"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%lo", "fe80::1"),
    ],
)
def test_hosts_are_named_plainly(host: str, plain: str) -> None:
    assert plain_host(host) == plain


@given(st.binary(max_size=120), st.integers(0, 200), st.binary(min_size=1, max_size=8))
def test_no_noise_raises_or_binds(noise: bytes, place: int, patch: bytes) -> None:
    ice = agent()
    genuine = check(nominate=True)
    spoiled = genuine[:place] + patch + genuine[place + len(patch) :]
    header = b"\x00\x01" + len(noise).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + bytes(12)
    for datagram in (noise, header + noise, spoiled):
        if datagram != genuine:
            try:
                receive(ice, datagram)
            except StunRejected:
                continue
            # Only what the integrity does not cover may differ: nothing that is believed.
            assert stun.parse_message(datagram).check_message_integrity(LOCAL.password.encode())
    assert ice.addresses in ((), (HOME,))
