"""When was it captured, by the server's clock: from the slot's sender reports, before the first from arrivals. Pure."""

import struct
from collections import deque

import msgspec

from server.rtp.sequence import difference32

_NTP_EPOCH_OFFSET_S = 2_208_988_800
_SENDER_REPORT = 200
_MAX_DISAGREEMENT_S = 10.0
"""A report that says something this far from the arrivals is not believed."""
_WINDOW_S = 1.0
_WINDOWS = 10


class SenderReport(msgspec.Struct, frozen=True):
    """RFC 3550 6.4.1. ``at`` is its NTP time in Unix seconds."""

    ssrc: int
    at: float
    timestamp: int


def sender_reports(compound: bytes) -> list[SenderReport]:
    """The sender reports of an RTCP compound; what is malformed ends the list."""
    found = []
    offset = 0
    while offset + 8 <= len(compound):
        kind, words, ssrc = struct.unpack_from("!xBHL", compound, offset)
        end = offset + 4 * (words + 1)
        if compound[offset] & 0xC0 != 0x80 or end > len(compound):
            break
        if kind == _SENDER_REPORT and end - offset >= 28:
            seconds, fraction, timestamp = struct.unpack_from("!LLL", compound, offset + 8)
            found.append(SenderReport(ssrc, seconds - _NTP_EPOCH_OFFSET_S + fraction / (1 << 32), timestamp))
        offset = end
    return found


class CaptureClock:
    """Maps one stream's RTP time to the server's. Arrivals give the earliest, of the last ten seconds' packets."""

    def __init__(self, clock_rate: int) -> None:
        self._rate = clock_rate
        self._report: SenderReport | None = None
        self._anchor: int | None = None
        self._windows: deque[tuple[float, float]] = deque(maxlen=_WINDOWS)

    @property
    def has_report(self) -> bool:
        return self._report is not None

    def on_packet(self, timestamp: int, at: float) -> None:
        """A packet came ``at``; it may have been on its way for any time, so the quickest counts."""
        if self._anchor is None:
            self._anchor = timestamp
        offset = at - difference32(timestamp, self._anchor) / self._rate
        if self._windows and at - self._windows[-1][0] < _WINDOW_S:
            began, lowest = self._windows[-1]
            self._windows[-1] = (began, min(lowest, offset))
        else:
            self._windows.append((at, offset))
        if abs(difference32(timestamp, self._anchor)) > 1 << 29:
            self._move_anchor(timestamp)

    def on_report(self, report: SenderReport) -> None:
        """The newest report counts, where it agrees with the arrivals by and large."""
        by_arrival = self._by_arrival(report.timestamp)
        if by_arrival is None or abs(report.at - by_arrival) <= _MAX_DISAGREEMENT_S:
            self._report = report

    def restart(self) -> None:
        """The RTP time jumped: what was learned holds no longer."""
        self._report = self._anchor = None
        self._windows.clear()

    def captured_at(self, timestamp: int) -> float | None:
        """None before the first packet."""
        if self._report is not None:
            return self._report.at + difference32(timestamp, self._report.timestamp) / self._rate
        return self._by_arrival(timestamp)

    def _by_arrival(self, timestamp: int) -> float | None:
        if self._anchor is None or not self._windows:
            return None
        return min(offset for _, offset in self._windows) + difference32(timestamp, self._anchor) / self._rate

    def _move_anchor(self, timestamp: int) -> None:
        assert self._anchor is not None
        moved_s = difference32(timestamp, self._anchor) / self._rate
        self._windows = deque(((began, offset + moved_s) for began, offset in self._windows), maxlen=_WINDOWS)
        self._anchor = timestamp
