"""One non-blocking UDP socket on the event loop: the only door of the media plane."""

import asyncio
import contextlib
import errno
import socket
import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from server.clock import Clock
from server.errors import Unavailable
from server.transport.ice import Address

MAX_DATAGRAM_OCTETS = 2_048
"""Read size. A longer datagram comes in cut off, and is then refused by whatever it claims to be."""
BATCH_DATAGRAMS = 64
BATCH_S = 0.005
"""One wake-up takes at most so many datagrams or so long, then signalling has its turn."""
BUFFER_OCTETS = 8 * 1024 * 1024
"""Kernel buffers: 8 MiB hold half a second of 160 viewers' pictures while Python is busy elsewhere."""

MAX_RUN_DATAGRAMS = 32
MAX_RUN_OCTETS = 60_000
"""What one segmented send may carry: half of the kernel's 64 segments, and less than an IP packet's length."""

# Linux values (asm-generic/socket.h, linux/sock_diag.h, linux/udp.h) that the socket module does not name.
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33
_SO_MEMINFO, _MEMINFO_DROPS = 55, 8
_SOL_UDP, _UDP_SEGMENT = 17, 103
_SEGMENT_SIZE = struct.Struct("=H")


class Intake(Protocol):
    """Takes datagrams off a socket, one at a time."""

    @property
    def has_more(self) -> bool:
        """Whether it holds datagrams that the kernel will not announce again."""
        ...

    def take(self) -> tuple[bytes, Address] | None:
        """The next datagram and its sender; None where there is none for now. Errors of the socket are counted."""
        ...


class PythonIntake:
    """One system call a datagram."""

    has_more = False

    def __init__(self, sock: socket.socket, drops: Counter[str]) -> None:
        self._socket = sock
        self._drops = drops

    def take(self) -> tuple[bytes, Address] | None:
        while True:
            try:
                return self._socket.recvfrom(MAX_DATAGRAM_OCTETS)
            except BlockingIOError:
                return None
            except OSError:  # an ICMP error of an earlier send; the socket itself is well
                self._drops["receive_failed"] += 1


