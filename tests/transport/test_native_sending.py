"""The C fan-out on real sockets: segmented runs, and every way in which a send goes wrong."""

import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.rtp.packet import RtpView
from server.sfu.flows import Flow
from server.transport.fanout import MAX_QUEUED
from server.transport.udp import MAX_RUN_DATAGRAMS
from tests.transport.fanning import NOW, Stall, Viewer, c_fanout
from tests.transport.test_fanout import view

pytest.importorskip("server.transport.native_fanout", exc_type=ImportError)

_SO_NO_CHECK = 11  # asm-generic/socket.h


@pytest.fixture
def viewer() -> Iterator[Viewer]:
    made = Viewer()
    yield made
    made.close()


@pytest.fixture
def stall() -> Iterator[Stall]:
    made = Stall(c_fanout)
    yield made
    made.close()


def carry(stall: Stall, views: list[RtpView], table: tuple[Flow, ...]) -> None:
    for each in views:
        stall.fan.forward(each, table, NOW)
    stall.fan.flush()


def messages(stall: Stall) -> int:
    count: int = stall.fan.messages  # type: ignore[attr-defined]  # only the C one counts them
    return count


SIZES = {
    "equal": ([1_000] * 5, 1),
    "last shorter": ([1_000, 1_000, 300], 1),
    "first shorter": ([300, 1_000, 1_000], 2),
    "mixed": ([1_000, 1_000, 80, 80, 1_000, 7, 90], 4),
    "more than a run": ([100] * (2 * MAX_RUN_DATAGRAMS + 1), 3),
    "more octets than a run": ([1_400] * 50, 2),
    "one": ([5], 1),
}


@pytest.mark.parametrize(("sizes", "runs"), SIZES.values(), ids=SIZES)
def test_runs_are_segmented_and_arrive_as_single_datagrams(
    stall: Stall, viewer: Viewer, sizes: list[int], runs: int
) -> None:
    payloads = [bytes((number,)) * size for number, size in enumerate(sizes, 1)]
    stall.fan.register(1, viewer.address, viewer.session())
    carry(stall, [view(number, payload) for number, payload in enumerate(payloads)], (Flow(1, 11, 96),))
    assert [packet[12:] for packet in viewer.packets() if packet] == payloads
    assert (messages(stall), stall.fan.packets) == (runs, len(sizes))
    assert not stall.drops


def test_without_segmentation_every_datagram_is_a_message(viewer: Viewer) -> None:
    stall = Stall(c_fanout, segments=False)
    stall.fan.register(1, viewer.address, viewer.session())
    carry(stall, [view(number) for number in range(5)], (Flow(1, 11, 96),))
    assert len(viewer.received()) == messages(stall) == 5
    stall.close()


def test_a_path_that_takes_no_segments_is_spared_them_until_it_changes(stall: Stall, viewer: Viewer) -> None:
    """A socket without checksums is refused segments with EINVAL, as one is whose path has too small an MTU."""
    assert stall.port.socket is not None
    stall.port.socket.setsockopt(socket.SOL_SOCKET, _SO_NO_CHECK, 1)
    session = viewer.session()
    stall.fan.register(1, viewer.address, session)
    carry(stall, [view(number) for number in range(4)], (Flow(1, 11, 96),))
    assert len(viewer.received()) == messages(stall) == stall.fan.packets == 4
    stall.port.socket.setsockopt(socket.SOL_SOCKET, _SO_NO_CHECK, 0)
    carry(stall, [view(number) for number in range(4, 8)], (Flow(1, 11, 96),))
    assert len(viewer.received()) == 4
    assert messages(stall) == 8, "this viewer is sent plainly"
    stall.fan.register(1, ("127.0.0.2", viewer.address[1]), session)
    stall.fan.register(1, viewer.address, session)
    carry(stall, [view(number) for number in range(8, 12)], (Flow(1, 11, 96),))
    assert len(viewer.received()) == 4
    assert messages(stall) == 9, "another path, another try"
    assert not stall.drops


def test_one_bad_address_costs_the_others_nothing(stall: Stall) -> None:
    """sendmmsg stops at the first message that fails; what follows must go out all the same, in its order."""
    viewers = [Viewer() for _ in range(4)]
    addresses = [viewers[0].address, ("127.0.0.1", 0), viewers[1].address, ("255.255.255.255", 9), viewers[2].address]
    for number, address in enumerate([*addresses, viewers[3].address]):
        stall.fan.register(number, address, viewers[0].session())
    table = tuple(Flow(number, 11, 96) for number in range(6))
    carry(stall, [view(1), view(2)], table)
    assert [len(each.received()) for each in viewers] == [2, 2, 2, 2]
    assert stall.drops == {"send_failed": 4}
    assert stall.fan.packets == 8
    assert [flow.sent.packets for flow in table] == [2] * 6, "counted when protected, as by the reference"
    for each in viewers:
        each.close()


def test_a_receiver_that_vanished_harms_nobody(stall: Stall, viewer: Viewer) -> None:
    gone = Viewer()
    gone.close()
    stall.fan.register(1, gone.address, gone.session())
    stall.fan.register(2, viewer.address, viewer.session())
    for number in range(20):
        carry(stall, [view(number)], (Flow(1, 11, 96), Flow(2, 12, 96)))
    assert len(viewer.received()) == 20
    assert not stall.drops


