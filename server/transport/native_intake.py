"""Taking datagrams in by C (`_intake.c`): one system call for all that wait, and trains kept together by the kernel."""

import socket
from collections import Counter

from server.transport.ice import Address
from server.transport.native import address_of, ffi, lib

MAX_ADDRESSES = 4_096
"""Addresses remembered; strangers can send from any number of them, so all are forgotten when there are so many."""


class NativeIntake:
    """See ``udp.Intake``. Asks the kernel for trains (UDP_GRO, Linux 5.0): a sender's burst then costs one message."""

    def __init__(self, sock: socket.socket, drops: Counter[str]) -> None:
        intake = lib.intake_new()
        if not intake:
            raise MemoryError
        self._intake = ffi.gc(intake, lib.intake_free)
        self._datagrams = lib.intake_datagrams(self._intake)
        self._is_drained = ffi.new("int *")
        self._socket = sock
        self._drops = drops
        self._addresses: dict[bytes, Address] = {}
        self._place = self._count = 0
        lib.intake_keep_trains(sock.fileno())  # where the kernel cannot, datagrams come one by one

    @property
    def has_more(self) -> bool:
        return self._place < self._count

    def take(self) -> tuple[bytes, Address] | None:
        if self._place == self._count and not self._refill():
            return None
        datagram = self._datagrams[self._place]
        self._place += 1
        packed = ffi.unpack(datagram.address, datagram.address_octets)
        address = self._addresses.get(packed)
        if address is None:
            if len(self._addresses) >= MAX_ADDRESSES:
                self._addresses.clear()
            address = self._addresses[packed] = address_of(packed)
        return ffi.unpack(datagram.data, datagram.octets), address

    def _refill(self) -> bool:
        """Take in what waits. False: nothing does, or what there was has just been given out."""
        if self._is_drained[0]:
            self._is_drained[0] = 0
            return False
        self._place = 0
        self._count = lib.intake_receive(self._intake, self._socket.fileno(), self._is_drained)
        if self._count <= 0:
            if self._count < 0:
                self._drops["receive_failed"] += 1
            self._count = self._is_drained[0] = 0
            return False
        return True
