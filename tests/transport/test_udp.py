"""The socket: bounded turns, no waiting, every loss counted, runs that arrive as they were."""

import asyncio
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.clock import Clock, SystemClock
from server.errors import Unavailable
from server.transport.ice import Address
from server.transport.udp import (
    BATCH_DATAGRAMS,
    BATCH_S,
    MAX_DATAGRAM_OCTETS,
    MAX_RUN_DATAGRAMS,
    MAX_RUN_OCTETS,
    Intake,
    PythonIntake,
    UdpPort,
    equal_parts,
)
from tests.transport.calling import TestClock, new_socket

OpenIntake = Callable[[socket.socket, Counter[str]], Intake]
_SOL_UDP, _UDP_SEGMENT = 17, 103  # linux/udp.h


def native_intake(sock: socket.socket, drops: Counter[str]) -> Intake:
    native = pytest.importorskip("server.transport.native_intake", exc_type=ImportError)
    made: Intake = native.NativeIntake(sock, drops)
    return made


both_intakes = pytest.mark.parametrize("open_intake", [PythonIntake, native_intake])


class Desk:
    """Takes in what a UdpPort reads; ``turns`` holds how many datagrams came in each wake-up."""

    def __init__(self, clock: Clock | None = None, open_intake: OpenIntake = PythonIntake) -> None:
        self.drops: Counter[str] = Counter()
        self.datagrams: list[tuple[bytes, Address]] = []
        self.turns: list[int] = []
        self.drained = asyncio.Event()
        self.port = UdpPort(clock or SystemClock(), self.drops, self.take, self.end, open_intake)

    def take(self, datagram: bytes, address: Address) -> None:
        self.datagrams.append((datagram, address))

    def end(self) -> None:
        self.turns.append(len(self.datagrams) - sum(self.turns))
        self.drained.set()

    async def until(self, total: int) -> None:
        async with asyncio.timeout(5):
            while len(self.datagrams) < total:
                self.drained.clear()
                await self.drained.wait()


@asynccontextmanager
async def desk(
    host: str = "127.0.0.1", clock: Clock | None = None, open_intake: OpenIntake = PythonIntake
) -> AsyncIterator[tuple[Desk, int]]:
    made = Desk(clock, open_intake)
    number = made.port.open(host, 0)
    try:
        yield made, number
    finally:
        made.port.close()
        made.port.close()


@both_intakes
async def test_a_turn_is_bounded(open_intake: OpenIntake) -> None:
    async with desk(open_intake=open_intake) as (made, number):
        with new_socket() as sender:
            for count in range(3 * BATCH_DATAGRAMS):
                sender.sendto(b"%d" % count, ("127.0.0.1", number))
            await made.until(3 * BATCH_DATAGRAMS)
            assert [datagram for datagram, _ in made.datagrams] == [b"%d" % n for n in range(3 * BATCH_DATAGRAMS)]
            assert max(made.turns) == BATCH_DATAGRAMS
            assert made.datagrams[0][1] == sender.getsockname()


@both_intakes
async def test_a_slow_turn_ends_early(open_intake: OpenIntake) -> None:
    clock = TestClock()
    async with desk(clock=clock, open_intake=open_intake) as (made, number):

        def take_long(datagram: bytes, address: Address) -> None:
            made.take(datagram, address)
            clock.ahead_s += BATCH_S

        made.port._on_datagram = take_long
        with new_socket() as sender:
            for _ in range(5):
                sender.sendto(b"x", ("127.0.0.1", number))
            await made.until(5)
    assert max(made.turns) == 1


@both_intakes
async def test_the_port_may_be_closed_by_what_it_reads(open_intake: OpenIntake) -> None:
    async with desk(open_intake=open_intake) as (made, number):

        def close(datagram: bytes, address: Address) -> None:
            made.take(datagram, address)
            made.port.close()

        made.port._on_datagram = close
        with new_socket() as sender:
            sender.sendto(b"1", ("127.0.0.1", number))
            sender.sendto(b"2", ("127.0.0.1", number))
            await made.until(1)
        made.port._read()
        assert made.turns == [1]
        assert not made.port.send(b"x", ("127.0.0.1", number))
        assert made.port.send_run([b"x", b"y"], ("127.0.0.1", number)) == 0
        assert made.port.receive_buffer_drops() == 0


