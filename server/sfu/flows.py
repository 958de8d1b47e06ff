"""The flow table: who gets a copy of which incoming stream, rewritten how. Data only, no I/O (idea 5).

The router writes a flow when something changes (gate, slot assignment, layer switch); the fan-out reads it for
every packet. All fields are plain integers so that a C fan-out can mirror them.
"""

from dataclasses import dataclass, field
from typing import Protocol

from server.sfu.sent_log import SentLog


class Sent(Protocol):
    """What went out through one flow. Counted by the fan-out, which may keep it where it counts fastest."""

    packets: int
    octets: int
    """Payload octets, as sender reports want them (RFC 3550 6.4.1)."""


@dataclass(slots=True, eq=False)
class SentCount:
    """The plain ``Sent``."""

    packets: int = 0
    octets: int = 0


@dataclass(slots=True, eq=False)
class Flow:
    """One outgoing copy of one incoming stream. Offsets are added modulo the field's width.

    A Flow is never changed after it was added, apart from what it counts: a switch makes a new one. So packets may be
    kept for a batched fan-out together with the flows they were returned with. A C fan-out puts its mirror of the flow
    in the place of ``sent``, at the first packet, with the counts there were; both are freed together.

    ``pid_delta``/``tl0_delta`` rewrite the VP8 payload descriptor (RFC 7741) where ``vp8`` is set and the fields
    are present. ``mid`` is written as a one-byte-form header extension with id ``mid_id`` where that is not 0;
    ``level_id`` carries the incoming audio level (its id there is ``level_from_id``) over where both sides negotiated
    it (0: not). Ids are 1..14 and ``mid`` has 1..16 octets, as the one-byte form needs.
    A negative ``destination`` is a tap: a Sink inside this process (recorder, mixer), which the fan-out never sees.
    No other header extension is forwarded, except abs-send-time with id ``abs_send_time_id`` (0: not), which
    the fan-out stamps with the time of sending, and the transport-wide number with id ``transport_cc_id`` (0: not), for
    which every packet takes its number of ``sent_log`` (one for all flows of a destination, set where the id is).
    """

    destination: int
    ssrc: int
    payload_type: int
    seq_delta: int = 0
    timestamp_delta: int = 0
    vp8: bool = False
    pid_delta: int = 0
    tl0_delta: int = 0
    mid_id: int = 0
    mid: bytes = b""
    level_id: int = 0
    abs_send_time_id: int = 0
    level_from_id: int = 0
    transport_cc_id: int = 0
    sent_log: SentLog | None = field(default=None, repr=False)
    sent: Sent = field(default_factory=SentCount, repr=False)


@dataclass(slots=True)
class FlowTable:
    """Flows by incoming stream key, those that leave this process apart from ``taps``, which stay.

    ``version`` grows with every change so that a mirror can follow.
    """

    by_stream: dict[int, tuple[Flow, ...]] = field(default_factory=dict)
    taps: dict[int, tuple[Flow, ...]] = field(default_factory=dict)
    version: int = 0

    def flows(self, stream: int) -> tuple[Flow, ...]:
        """The flows fed by ``stream`` that leave this process; empty where nobody takes it."""
        return self.by_stream.get(stream, ())

    def add(self, stream: int, flow: Flow) -> None:
        table = self._table(flow)
        table[stream] = (*table.get(stream, ()), flow)
        self.version += 1

    def remove(self, stream: int, flow: Flow) -> None:
        table = self._table(flow)
        left = tuple(other for other in table.get(stream, ()) if other is not flow)
        if left:
            table[stream] = left
        else:
            table.pop(stream, None)
        self.version += 1

    def _table(self, flow: Flow) -> dict[int, tuple[Flow, ...]]:
        return self.taps if flow.destination < 0 else self.by_stream
