"""Is a recording what was written? Looks at its folder only: no server, no network, nothing is changed.

It holds each log line to the one before (SHA-256), the last line to the server's key (Ed25519), every segment to its
line, the film to its manifest, and that to the key and the whole log. docs/recordings.md says what no look at a folder
can find. Whatever lies in the folder, the answer is a ``Report``.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, Final

from server.errors import InvalidInput
from server.recording.events import Closed, Gap, Line, Opened, SegmentClosed
from server.recording.film_check import FILM_FILE, FILM_MANIFEST_FILE, check_film
from server.recording.inside import NotPlain, hash_of, open_inside, plain_files, size_of
from server.recording.keys import PUBLIC_KEY_FILE, PublicKey, verify_document
from server.recording.log import LOG_FILE, MAX_LINE_OCTETS, LogDamaged, LogReader, decode_line
from server.recording.report import Finding, Report
from server.recording.times import Times

TRACKS_FOLDER: Final = "tracks"
MAX_FINDINGS: Final = 1_000

_MAX_SEGMENTS: Final = 50_000
_MAX_UNSIGNED: Final = 1_000
_SEGMENT_NAME: Final = re.compile(rf"{TRACKS_FOLDER}/[A-Za-z0-9_-][A-Za-z0-9_.-]{{0,90}}", re.ASCII)
_VOUCHED_FOR: Final = (LOG_FILE, PUBLIC_KEY_FILE, FILM_FILE, FILM_MANIFEST_FILE)


def verify_recording(
    folder: Path, trusted_key: str | None = None, *, also_trusted: Sequence[str] = (), running: bool = False
) -> Report:
    """Check a recording's folder, wherever it lies. Public keys are PEM or base64.

    ``trusted_key``: it, or one of ``also_trusted``, must have made the recording; None: whoever it was. A film may also
    be signed by any of ``also_trusted``: another server may have rendered it again. ``running``: an open end is no
    finding. Raises InvalidInput (``bad_public_key``) for a key that is none; nothing for what lies in the folder.
    """
    makers = None if trusted_key is None else [trusted_key, *also_trusted]
    return _Check(folder, _keys(makers), _keys(also_trusted) or (), running).run()


class _Check:
    def __init__(
        self, folder: Path, makers: tuple[PublicKey, ...] | None, renderers: tuple[PublicKey, ...], running: bool
    ) -> None:
        self._folder = folder
        self._makers = makers
        self._renderers = renderers
        self._running = running
        self._findings: list[Finding] = []
        self._opened: Opened | None = None
        self._key: PublicKey | None = None
        self._closed = False
        self._lines = 0
        self._times = Times()
        self._log_sha256 = ""
        self._segments: dict[str, SegmentClosed] = {}
        self._segment_lines = 0
        self._gaps: list[Gap] = []

    def run(self) -> Report:
        try:
            with open_inside(self._folder, LOG_FILE) as file:
                self._look_at_log(file)
        except OSError as error:
            self._find_error("log_missing", error, LOG_FILE)
        else:
            self._look_at_key()
            for name, segment in sorted(self._segments.items()):
                if len(self._findings) <= MAX_FINDINGS:
                    self._look_at_segment(name, segment)
            self._look_for_strangers()
        film = self._look_at_film()
        opened = self._opened
        return Report(
            ok=not self._findings,
            findings=tuple(self._findings),
            recording_id=opened.recording_id if opened else None,
            title=opened.title if opened else None,
            public_key=opened.public_key if opened else None,
            trusted=self._is_trusted(),
            closed=self._closed,
            lines=self._lines,
            started_at=self._times.started_at,
            segments=self._segment_lines,
            octets=sum(segment.octets for segment in self._segments.values()),
            seconds=self._times.seconds,
            gaps=tuple(self._gaps),
            film=film,
            unsigned=tuple(islice(self._unsigned(), _MAX_UNSIGNED)),
        )

    # --- the log ---

    def _look_at_log(self, file: BinaryIO) -> None:
        reader = LogReader(file)
        try:
            for line in reader:
                self._take(line, reader.octets)
        except LogDamaged as damage:
            self._find("log_damaged", damage.why, LOG_FILE, damage.line)
            self._take_what_follows(reader.octets, file)
        else:
            if reader.torn and not self._running:
                self._find("log_torn", f"{reader.torn} octets without an end of line", LOG_FILE, reader.count + 1)
            elif not self._closed and not self._running:
                self._find("not_closed", "no closing line: it is still running, broke off, or was cut", LOG_FILE)
        self._lines = reader.count
        file.seek(0)
        self._log_sha256, _ = hash_of(file)

    def _take(self, line: Line, octets: bytes) -> None:
        for why in self._times.impossible(line):
            self._find("impossible_time", why, LOG_FILE, line.n)
        match line.event:
            case Opened() as opened:
                self._open(opened)
            case Closed() as closed:
                self._close(closed, octets, line.n)
            case SegmentClosed() as segment:
                self._note_segment(segment, line.n)
            case Gap() as gap if len(self._gaps) < _MAX_SEGMENTS:
                self._gaps.append(gap)

    def _take_what_follows(self, damaged: bytes, file: BinaryIO) -> None:
        """From the damage on: the segments' lines as far as they can be read, so that their files can be looked at."""
        for octets in chain([damaged], iter(lambda: file.readline(MAX_LINE_OCTETS), b"")):
            try:
                event = decode_line(octets).event
            except ValueError:
                continue
            if isinstance(event, SegmentClosed):
                self._note_segment(event, None)
            self._closed = self._closed or isinstance(event, Closed)

    def _open(self, opened: Opened) -> None:
        self._opened = opened
        try:
            self._key = PublicKey.from_base64(opened.public_key)
        except InvalidInput as error:
            self._find("bad_key", error.detail, LOG_FILE, 1)
        if self._is_trusted() is False:
            self._find("untrusted_key", f"made with the key {opened.public_key}, which is not one given", LOG_FILE, 1)

    def _close(self, closed: Closed, octets: bytes, number: int) -> None:
        self._closed = True
        if self._key is not None and not verify_document(octets, self._key):
            self._find("bad_signature", "the key in the first line did not sign the closing line", LOG_FILE, number)
        if closed.segments != self._segment_lines:
            detail = f"the closing line counts {closed.segments} segments, the log has {self._segment_lines}"
            self._find("wrong_count", detail, LOG_FILE, number)

    def _note_segment(self, segment: SegmentClosed, number: int | None) -> None:
        self._segment_lines += 1
        if not _SEGMENT_NAME.fullmatch(segment.file):
            self._find("bad_name", f"{segment.file!r} is no name of a segment", LOG_FILE, number)
        elif segment.file in self._segments:
            self._find("segment_twice", f"{segment.file} has a second line", LOG_FILE, number)
        elif len(self._segments) < _MAX_SEGMENTS:
            self._segments[segment.file] = segment
        elif self._segment_lines == _MAX_SEGMENTS + 1:
            self._find("more", f"only the first {_MAX_SEGMENTS} segments were looked at", LOG_FILE, number)

    # --- the files ---

    def _look_at_key(self) -> None:
        try:
            with open_inside(self._folder, PUBLIC_KEY_FILE) as file:
                pem = file.read(4_096)
        except OSError as error:
            self._find_error("key_missing", error, PUBLIC_KEY_FILE)
            return
        if self._key is not None and pem != self._key.pem:
            self._find("key_differs", "is not the key in the first line of the log", PUBLIC_KEY_FILE)

    def _look_at_segment(self, name: str, segment: SegmentClosed) -> None:
        try:
            with open_inside(self._folder, name) as file:
                if (octets := size_of(file)) != segment.octets:
                    self._find("segment_size", f"{octets} octets instead of {segment.octets}", name)
                elif (sha256 := hash_of(file)[0]) != segment.sha256:
                    self._find("segment_changed", f"SHA-256 {sha256} instead of {segment.sha256}", name)
        except OSError as error:
            self._find_error("segment_missing", error, name)

    def _look_for_strangers(self) -> None:
        for name, plain in self._names_below(TRACKS_FOLDER):
            if not plain:
                self._find("not_plain", "is a link or another special file", name)
            elif name not in self._segments and not self._running:
                self._find("segment_unlogged", "no line of the log names it", name)

    def _look_at_film(self) -> bool:
        """Whether there is one."""
        keys = [key for key in (self._key, *(self._makers or ()), *self._renderers) if key is not None]
        is_there, found = check_film(self._folder, self._log_sha256, keys)
        for one in found:
            self._find(one.code, one.detail, one.file)
        return is_there

    def _unsigned(self) -> Iterator[str]:
        for name, _ in self._names_below(""):
            if name not in _VOUCHED_FOR and name not in self._segments:
                yield _text(name)

    def _names_below(self, folder: str) -> Iterator[tuple[str, bool]]:
        """Names as from the recording's folder, and whether each is a plain file."""
        if (self._folder / folder).is_symlink() and folder:
            self._find("not_plain", "is a link", folder)
            return
        try:
            for name, status in plain_files(self._folder / folder):
                yield f"{folder}/{name}" if folder else name, status is not None
        except FileNotFoundError:
            return
        except OSError as error:
            self._find_error("unreadable", error, folder or None)

    # --- findings ---

    def _is_trusted(self) -> bool | None:
        if self._makers is None:
            return None
        return self._key is not None and any(self._key.base64 == maker.base64 for maker in self._makers)

    def _find(self, code: str, detail: str, file: str | None = None, line: int | None = None) -> None:
        if len(self._findings) < MAX_FINDINGS:
            self._findings.append(Finding(code, _text(detail), None if file is None else _text(file), line))
        elif len(self._findings) == MAX_FINDINGS:
            self._findings.append(Finding("more", f"only the first {MAX_FINDINGS} findings are given"))

    def _find_error(self, missing: str, error: OSError, file: str | None) -> None:
        match error:
            case NotPlain():
                self._find("not_plain", str(error), file)
            case FileNotFoundError():
                self._find(missing, "is not there", file)
            case _:
                self._find("unreadable", str(error), file)


def _keys(given: Sequence[str] | None) -> tuple[PublicKey, ...] | None:
    return None if given is None else tuple(map(PublicKey.from_text, given))


def _text(name: str) -> str:
    """Names of files may hold octets that are no UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode()