class UdpPort:
    """A bound port. ``on_datagram`` gets each datagram, ``on_drained`` ends each wake-up; neither may raise."""

    def __init__(
        self,
        clock: Clock,
        drops: Counter[str],
        on_datagram: Callable[[bytes, Address], None],
        on_drained: Callable[[], None],
        open_intake: Callable[[socket.socket, Counter[str]], Intake] = PythonIntake,
    ) -> None:
        self.socket: socket.socket | None = None
        self.can_segment = False
        """Whether the kernel has UDP_SEGMENT (Linux 4.18)."""
        self._open_intake = open_intake
        self._intake: Intake | None = None
        self._clock = clock
        self._drops = drops
        self._on_datagram = on_datagram
        self._on_drained = on_drained

    def open(self, host: str, port: int) -> int:
        """Bind and start reading; returns the port. Raises Unavailable("media_port_busy")."""
        is_ipv6 = ":" in host
        sock = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            if is_ipv6:
                # "::" serves IPv4 as well; such peers are seen at ::ffff:a.b.c.d.
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "::")
            _enlarge(sock, socket.SO_RCVBUF, _SO_RCVBUFFORCE)
            _enlarge(sock, socket.SO_SNDBUF, _SO_SNDBUFFORCE)
            sock.bind((host, port))
        except OSError as error:
            sock.close()
            raise Unavailable("media_port_busy", f"UDP {host} port {port}: {error.strerror}") from error
        self.socket = sock
        self._intake = self._open_intake(sock, self._drops)
        self.can_segment = _can_segment(sock)
        asyncio.get_running_loop().add_reader(sock.fileno(), self._read)
        bound: int = sock.getsockname()[1]
        return bound

    def close(self) -> None:
        """Stop reading and release the port. Twice is once."""
        if self.socket is not None:
            asyncio.get_running_loop().remove_reader(self.socket.fileno())
            self.socket.close()
            self.socket = None

    def fileno(self) -> int:
        """The socket's descriptor, -1 while it is closed: never keep it."""
        return self.socket.fileno() if self.socket is not None else -1

    def send(self, datagram: bytes, address: Address) -> bool:
        """Send or drop, never wait; a drop is counted as ``send_blocked`` or ``send_failed``."""
        if self.socket is None:
            return False
        try:
            self.socket.sendto(datagram, address)
        except OSError as error:
            self._drops[_send_error(error)] += 1
            return False
        return True

    def send_run(self, datagrams: Sequence[bytes], address: Address) -> int:
        """Send several datagrams to one address in few system calls; returns how many the kernel took.

        Where the kernel can (UDP_SEGMENT, Linux 4.18) datagrams of one length, the last one shorter or not, go as one
        message: from two of them on that is cheaper, at four it costs less than half. What arrives is the same.
        """
        if len(datagrams) == 1 or not self.can_segment:
            return sum(self.send(datagram, address) for datagram in datagrams)
        return sum(self._send_segmented(part, address) for part in equal_parts(datagrams))

    def _send_segmented(self, part: Sequence[bytes], address: Address) -> int:
        if self.socket is None:
            return 0
        if len(part) > 1:
            segment = (_SOL_UDP, _UDP_SEGMENT, _SEGMENT_SIZE.pack(len(part[0])))
            try:
                self.socket.sendmsg(part, (segment,), 0, address)
            except BlockingIOError:
                self._drops["send_blocked"] += len(part)
                return 0
            except OSError:  # this path cannot segment (a tunnel, a small MTU): one by one, where each error is counted
                pass
            else:
                return len(part)
        return sum(self.send(datagram, address) for datagram in part)

    def receive_buffer_drops(self) -> int:
        """Datagrams the kernel dropped so far because we read too slowly; 0 where it does not tell."""
        if self.socket is None:
            return 0
        try:
            meminfo = self.socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 64)
        except OSError:
            return 0
        values = struct.unpack(f"={len(meminfo) // 4}I", meminfo)
        return values[_MEMINFO_DROPS] if len(values) > _MEMINFO_DROPS else 0

    def _read(self) -> None:
        intake, now = self._intake, self._clock.now
        if self.socket is None or intake is None:
            return
        stop_at = now() + BATCH_S
        for _ in range(BATCH_DATAGRAMS):
            received = intake.take()
            if received is None:
                break
            self._on_datagram(*received)
            if self.socket is None or now() >= stop_at:
                break
        if intake.has_more:
            asyncio.get_running_loop().call_soon(self._read)
        self._on_drained()


def _send_error(error: OSError) -> str:
    """``send_blocked``: the kernel's buffer is full, waiting would harm everybody; ``send_failed``: no route, ..."""
    return "send_blocked" if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS) else "send_failed"


def _can_segment(sock: socket.socket) -> bool:
    try:
        sock.getsockopt(_SOL_UDP, _UDP_SEGMENT)
    except OSError:
        return False
    return True


def equal_parts(datagrams: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Cut into parts of one length each, of which only the last datagram may be shorter."""
    start, octets = 0, 0
    for place, datagram in enumerate(datagrams):
        size = len(datagrams[start])
        ends_before = place > start and (
            len(datagram) > size
            or len(datagrams[place - 1]) < size
            or place - start == MAX_RUN_DATAGRAMS
            or octets + len(datagram) > MAX_RUN_OCTETS
        )
        if ends_before:
            yield datagrams[start:place]
            start, octets = place, 0
        octets += len(datagram)
    yield datagrams[start:]


def _enlarge(sock: socket.socket, option: int, force_option: int) -> None:
    """Ask for BUFFER_OCTETS. Without root the limit is net.core.rmem_max or wmem_max."""
    sock.setsockopt(socket.SOL_SOCKET, option, BUFFER_OCTETS)
    if sys.platform == "linux":
        with contextlib.suppress(PermissionError):
            sock.setsockopt(socket.SOL_SOCKET, force_option, BUFFER_OCTETS)
