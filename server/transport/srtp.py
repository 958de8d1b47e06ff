"""SRTP and SRTCP (RFC 3711, 7714) by libsrtp: one session each way, keyed by DTLS-SRTP (RFC 5764).

pylibsrtp's ``Session`` makes and owns the libsrtp handles; the per-packet calls are made here on buffers that are
reused, because ``Session.protect`` allocates twice a packet and the fan-out is the hottest path of the server.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pylibsrtp import Error, Policy, Session
from pylibsrtp._binding import ffi, lib  # type: ignore[import-not-found]  # a compiled module without stubs

MAX_PACKET_OCTETS = 1500
"""Longer packets are refused in both directions: they would be fragmented on the way."""

_TRAILER_OCTETS = 16 + 4 + 128
"""Room libsrtp may write behind a packet: tag, SRTCP index, MKI."""
_REPLAY_WINDOW_PACKETS = 1024

# libsrtp's srtp_err_status_t, as reasons under which a packet is counted. Anything else is ``srtp_malformed``.
_INBOUND_REASONS = {7: "srtp_auth", 9: "srtp_replay", 10: "srtp_replay", 13: "srtp_no_stream", 26: "srtp_replay"}
_OUTBOUND_REASONS = {9: "srtp_repeated", 10: "srtp_repeated", 26: "srtp_repeated"}


@dataclass(frozen=True, slots=True)
class SrtpProfile:
    """A protection profile (RFC 5764 4.1.2, RFC 7714 14.2). Lengths in octets."""

    name: str
    libsrtp: int
    key_octets: int
    salt_octets: int

    @property
    def is_aead(self) -> bool:
        """AES-GCM: a nonce must never be used twice."""
        return "AEAD" in self.name

    @property
    def openssl_name(self) -> bytes:
        return self.name.encode("ascii")

    @property
    def material_octets(self) -> int:
        """Octets to export for both directions."""
        return 2 * (self.key_octets + self.salt_octets)


AEAD_AES_128_GCM = SrtpProfile("SRTP_AEAD_AES_128_GCM", Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12)
AEAD_AES_256_GCM = SrtpProfile("SRTP_AEAD_AES_256_GCM", Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 32, 12)
AES128_CM_SHA1_80 = SrtpProfile("SRTP_AES128_CM_SHA1_80", Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14)


def _is_supported(profile: SrtpProfile) -> bool:
    """False where this build of libsrtp came without the cipher (AES-GCM needs a crypto library)."""
    try:
        Policy(srtp_profile=profile.libsrtp)
    except Error:
        return False
    return True


PROFILES: tuple[SrtpProfile, ...] = tuple(
    profile for profile in (AEAD_AES_128_GCM, AEAD_AES_256_GCM, AES128_CM_SHA1_80) if _is_supported(profile)
)
"""In our order of preference: AES-GCM needs no separate HMAC and is several times cheaper a packet."""


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """Master key and salt of each direction: ``local`` protects what we send."""

    profile: SrtpProfile
    local: bytes
    remote: bytes

    @classmethod
    def from_material(cls, profile: SrtpProfile, material: bytes, *, server: bool) -> "SrtpKeys":
        """Cut exported keying material (RFC 5764 4.2: client key, server key, client salt, server salt)."""
        key, salt = profile.key_octets, profile.salt_octets
        keys = [material[i * key : (i + 1) * key] for i in (0, 1)]
        salts = [material[2 * key + i * salt : 2 * key + (i + 1) * salt] for i in (0, 1)]
        client, of_server = keys[0] + salts[0], keys[1] + salts[1]
        return cls(profile, of_server, client) if server else cls(profile, client, of_server)


class SrtpSession:
    """Both directions of one peer. Bad packets give None and are counted in ``drops``, never raised.

    With AES-GCM a sequence number that was sent is refused (``srtp_repeated``): its nonce is made of SSRC and sequence
    number (RFC 7714 8.1), and two packets under one, a retransmission with a new send time say, give the key of the
    authentication away. Viewers retransmit by RTX, which has numbers of its own; AES-CM may repeat without it.
    """

    def __init__(self, keys: SrtpKeys, drops: Counter[str]) -> None:
        self.keys = keys
        self._drops = drops
        self._outbound = _new_session(keys.profile, keys.local, Policy.SSRC_ANY_OUTBOUND)
        self._inbound = _new_session(keys.profile, keys.remote, Policy.SSRC_ANY_INBOUND)
        self._outbound_handle = self._outbound._srtp[0]
        self._inbound_handle = self._inbound._srtp[0]
        self._cdata = ffi.new("char[]", MAX_PACKET_OCTETS + _TRAILER_OCTETS)
        self._buffer = ffi.buffer(self._cdata)
        self._length = ffi.new("int *")

    @property
    def outbound_address(self) -> int:
        """Where libsrtp's session for what we send lies in memory, as long as this object lives."""
        return int(ffi.cast("uintptr_t", self._outbound_handle))

    def protect(self, packet: bytes | bytearray) -> bytes | None:
        """SRTP from one RTP packet; None (counted) where libsrtp refuses it."""
        return self._process(lib.srtp_protect, self._outbound_handle, packet, _OUTBOUND_REASONS)

    def protect_rtcp(self, packet: bytes | bytearray) -> bytes | None:
        """SRTCP from one RTCP compound packet."""
        return self._process(lib.srtp_protect_rtcp, self._outbound_handle, packet, _OUTBOUND_REASONS)

    def unprotect(self, packet: bytes) -> bytes | None:
        """RTP from one SRTP packet; None (counted) for a bad tag, a replay, or a malformed packet."""
        return self._process(lib.srtp_unprotect, self._inbound_handle, packet, _INBOUND_REASONS)

    def unprotect_rtcp(self, packet: bytes) -> bytes | None:
        """RTCP compound from one SRTCP packet."""
        return self._process(lib.srtp_unprotect_rtcp, self._inbound_handle, packet, _INBOUND_REASONS)

    def _process(
        self, call: Callable[..., int], handle: Any, packet: bytes | bytearray, reasons: dict[int, str]
    ) -> bytes | None:
        octets = len(packet)
        if octets > MAX_PACKET_OCTETS:
            self._drops["oversize"] += 1
            return None
        self._buffer[0:octets] = packet
        self._length[0] = octets
        status = call(handle, self._cdata, self._length)
        if status:
            self._drops[reasons.get(status, "srtp_malformed")] += 1
            return None
        processed: bytes = self._buffer[0 : self._length[0]]
        return processed


def protect_address() -> int:
    """Where pylibsrtp's own libsrtp has ``srtp_protect``, for the C fan-out."""
    return int(ffi.cast("uintptr_t", ffi.addressof(lib, "srtp_protect")))


def _new_session(profile: SrtpProfile, key: bytes, ssrc_type: int) -> Session:
    policy = Policy(key=key, ssrc_type=ssrc_type, srtp_profile=profile.libsrtp)
    policy.window_size = _REPLAY_WINDOW_PACKETS
    policy.allow_repeat_tx = not profile.is_aead
    return Session(policy)
