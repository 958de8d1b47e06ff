"""The fan-out: one incoming packet out to everybody who takes it (DESIGN idea 5). This is the readable reference.

A C implementation may stand behind ``Fanout`` instead; both must send the same bytes.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from server.rtp.extensions import abs_send_time
from server.rtp.packet import RtpView
from server.sfu.flows import Flow
from server.sfu.rewrite import rewrite
from server.transport.ice import Address
from server.transport.srtp import SrtpSession


class Fanout(Protocol):
    """Carries flows out. Destinations are peer keys."""

    packets: int
    octets: int

    def register(self, destination: int, address: Address, srtp: SrtpSession) -> None:
        """Where a destination is now; again with a new address when the peer moved."""
        ...

    def unregister(self, destination: int) -> None: ...

    def forward(self, view: RtpView, flows: Sequence[Flow], now: float) -> None:
        """Rewrite, protect and queue (or send) one copy for each flow; counts into each flow that was sent."""
        ...

    def flush(self) -> None:
        """Send what ``forward`` queued."""
        ...


class _Destination(NamedTuple):
    address: Address
    srtp: SrtpSession


class PythonFanout:
    """Sends at once, one ``sendto`` a copy. ``send(datagram, address)`` says whether the kernel took it."""

    def __init__(self, send: Callable[[bytes, Address], bool], drops: Counter[str]) -> None:
        self.packets = 0
        self.octets = 0
        self._send = send
        self._drops = drops
        self._destinations: dict[int, _Destination] = {}

    def register(self, destination: int, address: Address, srtp: SrtpSession) -> None:
        self._destinations[destination] = _Destination(address, srtp)

    def unregister(self, destination: int) -> None:
        self._destinations.pop(destination, None)

    def forward(self, view: RtpView, flows: Sequence[Flow], now: float) -> None:
        stamp = abs_send_time(now)
        payload_octets = len(view.data) - view.payload_offset
        for flow in flows:
            destination = self._destinations.get(flow.destination)
            if destination is None:
                self._drops["not_connected"] += 1
                continue
            datagram = destination.srtp.protect(rewrite(view, flow, stamp))
            if datagram is not None and self._send(datagram, destination.address):
                flow.packets += 1
                flow.octets += payload_octets
                self.packets += 1
                self.octets += len(datagram)

    def flush(self) -> None:
        """Nothing is queued here."""
