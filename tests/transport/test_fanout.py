"""Both fan-outs: the bytes of the reference, in order, to the right addresses, counted."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest

from server.rtp.extensions import abs_send_time
from server.rtp.packet import RtpView, parse
from server.sfu.flows import Flow
from server.sfu.rewrite import rewrite
from server.transport.fanout import MAX_QUEUED, Fanout, PythonFanout
from server.transport.ice import Address
from server.transport.srtp import AEAD_AES_128_GCM, SrtpKeys, SrtpSession
from server.transport.udp import UdpPort
from tests.transport.calling import rtp_packet
from tests.transport.fanning import NOW, Stall, Viewer, c_fanout, python_fanout


def view(sequence: int = 1, payload: bytes = b"payload") -> RtpView:
    parsed = parse(rtp_packet(sequence, payload=payload))
    assert parsed is not None
    return parsed


def flow(destination: int, ssrc: int) -> Flow:
    return Flow(destination, ssrc, 96, seq_delta=7, timestamp_delta=9, mid_id=3, mid=b"5", abs_send_time_id=4)


@pytest.fixture(params=[python_fanout, c_fanout])
def stall(request: pytest.FixtureRequest) -> Iterator[Stall]:
    make: Callable[[UdpPort, Counter[str]], Fanout] = request.param
    if make is c_fanout:
        pytest.importorskip("server.transport.native_fanout", exc_type=ImportError)
    made = Stall(make)
    yield made
    made.close()


@pytest.fixture
def viewers() -> Iterator[tuple[Viewer, Viewer]]:
    made = Viewer(), Viewer()
    yield made
    for viewer in made:
        viewer.close()


def test_everybody_gets_the_reference_bytes_in_order(stall: Stall, viewers: tuple[Viewer, Viewer]) -> None:
    fan = stall.fan
    for number, viewer in enumerate(viewers, 1):
        fan.register(number, viewer.address, viewer.session())
    flows = (flow(1, 111), flow(2, 222))
    views = [view(number) for number in (1, 2, 3)]
    for one in views:
        fan.forward(one, flows, NOW)
    assert [viewer.received() for viewer in viewers] == [[], []]
    fan.flush()
    octets = 0
    for viewer, each in zip(viewers, flows, strict=True):
        datagrams = viewer.received()
        octets += sum(map(len, datagrams))
        assert [viewer.theirs.unprotect(datagram) for datagram in datagrams] == [
            rewrite(one, each, abs_send_time(NOW)) for one in views
        ]
        assert (each.sent.packets, each.sent.octets) == (3, 3 * len(b"payload"))
    assert (fan.packets, fan.octets) == (6, octets)
    assert not stall.drops
    fan.flush()
    assert [viewer.received() for viewer in viewers] == [[], []]


def test_padding_is_no_payload(stall: Stall, viewers: tuple[Viewer, Viewer]) -> None:
    """RFC 3550 6.4.1: the sender's octet count leaves header and padding out."""
    stall.fan.register(1, viewers[0].address, viewers[0].session())
    packet = bytearray(rtp_packet(payload=b"abc" + b"\0\0\0\4"))
    packet[0] |= 0x20
    padded = parse(bytes(packet))
    assert padded is not None
    each = flow(1, 111)
    stall.fan.forward(padded, (each,), NOW)
    assert (each.sent.packets, each.sent.octets) == (1, 3)


def test_nobody_there_is_counted(stall: Stall) -> None:
    each = flow(1, 111)
    stall.fan.forward(view(), (each,), NOW)
    stall.fan.flush()
    assert stall.drops == {"not_connected": 1}
    assert (stall.fan.packets, each.sent.packets) == (0, 0)
    stall.fan.unregister(1)


def test_who_left_gets_nothing_that_waited(stall: Stall, viewers: tuple[Viewer, Viewer]) -> None:
    for number, viewer in enumerate(viewers, 1):
        stall.fan.register(number, viewer.address, viewer.session())
    stall.fan.forward(view(), (flow(1, 111), flow(2, 222)), NOW)
    stall.fan.unregister(1)
    stall.fan.flush()
    assert [len(viewer.received()) for viewer in viewers] == [0, 1]