async def test_a_busy_port_is_said_so() -> None:
    async with desk() as (_, number):
        with pytest.raises(Unavailable) as refused:
            Desk().port.open("127.0.0.1", number)
    assert refused.value.code == "media_port_busy"
    assert str(number) in refused.value.detail


@both_intakes
async def test_ipv6_and_ipv4_behind_the_double_wildcard(open_intake: OpenIntake) -> None:
    async with desk("::", open_intake=open_intake) as (made, number):
        with new_socket() as four, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six:
            four.sendto(b"4", ("127.0.0.1", number))
            await made.until(1)
            six.sendto(b"6", ("::1", number))
            await made.until(2)
            hosts = [address[0] for _, address in made.datagrams]
            assert hosts == ["::ffff:127.0.0.1", "::1"]
            assert made.datagrams[1][1] == ("::1", six.getsockname()[1], 0, 0)
            assert made.port.send(b"back", made.datagrams[0][1])
            assert four.recv(10) == b"back"
    async with desk("::1", open_intake=open_intake) as (made, number):
        with new_socket() as four:
            four.sendto(b"4", ("127.0.0.1", number))
            assert not made.datagrams


async def test_sends_that_fail_are_counted() -> None:
    async with desk() as (made, _):
        assert not made.port.send(b"x", ("127.0.0.1", 0))
        assert not made.port.send(b"x" * 70_000, ("127.0.0.1", 9))
        assert made.port.send_run([b"x" * 9, b"y" * 9], ("127.0.0.1", 0)) == 0
        assert made.drops == {"send_failed": 4}


async def test_a_full_kernel_buffer_drops_and_counts() -> None:
    """A socket pair stands in for a full path: it says EAGAIN, as a UDP socket does with its send buffer full."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        ours.setblocking(False)
        while True:
            try:
                ours.send(b"fill")
            except BlockingIOError:
                break
        made = Desk()
        made.port.socket = Unaddressed(ours)  # type: ignore[assignment]  # a UDP socket but for the address
        assert not made.port.send(b"x", ("127.0.0.1", 9))
        made.port.can_segment = True
        assert made.port.send_run([b"x", b"y", b"z"], ("127.0.0.1", 9)) == 0
        assert made.drops == {"send_blocked": 4}


class Unaddressed:
    """A connected socket under UDP's calls."""

    def __init__(self, connected: socket.socket) -> None:
        self._connected = connected

    def sendto(self, datagram: bytes, _address: Address) -> int:
        return self._connected.send(datagram)

    def sendmsg(self, datagrams: list[bytes], *_rest: object) -> int:
        return self._connected.send(b"".join(datagrams))


async def test_what_the_kernel_dropped_is_known() -> None:
    async with desk() as (made, number):
        assert made.port.receive_buffer_drops() == 0
        assert made.port.socket is not None
        made.port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        with new_socket() as sender:
            for _ in range(50):
                sender.sendto(bytes(1_000), ("127.0.0.1", number))
            assert made.port.receive_buffer_drops() > 0


# --- the way in -----------------------------------------------------------------------------------------------------


@both_intakes
async def test_datagrams_of_any_length_come_in_as_they_were_sent(open_intake: OpenIntake) -> None:
    """Also the empty one; what is longer than MAX_DATAGRAM_OCTETS comes cut off."""
    sizes = [0, 1, 1_200, 0, 2_048, 2_049, 60_000, 3]
    async with desk(open_intake=open_intake) as (made, number):
        with new_socket() as sender:
            for mark, size in enumerate(sizes):
                sender.sendto(bytes((mark,)) * size, ("127.0.0.1", number))
            await made.until(len(sizes))
            expected = [bytes((mark,)) * min(size, MAX_DATAGRAM_OCTETS) for mark, size in enumerate(sizes)]
            assert [datagram for datagram, _ in made.datagrams] == expected
            assert {address for _, address in made.datagrams} == {sender.getsockname()}


@both_intakes
@pytest.mark.parametrize(("length", "last", "count"), [(1_100, 1_100, 6), (1_100, 7, 50), (1, 1, 64), (100, 99, 2)])
async def test_trains_come_in_as_single_datagrams(open_intake: OpenIntake, length: int, last: int, count: int) -> None:
    """What a sender gives its kernel as one segmented message may come in as one, too (UDP_GRO)."""
    train = [bytes((number,)) * length for number in range(count - 1)] + [b"L" * last]
    async with desk(open_intake=open_intake) as (made, number):
        with new_socket() as sender, new_socket() as other:
            segment = (_SOL_UDP, _UDP_SEGMENT, length.to_bytes(2, sys.byteorder))
            other.sendto(b"before", ("127.0.0.1", number))
            sender.sendmsg(train, [segment], 0, ("127.0.0.1", number))
            other.sendto(b"after", ("127.0.0.1", number))
            await made.until(count + 2)
            assert made.datagrams == [
                (b"before", other.getsockname()),
                *((datagram, sender.getsockname()) for datagram in train),
                (b"after", other.getsockname()),
            ]


