"""What happened when, read from the log's lines: chapters, who held the floor, what there is to see and hear, gaps.

Pure. Times are seconds of film time (0 is the ``opened`` line), within 0..``length_s``. A log without its closing
line ends at its last line; a resumed, paused or repaired one is read like any other.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from server.errors import InvalidInput
from server.recording import events
from server.recording.events import EndpointEntry, Line, Opened
from server.recording.film.spans import Gap, Interval, Source, find_gaps, gaps_of_unusable, place_sources

SHORTEST_CHAPTER_S: Final = 0.04
"""One picture: of grants in the same instant only the last makes a chapter."""
SETTLES_WITHIN_S: Final = 75.0
"""A segment is logged once it is closed, and none lasts longer than 60 s: older than this, nothing more is coming."""


class Chapter(msgspec.Struct, frozen=True):
    """One speaker's part: a grant to a branch, or what lies between, which is the main endpoint's (or the chair's)."""

    starts_s: float
    ends_s: float
    seat_id: str
    name: str
    subject: str
    by_right: bool

    @property
    def title(self) -> str:
        """As a player's list shows it."""
        return f"{self.name} – {self.subject}" if self.subject else self.name


class Span(msgspec.Struct, frozen=True):
    """From a grant to its end."""

    seat_id: str
    starts_s: float
    ends_s: float
    by_right: bool = False
    subject: str = ""


class ChatEntry(msgspec.Struct, frozen=True):
    at_s: float
    name: str
    text: str
    seat_id: str | None


class Timeline(msgspec.Struct, frozen=True):
    """``sources``: all segments, by seat, track and time, without doubles. ``lost``: when a seat's connection was gone.

    ``screens``: when a seat said that it shows its screen. ``is_closed`` False: the log has no closing line yet."""

    opened: Opened
    opened_at: float
    length_s: float
    is_closed: bool
    endpoints: tuple[EndpointEntry, ...]
    chapters: tuple[Chapter, ...]
    speaking: tuple[Span, ...]
    sources: tuple[Source, ...]
    gaps: tuple[Gap, ...]
    lost: tuple[Interval, ...]
    screens: tuple[Interval, ...]
    chat: tuple[ChatEntry, ...]

    @property
    def settled_s(self) -> float:
        """Before this nothing changes any more, however the log goes on."""
        return self.length_s if self.is_closed else max(0.0, self.length_s - SETTLES_WITHIN_S)

    @property
    def home(self) -> EndpointEntry | None:
        """Whose part the time between grants is: the main endpoint, else the chair's desk."""
        return _home(self.endpoints)

    def name_of(self, seat_id: str) -> str:
        return next((entry.name for entry in self.endpoints if entry.seat_id == seat_id), seat_id)


def build(lines: Sequence[Line], unusable: Mapping[str, str] = MappingProxyType({})) -> Timeline:
    """The timeline of a log. ``unusable``: segments' files that are missing or damaged, and the reason to give for the
    gap they leave where no other segment has it. Raises InvalidInput where the first line is not ``opened``."""
    if not lines or not isinstance(lines[0].event, Opened):
        raise InvalidInput("recording_without_beginning", "the log does not begin with what was opened")
    opened, opened_at = lines[0].event, lines[0].at
    length_s = max(0.0, lines[-1].at - opened_at)
    endpoints = {entry.seat_id: entry for entry in opened.endpoints}
    endpoints |= {
        line.event.endpoint.seat_id: line.event.endpoint
        for line in lines
        if isinstance(line.event, events.EndpointAdded)
    }
    home = _home(endpoints.values())
    sources = place_sources(lines, opened_at, length_s, without=unusable.keys())
    return Timeline(
        opened=opened,
        opened_at=opened_at,
        length_s=length_s,
        is_closed=isinstance(lines[-1].event, events.Closed),
        endpoints=tuple(endpoints.values()),
        chapters=_chapters(lines, opened_at, length_s, endpoints, home),
        speaking=_speaking(lines, opened_at, length_s),
        sources=sources,
        gaps=find_gaps(lines, opened_at, length_s, gaps_of_unusable(lines, opened_at, sources, unusable)),
        lost=_lost(lines, opened_at, length_s),
        screens=_screens(lines, opened_at, length_s),
        chat=tuple(
            ChatEntry(line.at - opened_at, line.event.name, line.event.text, line.event.seat_id)
            for line in lines
            if isinstance(line.event, events.Chatted)
        ),
    )


def _home(endpoints: Iterable[EndpointEntry]) -> EndpointEntry | None:
    known = tuple(endpoints)
    return next((entry for role in ("main", "chair") for entry in known if entry.role == role), None)


def _chapters(
    lines: Sequence[Line],
    opened_at: float,
    length_s: float,
    endpoints: dict[str, EndpointEntry],
    home: EndpointEntry | None,
) -> tuple[Chapter, ...]:
    """A chapter is the latest granted branch's; when it has ended, that of the branch before if it holds the floor."""
    holding: dict[str, str] = {}
    between = (home.seat_id if home else "", "")
    topics = [(0.0, between)]
    for line in lines:
        event = line.event
        if isinstance(event, events.Granted) and not event.by_right:
            if holding.get(event.seat_id) != event.subject:
                holding.pop(event.seat_id, None)  # the latest is the last
                holding[event.seat_id] = event.subject
        elif isinstance(event, events.FloorEnded):
            holding.pop(event.seat_id, None)
        else:
            continue
        topic = next(reversed(holding.items()), between)
        at_s = min(max(0.0, line.at - opened_at), length_s)
        if at_s - topics[-1][0] < SHORTEST_CHAPTER_S:
            topics[-1] = (topics[-1][0], topic)
        elif topic != topics[-1][1]:
            topics.append((at_s, topic))
    chapters: list[Chapter] = []
    for index, (starts_s, (seat_id, subject)) in enumerate(topics):
        ends_s = topics[index + 1][0] if index + 1 < len(topics) else length_s
        known = endpoints.get(seat_id)
        name = known.name if known else seat_id
        if ends_s > starts_s or not index:
            chapters.append(Chapter(starts_s, ends_s, seat_id, name, subject, (seat_id, subject) == between))
    return tuple(chapters)


def _speaking(lines: Sequence[Line], opened_at: float, length_s: float) -> tuple[Span, ...]:
    spans: list[Span] = []
    since: dict[str, Span] = {}
    for line in lines:
        event, at_s = line.event, min(max(0.0, line.at - opened_at), length_s)
        if isinstance(event, events.Granted | events.FloorEnded):
            before = since.get(event.seat_id)
            if isinstance(event, events.Granted):
                if before is not None and (before.subject, before.by_right) == (event.subject, event.by_right):
                    continue  # said again after a restart
                since[event.seat_id] = Span(event.seat_id, at_s, length_s, event.by_right, event.subject)
            else:
                since.pop(event.seat_id, None)
            if before is not None and at_s > before.starts_s:
                spans.append(msgspec.structs.replace(before, ends_s=at_s))
    spans += [span for span in since.values() if span.ends_s > span.starts_s]
    return tuple(sorted(spans, key=lambda span: (span.starts_s, span.seat_id)))


def _lost(lines: Sequence[Line], opened_at: float, length_s: float) -> tuple[Interval, ...]:
    changes = [
        (line.at - opened_at, line.event.seat_id, line.event.presence != "present")
        for line in lines
        if isinstance(line.event, events.Presence)
    ]
    return _intervals(changes, length_s)


def _screens(lines: Sequence[Line], opened_at: float, length_s: float) -> tuple[Interval, ...]:
    changes = [
        (line.at - opened_at, line.event.seat_id, line.event.sharing)
        for line in lines
        if isinstance(line.event, events.Screen)
    ]
    return _intervals(changes, length_s)


def _intervals(changes: Iterable[tuple[float, str, bool]], length_s: float) -> tuple[Interval, ...]:
    """(time, seat, begins or ends) -> when it was so; what has no end lasts to the film's."""
    since: dict[str, float] = {}
    found: list[Interval] = []
    for at_s, seat_id, begins in changes:
        if begins:
            since.setdefault(seat_id, at_s)
        elif seat_id in since:
            found.append(Interval(seat_id, since.pop(seat_id), at_s))
    found += [Interval(seat_id, starts_s, length_s) for seat_id, starts_s in since.items()]
    return tuple(sorted((each for each in found if each.ends_s > each.starts_s), key=lambda each: each.starts_s))
