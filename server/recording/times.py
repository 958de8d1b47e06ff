"""Which times in a log cannot be: pure, line after line.

Lines come nearly in order: an event waits a little on its way to the writer. After a restart (``resumed``,
``repaired``) the server's clock may have been set, so what came before is no measure for what comes after.
"""

from typing import Final

from server.recording.events import Gap, Line, Repaired, Resumed, SegmentClosed

_SLACK_S: Final = 300.0
"""How far a line's ``at`` may lie before the latest one: frames wait up to 80 s for a writer that is replaced."""

_OVERLAP_S: Final = 1.0
"""Two segments of a track: sender reports correct a clock that drifts."""

_LONGEST_SEGMENT_S: Final = 120.0
"""Twice what a writer makes, for cameras that are late with their key frames."""

_NEVER: Final = 1e11
"""The year 5138."""


class Times:
    """Remembers what a line's times are measured by. Memory: one number a track."""

    def __init__(self) -> None:
        self.started_at: float | None = None
        self._latest = 0.0
        self._ends: dict[tuple[str, str], float] = {}

    @property
    def seconds(self) -> float:
        """From the first line to the latest so far."""
        return 0.0 if self.started_at is None else max(0.0, self._latest - self.started_at)

    def impossible(self, line: Line) -> list[str]:
        """What is wrong with the times of the next line, in words."""
        if not 0 <= line.at < _NEVER:
            return [f"is dated {line.at:g}, which is no time"]
        if self.started_at is None:
            self.started_at = self._latest = line.at
        if isinstance(line.event, Resumed | Repaired):
            self._latest = line.at
            self._ends.clear()
        wrong = []
        if line.at < self._latest - _SLACK_S:
            wrong.append(f"is {self._latest - line.at:.1f} s older than a line before it")
        match line.event:
            case SegmentClosed() as segment:
                wrong += self._wrong_in_segment(segment, line.at)
            case Gap(starts_at=starts_at, ends_at=ends_at) if ends_at < starts_at:
                wrong.append("the gap ends before it starts")
        self._latest = max(self._latest, line.at)
        return wrong

    def _wrong_in_segment(self, segment: SegmentClosed, at: float) -> list[str]:
        wrong = []
        length_s = segment.ends_at - segment.starts_at
        if not 0 <= length_s <= _LONGEST_SEGMENT_S:
            wrong.append(f"{segment.file} lasts {length_s:.1f} s")
        if segment.ends_at > max(at, self._latest) + _SLACK_S:
            wrong.append(f"{segment.file} ends after it was finished")
        track = segment.seat_id, segment.track
        ended_at = self._ends.get(track)
        if ended_at is not None and segment.starts_at < ended_at - _OVERLAP_S:
            wrong.append(f"{segment.file} starts {ended_at - segment.starts_at:.1f} s before the one before it ends")
        self._ends[track] = max(segment.ends_at, ended_at or segment.ends_at)
        return wrong