def test_who_left_and_came_back_gets_what_is_new(stall: Stall, viewers: tuple[Viewer, Viewer]) -> None:
    table = (flow(1, 111),)
    for number in (1, 2):
        stall.fan.register(1, viewers[0].address, viewers[0].session())
        stall.fan.forward(view(number), table, NOW)
        stall.fan.unregister(1)
    stall.fan.register(1, viewers[0].address, viewers[0].session())
    stall.fan.forward(view(3), table, NOW)
    stall.fan.flush()
    assert viewers[0].packets() == [rewrite(view(3), table[0], abs_send_time(NOW))]


def test_who_moved_gets_all_of_it_at_the_new_address(stall: Stall, viewers: tuple[Viewer, Viewer]) -> None:
    old, new = viewers
    session, table = old.session(), (flow(1, 111),)
    stall.fan.register(1, old.address, session)
    stall.fan.forward(view(1), table, NOW)
    stall.fan.register(1, new.address, session)
    stall.fan.forward(view(2), table, NOW)
    stall.fan.flush()
    assert old.received() == []
    assert [old.theirs.unprotect(datagram) is not None for datagram in new.received()] == [True, True]


def test_a_new_session_starts_afresh(stall: Stall, viewers: tuple[Viewer, Viewer]) -> None:
    old, new = viewers
    table = (flow(1, 111),)
    stall.fan.register(1, old.address, old.session())
    stall.fan.forward(view(1), table, NOW)
    stall.fan.register(1, new.address, new.session())
    stall.fan.forward(view(2), table, NOW)
    stall.fan.flush()
    assert old.received() == []
    assert new.packets() == [rewrite(view(2), table[0], abs_send_time(NOW))]


def test_packets_that_srtp_refuses_harm_nobody(stall: Stall, viewers: tuple[Viewer, Viewer]) -> None:
    viewer, each = viewers[0], flow(1, 111)
    stall.fan.register(1, viewer.address, viewer.session(stall.drops))
    for sequence, payload in ((1, bytes(1_495)), (2, b"once"), (2, b"twice"), (3, b"after")):
        stall.fan.forward(view(sequence, payload), (each,), NOW)
    stall.fan.flush()
    assert stall.drops == {"oversize": 1, "srtp_repeated": 1}
    assert [packet is not None for packet in viewer.packets()] == [True, True]
    assert each.sent.packets == 2


# --- the Python one alone: what it hands to the socket --------------------------------------------------------------


class Line:
    """Takes every run; ``takes`` bounds how many of one run the kernel would take."""

    def __init__(self) -> None:
        self.runs: list[tuple[Address, list[bytes]]] = []
        self.takes = 1_000_000

    def send_run(self, datagrams: Sequence[bytes], address: Address) -> int:
        self.runs.append((address, list(datagrams[: self.takes])))
        return min(len(datagrams), self.takes)


def python_line() -> tuple[PythonFanout, Line]:
    line = Line()
    fan = PythonFanout(line.send_run, Counter())
    keys = SrtpKeys.from_material(AEAD_AES_128_GCM, os.urandom(AEAD_AES_128_GCM.material_octets), server=True)
    fan.register(1, ("192.0.2.1", 1), SrtpSession(keys, Counter()))
    return fan, line


def test_what_the_kernel_refused_is_not_counted_as_sent() -> None:
    fan, line = python_line()
    for number in range(3):
        fan.forward(view(number), (flow(1, 111),), NOW)
    line.takes = 1
    fan.flush()
    assert (fan.packets, fan.octets) == (1, len(line.runs[0][1][0]))


def test_the_queue_is_bounded() -> None:
    fan, line = python_line()
    flows = tuple(flow(1, number) for number in range(256))
    for number in range(MAX_QUEUED // 256):
        assert line.runs == []
        fan.forward(view(number), flows, NOW)
    assert [len(run) for _, run in line.runs] == [MAX_QUEUED]
