"""Segments and gaps placed on the film's time line. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from server.recording import events
from server.recording.events import Line

_STOPS: Final = ("server_stopped", "writer_stopped")


class Interval(msgspec.Struct, frozen=True):
    seat_id: str
    starts_s: float
    ends_s: float


class Source(msgspec.Struct, frozen=True):
    """One segment. Its file's timestamp 0 lies at ``zero_s``; it is seen or heard from ``starts_s`` to ``ends_s`` only,
    which is less than all of it where another one has the same time (after a crash)."""

    file: str
    seat_id: str
    track: str
    codec: str
    zero_s: float
    starts_s: float
    ends_s: float
    octets: int
    sha256: str


class Gap(msgspec.Struct, frozen=True):
    """What should be there and is not. ``seat_id`` None: of everybody. ``track`` "": all of them. ``reason``: as in
    ``events.Gap``, or of the film's own finding (``file`` says where): file_missing, file_damaged."""

    starts_s: float
    ends_s: float
    reason: str
    seat_id: str | None = None
    track: str = ""
    file: str = ""


def place_sources(
    lines: Sequence[Line], opened_at: float, length_s: float, without: Collection[str] = ()
) -> tuple[Source, ...]:
    """All segments but those ``without``. Of one seat's track, the earlier begun has a time that two of them have."""
    placed: list[Source] = []
    for line in lines:
        event = line.event
        if isinstance(event, events.SegmentClosed) and event.file not in without:
            starts_s, ends_s = event.starts_at - opened_at, event.ends_at - opened_at
            placed.append(
                Source(
                    event.file,
                    event.seat_id,
                    event.track,
                    event.codec,
                    starts_s,
                    max(0.0, starts_s),
                    min(ends_s, length_s),
                    event.octets,
                    event.sha256,
                )
            )
    placed.sort(key=lambda source: (source.seat_id, source.track, source.starts_s, source.ends_s, source.file))
    kept: list[Source] = []
    for source in placed:
        before = kept[-1] if kept and (kept[-1].seat_id, kept[-1].track) == (source.seat_id, source.track) else None
        starts_s = max(source.starts_s, before.ends_s) if before is not None else source.starts_s
        if source.ends_s > starts_s:
            kept.append(msgspec.structs.replace(source, starts_s=starts_s))
    return tuple(kept)


def gaps_of_unusable(
    lines: Sequence[Line], opened_at: float, sources: Sequence[Source], unusable: Mapping[str, str]
) -> list[Gap]:
    """What segments that cannot be used leave empty, less what other ``sources`` of the same track have."""
    gaps: list[Gap] = []
    for line in lines:
        event = line.event
        if isinstance(event, events.SegmentClosed) and event.file in unusable:
            starts_s, ends_s = event.starts_at - opened_at, event.ends_at - opened_at
            for source in sources:
                if (source.seat_id, source.track) == (event.seat_id, event.track) and source.ends_s > starts_s:
                    if min(source.starts_s, ends_s) > starts_s:
                        stops_s = min(source.starts_s, ends_s)
                        reason = unusable[event.file]
                        gaps.append(Gap(starts_s, stops_s, reason, event.seat_id, event.track, event.file))
                    starts_s = source.ends_s
            if ends_s > starts_s:
                gaps.append(Gap(starts_s, ends_s, unusable[event.file], event.seat_id, event.track, event.file))
    return gaps


def find_gaps(
    lines: Sequence[Line], opened_at: float, length_s: float, unusable: Iterable[Gap] = ()
) -> tuple[Gap, ...]:
    """Logged gaps, pauses, and stops of server or writer that nobody logged a gap for."""
    found: list[Gap] = []
    stops: list[Gap] = []
    pause: tuple[float, str] | None = None
    for index, line in enumerate(lines):
        event, at_s = line.event, line.at - opened_at
        if isinstance(event, events.Gap):
            gap = Gap(event.starts_at - opened_at, event.ends_at - opened_at, event.reason, event.seat_id, event.track)
            found.append(gap)
        elif isinstance(event, events.Paused):
            pause = pause or (at_s, event.reason)
        elif isinstance(event, events.Resumed):
            if pause is not None:
                stops.append(Gap(pause[0], at_s, pause[1]))
                pause = None
            elif event.after in _STOPS:
                stops.append(Gap(_last_before(lines, index) - opened_at, at_s, event.after))
    if pause is not None:
        stops.append(Gap(pause[0], length_s, pause[1]))
    found += [stop for stop in stops if not any(_overlap(stop, gap) for gap in found if gap.seat_id is None)]
    found += unusable
    clipped = (
        msgspec.structs.replace(gap, starts_s=max(0.0, gap.starts_s), ends_s=min(gap.ends_s, length_s)) for gap in found
    )
    return tuple(
        sorted(
            {gap for gap in clipped if gap.ends_s > gap.starts_s},
            key=lambda gap: (gap.starts_s, gap.ends_s, gap.seat_id or "", gap.track, gap.reason, gap.file),
        )
    )


def _last_before(lines: Sequence[Line], index: int) -> float:
    """When the log last spoke before it stopped. What is logged on opening it again speaks of later, or of files."""
    silent = (events.Repaired, events.Gap, events.Resumed)
    spoken = [line for line in lines[:index] if not isinstance(line.event, silent)]
    last = max((line.event.ends_at for line in spoken if isinstance(line.event, events.SegmentClosed)), default=0.0)
    others = [line.at for line in spoken if not _is_recovered(line)]
    return max([last, *others])


def _is_recovered(line: Line) -> bool:
    return isinstance(line.event, events.SegmentClosed) and line.event.recovered


def _overlap(one: Gap, other: Gap) -> bool:
    return one.starts_s < other.ends_s and other.starts_s < one.ends_s
