"""SRTP sessions: both profile families, and what comes in damaged."""

import os
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.transport.srtp import (
    AEAD_AES_128_GCM,
    AEAD_AES_256_GCM,
    AES128_CM_SHA1_80,
    MAX_PACKET_OCTETS,
    PROFILES,
    SrtpKeys,
    SrtpProfile,
    SrtpSession,
)
from tests.transport.calling import rtp_packet

RTCP_RR = bytes.fromhex("80c9000100000001")


def pair(profile: SrtpProfile) -> tuple[SrtpSession, SrtpSession, Counter[str]]:
    """A server's and a client's session over the same exported material."""
    material = os.urandom(profile.material_octets)
    drops: Counter[str] = Counter()
    server = SrtpSession(SrtpKeys.from_material(profile, material, server=True), Counter())
    client = SrtpSession(SrtpKeys.from_material(profile, material, server=False), drops)
    return server, client, drops


def test_aes_gcm_is_preferred() -> None:
    assert PROFILES == (AEAD_AES_128_GCM, AEAD_AES_256_GCM, AES128_CM_SHA1_80)


def test_material_is_cut_as_rfc_5764_says() -> None:
    material = b"C" * 16 + b"S" * 16 + b"c" * 14 + b"s" * 14
    keys = SrtpKeys.from_material(AES128_CM_SHA1_80, material, server=True)
    assert (keys.local, keys.remote) == (b"S" * 16 + b"s" * 14, b"C" * 16 + b"c" * 14)
    assert SrtpKeys.from_material(AES128_CM_SHA1_80, material, server=False).local == keys.remote


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_both_ways(profile: SrtpProfile) -> None:
    server, client, drops = pair(profile)
    for sender, receiver in ((server, client), (client, server)):
        datagram = sender.protect(rtp_packet())
        assert datagram is not None
        assert b"opus" not in datagram
        assert receiver.unprotect(datagram) == rtp_packet()
        report = sender.protect_rtcp(RTCP_RR)
        assert report is not None
        assert receiver.unprotect_rtcp(report) == RTCP_RR
    assert not drops


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_bad_packets_are_counted_by_reason(profile: SrtpProfile) -> None:
    server, client, drops = pair(profile)
    datagram = server.protect(rtp_packet())
    assert datagram is not None
    assert client.unprotect(datagram[:-1] + bytes((datagram[-1] ^ 1,))) is None
    assert drops == {"srtp_auth": 1}
    assert client.unprotect(datagram) is not None
    assert client.unprotect(datagram) is None
    assert drops["srtp_replay"] == 1
    assert client.unprotect(datagram[:8]) is None
    assert client.unprotect_rtcp(b"\x80\xc9\x00") is None
    assert drops["srtp_malformed"] == 2
    report = server.protect_rtcp(RTCP_RR)
    assert report is not None
    assert client.unprotect_rtcp(report) is not None
    assert client.unprotect_rtcp(report) is None
    assert drops["srtp_replay"] == 2


def test_an_old_packet_is_a_replay() -> None:
    """Beyond the window nobody can tell it from one (RFC 3711 3.3.2)."""
    server, client, drops = pair(AEAD_AES_128_GCM)
    datagrams = [server.protect(rtp_packet(sequence)) for sequence in (1, 3000)]
    assert all(datagrams)
    assert client.unprotect(datagrams[1] or b"") is not None
    assert client.unprotect(datagrams[0] or b"") is None
    assert drops == {"srtp_replay": 1}


@pytest.mark.parametrize("profile", [AEAD_AES_128_GCM, AEAD_AES_256_GCM], ids=lambda profile: profile.name)
def test_aes_gcm_never_uses_a_nonce_twice(profile: SrtpProfile) -> None:
    _, sender, drops = pair(profile)
    for sequence in (5, 3, 4):  # late is not twice
        assert sender.protect(rtp_packet(sequence)) is not None
    assert sender.protect(rtp_packet(3, payload=b"another")) is None
    assert drops == {"srtp_repeated": 1}
    assert sender.protect(rtp_packet(2)) is not None


def test_aes_cm_may_send_again_what_it_sent() -> None:
    server, client, _ = pair(AES128_CM_SHA1_80)
    first, second = server.protect(rtp_packet()), server.protect(rtp_packet())
    assert first == second
    assert client.unprotect(first or b"") == rtp_packet()


def test_the_longest_packet() -> None:
    server, client, drops = pair(AES128_CM_SHA1_80)
    longest = rtp_packet(payload=bytes(MAX_PACKET_OCTETS - 12))
    datagram = server.protect(longest)
    assert datagram is not None
    assert server.protect(longest + b"x") is None
    assert client.unprotect(datagram) is None, "with its tag it is over the limit of a datagram"
    assert drops == {"oversize": 1}
    assert client.unprotect(server.protect(longest[:-10]) or b"") == longest[:-10]


@given(st.binary(max_size=2_000))
def test_noise_never_raises(noise: bytes) -> None:
    _, client, drops = pair(AEAD_AES_128_GCM)
    assert client.unprotect(noise) is None
    assert client.unprotect_rtcp(noise) is None
    assert sum(drops.values()) == 2
