"""The fan-out: one incoming packet out to everybody who takes it (DESIGN idea 5). This is the readable reference.

``native_fanout`` does the same in C where it was built: the same bytes to the same addresses, in order.
Half of the cost of a copy is the kernel's, so copies are kept until the socket is drained and go out in runs: what one
viewer gets of one batch is one message.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from server.rtp.extensions import abs_send_time
from server.rtp.packet import RtpView
from server.sfu.flows import Flow
from server.sfu.rewrite import rewrite
from server.transport.ice import Address
from server.transport.srtp import SrtpSession

MAX_QUEUED = 4_096
"""Copies kept at most, some 5 MB; then they go out before the socket is drained."""


class Fanout(Protocol):
    """Carries flows out. Destinations are peer keys."""

    @property
    def implementation(self) -> str:
        """``python`` or ``c``."""
        ...

    @property
    def packets(self) -> int:
        """Datagrams that the kernel took."""
        ...

    @property
    def octets(self) -> int: ...

    def register(self, destination: int, address: Address, srtp: SrtpSession) -> None:
        """Where a destination is now; again with a new address when the peer moved. What waits goes there."""
        ...

    def unregister(self, destination: int) -> None: ...

    def forward(self, view: RtpView, flows: tuple[Flow, ...], now: float) -> None:
        """Rewrite, protect and queue one copy for each flow, and count it there as sent (RFC 3550 6.4.1).

        The same tuple means the same flows: a table made for it may be kept.
        """
        ...

    def flush(self) -> None:
        """Send what ``forward`` queued. Called once the socket is drained."""
        ...


class _Destination:
    """A viewer's address, its SRTP, and what waits to be sent there."""

    __slots__ = ("address", "run", "srtp")

    def __init__(self, address: Address, srtp: SrtpSession) -> None:
        self.address = address
        self.srtp = srtp
        self.run: list[bytes] = []


class PythonFanout:
    """``send_run(datagrams, address)`` says how many of them the kernel took."""

    implementation = "python"

    def __init__(self, send_run: Callable[[Sequence[bytes], Address], int], drops: Counter[str]) -> None:
        self.packets = 0
        self.octets = 0
        self._send_run = send_run
        self._drops = drops
        self._destinations: dict[int, _Destination] = {}
        self._waiting: list[_Destination] = []
        self._queued = 0

    def register(self, destination: int, address: Address, srtp: SrtpSession) -> None:
        known = self._destinations.get(destination)
        if known is not None and known.srtp is srtp:
            known.address = address
            return
        self.unregister(destination)
        self._destinations[destination] = _Destination(address, srtp)

    def unregister(self, destination: int) -> None:
        gone = self._destinations.pop(destination, None)
        if gone is not None:
            gone.run.clear()

    def forward(self, view: RtpView, flows: tuple[Flow, ...], now: float) -> None:
        stamp = abs_send_time(now)
        payload_octets = view.payload_length
        for flow in flows:
            destination = self._destinations.get(flow.destination)
            if destination is None:
                self._drops["not_connected"] += 1
                continue
            log = flow.sent_log
            number = log.take(len(view.data), now) if log is not None else 0
            datagram = destination.srtp.protect(rewrite(view, flow, stamp, number))
            if datagram is None:
                continue
            if not destination.run:
                self._waiting.append(destination)
            destination.run.append(datagram)
            self._queued += 1
            flow.sent.packets += 1
            flow.sent.octets += payload_octets
        if self._queued >= MAX_QUEUED:
            self.flush()

    def flush(self) -> None:
        for destination in self._waiting:
            run = destination.run
            if run:
                sent = self._send_run(run, destination.address)
                self.packets += sent
                self.octets += sum(map(len, run[:sent]))
                run.clear()
        self._waiting.clear()
        self._queued = 0
