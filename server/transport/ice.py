"""ICE-lite (RFC 8445 2.5): we never send checks, we answer those that prove knowledge of our password.

Pure, told the time. STUN messages (RFC 8489) are aioice's. One agent a peer; every peer shares the one local port, so
the local username fragment tells them apart.
"""

import secrets
import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec
from aioice import stun


class TcpAddress(NamedTuple):
    """The far end of a TCP connection to the media port; ``number`` tells connections apart, for ever."""

    host: str
    port: int
    number: int


UdpAddress = tuple[str, int] | tuple[str, int, int, int]
"""As the socket gives and takes it: IPv4 (host, port) or IPv6 (host, port, flow info, scope)."""
Address = UdpAddress | TcpAddress
"""Where a peer is, however it came."""

CONSENT_S = 30.0
"""Silence after which a peer is gone (RFC 7675 5.1)."""
MAX_ADDRESSES = 8
"""Validated addresses kept a peer. Browsers try a handful of pairs; the oldest beyond that is forgotten."""


class Credentials(msgspec.Struct, frozen=True):
    """One side's ICE username fragment and password (RFC 8445 5.3)."""

    ufrag: str
    password: str

    @classmethod
    def generate(cls) -> "Credentials":
        """48 bits to be told apart by, 144 bits to be unguessable."""
        return cls(secrets.token_hex(6), secrets.token_urlsafe(18).replace("-", "+").replace("_", "/"))


class StunRejected(Exception):
    """A STUN message that is not answered; ``args[0]`` is the reason it is counted under."""


class BindingRequest(msgspec.Struct, frozen=True):
    """A well-formed check, its integrity not yet looked at."""

    local_ufrag: str
    remote_ufrag: str
    message: stun.Message

    @property
    def nominates(self) -> bool:
        return "USE-CANDIDATE" in self.message.attributes


def parse_request(datagram: bytes) -> BindingRequest:
    """A connectivity check with USERNAME, MESSAGE-INTEGRITY and FINGERPRINT (RFC 8445 7.1). Raises StunRejected."""
    try:
        message = stun.parse_message(datagram)
    # aioice unpacks attribute values of the wrong length without a look.
    except (ValueError, struct.error, IndexError) as error:
        raise StunRejected("bad_stun") from error
    attributes = message.attributes
    if message.message_method != stun.Method.BINDING or message.message_class != stun.Class.REQUEST:
        raise StunRejected("stun_not_request")
    if not {"USERNAME", "MESSAGE-INTEGRITY", "FINGERPRINT"} <= attributes.keys():
        raise StunRejected("bad_integrity")
    local, separator, remote = attributes["USERNAME"].partition(":")
    if not separator:
        raise StunRejected("bad_stun")
    return BindingRequest(local, remote, message)


class IceAgent:
    """One peer's checks: which addresses proved themselves, and which one is nominated."""

    def __init__(self, local: Credentials, remote: Credentials, now: float) -> None:
        self.local = local
        self.remote = remote
        self.selected: Address | None = None
        """Where to send: the address nominated last, before any nomination the one validated first."""
        self.heard_at = now
        """Last sign of life: a valid check, or a packet that SRTP authenticated."""
        self._validated: dict[Address, None] = {}
        self._retired: tuple[Credentials, Credentials] | None = None

    @property
    def ufrags(self) -> tuple[str, ...]:
        """Local username fragments that are listened to: during a restart also the previous one."""
        return (self.local.ufrag,) if self._retired is None else (self.local.ufrag, self._retired[0].ufrag)

    @property
    def addresses(self) -> tuple[Address, ...]:
        return tuple(self._validated)

    def next_deadline(self) -> float:
        """When silence becomes a loss of consent."""
        return self.heard_at + CONSENT_S

    def restart(self, local: Credentials, remote: Credentials) -> None:
        """New credentials (RFC 8445 9). Media goes on over the old pair until the new ones nominate."""
        self._retired = (self.local, self.remote)
        self.local, self.remote = local, remote

    def forget(self, address: Address) -> None:
        """``address`` is another peer's now; the next valid check finds a new one."""
        self._validated.pop(address, None)
        if self.selected == address:
            self.selected = next(reversed(self._validated), None)

    def check(
        self, request: BindingRequest, address: Address, now: float, may_bind: Callable[[Address], bool]
    ) -> bytes:
        """Answer a check; a valid one binds ``address``, with USE-CANDIDATE it is also selected.

        Raises StunRejected: ``bad_integrity``, or ``address_taken`` where ``may_bind`` says no (another live peer
        answers there: a forged source address must not take its packets away).
        """
        password = self._password_for(request)
        if password is None or not request.message.check_message_integrity(password):
            raise StunRejected("bad_integrity")
        if "ICE-CONTROLLED" in request.message.attributes:
            # A lite agent is always controlled (RFC 8445 6.1.1): the other side must switch.
            return _reply(request, password, stun.Class.ERROR, {"ERROR-CODE": (487, "Role Conflict")})
        if not may_bind(address):
            raise StunRejected("address_taken")
        self.heard_at = now
        self._bind(address, nominated=request.nominates)
        if self._retired is not None and request.nominates and request.local_ufrag == self.local.ufrag:
            self._retired = None
        mapped = {"XOR-MAPPED-ADDRESS": (plain_host(address[0]), address[1])}
        return _reply(request, password, stun.Class.RESPONSE, mapped)

    def _password_for(self, request: BindingRequest) -> bytes | None:
        for local, remote in ((self.local, self.remote), self._retired or (self.local, self.remote)):
            if (request.local_ufrag, request.remote_ufrag) == (local.ufrag, remote.ufrag):
                return local.password.encode("ascii")
        return None

    def _bind(self, address: Address, *, nominated: bool) -> None:
        self._validated.pop(address, None)  # so that the order is that of the last check
        self._validated[address] = None
        if nominated or self.selected is None:
            self.selected = address
        if len(self._validated) > MAX_ADDRESSES:
            oldest = next(other for other in self._validated if other != self.selected)
            del self._validated[oldest]


def plain_host(host: str) -> str:
    """An IPv4 address as such, also where a dual-stack socket shows it mapped (RFC 4291 2.5.5.2)."""
    return host.removeprefix("::ffff:") if "." in host else host.partition("%")[0]


def _reply(
    request: BindingRequest, password: bytes, message_class: stun.Class, attributes: Mapping[str, object]
) -> bytes:
    reply = stun.Message(
        message_method=stun.Method.BINDING,
        message_class=message_class,
        transaction_id=request.message.transaction_id,
        attributes=dict(attributes),
    )
    reply.add_message_integrity(password)
    return bytes(reply)
