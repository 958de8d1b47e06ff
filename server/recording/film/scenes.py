"""Who is seen when: the log's answer, before any picture is decoded. Pure.

The latest granted branch that holds the floor and has a picture; else another branch that does; else the main endpoint;
else the chair's desk. Who ought to be seen and cannot be, because its link or the recording broke, gets a slate.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum
from itertools import pairwise
from typing import Final

import msgspec

from server.recording.film.spans import Gap, Interval
from server.recording.film.timeline import Timeline

COMES_WITHIN_S: Final = 3.0
"""A picture that comes this soon is waited for behind the name card; else another one is shown."""
SHORTEST_SLATE_S: Final = 1.0
"""A shorter gap is bridged by the last picture."""
_BRIDGED_S: Final = {"camera": 2.0, "screen": 5.0}
"""Between two segments of a track the last picture stays this long (a screen that does not change sends little)."""


class SceneKind(StrEnum):
    """PICTURE: a camera's or screen's. CARD: a name only. LOST, GAP: a slate, unless there are fresh pictures yet."""

    PICTURE = "picture"
    CARD = "card"
    LOST = "lost"
    GAP = "gap"


class Scene(msgspec.Struct, frozen=True):
    """``seat_id`` None: of nobody (the recording itself has a gap). ``screen``: the seat whose screen is shown too.
    ``why_from_s``, ``why_until_s``: of the gap or loss as a whole; until None: not known to end."""

    starts_s: float
    ends_s: float
    kind: SceneKind
    seat_id: str | None
    screen: str | None = None
    reason: str = ""
    why_from_s: float = 0.0
    why_until_s: float | None = None


class _Track:
    """When one seat has a camera's (or a screen's) pictures."""

    def __init__(self, intervals: Iterable[tuple[float, float]], bridged_s: float) -> None:
        self.intervals: list[tuple[float, float]] = []
        for starts_s, ends_s in sorted(intervals):
            if self.intervals and starts_s - self.intervals[-1][1] <= bridged_s:
                self.intervals[-1] = (self.intervals[-1][0], max(ends_s, self.intervals[-1][1]))
            else:
                self.intervals.append((starts_s, ends_s))
        self._starts = [starts_s for starts_s, _ in self.intervals]

    def has(self, at_s: float) -> bool:
        place = bisect_right(self._starts, at_s) - 1
        return place >= 0 and at_s < self.intervals[place][1]

    def comes_soon(self, at_s: float) -> bool:
        place = bisect_right(self._starts, at_s)
        return place < len(self._starts) and self._starts[place] - at_s <= COMES_WITHIN_S


def scenes(timeline: Timeline) -> tuple[Scene, ...]:
    """Scenes without hole or overlap over the whole length; neighbours differ. Empty for a film of no length."""
    stage = _Stage(timeline)
    found: list[Scene] = []
    bounds = stage.bounds()
    for starts_s, ends_s in pairwise(bounds):
        scene = stage.scene(starts_s, ends_s)
        if found and msgspec.structs.replace(found[-1], starts_s=starts_s, ends_s=ends_s) == scene:
            found[-1] = msgspec.structs.replace(found[-1], ends_s=ends_s)
        else:
            found.append(scene)
    return tuple(found)


class _Stage:
    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._home = timeline.home.seat_id if timeline.home else None
        self._desks = [
            entry.seat_id for role in ("main", "chair") for entry in timeline.endpoints if entry.role == role
        ]
        self._tracks = {"camera": self._pictures("camera"), "screen": self._pictures("screen")}
        self._gaps = [gap for gap in timeline.gaps if _blinds(gap)]
        self._lost = [each for each in timeline.lost if each.ends_s - each.starts_s >= SHORTEST_SLATE_S]

    def bounds(self) -> list[float]:
        """All times at which the answer may change."""
        timeline, length_s = self._timeline, self._timeline.length_s
        times = {0.0, length_s}
        times |= {at_s for span in timeline.speaking for at_s in (span.starts_s, span.ends_s)}
        times |= {at_s for gap in self._gaps for at_s in (gap.starts_s, gap.ends_s)}
        times |= {at_s for each in (*timeline.screens, *self._lost) for at_s in (each.starts_s, each.ends_s)}
        for track in (*self._tracks["camera"].values(), *self._tracks["screen"].values()):
            for starts_s, ends_s in track.intervals:
                times |= {starts_s - COMES_WITHIN_S, starts_s, ends_s}
        return sorted(at_s for at_s in times if 0 <= at_s <= length_s)

    def scene(self, starts_s: float, ends_s: float) -> Scene:
        """Who is seen from ``starts_s`` to ``ends_s``, two neighbours of ``bounds``."""
        at_s = (starts_s + ends_s) / 2
        holders = self._holders(at_s)
        focus = holders[0] if holders else self._home
        gap = self._gap(at_s, None)
        if gap is not None:
            return Scene(starts_s, ends_s, SceneKind.GAP, None, None, gap.reason, gap.starts_s, gap.ends_s)
        if focus is None:
            return Scene(starts_s, ends_s, SceneKind.CARD, None)
        screen = self._screen(at_s, [*holders, *self._desks])
        gap, lost = self._gap(at_s, focus), self._loss(at_s, focus)
        if lost is not None and (holders or not self._other_desk(at_s, focus)):
            until_s = lost.ends_s if lost.ends_s < self._timeline.length_s else None
            return Scene(starts_s, ends_s, SceneKind.LOST, focus, screen, "", lost.starts_s, until_s)
        if gap is not None:
            return Scene(starts_s, ends_s, SceneKind.GAP, focus, screen, gap.reason, gap.starts_s, gap.ends_s)
        seen = self._seen(at_s, focus, [*holders, *self._desks])
        return Scene(starts_s, ends_s, SceneKind.CARD if seen is None else SceneKind.PICTURE, seen or focus, screen)

    def _other_desk(self, at_s: float, seat_id: str) -> bool:
        """The main endpoint is gone: is the chair's desk there to be seen?"""
        cameras = self._tracks["camera"]
        return any(desk in cameras and cameras[desk].has(at_s) for desk in self._desks if desk != seat_id)

    def _seen(self, at_s: float, focus: str, candidates: list[str]) -> str | None:
        cameras = self._tracks["camera"]
        if focus not in cameras or not cameras[focus].has(at_s):
            if focus in cameras and cameras[focus].comes_soon(at_s):
                return None
            if self._shows_screen(at_s, focus):
                return None
        return next((seat_id for seat_id in candidates if seat_id in cameras and cameras[seat_id].has(at_s)), None)

    def _holders(self, at_s: float) -> list[str]:
        """Branches that hold the floor, the latest granted first."""
        spans = [span for span in self._timeline.speaking if not span.by_right and span.starts_s <= at_s < span.ends_s]
        return [span.seat_id for span in sorted(spans, key=lambda span: -span.starts_s)]

    def _screen(self, at_s: float, candidates: list[str]) -> str | None:
        return next((seat_id for seat_id in candidates if self._shows_screen(at_s, seat_id)), None)

    def _shows_screen(self, at_s: float, seat_id: str) -> bool:
        """Its screen has pictures, and it has not said that it ceased to show it."""
        track = self._tracks["screen"].get(seat_id)
        if track is None or not track.has(at_s):
            return False
        said = [each for each in self._timeline.screens if each.seat_id == seat_id]
        return not said or any(each.starts_s <= at_s < each.ends_s for each in said)

    def _gap(self, at_s: float, seat_id: str | None) -> Gap | None:
        return next((gap for gap in self._gaps if gap.seat_id == seat_id and gap.starts_s <= at_s < gap.ends_s), None)

    def _loss(self, at_s: float, seat_id: str) -> Interval | None:
        return next(
            (each for each in self._lost if each.seat_id == seat_id and each.starts_s <= at_s < each.ends_s), None
        )

    def _pictures(self, track: str) -> dict[str, _Track]:
        intervals: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for source in self._timeline.sources:
            if source.track == track:
                intervals[source.seat_id].append((source.starts_s, source.ends_s))
        return {seat_id: _Track(found, _BRIDGED_S[track]) for seat_id, found in intervals.items()}


def _blinds(gap: Gap) -> bool:
    """Is the picture gone, and for long enough to say so?"""
    return gap.track in ("", "camera") and gap.ends_s - gap.starts_s >= SHORTEST_SLATE_S
