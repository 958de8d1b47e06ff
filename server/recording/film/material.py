"""What a film is made from: the log, and which of the segments it names are fit for use.

A segment that is missing, or not what the log says it is, is a gap in the film and a finding. Only what a piece needs
is looked at for it, so that the first one of a long recording is quickly there; what is found depends on the folder
alone and not on the order in which pieces are asked for.
"""

from collections import OrderedDict
from pathlib import Path
from typing import Final

import av
from av.error import FFmpegError

from server.recording.events import Line
from server.recording.film.plan import PiecePlan, count_pieces, plan_piece
from server.recording.film.scenes import Scene, scenes
from server.recording.film.settings import PIECE_S
from server.recording.film.spans import Gap, Source
from server.recording.film.timeline import Timeline, build
from server.recording.inside import NotPlain, hash_of, open_inside
from server.recording.log import LOG_FILE, LogDamaged, read_log
from server.recording.report import Finding

_KEPT_VERSIONS: Final = 4
_BEFORE_S: Final = 80.0
_AFTER_S: Final = 10.0
"""What lies this far from a piece may be seen or heard in it, or decide who is."""


class Material:
    """One recording's folder, read once. Raises LogDamaged where not even the first line is good, OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.log_finding: Finding | None = None
        self._lines = self._read_log()
        self.timeline = build(self._lines)
        with open_inside(folder, LOG_FILE) as file:
            self.log_sha256, _ = hash_of(file)
        self._versions: OrderedDict[tuple[str, ...], tuple[Timeline, tuple[Scene, ...]]] = OrderedDict()
        self._unfit: dict[str, Finding | None] = {}

    @property
    def pieces(self) -> int:
        return count_pieces(self.timeline.length_s)

    def plan(self, number: int) -> PiecePlan:
        """Of piece ``number`` (from 0)."""
        starts_s = number * PIECE_S
        unfit: tuple[str, ...] = ()
        while True:
            timeline, found_scenes = self._without(unfit)
            near = [
                source
                for source in timeline.sources
                if source.starts_s < starts_s + PIECE_S + _AFTER_S and source.ends_s > starts_s - _BEFORE_S
            ]
            bad = [source.file for source in near if self._check(source) is not None]
            if not bad:
                return plan_piece(number, timeline, found_scenes)
            unfit = tuple(sorted({*unfit, *bad}))  # what they hid is looked at in the next round

    def findings(self) -> tuple[Finding, ...]:
        """Of the log and of all segments that pieces were planned from."""
        found = [self.log_finding, *(self._unfit[file] for file in sorted(self._unfit))]
        return tuple(finding for finding in found if finding is not None)

    def gaps(self) -> tuple[Gap, ...]:
        """Logged ones, and those by unfit segments."""
        return self._without(tuple(sorted(file for file, finding in self._unfit.items() if finding)))[0].gaps

    def _read_log(self) -> list[Line]:
        try:
            return read_log(self._folder)
        except LogDamaged as damage:
            self.log_finding = Finding("log_damaged", damage.why, LOG_FILE, damage.line)
            lines = read_log(self._folder, tolerant=True)
            if not lines:
                raise
            return lines

    def _without(self, unfit: tuple[str, ...]) -> tuple[Timeline, tuple[Scene, ...]]:
        if unfit in self._versions:
            self._versions.move_to_end(unfit)
        else:
            timeline = build(self._lines, {file: self._reason(file) for file in unfit})
            self._versions[unfit] = timeline, scenes(timeline)
            if len(self._versions) > _KEPT_VERSIONS:
                self._versions.popitem(last=False)
        return self._versions[unfit]

    def _reason(self, file: str) -> str:
        finding = self._unfit[file]
        assert finding is not None
        return "file_missing" if finding.code == "segment_missing" else "file_damaged"

    def _check(self, source: Source) -> Finding | None:
        if source.file not in self._unfit:
            self._unfit[source.file] = check_segment(self._folder, source)
        return self._unfit[source.file]


def check_segment(folder: Path, source: Source) -> Finding | None:
    """Is the segment there, what the log says, and can it be opened? Codes as ``verify`` has them."""
    try:
        with open_inside(folder, source.file) as file:
            sha256, octets = hash_of(file)
    except FileNotFoundError:
        return Finding("segment_missing", "is not there", source.file)
    except NotPlain as error:
        return Finding("not_plain", str(error), source.file)
    except OSError as error:
        return Finding("segment_unreadable", str(error), source.file)
    if (sha256, octets) != (source.sha256, source.octets):
        return Finding("segment_changed", "is not what was written", source.file)
    try:
        with av.open(str(folder / source.file)) as container:
            wanted = container.streams.audio if source.track == "mic" else container.streams.video
            if not wanted:
                return Finding("segment_undecodable", f"no {source.track} in it", source.file)
    except (FFmpegError, OSError) as error:
        return Finding("segment_undecodable", str(error), source.file)
    return None
