"""DTLS 1.2 for DTLS-SRTP (RFC 6347, 5763, 5764) over datagrams that somebody else carries. OpenSSL by pyOpenSSL.

Told the time, no socket: feed ``receive``, send what ``take_output`` gives, call ``tick`` at ``next_deadline``.
The certificate proves nothing by itself; the fingerprint from the signalling does, so it is enforced inside the
handshake (a wrong one ends it with an alert) and in constant time.
"""

import contextlib
import datetime as dt
import hmac
from collections.abc import Sequence
from enum import StrEnum

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL
from OpenSSL.crypto import X509

from server.transport.srtp import PROFILES, SrtpKeys, SrtpProfile

MTU_OCTETS = 1200
HANDSHAKE_DATAGRAMS = 256
"""A handshake takes some ten datagrams; this many with retransmissions. More is a flood and is not processed."""

_RECORD_HEADER_OCTETS = 13
_MAX_RECORD_OCTETS = 16_384
_DIGESTS = {"sha-512": "sha512", "sha-384": "sha384", "sha-256": "sha256"}
"""RFC 8122 names, strongest first."""
DIGESTS = frozenset(_DIGESTS)
"""Fingerprint algorithms that are taken."""

# ECDSA is our own certificate's kind; RSA only matters to the client role, towards a server that has such a one.
_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"
    b"ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:"
    b"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305"
)
# pyOpenSSL does not name it: DTLS 1.2 on the wire (RFC 6347). DTLS 1.3 is left out until browsers speak it by default.
_DTLS1_2_VERSION = 0xFEFD


class Fingerprint(msgspec.Struct, frozen=True):
    """``a=fingerprint`` (RFC 8122): lower-case algorithm, upper-case hex pairs with colons."""

    algorithm: str
    value: str


class DtlsState(StrEnum):
    """NEW -> HANDSHAKING -> CONNECTED -> CLOSED, or FAILED from anywhere before CONNECTED."""

    NEW = "new"
    HANDSHAKING = "handshaking"
    CONNECTED = "connected"
    FAILED = "failed"
    CLOSED = "closed"


