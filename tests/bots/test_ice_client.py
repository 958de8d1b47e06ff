"""The client's checks against a server made of STUN messages, on virtual time."""

from aioice import stun

from server.bots.ice import CONSENT_TIMEOUT_S, FIRST_CHECKS_S, IceClient

REMOTE_PWD = b"remote-password-22-letters"
SERVER = ("192.0.2.1", 5004)


def client() -> IceClient:
    return IceClient(
        local_ufrag="me",
        local_pwd="local-password-22-letters",
        remote_ufrag="them",
        remote_pwd=REMOTE_PWD.decode(),
        tie_breaker=1,
        now=0.0,
    )


def answer(check: bytes, password: bytes = REMOTE_PWD) -> bytes:
    request = stun.parse_message(check)
    response = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, transaction_id=request.transaction_id)
    response.attributes["XOR-MAPPED-ADDRESS"] = ("192.0.2.2", 9)
    response.add_message_integrity(password)
    return bytes(response)


def test_a_check_names_both_sides_and_nominates() -> None:
    check = client().tick(0.0)
    assert check is not None
    message = stun.parse_message(check)
    assert message.attributes["USERNAME"] == "them:me"
    assert "USE-CANDIDATE" in message.attributes
    assert message.check_message_integrity(REMOTE_PWD)


def test_checks_come_quickly_at_first_then_as_consent() -> None:
    ice = client()
    times: list[float] = []
    while len(times) < len(FIRST_CHECKS_S) + 2:
        now = ice.next_deadline()
        assert ice.tick(now - 1e-6) is None
        assert ice.tick(now) is not None
        times.append(now)
    assert tuple(times[: len(FIRST_CHECKS_S)]) == FIRST_CHECKS_S
    assert times[-1] - times[-2] == 5.0


def test_a_valid_answer_connects_and_consent_follows() -> None:
    ice = client()
    check = ice.tick(0.0)
    assert check is not None
    assert ice.receive(answer(check), SERVER, 0.01) is None
    assert ice.connected
    assert ice.rtt_s == 0.01
    assert ice.next_deadline() == 5.01


def test_forged_foreign_and_broken_answers_do_not_connect() -> None:
    ice = client()
    check = ice.tick(0.0)
    assert check is not None
    stranger = client().tick(0.0)
    assert stranger is not None
    for datagram in (answer(stranger), b"", b"\x01\x01\x00\x04rubbish-rubbish-", answer(check, b"wrong")):
        assert ice.receive(datagram, SERVER, 0.1) is None
    assert not ice.connected


def test_consent_expires_without_answers() -> None:
    ice = client()
    check = ice.tick(0.0)
    assert check is not None
    ice.receive(answer(check), SERVER, 1.0)
    assert not ice.expired(1.0 + CONSENT_TIMEOUT_S)
    assert ice.expired(1.1 + CONSENT_TIMEOUT_S)


def test_it_answers_the_other_sides_checks() -> None:
    request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    request.attributes["USERNAME"] = "me:them"
    request.add_message_integrity(b"local-password-22-letters")
    response = client().receive(bytes(request), SERVER, 0.0)
    assert response is not None
    assert stun.parse_message(response).attributes["XOR-MAPPED-ADDRESS"] == SERVER
    request.add_message_integrity(b"wrong")
    assert client().receive(bytes(request), SERVER, 0.0) is None
