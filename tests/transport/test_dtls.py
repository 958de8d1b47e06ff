"""DTLS: both roles, every fingerprint hash, RSA clients, lost datagrams, wrong identities (SCENARIOS 29)."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import Callable, Sequence

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from server.transport.dtls import (
    HANDSHAKE_DATAGRAMS,
    MTU_OCTETS,
    DtlsCertificate,
    DtlsConnection,
    DtlsState,
    Fingerprint,
)
from server.transport.srtp import AEAD_AES_128_GCM, AEAD_AES_256_GCM, AES128_CM_SHA1_80, SrtpProfile

SERVER, CLIENT = DtlsCertificate.generate(), DtlsCertificate.generate()


def rsa_certificate() -> DtlsCertificate:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "encoder")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2021, 1, 1, tzinfo=dt.UTC))  # long over: nobody may care
        .sign(key, hashes.SHA256())
    )
    return DtlsCertificate(key, certificate)


def connections(
    client: DtlsCertificate = CLIENT,
    *,
    server: DtlsCertificate = SERVER,
    expected: Sequence[Fingerprint] | None = None,
    expected_of_server: Sequence[Fingerprint] | None = None,
) -> tuple[DtlsConnection, DtlsConnection]:
    return (
        DtlsConnection(server, expected or [client.fingerprint()], server=True),
        DtlsConnection(client, expected_of_server or [server.fingerprint()], server=False),
    )


def exchange(server: DtlsConnection, client: DtlsConnection, lose: Callable[[int], bool] = lambda _: False) -> int:
    """Carry datagrams until both are silent; ``lose`` says which of them (counted from 0) never arrive."""
    carried = 0
    client.start(0.0)
    while flights := [(server, client.take_output()), (client, server.take_output())]:
        if not any(datagrams for _, datagrams in flights):
            return carried
        for receiver, datagrams in flights:
            for datagram in datagrams:
                assert len(datagram) <= MTU_OCTETS
                if not lose(carried):
                    receiver.receive(datagram, 0.0)
                carried += 1
    return carried


def test_both_roles_come_to_the_same_keys() -> None:
    server, client = connections()
    exchange(server, client)
    assert server.state is client.state is DtlsState.CONNECTED
    assert server.keys is not None
    assert client.keys is not None
    assert server.keys.profile is AEAD_AES_128_GCM
    assert (server.keys.local, server.keys.remote) == (client.keys.remote, client.keys.local)
    assert server.next_deadline() is None


@pytest.mark.parametrize("profile", [AEAD_AES_256_GCM, AES128_CM_SHA1_80], ids=lambda profile: profile.name)
def test_the_clients_only_profile_is_taken(profile: SrtpProfile) -> None:
    server, client = connections(DtlsCertificate.generate((profile,)))
    exchange(server, client)
    assert server.keys is not None
    assert client.keys is not None
    assert server.keys.profile == profile
    assert server.keys.local == client.keys.remote


def test_no_profile_in_common_is_a_failure() -> None:
    server, client = connections(
        DtlsCertificate.generate((AES128_CM_SHA1_80,)), server=DtlsCertificate.generate((AEAD_AES_128_GCM,))
    )
    exchange(server, client)
    assert (server.state, server.failure, server.keys) == (DtlsState.FAILED, "dtls_failed", None)


def test_an_rsa_client_is_served() -> None:
    """GStreamer and simple-whip-client show RSA certificates."""
    server, client = connections(rsa_certificate())
    exchange(server, client)
    assert server.state is client.state is DtlsState.CONNECTED


def test_the_client_role_takes_an_rsa_server() -> None:
    server, client = connections(server=rsa_certificate())
    exchange(server, client)
    assert server.state is client.state is DtlsState.CONNECTED


@pytest.mark.parametrize(
    ("algorithm", "hash_function"),
    [("sha-256", hashes.SHA256()), ("sha-384", hashes.SHA384()), ("SHA-512", hashes.SHA512())],
)
def test_each_fingerprint_hash(algorithm: str, hash_function: hashes.HashAlgorithm) -> None:
    value = CLIENT._certificate.fingerprint(hash_function).hex(
        ":"
    )  # lower case: SDP's hex is upper, ours must not care
    server, client = connections(expected=[Fingerprint(algorithm, value)])
    exchange(server, client)
    assert server.state is DtlsState.CONNECTED


WRONG = Fingerprint("sha-256", ":".join(["00"] * 32))


@pytest.mark.parametrize(
    "expected",
    [
        [WRONG],
        [Fingerprint("sha-256", SERVER.fingerprint().value)],
        [Fingerprint("sha-256", CLIENT.fingerprint().value[:-3])],
        [Fingerprint("sha-256", "ĐÂY KHÔNG PHẢI")],
        [Fingerprint("sha-1", CLIENT.fingerprint().value)],
        # The strongest hash decides: a right weaker one beside it does not help.
        [CLIENT.fingerprint(), Fingerprint("sha-512", ":".join(["11"] * 64))],
    ],
    ids=["zeros", "another's", "cut", "no hex", "unsupported hash", "stronger is wrong"],
)
def test_a_wrong_fingerprint_is_refused_and_the_client_hears_it(expected: list[Fingerprint]) -> None:
    server, client = connections(expected=expected)
    exchange(server, client)
    assert (server.state, server.failure, server.keys) == (DtlsState.FAILED, "fingerprint_mismatch", None)
    assert client.state in (DtlsState.FAILED, DtlsState.CLOSED)


def test_one_right_of_several_is_enough() -> None:
    """Two certificates may be announced (RFC 8122 5.1)."""
    server, client = connections(expected=[WRONG, CLIENT.fingerprint()])
    exchange(server, client)
    assert server.state is DtlsState.CONNECTED


def test_the_client_role_checks_too() -> None:
    server, client = connections(expected_of_server=[WRONG])
    exchange(server, client)
    assert (client.state, client.failure) == (DtlsState.FAILED, "fingerprint_mismatch")
    assert server.state is not DtlsState.CONNECTED


def test_without_a_certificate_there_is_no_handshake() -> None:
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_verify(SSL.VERIFY_NONE)
    context.set_tlsext_use_srtp(b"SRTP_AEAD_AES_128_GCM")
    bare = SSL.Connection(context)
    bare.set_connect_state()
    server, _ = connections()
    for _ in range(6):
        with contextlib.suppress(SSL.Error):
            bare.do_handshake()
        try:
            server.receive(bare.bio_read(4_096), 0.0)
        except SSL.Error:
            break
        for datagram in server.take_output():
            bare.bio_write(datagram)
    assert (server.state, server.failure) == (DtlsState.FAILED, "dtls_failed")


@pytest.mark.parametrize("lost", range(4))
def test_a_lost_flight_is_sent_again_at_its_deadline(lost: int) -> None:
    """OpenSSL's timer is real: told the time too early it stays calm, at the deadline it repeats (RFC 6347 4.2.4)."""
    server, client = connections()
    exchange(server, client, lambda number: number == lost)
    waiting = next(side for side in (client, server) if side.next_deadline() is not None)
    deadline = waiting.next_deadline()
    assert deadline is not None
    assert 0.5 < deadline <= 1.0
    waiting.tick(deadline - 0.1)
    assert waiting.take_output() == []


