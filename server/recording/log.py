"""The log of a recording, ``events.jsonl``: canonical lines, each bound to the one before by its SHA-256.

A line is the compact JSON of a ``Line``, fields in the order of the Structs, UTF-8, with one ``\\n`` behind it. An end
without ``\\n`` was torn by a crash; anything else that does not fit is damage.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from server.errors import Conflict, DiemcauError
from server.recording.events import FORMAT, Closed, Event, Line, Opened, Repaired, SegmentClosed
from server.recording.files import Files, OpenFile
from server.recording.keys import PUBLIC_KEY_FILE, PublicKey, SigningKey, sign_document

LOG_FILE: Final = "events.jsonl"
FIRST_PREV: Final = "0" * 64
MAX_LINE_OCTETS: Final = 1 << 20
"""The first line of 1,000 endpoints has some 200 KiB."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Line)


class LogDamaged(DiemcauError):
    """Line number ``line`` (from 1) of a log is not what was written. ``why`` is for people."""

    status = 409

    def __init__(self, line: int, why: str) -> None:
        super().__init__("log_damaged", f"line {line} of {LOG_FILE}: {why}")
        self.line = line
        self.why = why


class AlreadyClosed(Conflict):
    """The log has its closing line and takes no more."""

    def __init__(self) -> None:
        super().__init__("recording_closed", "the recording has its closing line")


