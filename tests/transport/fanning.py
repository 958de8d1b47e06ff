"""Both fan-outs over real sockets: who sends, who receives, and packets and flows of every shape for them."""

import os
import socket
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from server.clock import SystemClock
from server.rtp.packet import RtpView, parse
from server.sfu.flows import Flow
from server.sfu.sent_log import SentLog
from server.transport.fanout import Fanout, PythonFanout
from server.transport.ice import Address
from server.transport.srtp import AEAD_AES_128_GCM, SrtpKeys, SrtpProfile, SrtpSession
from server.transport.udp import UdpPort

NOW = 1_700_000_000.25


def c_fanout(port: UdpPort, drops: Counter[str]) -> Fanout:
    from server.transport.native_fanout import NativeFanout  # only where it was built

    return NativeFanout(port, drops)


def python_fanout(port: UdpPort, drops: Counter[str]) -> Fanout:
    return PythonFanout(port.send_run, drops)


class Stall:
    """A fan-out and the socket it sends through. ``segments`` False: as on a kernel without UDP_SEGMENT."""

    def __init__(
        self, make: Callable[[UdpPort, Counter[str]], Fanout], *, segments: bool = True, through: Any = None
    ) -> None:
        self.drops: Counter[str] = Counter()
        self.port = UdpPort(SystemClock(), self.drops, lambda *_: None, lambda: None)
        self.port.socket = through or socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.port.socket.setblocking(False)
        self.port.can_segment = segments
        self.fan = make(self.port, self.drops)

    def close(self) -> None:
        if self.port.socket is not None:
            self.port.socket.close()


class Viewer:
    """A receiving socket with its end of an SRTP association. Every ``session()`` is a sending end of the same keys."""

    def __init__(self, profile: SrtpProfile = AEAD_AES_128_GCM, host: str = "127.0.0.1") -> None:
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.setblocking(False)
        self.address: Address = self.socket.getsockname()
        self._material = os.urandom(profile.material_octets)
        self._profile = profile
        self.theirs = SrtpSession(SrtpKeys.from_material(profile, self._material, server=False), Counter())

    def session(self, drops: Counter[str] | None = None) -> SrtpSession:
        keys = SrtpKeys.from_material(self._profile, self._material, server=True)
        return SrtpSession(keys, Counter() if drops is None else drops)

    def received(self) -> list[bytes]:
        """Datagrams that have come since the last time: loopback delivers before the sender's call returns."""
        datagrams = []
        while True:
            try:
                datagrams.append(self.socket.recv(4_096))
            except BlockingIOError:
                return datagrams

    def packets(self) -> list[bytes | None]:
        return [self.theirs.unprotect(datagram) for datagram in self.received()]

    def close(self) -> None:
        self.socket.close()


# --- packets and flows of every shape -------------------------------------------------------------------------------

_octets = st.integers(0, 255)
_few_ids = st.sampled_from((0, 1, 2, 3, 15))
"""Few, so that flows ask for elements that are there."""


@st.composite
def _extension_blocks(draw: st.DrawFn) -> bytes:
    """With its four octets of head: one-byte or two-byte form or neither; well-formed elements, or anything."""
    profile = draw(st.sampled_from((b"\xbe\xde", b"\x10\x00", b"\x10\x07", b"\x12\x34")))
    elements = b""
    for _ in range(draw(st.integers(0, 4))):
        value = draw(st.binary(min_size=0, max_size=5))
        number = draw(_few_ids)
        if profile == b"\xbe\xde":
            elements += bytes((number << 4 | max(0, len(value) - 1),)) + value
        else:
            elements += bytes((number, len(value))) + value
        elements += bytes(draw(st.integers(0, 2)))
    elements = draw(st.sampled_from((elements, draw(st.binary(max_size=20)))))
    elements += bytes(-len(elements) % 4)
    return profile + (len(elements) // 4).to_bytes(2, "big") + elements


@st.composite
def vp8_payloads(draw: st.DrawFn) -> bytes:
    """Descriptors with any of the optional fields, cut anywhere, or anything at all (RFC 7741 4.2)."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=12))
    first = draw(_octets)
    descriptor = bytes((first,))
    if first & 0x80:
        present = draw(_octets)
        descriptor += bytes((present,))
        if present & 0x80:
            descriptor += draw(
                st.sampled_from((bytes((draw(_octets) & 0x7F,)), bytes((draw(_octets) | 0x80, draw(_octets)))))
            )
        descriptor += bytes(draw(_octets) for bit in (0x40, 0x30) if present & bit)
    whole = descriptor + draw(st.binary(max_size=8))
    return whole[: draw(st.integers(0, len(whole)))] if draw(st.booleans()) else whole


@st.composite
def views(draw: st.DrawFn) -> RtpView:
    """A parsed packet: CSRCs, extensions, padding, sizes about the limit."""
    csrcs = draw(st.sampled_from((0, 0, 1, 2, 15)))
    extensions = draw(st.sampled_from((b"", draw(_extension_blocks()))))
    filler = draw(st.sampled_from((0, 0, 0, 1, 30, 1_100, 1_100, 1_400, 1_480, 1_488, 1_500)))
    payload = draw(vp8_payloads()) + bytes(filler)
    padding = draw(st.sampled_from((0, 0, 0, 1, 4, 200)))
    first = 0x80 | (0x20 if padding else 0) | (0x10 if extensions else 0) | csrcs
    header = bytes((first, draw(_octets))) + draw(st.binary(min_size=10, max_size=10)) + bytes(4 * csrcs)
    tail = bytes(padding - 1) + bytes((padding,)) if padding else b""
    view = parse(header + extensions + payload + tail)
    assert view is not None
    return view


@st.composite
def flows(draw: st.DrawFn, destinations: int, logs: list[SentLog]) -> Flow:
    """Every field anything it may be; ``logs`` has one for each destination."""
    mid_id = draw(st.integers(0, 14))
    destination = draw(st.integers(0, destinations - 1))
    transport_cc_id = draw(st.sampled_from((0, 0, 1, 7, 14)))
    return Flow(
        destination=destination,
        ssrc=draw(st.integers(0, 0xFFFFFFFF)),
        payload_type=draw(st.integers(0, 127)),
        seq_delta=draw(st.integers(-0xFFFF, 0xFFFF)),
        timestamp_delta=draw(st.integers(-0xFFFFFFFF, 0xFFFFFFFF)),
        vp8=draw(st.booleans()),
        pid_delta=draw(st.integers(-0x7FFF, 0x7FFF)),
        tl0_delta=draw(st.integers(-255, 255)),
        mid_id=mid_id,
        mid=draw(st.binary(min_size=1, max_size=16)) if mid_id else b"",
        level_id=draw(st.sampled_from((0, 1, 14))),
        abs_send_time_id=draw(st.integers(0, 14)),
        level_from_id=draw(_few_ids),
        transport_cc_id=transport_cc_id,
        sent_log=logs[destination] if transport_cc_id else None,
    )
