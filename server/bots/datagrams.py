"""A connected, non-blocking UDP socket that counts what it could not do instead of raising."""

import socket
import struct
from collections import Counter

from server.errors import Unavailable

RECEIVE_BUFFER_OCTETS = 1 << 20
_DATAGRAM_OCTETS = 2_048
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("qq")


class DatagramSocket:
    """``kernel_times`` (Linux): arrivals as the kernel saw them, so that our own lateness is not in them."""

    def __init__(self, remote: tuple[str, int], drops: Counter[str], *, kernel_times: bool = False) -> None:
        """Raises Unavailable("media_failed") where there is no route."""
        self.remote = remote
        self._drops = drops
        self._kernel_times = kernel_times
        self.socket = socket.socket(socket.AF_INET6 if ":" in remote[0] else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_OCTETS)
        if kernel_times:
            self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        try:
            self.socket.connect(remote)
        except OSError as error:
            self.socket.close()
            raise Unavailable("media_failed", f"no way to {remote[0]}:{remote[1]}: {error.strerror}") from error

    def receive(self, now: float) -> tuple[bytes, float] | None:
        """The next datagram and its arrival (``now`` without kernel times), None where there is none."""
        try:
            if not self._kernel_times:
                return self.socket.recv(_DATAGRAM_OCTETS), now
            datagram, ancillary, _, _ = self.socket.recvmsg(_DATAGRAM_OCTETS, 64)
        except BlockingIOError:
            return None
        except OSError:  # an ICMP port unreachable came back: the server is gone or not yet there
            self._drops["socket_error"] += 1
            return None
        for level, kind, value in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
                seconds, nanoseconds = _TIMESPEC.unpack(value)
                return datagram, seconds + nanoseconds / 1e9
        return datagram, now

    def send(self, datagram: bytes) -> None:
        """Send, or count why not."""
        try:
            self.socket.send(datagram)
        except BlockingIOError:
            self._drops["socket_full"] += 1
        except OSError:
            self._drops["socket_error"] += 1

    def close(self) -> None:
        self.socket.close()
