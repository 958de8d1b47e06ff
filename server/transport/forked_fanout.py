"""Two fan-outs as one: the UDP one, and a Python one for the few viewers that come over TCP."""

from collections import Counter

from server.rtp.packet import RtpView
from server.sfu.flows import Flow
from server.transport.fanout import Fanout, PythonFanout
from server.transport.ice import Address, TcpAddress
from server.transport.srtp import SrtpSession
from server.transport.tcp import TcpPort

MAX_SPLITS = 4_096
"""Splits kept; a late packet brings one that is never seen again, so all are forgotten when there are so many."""

Flows = tuple[Flow, ...]


class ForkedFanout:
    """See ``fanout.Fanout``. While nobody comes over TCP it costs one look at an empty set."""

    def __init__(self, udp: Fanout, tcp: TcpPort, drops: Counter[str]) -> None:
        self._udp = udp
        self._tcp = PythonFanout(tcp.send_run, drops)
        self._over_tcp: set[int] = set()
        self._splits: dict[int, tuple[Flows, Flows, Flows]] = {}
        """By the identity of a tuple of flows, kept with it so that the identity stays taken."""

    @property
    def implementation(self) -> str:
        return self._udp.implementation

    @property
    def packets(self) -> int:
        return self._udp.packets + self._tcp.packets

    @property
    def octets(self) -> int:
        return self._udp.octets + self._tcp.octets

    def register(self, destination: int, address: Address, srtp: SrtpSession) -> None:
        is_tcp = isinstance(address, TcpAddress)
        if is_tcp != (destination in self._over_tcp):
            (self._udp if is_tcp else self._tcp).unregister(destination)
            (self._over_tcp.add if is_tcp else self._over_tcp.discard)(destination)
            self._splits.clear()
        (self._tcp if is_tcp else self._udp).register(destination, address, srtp)

    def unregister(self, destination: int) -> None:
        if destination in self._over_tcp:
            self._over_tcp.discard(destination)
            self._splits.clear()
            self._tcp.unregister(destination)
        else:
            self._udp.unregister(destination)

    def forward(self, view: RtpView, flows: Flows, now: float) -> None:
        if not self._over_tcp:
            self._udp.forward(view, flows, now)
            return
        _, over_udp, over_tcp = self._splits.get(id(flows)) or self._split(flows)
        if over_udp:
            self._udp.forward(view, over_udp, now)
        if over_tcp:
            self._tcp.forward(view, over_tcp, now)

    def flush(self) -> None:
        self._udp.flush()
        if self._over_tcp:
            self._tcp.flush()

    def _split(self, flows: Flows) -> tuple[Flows, Flows, Flows]:
        if len(self._splits) >= MAX_SPLITS:
            self._splits.clear()
        over_tcp = tuple(flow for flow in flows if flow.destination in self._over_tcp)
        over_udp = tuple(flow for flow in flows if flow.destination not in self._over_tcp) if over_tcp else flows
        split = self._splits[id(flows)] = (flows, over_udp, over_tcp)
        return split