async def test_repeated_flights_finish_the_handshake() -> None:
    loop = asyncio.get_running_loop()
    server, client = connections()
    exchange(server, client, lambda number: number in (1, 3))
    while server.state is not DtlsState.CONNECTED or client.state is not DtlsState.CONNECTED:
        deadlines = [side.next_deadline() for side in (server, client)]
        assert any(deadlines)
        later = asyncio.Event()
        loop.call_later(min(deadline for deadline in deadlines if deadline is not None), later.set)
        await later.wait()
        for side in (server, client):
            side.tick(side.next_deadline() or 0.0)
        exchange(server, client)


def test_a_good_bye_is_heard() -> None:
    server, client = connections()
    exchange(server, client)
    client.close()
    exchange(server, client)
    assert server.state is client.state is DtlsState.CLOSED
    server.receive(b"\x17after the end", 0.0)
    assert server.take_output() == []


def test_application_data_means_nothing() -> None:
    server, client = connections()
    exchange(server, client)
    client._ssl.send(b"hello")
    exchange(server, client)
    assert server.state is DtlsState.CONNECTED


def test_a_flood_during_the_handshake_ends_it() -> None:
    server, _ = connections()
    record = b"\x16\xfe\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05hello"
    states = []
    for _ in range(HANDSHAKE_DATAGRAMS + 1):
        server.receive(b"\x19" + record, 0.0)
        states.append(server.state)
    assert states[-2:] == [DtlsState.HANDSHAKING, DtlsState.FAILED]


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(0, 1))
def test_noise_neither_raises_nor_ends_a_call(noise: list[bytes], before: int) -> None:
    """Octets 20 to 63 first, as the demultiplexer lets through."""
    server, client = connections()
    if not before:
        exchange(server, client)
    for datagram in noise:
        server.receive(b"\x17" + datagram, 0.0)
    server.take_output()
    assert server.state is not DtlsState.FAILED
    if not before:
        assert server.state is DtlsState.CONNECTED


@settings(max_examples=80)
@given(st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=8))
def test_mutated_handshakes_never_raise(mutations: list[tuple[float, int]]) -> None:
    server, client = connections()
    client.start(0.0)
    left = list(mutations)
    for _ in range(4):
        for receiver, sender in ((server, client), (client, server)):
            for datagram in sender.take_output():
                place, octet = left.pop() if left else (0.0, datagram[0])
                index = int(place * len(datagram))
                receiver.receive(datagram[:index] + bytes((octet,)) + datagram[index + 1 :], 0.0)
    assert (server.keys is not None) == (server.state is DtlsState.CONNECTED)
    assert (server.failure is not None) == (server.state is DtlsState.FAILED)
