"""What a look at a recording's folder found. Data only."""

import msgspec

from server.recording.events import Gap


class Finding(msgspec.Struct, frozen=True):
    """Something that is not as it was written. ``code`` as in docs/recordings.md, ``detail`` is for people."""

    code: str
    detail: str
    file: str | None = None
    line: int | None = None


class Report(msgspec.Struct, frozen=True):
    """``ok``: no findings. ``gaps`` are honest holes and no findings. ``seconds``: from the first line to the last.

    ``trusted``: the recording's key is one that the caller trusts; None where none was given. ``segments``, ``octets``:
    what the log names. ``film``: there is one. ``unsigned``: files that nothing vouches for (captions, work in
    progress).
    """

    ok: bool
    findings: tuple[Finding, ...]
    recording_id: str | None
    title: str | None
    public_key: str | None
    trusted: bool | None
    closed: bool
    lines: int
    started_at: float | None
    segments: int
    octets: int
    seconds: float
    gaps: tuple[Gap, ...]
    film: bool
    unsigned: tuple[str, ...]