class LogReader:
    """Reads an open log line by line, one in memory at a time. Iterating raises LogDamaged at the first bad one.

    Afterwards ``end`` is where the good lines end in the file, ``prev`` the hash for the next one, and ``torn`` how
    many octets without a newline are behind them.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.count = 0
        self.end = 0
        self.torn = 0
        self.prev = FIRST_PREV
        self.closed = False
        self.octets = b""
        """Of the line last read, be it bad, without its newline."""

    def __iter__(self) -> Iterator[Line]:
        while octets := self._file.readline(MAX_LINE_OCTETS + 1):
            self.octets = octets.removesuffix(b"\n")
            if not octets.endswith(b"\n"):
                if len(octets) > MAX_LINE_OCTETS:
                    raise LogDamaged(self.count + 1, f"longer than {MAX_LINE_OCTETS} octets")
                self.torn = len(octets)
                return
            line = self._parse(self.octets)
            self.count += 1
            self.end += len(octets)
            self.prev = _hash(self.octets)
            self.closed = isinstance(line.event, Closed)
            yield line

    def _parse(self, octets: bytes) -> Line:
        number = self.count + 1
        if self.closed:
            raise LogDamaged(number, "is behind the closing line")
        try:
            line = decode_line(octets)
        except ValueError as error:
            raise LogDamaged(number, str(error)) from error
        if line.n != number:
            raise LogDamaged(number, f"is numbered {line.n}")
        if line.prev != self.prev:
            raise LogDamaged(number, "does not follow from the line before: one of the two was changed")
        if isinstance(line.event, Opened) != (number == 1):
            raise LogDamaged(number, "an opened line is the first line, and no other")
        if isinstance(line.event, Opened) and line.event.format > FORMAT:
            raise LogDamaged(number, f"is of format {line.event.format}; this program reads up to {FORMAT}")
        return line


def decode_line(octets: bytes) -> Line:
    """One line, with or without its newline, held to nothing. Raises ValueError."""
    try:
        return _decoder.decode(octets)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not a line of a log: {error}") from error


def read_log(folder: Path, *, tolerant: bool = False) -> list[Line]:
    """All lines of a recording, the chain checked. OSError passes through.

    Raises LogDamaged. ``tolerant``: gives what is good before the first damage instead, as for a log still written.
    """
    lines: list[Line] = []
    with (folder / LOG_FILE).open("rb") as file:
        reader = LogReader(file)
        try:
            lines.extend(reader)
            if reader.torn:
                raise LogDamaged(reader.count + 1, "is torn")
            if not lines:
                raise LogDamaged(1, "there is none")
        except LogDamaged:
            if not tolerant:
                raise
    return lines


class EventLog:
    """Writes a log; one writer a recording. Lines are in the file after ``append`` and on the disk after ``sync``.

    An OSError of either passes through and harms nothing: the next call first puts the file in order (cuts a line that
    was half written; after a failed fsync writes again what may be lost, for the kernel forgets such pages).
    """

    def __init__(self, folder: Path, files: Files, file: OpenFile) -> None:
        self._folder = folder
        self._files = files
        self._file = file
        self._prev = FIRST_PREV
        self._end = 0
        self._dirty = True
        self._unsynced = bytearray()
        self._torn = False
        self._unsure = False
        self.count = 0
        self.last_at = 0.0
        self.closed = False
        self.segment_files: set[str] = set()
        """Files that have their ``segment`` line."""

    @classmethod
    def create(cls, folder: Path, opened: Opened, at: float, files: Files) -> "EventLog":
        """A log with its first line, on the disk, and the public key beside it; a kill leaves a whole log or none.

        The folder must exist. Raises Conflict (``recording_exists``); OSError passes through.
        """
        if files.exists(folder / LOG_FILE):
            raise Conflict("recording_exists", f"{folder} has a log")
        draft = folder / f"{LOG_FILE}.new"
        files.unlink(draft)
        log = cls(folder, files, files.open_new(draft))
        try:
            log.append(opened, at)
            log.sync()
            files.rename(draft, folder / LOG_FILE)
            log._place_public_key(opened.public_key)
        except BaseException:
            log.release()
            raise
        return log

    @classmethod
    def resume(cls, folder: Path, files: Files, now: float) -> "EventLog":
        """Goes on with a log after a crash. A torn last line is cut, and a ``repaired`` line says so.

        Raises LogDamaged where the log is broken before that, AlreadyClosed; OSError passes through.
        """
        with (folder / LOG_FILE).open("rb") as file:
            reader = LogReader(file)
            public_key, files_logged, last_at = "", set(), 0.0
            for line in reader:
                match line.event:
                    case Opened(public_key=public_key):
                        pass
                    case SegmentClosed(file=name):
                        files_logged.add(name)
                    case Closed():
                        raise AlreadyClosed
                last_at = max(last_at, line.at)
        if not reader.count:
            raise LogDamaged(1, "there is none")
        log = cls(folder, files, files.open_append(folder / LOG_FILE))
        log._prev, log._end, log.count = reader.prev, reader.end, reader.count
        log.last_at, log.segment_files = last_at, files_logged
        try:
            if reader.torn:
                log._torn = True
                log.append(Repaired(cut_octets=reader.torn), now)
            log.sync()
            log._place_public_key(public_key)
        except BaseException:
            log.release()
            raise
        return log

    def append(self, event: Event, at: float) -> None:
        """One more line. OSError passes through, and then the line is not in the log. AlreadyClosed after ``close``."""
        if self.closed:
            raise AlreadyClosed
        self._write(_encoder.encode(Line(n=self.count + 1, at=at, prev=self._prev, event=event)))
        self.last_at = max(self.last_at, at)
        if isinstance(event, SegmentClosed):
            self.segment_files.add(event.file)

    def sync(self) -> None:
        """All lines are on the disk when this returns. OSError passes through: call it again later."""
        self._put_in_order()
        if self._dirty:
            self._unsure = True
            self._files.fsync(self._file)
            self._unsure = self._dirty = False
            self._unsynced.clear()

    def close(self, reason: str, key: SigningKey, at: float) -> None:
        """The signed last line, on the disk. After an OSError it may be called again; the line is written once."""
        if not self.closed:
            closed = Closed(reason=reason, segments=len(self.segment_files))
            line = Line(n=self.count + 1, at=at, prev=self._prev, event=closed)
            self._write(sign_document(_encoder.encode(line), key))
            self.last_at = max(self.last_at, at)
            self.closed = True
        self.sync()
        self.release()

    def release(self) -> None:
        """Close the file as it is. Calling again does nothing."""
        self._file.close()

    def _write(self, octets: bytes) -> None:
        assert len(octets) <= MAX_LINE_OCTETS, "no event is as long as that"
        self._put_in_order()
        self._torn = True
        self._file.write(octets + b"\n")
        self._torn = False
        self._dirty = True
        self._unsynced += octets + b"\n"
        self._end += len(octets) + 1
        self._prev = _hash(octets)
        self.count += 1

    def _put_in_order(self) -> None:
        if self._torn:
            self._file.truncate(self._end)
            self._torn = False
        if self._unsure:
            self._file.write_at(self._end - len(self._unsynced), bytes(self._unsynced))

    def _place_public_key(self, public_key: str) -> None:
        place = self._folder / PUBLIC_KEY_FILE
        if not self._files.exists(place):
            draft = place.with_name(f"{place.name}.new")
            self._files.unlink(draft)
            file = self._files.open_new(draft)
            try:
                file.write(PublicKey.from_base64(public_key).pem)
                self._files.fsync(file)
            finally:
                file.close()
            self._files.rename(draft, place)
        self._files.fsync_folder(self._folder)


def _hash(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()
