"""The fan-out: one incoming packet out to everybody who takes it (DESIGN idea 5). This is the readable reference.

A C implementation may stand behind ``Fanout`` instead; both must send the same bytes.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from server.rtp.packet import RtpView
from server.sfu.flows import Flow
from server.transport.srtp import SrtpSession

Address = tuple[str, int] | tuple[str, int, int, int]
"""As the socket gives and takes it: IPv4 (host, port) or IPv6 (host, port, flow info, scope)."""


class Fanout(Protocol):
    """Carries flows out. Destinations are peer keys."""

    drops: Counter[str]
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
