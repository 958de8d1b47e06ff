"""The compiled part of the transport (`_fanout.c`), and socket addresses as it has them.

Importing this raises ImportError where it was not built, or was built from other sources than these.
"""

import socket
import sys
from struct import Struct
from typing import Any

from server.transport._native import ffi, lib
from server.transport.ice import Address
from server.transport.native_sources import source_digest

__all__ = ["CData", "address_of", "ffi", "lib", "socket_address"]

if sys.platform != "linux":
    raise ImportError("its socket addresses are laid out as Linux has them")
if ffi.string(lib.fanout_source_digest()).decode() != source_digest():
    raise ImportError("it was built from other sources")

CData = Any
"""A value of C's. Structs have their fields as attributes."""

_FAMILY = Struct("=H")
_IPV4 = Struct("!2xH4s8x")
_IPV6 = Struct("!2xHI16s")
_SCOPE = Struct("=I")


def socket_address(address: Address) -> bytes:
    """``struct sockaddr_in`` or ``sockaddr_in6`` (28 octets at most)."""
    host, port = address[0], address[1]
    if ":" not in host:
        return _FAMILY.pack(socket.AF_INET) + _IPV4.pack(port, socket.inet_pton(socket.AF_INET, host))[2:]
    flow_info, scope = (address[2], address[3]) if len(address) == 4 else (0, 0)
    octets = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    return _FAMILY.pack(socket.AF_INET6) + _IPV6.pack(port, flow_info, octets)[2:] + _SCOPE.pack(scope)


def address_of(packed: bytes) -> Address:
    """The other way round, as Python's own sockets tell it."""
    (family,) = _FAMILY.unpack_from(packed)
    if family == socket.AF_INET:
        port, octets = _IPV4.unpack_from(packed)
        return socket.inet_ntop(family, octets), port
    port, flow_info, octets = _IPV6.unpack_from(packed)
    (scope,) = _SCOPE.unpack_from(packed, _IPV6.size)
    return socket.inet_ntop(family, octets), port, flow_info, scope
