"""One track of a recording: packets in, segments out, and a line for every segment and every gap."""

from pathlib import Path
from typing import Final, Protocol

import msgspec

from server.recording.capture import CaptureClock, sender_reports
from server.recording.depacketize import CODECS, Depacketizer, Frame
from server.recording.events import Event, Gap, SegmentClosed
from server.recording.files import Files
from server.recording.matroska import Block, RtpPosition
from server.recording.orphans import TRACKS_FOLDER, TrackFile, track_name
from server.recording.payload_opus import duration_s
from server.recording.reorder import Arrival, Reorder
from server.recording.segments import Segment
from server.recording.settings import WriterLimits
from server.rtp.packet import RtpView, parse
from server.rtp.sequence import difference32
from server.sfu.ports import Codec

GAP_S: Final = 0.2
"""Shorter holes are counted as lost packets only."""
_JUMP_S: Final = 1.0
_CORRECTION_S: Final = 0.015
"""From one segment to the next: 250 ppm, more than any clock drifts."""
_LATE_FOR_S: Final = 3.0
"""So long must a stream come late before its clock is thought to have stopped, and not the network."""
_SILENCE_S: Final = 2.0
"""Discontinuous transmission sends something every 0.4 s (RFC 7587 3.1.3); no sound for longer was none."""
_WISH_EVERY_S: Final = 1.0
_WITHOUT_KEY: Final = 1.8
"""So many lengths a segment waits for a key frame: longer than that, the hole is smaller than the trouble."""
_PICTURE_S: Final = 1 / 30
_DEFAULT_SOUND_S: Final = 0.02


class TrackHome(Protocol):
    """What a track asks of its recording."""

    def new_path(self, track: str) -> Path:
        """Where its next segment goes."""

    def log(self, event: Event, at: float) -> None: ...

    def wish_keyframe(self, track: int) -> None: ...

    def claim(self, track: str, packet: RtpView) -> TrackFile | None:
        """The last file that an earlier writer of this server left of the stream that ``packet`` is of."""


class TrackDescription(msgspec.Struct, frozen=True):
    """As ``open_track`` gave it. ``number``: on the wire; ``label``: mic, camera or screen."""

    number: int
    seat_id: str
    label: str
    codecs: tuple[Codec, ...]


