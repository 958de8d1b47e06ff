"""What the archive says of recordings (pure). These travel as REST bodies as they are.

Times ``*_at`` and ``keep_until`` are Unix seconds; ``*_s`` are seconds of film time, which counts from the recording's
start.
"""

import msgspec


class Hit(msgspec.Struct, frozen=True):
    """A line in which searched words were found. ``kind``: title, agency, person, endpoint, subject or chat.
    ``marks``: where the words are in ``text``, as character ranges [from, to) (Unicode code points)."""

    at_s: float
    kind: str
    text: str
    marks: tuple[tuple[int, int], ...]


class FilmStatus(msgspec.Struct, frozen=True):
    """``state``: none, waiting, rendering, ready or failed. ``progress``: 0 to 1. ``detail``: why it failed."""

    state: str
    progress: float
    detail: str


class Retention(msgspec.Struct, frozen=True):
    """How long it is kept. ``keep_until`` null: for ever, or not closed yet. ``expired``: the time is over and no hold
    is on it, so its destruction is proposed."""

    retention_class: str = msgspec.field(name="class")
    keep_until: float | None
    legal_hold: bool
    expired: bool


class RecordingSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A recording in a list. ``state``: recording, paused, closed, rendering, ready, damaged or destroyed.
    ``endpoints``: how many. ``hits``: at most 5, the best first; empty without ``q``."""

    recording_id: str
    meeting_id: str
    title: str
    host_agency: str
    started_at: float
    ended_at: float | None
    duration_s: float
    endpoints: int
    chair: str
    octets: int
    state: str
    film: FilmStatus
    retention: Retention
    hits: tuple[Hit, ...]


class Recordings(msgspec.Struct, frozen=True):
    """A page of what was asked for. ``total`` counts all pages; ``next`` is the ``cursor`` of the next one."""

    recordings: tuple[RecordingSummary, ...]
    total: int
    next: str | None


class RecordedEndpoint(msgspec.Struct, frozen=True):
    """An endpoint of the recorded meeting. ``role``: main, branch or chair."""

    seat_id: str
    name: str
    unit_path: tuple[str, ...]
    role: str


class RecordedChapter(msgspec.Struct, frozen=True):
    """One grant of the floor. ``by_right``: the main endpoint or the chair's desk."""

    starts_s: float
    ends_s: float
    seat_id: str
    name: str
    subject: str
    by_right: bool


class SpeakingSpan(msgspec.Struct, frozen=True):
    """When an endpoint had the floor."""

    seat_id: str
    starts_s: float
    ends_s: float


class RecordedGap(msgspec.Struct, frozen=True):
    """Media that should be there and is not. ``seat_id`` null, ``name`` empty: of everybody."""

    starts_s: float
    ends_s: float
    reason: str
    seat_id: str | None
    name: str


class RecordedChatLine(msgspec.Struct, frozen=True):
    at_s: float
    name: str
    text: str


class RecordedTrack(msgspec.Struct, frozen=True):
    """A Matroska file of at most a minute, served at ``/api/recordings/RID/`` + ``file``."""

    file: str
    seat_id: str
    name: str
    track: str
    codec: str
    starts_s: float
    ends_s: float
    octets: int
    sha256: str


class LegalHold(msgspec.Struct, frozen=True):
    """Why, since when and by whom a recording may not be destroyed."""

    reason: str
    placed_at: float
    placed_by: str


class DestroyedFile(msgspec.Struct, frozen=True):
    file: str
    octets: int
    sha256: str


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """That and why a recording was destroyed. ``destroyed_by`` is an account's id, ``destroyed_by_name`` its name.
    ``log_sha256``: of the whole events.jsonl. ``signature``: base64 Ed25519 by the server's key over this object as
    JSON with ``signature`` empty; ``public_key``: base64 of its 32 octets."""

    format: int
    recording_id: str
    meeting_id: str
    title: str
    host_agency: str
    started_at: float
    ended_at: float | None
    retention_class: str
    destroyed_at: float
    destroyed_by: str
    destroyed_by_name: str
    reason: str
    log_sha256: str
    files: tuple[DestroyedFile, ...]
    public_key: str
    signature: str


class RecordingDetail(RecordingSummary, frozen=True, kw_only=True):
    """One recording. ``may``: what the account that asks may do with it: play, download, render, verify, keep, hold,
    destroy, captions. ``damage``: what is wrong with it, empty if nothing. ``captions``: there are some."""

    endpoints_list: tuple[RecordedEndpoint, ...]
    chapters: tuple[RecordedChapter, ...]
    speaking: tuple[SpeakingSpan, ...]
    gaps: tuple[RecordedGap, ...]
    chat: tuple[RecordedChatLine, ...]
    tracks: tuple[RecordedTrack, ...]
    captions: bool
    may: tuple[str, ...]
    hold: LegalHold | None
    damage: str
    destroyed: Certificate | None


class VerifyFinding(msgspec.Struct, frozen=True):
    """Something wrong. ``code`` is stable; ``file`` and ``line`` (of events.jsonl) say where; empty and 0: nowhere."""

    code: str
    detail: str
    file: str
    line: int


class VerifyReport(msgspec.Struct, frozen=True):
    """``ok``: nothing was changed, cut, swapped or lost since it was written. ``gaps``: how many are told in the log.
    ``film``: there is one, and it is what was rendered."""

    ok: bool
    findings: tuple[VerifyFinding, ...]
    gaps: int
    segments: int
    octets: int
    seconds: float
    film: bool


class RetentionClass(msgspec.Struct, frozen=True):
    """How long recordings are kept, counted from their end: calendar years, or days; neither: for ever."""

    retention_class: str = msgspec.field(name="class")
    name: str
    years: int | None
    days: int | None


class RetentionClasses(msgspec.Struct, frozen=True):
    """``default`` is the class of a meeting's first recording."""

    classes: tuple[RetentionClass, ...]
    default: str


class RecordingSpace(msgspec.Struct, frozen=True):
    """The disk on which recordings lie. ``bps``: bits a second that a recording takes, as measured; ``hours_left`` at
    that rate. ``state``: ok, low or full."""

    free_octets: int
    total_octets: int
    hours_left: float
    bps: float
    state: str
