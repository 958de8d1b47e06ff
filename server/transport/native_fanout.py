"""The fan-out whose copies are made in C (`_fanout.c`): one call for an incoming packet, whoever takes it."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from server.rtp.extensions import MAX_ONE_BYTE_LENGTH, abs_send_time
from server.rtp.packet import RtpView
from server.sfu.flows import Flow
from server.transport.ice import Address
from server.transport.native import CData, ffi, lib, socket_address
from server.transport.srtp import MAX_PACKET_OCTETS, SrtpSession, protect_address

DROP_REASONS = ("not_connected", "oversize", "srtp_repeated", "srtp_malformed", "send_blocked", "send_failed")
MAX_TABLES = 1_024
"""Tables kept; a late packet brings one that is never seen again, so all are forgotten when there are so many."""


class DatagramSocket(Protocol):
    """What is sent through. ``fileno()`` is asked for at every flush; -1: closed."""

    can_segment: bool

    def fileno(self) -> int: ...


class _Viewer:
    """A destination: C's struct, and what it points to kept alive."""

    __slots__ = ("_srtp", "address", "struct")

    def __init__(self, address: Address, srtp: SrtpSession) -> None:
        self._srtp = srtp
        self.struct = ffi.new("struct viewer *")
        self.struct.srtp = ffi.cast("void *", srtp.outbound_address)
        self.move(address)

    def has(self, srtp: SrtpSession) -> bool:
        return self._srtp is srtp

    def move(self, address: Address) -> None:
        packed = socket_address(address)
        self.address = address
        self.struct.address = packed.ljust(28, b"\0")
        self.struct.address_length = len(packed)
        self.struct.segments_below = MAX_PACKET_OCTETS * 2  # all, until the path says otherwise


class NativeFanout:
    """See ``fanout.Fanout``. ``drops`` is brought up to date by ``flush``."""

    implementation = "c"

    def __init__(self, through: DatagramSocket, drops: Counter[str]) -> None:
        fanout = lib.fanout_new(ffi.cast("protect_call *", protect_address()))
        if not fanout:
            raise MemoryError
        self._fanout = ffi.gc(fanout, lib.fanout_free)
        self._counts = lib.fanout_counts(self._fanout)
        self._through = through
        self._drops = drops
        self._told = dict.fromkeys(DROP_REASONS, 0)
        self._viewers: dict[int, _Viewer] = {}
        self._tables: dict[int, tuple[Sequence[Flow], CData, int]] = {}
        """By the identity of a tuple of flows (kept with it, so that the identity stays taken): C's table of copies."""

    @property
    def packets(self) -> int:
        return int(self._counts.packets)

    @property
    def octets(self) -> int:
        return int(self._counts.octets)

    @property
    def messages(self) -> int:
        """What the kernel was given: a run of packets to one viewer is one message."""
        return int(self._counts.messages)

    def register(self, destination: int, address: Address, srtp: SrtpSession) -> None:
        known = self._viewers.get(destination)
        if known is not None and known.has(srtp):
            if known.address != address:
                known.move(address)
            return
        self.unregister(destination)
        self._viewers[destination] = _Viewer(address, srtp)
        self._tables.clear()

    def unregister(self, destination: int) -> None:
        gone = self._viewers.pop(destination, None)
        if gone is not None:
            lib.fanout_forget(self._fanout, gone.struct)
            self._tables.clear()

    def forward(self, view: RtpView, flows: tuple[Flow, ...], now: float) -> None:
        table = self._tables.get(id(flows))
        if table is None:
            table = self._tabulate(flows)
        data, copies, count, done = view.data, table[1], table[2], 0
        while True:
            done = lib.fanout_forward(
                self._fanout,
                data,
                len(data),
                view.payload_offset,
                view.payload_end,
                view.extensions_offset,
                view.one_byte,
                view.marker,
                view.sequence,
                view.timestamp,
                copies,
                done,
                count,
                abs_send_time(now),
                now,
            )
            if done == count:
                return
            assert done >= 0, "a view whose offsets lie outside of its data"
            self.flush()

    def flush(self) -> None:
        through = self._through
        if lib.fanout_flush(self._fanout, through.fileno(), through.can_segment):
            self._note_drops()

    def _tabulate(self, flows: tuple[Flow, ...]) -> tuple[Sequence[Flow], CData, int]:
        if len(self._tables) >= MAX_TABLES:
            self._tables.clear()
        viewers = self._viewers
        copies = []
        for flow in flows:
            viewer = viewers.get(flow.destination)
            copies.append((_mirror(flow), viewer.struct if viewer is not None else ffi.NULL))
        table = self._tables[id(flows)] = (flows, ffi.new("struct copy[]", copies), len(flows))
        return table

    def _note_drops(self) -> None:
        for reason in DROP_REASONS:
            count = int(getattr(self._counts, reason))
            if count != self._told[reason]:
                self._drops[reason] += count - self._told[reason]
                self._told[reason] = count


def _mirror(flow: Flow) -> CData:
    """C's struct for a flow; from now on it counts what the flow sent."""
    if isinstance(flow.sent, ffi.CData):
        return flow.sent
    assert not flow.mid_id or 1 <= len(flow.mid) <= MAX_ONE_BYTE_LENGTH
    mirror = ffi.new("struct flow *")
    mirror.packets = flow.sent.packets
    mirror.octets = flow.sent.octets
    mirror.ssrc = flow.ssrc
    mirror.timestamp_delta = flow.timestamp_delta & 0xFFFFFFFF
    mirror.seq_delta = flow.seq_delta & 0xFFFF
    mirror.pid_delta = flow.pid_delta & 0x7FFF
    mirror.tl0_delta = flow.tl0_delta & 0xFF
    mirror.payload_type = flow.payload_type
    mirror.vp8 = flow.vp8
    mirror.abs_send_time_id = flow.abs_send_time_id
    mirror.transport_cc_id = flow.transport_cc_id
    mirror.level_id = flow.level_id
    mirror.level_from_id = flow.level_from_id
    if flow.mid_id:
        mirror.mid_id = flow.mid_id
        mirror.mid_length = len(flow.mid)
        mirror.mid = flow.mid.ljust(MAX_ONE_BYTE_LENGTH, b"\0")
    if flow.sent_log is not None:
        mirror.log_next_number = ffi.cast("uint32_t *", flow.sent_log.next_number.buffer_info()[0])
        mirror.log_sent_at = ffi.cast("double *", flow.sent_log.sent_at.buffer_info()[0])
        mirror.log_octets = ffi.cast("uint32_t *", flow.sent_log.octets.buffer_info()[0])
    flow.sent = mirror
    return mirror