class DtlsCertificate:
    """A self-signed certificate and its OpenSSL context, shared by all connections that use it."""

    def __init__(
        self,
        key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
        certificate: x509.Certificate,
        profiles: Sequence[SrtpProfile] = PROFILES,
    ) -> None:
        self._key = key
        self._certificate = certificate
        self.profiles = tuple(profiles)
        self.context = self._make_context()

    @classmethod
    def generate(cls, profiles: Sequence[SrtpProfile] = PROFILES) -> "DtlsCertificate":
        """A fresh ECDSA P-256 certificate. Its dates mean nothing to WebRTC, so they are wide and fixed."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "diemcau")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
            .not_valid_after(dt.datetime(2049, 1, 1, tzinfo=dt.UTC))
            .sign(key, hashes.SHA256())
        )
        return cls(key, certificate, profiles)

    def fingerprint(self) -> Fingerprint:
        """The sha-256 fingerprint, as it stands in SDP."""
        digest = self._certificate.fingerprint(hashes.SHA256())
        return Fingerprint("sha-256", digest.hex(":").upper())

    def _make_context(self) -> SSL.Context:
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_min_proto_version(_DTLS1_2_VERSION)
        context.set_max_proto_version(_DTLS1_2_VERSION)
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _verify_peer)
        context.use_certificate(self._certificate)
        context.use_privatekey(self._key)
        context.set_cipher_list(_CIPHERS)
        context.set_tlsext_use_srtp(b":".join(profile.openssl_name for profile in self.profiles))
        return context


class DtlsConnection:
    """One DTLS association, either role. Bad datagrams are ignored; a refused peer makes the state FAILED.

    ``fingerprints`` are those of the remote description: the strongest supported algorithm among them decides, and
    one of its values must be the peer's certificate's (RFC 8122 5.1). ``failure`` is then ``fingerprint_mismatch``
    or ``dtls_failed``; ``keys`` are there once CONNECTED.
    """

    def __init__(self, certificate: DtlsCertificate, fingerprints: Sequence[Fingerprint], *, server: bool) -> None:
        self.state = DtlsState.NEW
        self.failure: str | None = None
        self.keys: SrtpKeys | None = None
        self._profiles = certificate.profiles
        self._server = server
        self._identity = _Identity(fingerprints)
        self._deadline: float | None = None
        self._datagrams_left = HANDSHAKE_DATAGRAMS
        self._ssl = SSL.Connection(certificate.context)
        # Not ``self``: a cycle through OpenSSL's object would keep every closed peer until the next full collection.
        self._ssl.set_app_data(self._identity)
        self._ssl.set_ciphertext_mtu(MTU_OCTETS)
        if server:
            self._ssl.set_accept_state()
        else:
            self._ssl.set_connect_state()

    def start(self, now: float) -> None:
        """Client role: make the ClientHello. The server role just waits."""
        if self.state is DtlsState.NEW:
            self.state = DtlsState.HANDSHAKING
            self._advance(now)

    def receive(self, datagram: bytes, now: float) -> None:
        """Take in one datagram; never raises. Work is bounded: one datagram, one step of the handshake."""
        if self.state in (DtlsState.FAILED, DtlsState.CLOSED) or not datagram:
            return
        if self.state is not DtlsState.CONNECTED:
            if self._datagrams_left <= 0:
                self._fail("dtls_failed")
                return
            self._datagrams_left -= 1
            self.state = DtlsState.HANDSHAKING
        self._ssl.bio_write(datagram)
        self._advance(now)

    def next_deadline(self) -> float | None:
        """When the flight in the air is to be sent again; None where nothing is awaited."""
        return self._deadline

    def tick(self, now: float) -> None:
        """Send the flight again where its time has come (RFC 6347 4.2.4)."""
        if self._deadline is None or now < self._deadline:
            return
        try:
            self._ssl.DTLSv1_handle_timeout()
        except SSL.Error:  # OpenSSL gives up after 12 unanswered flights
            self._fail("dtls_failed")
        else:
            self._note_deadline(now)

    def take_output(self) -> list[bytes]:
        """Datagrams to send, whole records packed up to the MTU."""
        try:
            return _pack_records(self._ssl.bio_read(1 << 16))
        except SSL.Error:  # nothing to read
            return []

    def close(self) -> None:
        """Say close_notify (in ``take_output``) where connected."""
        if self.state is DtlsState.CONNECTED:
            # A half-broken association has nobody left to tell.
            with contextlib.suppress(SSL.Error):
                self._ssl.shutdown()
        if self.state is not DtlsState.FAILED:
            self.state = DtlsState.CLOSED
        self._deadline = None

    def _advance(self, now: float) -> None:
        try:
            if self.state is DtlsState.HANDSHAKING:
                self._ssl.do_handshake()
                self._finish()
            while self.state is DtlsState.CONNECTED:
                self._ssl.recv(_MAX_RECORD_OCTETS)  # application data means nothing here
        except SSL.WantReadError:
            self._note_deadline(now)
        except SSL.ZeroReturnError:
            self.close()
        except SSL.Error:
            self._fail("dtls_failed")

    def _finish(self) -> None:
        name = self._ssl.get_selected_srtp_profile().decode("ascii")
        profile = next((profile for profile in self._profiles if profile.name == name), None)
        if profile is None or self._identity.is_proven is not True:
            self._fail("dtls_failed")
            return
        material = self._ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", profile.material_octets)
        self.keys = SrtpKeys.from_material(profile, material, server=self._server)
        self.state = DtlsState.CONNECTED

    def _fail(self, reason: str) -> None:
        self._deadline = None
        if self.state is DtlsState.CONNECTED:  # a fatal alert ends the association
            self.state = DtlsState.CLOSED
            return
        self.state = DtlsState.FAILED
        self.failure = "fingerprint_mismatch" if self._identity.is_proven is False else reason

    def _note_deadline(self, now: float) -> None:
        timeout_s = self._ssl.DTLSv1_get_timeout()
        # OpenSSL counts on its own clock; the floor keeps a difference between the two from becoming a busy loop.
        self._deadline = None if timeout_s is None else now + max(timeout_s, 0.005)


class _Identity:
    """Who the peer must be. ``is_proven`` is None until it showed a certificate."""

    def __init__(self, fingerprints: Sequence[Fingerprint]) -> None:
        self.is_proven: bool | None = None
        offered = {fingerprint.algorithm.lower() for fingerprint in fingerprints}
        self._algorithm = next((name for name in _DIGESTS if name in offered), None)
        self._accepted = [
            fingerprint.value.upper().encode("ascii", "replace")
            for fingerprint in fingerprints
            if fingerprint.algorithm.lower() == self._algorithm
        ]

    def check(self, certificate: X509) -> bool:
        """Compare in constant time. OpenSSL may ask more than once about one certificate; one refusal is final."""
        matches = False
        if self._algorithm is not None:
            shown = certificate.digest(_DIGESTS[self._algorithm])
            matches = any(hmac.compare_digest(shown, accepted) for accepted in self._accepted)
        self.is_proven = matches and self.is_proven is not False
        return self.is_proven


def _verify_peer(connection: SSL.Connection, certificate: X509, _error: int, depth: int, _ok: int) -> bool:
    """Trust comes from the signalled fingerprint alone: dates, names and issuers mean nothing (RFC 8827 6.5)."""
    if depth > 0:
        return True
    identity: _Identity = connection.get_app_data()
    return identity.check(certificate)


def _pack_records(stream: bytes) -> list[bytes]:
    """Cut OpenSSL's output at record borders (RFC 6347 4.1) and fill datagrams up to the MTU."""
    datagrams: list[bytes] = []
    current = b""
    position = 0
    while position + _RECORD_HEADER_OCTETS <= len(stream):
        body_octets = int.from_bytes(stream[position + 11 : position + 13], "big")
        record = stream[position : position + _RECORD_HEADER_OCTETS + body_octets]
        position += len(record)
        if current and len(current) + len(record) > MTU_OCTETS:
            datagrams.append(current)
            current = b""
        current += record
    if current:
        datagrams.append(current)
    return datagrams