async def test_what_is_left_of_a_train_is_not_waited_for() -> None:
    """A turn ends after BATCH_DATAGRAMS; the kernel says no word of those already taken from it."""
    async with desk(open_intake=native_intake) as (made, number):
        with new_socket() as sender:
            for mark in (b"a", b"b", b"c"):
                segment = (_SOL_UDP, _UDP_SEGMENT, (10).to_bytes(2, sys.byteorder))
                sender.sendmsg([mark * 10] * 60, [segment], 0, ("127.0.0.1", number))
            await made.until(180)
            assert [datagram[:1] for datagram, _ in made.datagrams] == [b"a"] * 60 + [b"b"] * 60 + [b"c"] * 60
            assert max(made.turns) == BATCH_DATAGRAMS
        made.datagrams.clear()


async def test_addresses_of_strangers_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk(open_intake=native_intake) as (made, number):
        monkeypatch.setattr("server.transport.native_intake.MAX_ADDRESSES", 3)
        senders = [new_socket() for _ in range(10)]
        for sender in senders:
            sender.sendto(b"x", ("127.0.0.1", number))
        await made.until(10)
        assert [address for _, address in made.datagrams] == [sender.getsockname() for sender in senders]
        assert len(made.port._intake._addresses) <= 3  # type: ignore[union-attr]  # no other way to see it
        for sender in senders:
            sender.close()


@both_intakes
async def test_errors_of_earlier_sends_are_counted(open_intake: OpenIntake) -> None:
    """A connected socket is told of ICMP's "port unreachable" when it next reads; ours is not, but may be one day."""
    with new_socket() as gone:
        address = gone.getsockname()
    drops: Counter[str] = Counter()
    with new_socket() as sock:
        sock.connect(address)
        intake = open_intake(sock, drops)
        sock.send(b"x")
        assert intake.take() is None
        assert drops == {"receive_failed": 1}
        assert intake.take() is None
        assert drops == {"receive_failed": 1}


RUNS = {
    "equal": [1_200] * 5,
    "last shorter": [1_200, 1_200, 300],
    "first shorter": [300, 1_200, 1_200],
    "mixed": [1_200, 1_200, 80, 80, 1_200, 7, 90],
    "long": [100] * (2 * MAX_RUN_DATAGRAMS + 1),
    "heavy": [1_400] * 50,
    "one": [5],
}


@pytest.mark.parametrize("has_segmentation", [True, False], ids=["segmented", "one by one"])
@pytest.mark.parametrize("sizes", RUNS.values(), ids=RUNS)
async def test_a_run_arrives_as_single_datagrams(sizes: list[int], has_segmentation: bool) -> None:
    datagrams = [bytes((number,)) * size for number, size in enumerate(sizes)]
    async with desk() as (made, _):
        if has_segmentation and not made.port.can_segment:
            pytest.skip("this kernel has no UDP_SEGMENT")
        made.port.can_segment = has_segmentation
        with new_socket() as receiver:
            assert made.port.send_run(datagrams, receiver.getsockname()) == len(datagrams)
            assert [receiver.recv(2_048) for _ in datagrams] == datagrams
            with pytest.raises(BlockingIOError):
                receiver.recv(2_048)


@given(st.lists(st.integers(0, 1_500), min_size=1, max_size=150))
def test_parts_can_be_segmented_and_lose_nothing(sizes: list[int]) -> None:
    """UDP_SEGMENT cuts at one length; only the last may be shorter."""
    datagrams = [bytes(size) for size in sizes]
    parts = [list(part) for part in equal_parts(datagrams)]
    assert [datagram for part in parts for datagram in part] == datagrams
    for part in parts:
        assert len({len(datagram) for datagram in part[:-1]}) <= 1
        assert len(part[-1]) <= len(part[0])
        assert len(part) <= MAX_RUN_DATAGRAMS
        assert sum(map(len, part)) <= MAX_RUN_OCTETS
