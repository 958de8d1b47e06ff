"""The Python fan-out: the bytes of the reference, in order, to the right addresses, counted."""

import os
from collections import Counter
from collections.abc import Sequence

from server.rtp.extensions import abs_send_time
from server.rtp.packet import RtpView, parse
from server.sfu.flows import Flow
from server.sfu.rewrite import rewrite
from server.transport.fanout import MAX_QUEUED, PythonFanout
from server.transport.ice import Address
from server.transport.srtp import AEAD_AES_128_GCM, SrtpKeys, SrtpSession
from tests.transport.calling import rtp_packet

NOW = 1_700_000_000.25
FIRST: Address = ("192.0.2.1", 1)
SECOND: Address = ("192.0.2.2", 2)


class Line:
    """Takes every run; ``takes`` bounds how many of one run the kernel would take."""

    def __init__(self) -> None:
        self.runs: list[tuple[Address, list[bytes]]] = []
        self.takes = 1_000_000

    def send_run(self, datagrams: Sequence[bytes], address: Address) -> int:
        self.runs.append((address, list(datagrams[: self.takes])))
        return min(len(datagrams), self.takes)


def sessions() -> tuple[SrtpSession, SrtpSession]:
    """Ours towards a viewer, and the viewer's own."""
    material = os.urandom(AEAD_AES_128_GCM.material_octets)
    server, client = (SrtpKeys.from_material(AEAD_AES_128_GCM, material, server=side) for side in (True, False))
    return SrtpSession(server, Counter()), SrtpSession(client, Counter())


def view(sequence: int = 1, payload: bytes = b"payload") -> RtpView:
    parsed = parse(rtp_packet(sequence, payload=payload))
    assert parsed is not None
    return parsed


def flow(destination: int, ssrc: int) -> Flow:
    return Flow(destination, ssrc, 96, seq_delta=7, timestamp_delta=9, mid_id=3, mid=b"5", abs_send_time_id=4)


def fanout() -> tuple[PythonFanout, Line, Counter[str]]:
    line, drops = Line(), Counter[str]()
    return PythonFanout(line.send_run, drops), line, drops


def test_everybody_gets_the_reference_bytes_in_order() -> None:
    fan, line, drops = fanout()
    (ours_1, theirs_1), (ours_2, theirs_2) = sessions(), sessions()
    fan.register(1, FIRST, ours_1)
    fan.register(2, SECOND, ours_2)
    flows = (flow(1, 111), flow(2, 222))
    views = [view(number) for number in (1, 2, 3)]
    for one in views:
        fan.forward(one, flows, NOW)
    assert line.runs == []
    fan.flush()
    assert [(address, len(run)) for address, run in line.runs] == [(FIRST, 3), (SECOND, 3)]
    for (_, run), theirs, each in zip(line.runs, (theirs_1, theirs_2), flows, strict=True):
        assert [theirs.unprotect(datagram) for datagram in run] == [
            rewrite(one, each, abs_send_time(NOW)) for one in views
        ]
        assert (each.sent.packets, each.sent.octets) == (3, 3 * len(b"payload"))
    assert (fan.packets, fan.octets) == (6, sum(len(datagram) for _, run in line.runs for datagram in run))
    assert not drops
    fan.flush()
    assert len(line.runs) == 2


def test_padding_is_no_payload() -> None:
    """RFC 3550 6.4.1: the sender's octet count leaves header and padding out."""
    fan, _, _ = fanout()
    fan.register(1, FIRST, sessions()[0])
    packet = bytearray(rtp_packet(payload=b"abc" + b"\0\0\0\4"))
    packet[0] |= 0x20
    padded = parse(bytes(packet))
    assert padded is not None
    each = flow(1, 111)
    fan.forward(padded, (each,), NOW)
    assert (each.sent.packets, each.sent.octets) == (1, 3)


def test_nobody_there_is_counted() -> None:
    fan, line, drops = fanout()
    each = flow(1, 111)
    fan.forward(view(), (each,), NOW)
    fan.flush()
    assert drops == {"not_connected": 1}
    assert (line.runs, each.sent.packets) == ([], 0)
    fan.unregister(1)


def test_who_left_gets_nothing_that_waited() -> None:
    fan, line, _ = fanout()
    fan.register(1, FIRST, sessions()[0])
    fan.forward(view(), (flow(1, 111),), NOW)
    fan.unregister(1)
    fan.flush()
    assert line.runs == []


def test_who_moved_gets_all_of_it_at_the_new_address() -> None:
    fan, line, _ = fanout()
    ours, theirs = sessions()
    fan.register(1, FIRST, ours)
    fan.forward(view(1), (flow(1, 111),), NOW)
    fan.register(1, SECOND, ours)
    fan.forward(view(2), (flow(1, 111),), NOW)
    fan.flush()
    assert [address for address, _ in line.runs] == [SECOND]
    assert all(theirs.unprotect(datagram) for datagram in line.runs[0][1])


def test_a_new_session_starts_afresh() -> None:
    fan, line, _ = fanout()
    fan.register(1, FIRST, sessions()[0])
    fan.forward(view(1), (flow(1, 111),), NOW)
    ours, theirs = sessions()
    fan.register(1, FIRST, ours)
    fan.forward(view(2), (flow(1, 111),), NOW)
    fan.flush()
    assert theirs.unprotect(line.runs[-1][1][0]) is not None


def test_what_the_kernel_refused_is_not_counted_as_sent() -> None:
    fan, line, _ = fanout()
    fan.register(1, FIRST, sessions()[0])
    for number in range(3):
        fan.forward(view(number), (flow(1, 111),), NOW)
    line.takes = 1
    fan.flush()
    assert (fan.packets, fan.octets) == (1, len(line.runs[0][1][0]))


def test_a_packet_that_srtp_refuses_harms_nobody() -> None:
    fan, line, _ = fanout()
    drops: Counter[str] = Counter()
    keys = sessions()[0].keys
    fan.register(1, FIRST, SrtpSession(keys, drops))
    each = flow(1, 111)
    fan.forward(view(payload=bytes(1_495)), (each,), NOW)
    fan.forward(view(2), (each,), NOW)
    fan.flush()
    assert drops == {"oversize": 1}
    assert (len(line.runs[0][1]), each.sent.packets) == (1, 1)


def test_the_queue_is_bounded() -> None:
    fan, line, _ = fanout()
    fan.register(1, FIRST, sessions()[0])
    flows = tuple(flow(1, number) for number in range(256))
    for number in range(MAX_QUEUED // 256):
        assert line.runs == []
        fan.forward(view(number), flows, NOW)
    assert [len(run) for _, run in line.runs] == [MAX_QUEUED]
