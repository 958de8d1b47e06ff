"""A recording as one file to take away: an uncompressed tar that exists only while it is read.

The same recording always gives the same octets, so that a download can be broken off and resumed. The first file in it
is ``manifest.json`` (every file's name, octets and SHA-256); from the manifest alone follows where each octet stands.
"""

import hashlib
import os
import re
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from server.errors import Conflict, InvalidInput
from server.recording.events import Opened, SegmentClosed
from server.recording.film_check import FILM_FILE, FILM_MANIFEST_FILE, MAX_FILM_MANIFEST_OCTETS, FilmManifest
from server.recording.inside import hash_of, open_inside, plain_files
from server.recording.log import read_log
from server.recording.tar import end_of_archive, file_header, padded, padding

MANIFEST_FILE: Final = "manifest.json"
PIECE_OCTETS: Final = 1 << 20

_NAME: Final = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*/)?[A-Za-z0-9_-][A-Za-z0-9_.-]*", re.ASCII)
_RECORDING_ID: Final = re.compile("rec_[A-Za-z0-9_]{1,60}", re.ASCII)
_NOT_TAKEN: Final = re.compile(r"film/.*|reserve|manifest\.json|.*\.(?:new|part|tmp)")
"""Work in progress, and what a package makes itself."""


class PackedFile(msgspec.Struct, frozen=True):
    """A file as it must be. ``name``: relative to the recording's folder."""

    name: str
    octets: int
    sha256: str

    def __post_init__(self) -> None:
        if len(self.name) > 100 or not _NAME.fullmatch(self.name) or _NOT_TAKEN.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name of a file in a package")
        if self.octets < 0 or not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ValueError(f"{self.name} has no octets or SHA-256")


class Manifest(msgspec.Struct, frozen=True):
    """``manifest.json``. ``started_at``: whole Unix seconds, the files' time in the tar; files sorted by name."""

    recording_id: str
    started_at: int
    files: tuple[PackedFile, ...]
    format: int = 1

    def __post_init__(self) -> None:
        names = [file.name for file in self.files]
        if names != sorted(set(names)):
            raise ValueError("the files are not in order, or one is there twice")
        if self.format != 1 or not 0 <= self.started_at <= 0o77777777777:
            raise ValueError("of another format")
        if not _RECORDING_ID.fullmatch(self.recording_id):
            raise ValueError("no identifier of a recording")

    def encoded(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"

    def header(self, name: str, octets: int) -> bytes:
        """The tar header of one of its files, or of the manifest itself."""
        return file_header(self.recording_id, name, octets, self.started_at)


class Package:
    """The tar of a recording's folder as it is now: ``size`` octets; ``etag`` (hex) tells one content from another.

    Segments and film stand in the manifest with the hashes that the log and the film's manifest give them, so that
    making a Package reads little, and a damaged file is found by whoever unpacks. Raises InvalidInput
    (``bad_recording``) where not even an identifier can be read; OSError passes through.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._inodes: dict[str, int] = {}
        self.manifest = self._take_stock()
        encoded = self.manifest.encoded()
        self.etag = hashlib.sha256(encoded).hexdigest()
        self._parts: list[bytes | PackedFile] = [self.manifest.header(MANIFEST_FILE, len(encoded)) + padded(encoded)]
        for file in self.manifest.files:
            self._parts += [self.manifest.header(file.name, file.octets), file, bytes(padding(file.octets))]
        self._parts.append(bytes(end_of_archive(sum(map(_octets, self._parts)))))
        self._starts = [0]
        for part in self._parts:
            self._starts.append(self._starts[-1] + _octets(part))
        self.size = self._starts.pop()

    def read(self, offset: int, length: int) -> bytes:
        """At most ``length`` octets from ``offset``; fewer at the end only. Raises as ``iterate``."""
        return b"".join(self.iterate(offset, min(self.size, offset + length)))

    def iterate(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The octets from ``start`` up to ``end`` (not included), in pieces of at most 1 MiB.

        Raises Conflict (``recording_changed``) where a file is not what it was when the Package was made, and OSError.
        """
        stop = self.size if end is None else min(end, self.size)
        first = max(0, bisect_right(self._starts, start) - 1)
        for part, begins in zip(self._parts[first:], self._starts[first:], strict=True):
            if begins >= stop:
                return
            within, until = max(0, start - begins), min(_octets(part), stop - begins)
            if isinstance(part, PackedFile):
                yield from self._read_file(part, within, until)
            elif until > within:
                yield part[within:until]

    def _read_file(self, packed: PackedFile, start: int, end: int) -> Iterator[bytes]:
        if start >= end:
            return
        try:
            with open_inside(self._folder, packed.name) as file:
                if os.fstat(file.fileno()).st_ino != self._inodes[packed.name]:
                    raise Conflict("recording_changed", f"{packed.name} was replaced")
                file.seek(start)
                while start < end:
                    piece = file.read(min(PIECE_OCTETS, end - start))
                    if not piece:
                        raise Conflict("recording_changed", f"{packed.name} has become shorter")
                    start += len(piece)
                    yield piece
        except FileNotFoundError as error:
            raise Conflict("recording_changed", f"{packed.name} is gone") from error

    def _take_stock(self) -> Manifest:
        lines = read_log(self._folder, tolerant=True)
        opened = next((line.event for line in lines if isinstance(line.event, Opened)), None)
        known = {line.event.file: line.event.sha256 for line in lines if isinstance(line.event, SegmentClosed)}
        known |= self._film_hash()
        files = []
        for name, status in plain_files(self._folder):
            if status is not None and _NAME.fullmatch(name) and not _NOT_TAKEN.fullmatch(name):
                self._inodes[name] = status.st_ino
                sha256 = known.get(name) or self._hash(name, status.st_size)
                files.append(PackedFile(name, status.st_size, sha256))
        recording_id = opened.recording_id if opened else self._folder.resolve().name
        started_at = int(lines[0].at) if opened else 0
        try:
            return Manifest(recording_id, started_at, tuple(sorted(files, key=lambda file: file.name)))
        except ValueError as error:
            raise InvalidInput("bad_recording", f"{self._folder} cannot be packed: {error}") from error

    def _film_hash(self) -> dict[str, str]:
        try:
            with open_inside(self._folder, FILM_MANIFEST_FILE) as file:
                return {FILM_FILE: msgspec.json.decode(file.read(MAX_FILM_MANIFEST_OCTETS), type=FilmManifest).sha256}
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return {}

    def _hash(self, name: str, octets: int) -> str:
        with open_inside(self._folder, name) as file:
            sha256, _ = hash_of(file, octets)
        return sha256


def export_package(folder: Path, target: Path | None = None) -> Path:
    """Write a recording's package to a file (``RID.tar`` here, unless said): whole and on the disk, or not there.

    Raises Conflict (``target_exists``, ``recording_changed``), InvalidInput; OSError passes through.
    """
    package = Package(folder)
    target = target or Path(f"{package.manifest.recording_id}.tar")
    if target.exists():
        raise Conflict("target_exists", f"{target} is there already")
    draft = target.with_name(f"{target.name}.part")
    with draft.open("wb") as file:
        for piece in package.iterate():
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return draft.replace(target)


def _octets(part: bytes | PackedFile) -> int:
    return part.octets if isinstance(part, PackedFile) else len(part)