class TrackWriter:
    """Not a coroutine, not a thread: ``rtp`` and ``tick`` do everything. OSError passes through where the disk fails;
    ``interrupt`` then brings what is written into order. All times are the stream's (see ``Arrival``)."""

    def __init__(self, description: TrackDescription, files: Files, limits: WriterLimits, home: TrackHome) -> None:
        self.description = description
        self.is_sound = description.label == "mic"
        self.malformed = 0
        self.late = 0
        self._name = track_name(description.seat_id, description.label)
        self._codecs = {codec.payload_type: codec for codec in description.codecs if codec.name in CODECS}
        self._files = files
        self._limits = limits
        self._home = home
        self._ssrc: int | None = None
        self._rate = 48_000 if self.is_sound else 90_000
        self._reorder = Reorder(limits.reorder_s)
        self._clock = CaptureClock(self._rate)
        self._depacketizers: dict[int, Depacketizer] = {}
        self._payload_type = -1
        self._segment: Segment | None = None
        self._base = 0
        self._anchored = False
        self._before: tuple[float, int] | None = None
        self._packets = 0
        self._lost_before = 0
        self._unsynced_index: int | None = None
        self._covered_until: float | None = None
        self._missed_since: float | None = None
        self._gap_reason = "packets_lost"
        self._last_timestamp: int | None = None
        self._frame_s = _DEFAULT_SOUND_S if self.is_sound else _PICTURE_S
        self._late_since: float | None = None
        self._wished_at = -1e9

    @property
    def octets(self) -> int:
        """Of the segment being written."""
        return self._segment.octets if self._segment is not None else 0

    @property
    def lost(self) -> int:
        return self._reorder.lost

    def rtp(self, data: bytes, at: float, index: int) -> None:
        """One packet as it came."""
        packet = parse(data)
        if packet is None or packet.payload_type not in self._codecs:
            self.malformed += 1
            return
        if packet.ssrc != self._ssrc:
            self._change_source(packet)
        self._reorder.push(Arrival(packet, at, index))
        self._drain(at)

    def rtcp(self, data: bytes) -> None:
        """A compound; its sender report says what the RTP time means."""
        for report in sender_reports(data):
            if report.ssrc == self._ssrc:
                self._clock.on_report(report)
        if self._segment is not None and not self._anchored and self._clock.has_report:
            captured_at = self._clock.captured_at(self._base)
            assert captured_at is not None
            self._segment.starts_at, self._anchored = captured_at, True

    def tick(self, now: float) -> None:
        """Give up on packets that are overdue; close a segment that got nothing for its whole length."""
        self._drain(now)
        segment = self._segment
        if segment is not None and now - segment.starts_at >= self._limits.segment_s and self._is_idle(now):
            self._finish_segment()

    def flush(self) -> None:
        if self._segment is not None:
            self._segment.flush()

    def sync(self) -> None:
        if self._segment is not None and self._segment.has_unsynced:
            self._segment.sync()
        self._unsynced_index = None

    def oldest_index(self) -> int | None:
        """The lowest wire number whose packet is not on the disk, None where all are."""
        depacketizer = self._depacketizers.get(self._payload_type)
        pending = (
            self._reorder.oldest_index(),
            depacketizer.oldest_index() if depacketizer is not None else None,
            self._unsynced_index,
        )
        return min((index for index in pending if index is not None), default=None)

    def close(self) -> None:
        """No more packets: write what waits, finish the segment."""
        self._drain(float("inf"))
        self._finish_segment()

    def interrupt(self) -> None:
        """The disk failed: finish what can be finished, leave the rest, forget what waits."""
        try:
            self._finish_segment()
        except OSError:
            assert self._segment is not None
            self._segment.abandon()
        self._segment = self._unsynced_index = None
        self.skip()

    def skip(self) -> None:
        """What comes next does not follow what came before, and this is accounted for elsewhere."""
        self._reorder.forget()
        self._covered_until = self._missed_since = None
        self._wished_at = -1e9

    def _change_source(self, packet: RtpView) -> None:
        left = self._home.claim(self._name, packet) if self._ssrc is None else None
        if self._ssrc is not None:
            self._finish_segment()
            self._forget_time()
            self._last_timestamp = None
        lost, self._ssrc = self._reorder.lost, packet.ssrc
        self._depacketizers.clear()
        self._payload_type = -1
        next_sequence = None if left is None else self._go_on_with(left)
        self._reorder = Reorder(self._limits.reorder_s, next_sequence)
        self._reorder.lost = lost

    def _go_on_with(self, left: TrackFile) -> int:
        """Behind the last packet of an earlier writer, in its file where that is open; the next sequence number."""
        found = left.found
        assert found is not None
        assert found.position is not None
        position = found.position
        self._payload_type = position.payload_type
        self._depacketizers[position.payload_type] = Depacketizer(left.codec, found.private)
        self._last_timestamp = position.timestamp
        self._gap_reason = "writer_stopped"
        self._covered_until = found.starts_at + left.ends_ms / 1000
        if not found.finished:
            self._segment = Segment.reopen(self._files, left.path, found, left.codec, self._name)
            self._base = position.base_timestamp
            self._packets, self._lost_before = position.packets, -position.lost
        return position.sequence + 1 & 0xFFFF

    def _drain(self, now: float) -> None:
        for ordered in self._reorder.take(now):
            payload_type = ordered.arrival.packet.payload_type
            if payload_type != self._payload_type:
                self._payload_type = payload_type
                if payload_type not in self._depacketizers:
                    self._depacketizers[payload_type] = Depacketizer(self._codecs[payload_type].name)
            if ordered.restarted:
                self._forget_time()
                self._last_timestamp = None
            for frame in self._depacketizers[payload_type].push(ordered):
                self._on_frame(frame)

    def _on_frame(self, frame: Frame) -> None:
        if self._has_jumped(frame):
            self._finish_segment()
            self._forget_time()
        self._clock.on_packet(frame.timestamp, frame.at)
        if self._segment is not None and self._must_cut(self._segment, frame):
            self._finish_segment()
            if frame.restarted:
                self._before = None
        if frame.after_loss and self._missed_since is None:
            self._missed_since = self._covered_until
        self._measure(frame)
        if self._segment is None:
            if frame.format is None:
                if self._missed_since is None:
                    self._missed_since = self._clock.captured_at(frame.timestamp)
                self._wish(frame.at)
                return
            self._begin(frame)
        self._write(frame)

    def _has_jumped(self, frame: Frame) -> bool:
        """The RTP time says something else than the arrival: back by more than a second, or from the future, or late
        for so long that it is not the network."""
        expected = self._clock.captured_at(frame.timestamp)
        if expected is None or self._last_timestamp is None:
            return False
        back_s = difference32(self._last_timestamp, frame.timestamp) / self._rate
        if back_s > _JUMP_S or expected - frame.at > _JUMP_S:
            return True
        if frame.at - expected <= _JUMP_S:
            self._late_since = None
        elif self._late_since is None:
            self._late_since = frame.at
        elif frame.at - self._late_since > _LATE_FOR_S:
            self._late_since = None
            return True
        return False

    def _must_cut(self, segment: Segment, frame: Frame) -> bool:
        offset_s = difference32(frame.timestamp, self._base) / self._rate
        if frame.restarted or self._codecs[frame.payload_type].name != segment.stream.codec:
            return True
        if frame.format is not None and frame.format != segment.stream:
            return True
        reported_at = self._clock.captured_at(frame.timestamp) if self._clock.has_report else None
        if reported_at is not None and abs(segment.starts_at + offset_s - reported_at) > _JUMP_S:
            return True
        if self.is_sound:
            silent_s = offset_s - segment.last_ms / 1000
            return offset_s + duration_s(frame.data) > self._limits.segment_s or silent_s > _SILENCE_S
        if offset_s < self._limits.segment_s - self._limits.keyframe_ahead_s:
            return False
        if frame.format is None:
            self._wish(frame.at)
        return frame.format is not None or offset_s >= _WITHOUT_KEY * self._limits.segment_s

    def _measure(self, frame: Frame) -> None:
        """How long a frame lasts: sound says so, a picture as long as the one before."""
        if self.is_sound:
            self._frame_s = duration_s(frame.data)
        elif self._last_timestamp is not None:
            interval_s = difference32(frame.timestamp, self._last_timestamp) / self._rate
            if 0 < interval_s <= GAP_S and not frame.after_loss:
                self._frame_s = interval_s
        self._last_timestamp = frame.timestamp

    def _begin(self, frame: Frame) -> None:
        assert frame.format is not None
        starts_at = self._placed_at(frame.timestamp)
        path = self._home.new_path(self._name)
        self._segment = Segment.create(self._files, path, frame.format, starts_at, self._name)
        self._base = frame.timestamp
        self._anchored = self._clock.has_report
        self._packets, self._lost_before = 0, self._reorder.lost

    def _placed_at(self, timestamp: int) -> float:
        """When it was captured; behind a segment of the same stream as that one counted, and but little nearer to what
        the clock says now: sound and picture are cut at different times, and shall not part by it."""
        captured_at = self._clock.captured_at(timestamp)
        assert captured_at is not None
        if self._before is None:
            return captured_at
        starts_at, base = self._before
        goes_on_at = starts_at + difference32(timestamp, base) / self._rate
        error_s = captured_at - goes_on_at
        if abs(error_s) > _JUMP_S:
            return captured_at
        return goes_on_at + max(-_CORRECTION_S, min(error_s, _CORRECTION_S))

    def _write(self, frame: Frame) -> None:
        segment = self._segment
        assert segment is not None
        offset_s = difference32(frame.timestamp, self._base) / self._rate
        self._tell_gap(segment.starts_at + offset_s)
        if frame.after_loss and not self.is_sound:
            self._wish(frame.at)
        self._packets += frame.packets
        if self._unsynced_index is None:
            self._unsynced_index = frame.index
        time_ms = max(segment.last_ms, round(offset_s * 1000))
        segment.add(Block(time_ms, frame.format is not None, frame.data), self._position(frame))
        self._covered_until = segment.starts_at + offset_s + self._frame_s

    def _position(self, frame: Frame) -> RtpPosition:
        lost = self._reorder.lost - self._lost_before
        return RtpPosition(
            frame.ssrc, frame.payload_type, self._base, frame.sequence, frame.timestamp, self._packets, lost
        )

    def _tell_gap(self, starts_again_at: float) -> None:
        since, self._missed_since = self._missed_since, None
        reason, self._gap_reason = self._gap_reason, "packets_lost"
        if since is not None and self._covered_until is not None and starts_again_at - since >= GAP_S:
            seat_id, label = self.description.seat_id, self.description.label
            self._home.log(Gap(since, starts_again_at, reason, seat_id, label), starts_again_at)

    def _finish_segment(self) -> None:
        segment = self._segment
        if segment is None:
            return
        ends_ms = segment.last_ms + 1000 * self._frame_s
        digest, octets = segment.finish(ends_ms)
        self._segment, self._unsynced_index = None, None
        self._before = (segment.starts_at, self._base) if self._anchored else None
        ends_at = segment.starts_at + ends_ms / 1000
        closed = SegmentClosed(
            file=f"{TRACKS_FOLDER}/{segment.path.name}",
            sha256=digest,
            octets=octets,
            seat_id=self.description.seat_id,
            track=self.description.label,
            codec=segment.stream.codec,
            starts_at=segment.starts_at,
            ends_at=ends_at,
            packets=self._packets,
            lost=self._reorder.lost - self._lost_before,
        )
        self._home.log(closed, ends_at)

    def _forget_time(self) -> None:
        """The stream's time begins anew."""
        self._clock.restart()
        self._before = None

    def _is_idle(self, now: float) -> bool:
        return self._covered_until is None or now - self._covered_until > _SILENCE_S

    def _wish(self, at: float) -> None:
        if at - self._wished_at >= _WISH_EVERY_S:
            self._wished_at = at
            self._home.wish_keyframe(self.description.number)
