"""A recording's folder, read: what the archive shows of it and finds it by. Blocking; run it in a thread."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from server.archive.folding import fold_line
from server.archive.views import (
    RecordedChapter,
    RecordedChatLine,
    RecordedEndpoint,
    RecordedGap,
    RecordedTrack,
    SpeakingSpan,
)
from server.errors import DiemcauError
from server.recording.events import Closed, Line, Paused, Resumed, SegmentClosed
from server.recording.film.timeline import Timeline, build
from server.recording.film_check import FILM_FILE, FILM_MANIFEST_FILE
from server.recording.inside import plain_files
from server.recording.log import LOG_FILE, LogDamaged, read_log

CAPTIONS_FILE = "captions.vi.vtt"
WORK = "film/"


class RecordingUnreadable(DiemcauError):
    """A folder that is gone, or holds no recording. Nobody who asks meets this: it is told as damage."""

    status = 404

    def __init__(self, why: str) -> None:
        super().__init__("recording_unreadable", why)


class Outline(msgspec.Struct, frozen=True):
    """What a recording's page shows, kept in the database so that it is read from the log only once."""

    endpoints: tuple[RecordedEndpoint, ...] = ()
    chapters: tuple[RecordedChapter, ...] = ()
    speaking: tuple[SpeakingSpan, ...] = ()
    gaps: tuple[RecordedGap, ...] = ()
    chat: tuple[RecordedChatLine, ...] = ()
    tracks: tuple[RecordedTrack, ...] = ()


class SearchLine(msgspec.Struct, frozen=True):
    kind: str
    at_s: float
    text: str

    @property
    def folded(self) -> str:
        return fold_line(self.text)


@dataclass(frozen=True, slots=True)
class Reading:
    """``closed`` None: the log has no closing line. ``damage``: what is wrong in files and log, empty if nothing; of a
    log that is still written its last line may be torn."""

    recording_id: str
    meeting_id: str
    title: str
    host_agency: str
    chair: str
    started_at: float
    length_s: float
    closed: Closed | None
    paused: bool
    octets: int
    log_octets: int
    has_film: bool
    damage: str
    outline: Outline
    lines: tuple[SearchLine, ...]


def read_recording(folder: Path) -> Reading:
    """Raises RecordingUnreadable where there is not even a first line."""
    damage = ""
    try:
        log_octets = log_size(folder)
        try:
            lines = read_log(folder)
        except LogDamaged as damaged:
            damage = damaged.detail
            lines = read_log(folder, tolerant=True)
        if not lines:
            raise RecordingUnreadable(f"{folder} has no readable {LOG_FILE}")
        sizes = _sizes(folder)
        if isinstance(lines[-1].event, Closed):
            damage = damage or _find_missing(lines, sizes)
    except OSError as error:
        raise RecordingUnreadable(f"{folder}: {error.strerror}") from error
    timeline = build(lines)
    outline = _outline(timeline, lines)
    opened = timeline.opened
    last = lines[-1].event
    return Reading(
        recording_id=opened.recording_id,
        meeting_id=opened.meeting_id,
        title=opened.title,
        host_agency=opened.host_agency,
        chair=opened.chair,
        started_at=timeline.opened_at,
        length_s=timeline.length_s,
        closed=last if isinstance(last, Closed) else None,
        paused=_is_paused(lines),
        octets=sum(sizes.values()),
        log_octets=log_octets,
        has_film=FILM_FILE in sizes and FILM_MANIFEST_FILE in sizes,
        damage=damage,
        outline=outline,
        lines=_search_lines(timeline, outline),
    )


def log_size(folder: Path) -> int:
    """Octets of the log; -1 where there is none."""
    try:
        return (folder / LOG_FILE).stat().st_size
    except OSError:
        return -1


def _sizes(folder: Path) -> dict[str, int]:
    """Octets of every plain file, by its name; the renderer's work in progress left out. Raises OSError."""
    return {name: status.st_size for name, status in plain_files(folder) if status and not name.startswith(WORK)}


def _find_missing(lines: list[Line], sizes: dict[str, int]) -> str:
    """Of a closed recording the first file that is missing or of another length. Hashes are ``verify``'s."""
    for line in lines:
        if isinstance(line.event, SegmentClosed) and sizes.get(line.event.file) != line.event.octets:
            octets = sizes.get(line.event.file)
            is_there = "is missing" if octets is None else f"has {octets} octets instead of {line.event.octets}"
            return f"{line.event.file} {is_there}"
    return ""


def _is_paused(lines: list[Line]) -> bool:
    last = next((line.event for line in reversed(lines) if isinstance(line.event, Paused | Resumed)), None)
    return isinstance(last, Paused)


def _outline(timeline: Timeline, lines: list[Line]) -> Outline:
    starts_at = timeline.opened_at
    return Outline(
        endpoints=tuple(RecordedEndpoint(one.seat_id, one.name, one.unit_path, one.role) for one in timeline.endpoints),
        chapters=tuple(
            RecordedChapter(one.starts_s, one.ends_s, one.seat_id, one.name, one.subject, one.by_right)
            for one in timeline.chapters
        ),
        speaking=tuple(SpeakingSpan(one.seat_id, one.starts_s, one.ends_s) for one in timeline.speaking),
        gaps=tuple(
            RecordedGap(
                one.starts_s,
                one.ends_s,
                one.reason,
                one.seat_id,
                "" if one.seat_id is None else timeline.name_of(one.seat_id),
            )
            for one in timeline.gaps
        ),
        chat=tuple(RecordedChatLine(max(0.0, one.at_s), one.name, one.text) for one in timeline.chat),
        tracks=tuple(
            RecordedTrack(
                file=event.file,
                seat_id=event.seat_id,
                name=timeline.name_of(event.seat_id),
                track=event.track,
                codec=event.codec,
                starts_s=event.starts_at - starts_at,
                ends_s=event.ends_at - starts_at,
                octets=event.octets,
                sha256=event.sha256,
            )
            for event in (line.event for line in lines)
            if isinstance(event, SegmentClosed)
        ),
    )


def _search_lines(timeline: Timeline, outline: Outline) -> tuple[SearchLine, ...]:
    """A chapter is one line with its endpoint and its subject, so that words of both lead to its second."""
    opened = timeline.opened
    people = dict.fromkeys(name for name in (opened.chair, opened.started_by) if name)
    lines = [SearchLine("title", 0.0, opened.title), SearchLine("agency", 0.0, opened.host_agency)]
    lines += [SearchLine("person", 0.0, name) for name in people]
    spoke = {chapter.seat_id for chapter in outline.chapters}
    lines += [SearchLine("endpoint", 0.0, one.name) for one in outline.endpoints if one.seat_id not in spoke]
    for chapter in outline.chapters:
        if chapter.subject:
            lines.append(SearchLine("subject", chapter.starts_s, f"{chapter.name} – {chapter.subject}"))
    named = set[str]()
    for chapter in outline.chapters:
        if chapter.seat_id not in named:
            lines.append(SearchLine("endpoint", chapter.starts_s, chapter.name))
            named.add(chapter.seat_id)
    lines += [SearchLine("chat", line.at_s, f"{line.name}: {line.text}") for line in outline.chat]
    return tuple(line for line in lines if line.text)