def test_a_socket_that_vanished_is_counted(stall: Stall, viewer: Viewer) -> None:
    stall.fan.register(1, viewer.address, viewer.session())
    carry(stall, [view(1)], (Flow(1, 11, 96),))
    stall.close()
    stall.port.socket = None
    carry(stall, [view(2), view(3)], (Flow(1, 11, 96),))
    assert stall.drops == {"send_failed": 2}
    assert stall.fan.packets == 1


class LocalLine:
    """A Unix datagram socket in UDP's place: its receiver's queue is short, and full is EAGAIN as on a full device."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "r")
        self.receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.receiver.bind(self.path)
        self.receiver.setblocking(False)
        self.stall = Stall(c_fanout, segments=False, through=socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))

    def add(self, destination: int, viewer: Viewer) -> None:
        self.stall.fan.register(destination, viewer.address, viewer.session())
        target: Any = self.stall.fan._viewers[destination].struct  # type: ignore[attr-defined]  # no Address is such
        packed = struct.pack("=H", socket.AF_UNIX) + self.path.encode() + b"\0"
        target.address = packed.ljust(28, b"\0")
        target.address_length = len(packed)

    def received(self) -> int:
        count = 0
        while True:
            try:
                self.receiver.recv(2_048)
            except BlockingIOError:
                return count
            count += 1


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalLine]:
    monkeypatch.chdir(tmp_path)  # 26 octets are few for a path
    made = LocalLine(Path())
    yield made
    made.receiver.close()
    made.stall.close()


def test_a_full_buffer_drops_the_rest_and_goes_on_when_there_is_room(line: LocalLine, viewer: Viewer) -> None:
    line.add(1, viewer)
    carry(line.stall, [view(number) for number in range(40)], (Flow(1, 11, 96),))
    taken = line.received()
    assert 0 < taken < 40
    assert line.stall.drops == {"send_blocked": 40 - taken}
    assert line.stall.fan.packets == taken
    carry(line.stall, [view(number) for number in range(40, 45)], (Flow(1, 11, 96),))
    assert line.received() == 5
    assert line.stall.drops == {"send_blocked": 40 - taken}


def test_a_receiver_that_says_no_is_counted(line: LocalLine, viewer: Viewer) -> None:
    line.add(1, viewer)
    line.receiver.close()
    carry(line.stall, [view(1), view(2)], (Flow(1, 11, 96),))
    assert line.stall.drops == {"send_failed": 2}


def test_more_copies_than_the_queue_holds_go_out_in_turns(stall: Stall) -> None:
    """One packet to more flows than there are slots: what does not fit waits for the flush in between, not for ever."""
    lines = [Viewer() for _ in range(64)]
    for number, each in enumerate(lines):
        stall.fan.register(number, each.address, each.session())
    table = tuple(Flow(number % 64, number, 96) for number in range(MAX_QUEUED + 100))
    stall.fan.forward(view(1), table, NOW)
    assert stall.fan.packets == MAX_QUEUED
    stall.fan.flush()
    assert stall.fan.packets == len(table)
    assert not stall.drops
    for each in lines:
        each.close()


@pytest.mark.parametrize("host", ["::1", "::ffff:127.0.0.1"])
def test_ipv6(host: str) -> None:
    six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    stall = Stall(c_fanout, through=six)
    viewer = Viewer(host="::1" if host == "::1" else "127.0.0.1")
    stall.fan.register(1, (host, viewer.address[1], 0, 0), viewer.session())
    carry(stall, [view(1), view(2)], (Flow(1, 11, 96),))
    assert len(viewer.received()) == 2
    stall.close()
    viewer.close()


# --- a path with a small MTU ----------------------------------------------------------------------------------------

NARROW, NARROW_MTU = "127.9.8.7", 700


@pytest.fixture
def narrow() -> Iterator[Viewer]:
    """A viewer behind a route of its own over loopback, with a small MTU: longer datagrams travel in fragments."""
    route = ["local", NARROW, "dev", "lo", "table", "local"]
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("only root makes routes, with iproute2")
    subprocess.run(["ip", "route", "add", *route, "mtu", "lock", str(NARROW_MTU)], check=True)
    made = Viewer(host=NARROW)
    yield made
    made.close()
    subprocess.run(["ip", "route", "del", *route], check=True)


def test_what_is_too_long_for_a_path_goes_singly_and_the_rest_in_runs(stall: Stall, narrow: Viewer) -> None:
    stall.fan.register(1, narrow.address, narrow.session())
    sequence = 0
    for payload_octets, sent_as in ((1_000, 4), (1_000, 4), (1_100, 4), (300, 1), (900, 4), (900, 4), (100, 1)):
        before = messages(stall)
        carry(stall, [view(sequence + step, bytes(payload_octets)) for step in range(4)], (Flow(1, 11, 96),))
        sequence += 4
        assert messages(stall) - before == sent_as, payload_octets
        assert [len(packet or b"") for packet in narrow.packets()] == [12 + payload_octets] * 4
    assert not stall.drops
