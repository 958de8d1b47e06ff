"""Taking a package, or a copied folder, into the place where recordings lie.

No tar reader: a package's manifest says what every octet that is no content must be, and whatever differs is refused.
So there are no links, devices, absolute names, second copies or surprises to be careful about.
"""

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from server.errors import Conflict, InvalidInput, Unavailable
from server.recording.files import Files, RealFiles
from server.recording.package import MANIFEST_FILE, PIECE_OCTETS, Manifest, Package, PackedFile
from server.recording.tar import BLOCK_OCTETS, end_of_archive, padding, size_in
from server.recording.verify import verify_recording

_STAGING_PREFIX: Final = ".import-"
_MAX_MANIFEST_OCTETS: Final = 64 << 20
_SPARE_OCTETS: Final = 64 << 20


class Imported(msgspec.Struct, frozen=True):
    """``already``: the same recording was there, and nothing was done."""

    recording_id: str
    folder: Path
    already: bool


class PackageRefused(InvalidInput):
    """What was given is not a whole, undamaged package of a closed recording."""

    def __init__(self, why: str) -> None:
        super().__init__("bad_package", f"not imported: {why}")


def import_package(
    source: Path | BinaryIO,
    recordings_dir: Path,
    trusted_key: str | None = None,
    *,
    also_trusted: Sequence[str] = (),
    files: Files | None = None,
) -> Imported:
    """Take in a package (a file, an open one, or a recording's folder) as ``recordings_dir/RID``: whole, or not at all.

    Everything is verified (see ``verify_recording``) before the folder gets its name. Raises PackageRefused, Conflict
    (``recording_exists``: another recording has that identifier), Unavailable (``disk_full``); OSError passes through.
    """
    disk = files or RealFiles()
    disk.make_folder(recordings_dir)
    with _staging(recordings_dir) as staging:
        with _opened(source) as stream:
            manifest = _read_manifest(stream)
            target = recordings_dir / manifest.recording_id
            if target.exists():
                return _already_there(target, manifest)
            _unpack(stream, manifest, staging, disk)
        report = verify_recording(staging, trusted_key, also_trusted=also_trusted)
        if not report.ok:
            first = report.findings[0]
            raise PackageRefused(f"{first.file or 'recording'}: {first.code}, {first.detail}")
        if report.recording_id != manifest.recording_id:
            raise PackageRefused("its log is that of another recording")
        _put_in_place(staging, target, disk)
        return Imported(manifest.recording_id, target, already=False)


class _Stream:
    """Reads on and on; what is missing refuses the package."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def take(self, octets: int) -> bytes:
        return b"".join(self.pass_on(octets))

    def pass_on(self, octets: int) -> Iterator[memoryview]:
        while octets:
            if not self._rest:
                following = next(self._pieces, b"")
                if not following:
                    raise PackageRefused("it ends too early")
                self._rest = memoryview(following)
            piece, self._rest = self._rest[:octets], self._rest[octets:]
            octets -= len(piece)
            yield piece

    def expect(self, octets: bytes, where: str) -> None:
        if self.take(len(octets)) != octets:
            raise PackageRefused(f"{where} is not as a package of recordings has it")

    def expect_end(self) -> None:
        if len(self._rest) or next(self._pieces, b""):
            raise PackageRefused("something is behind its end")


def _read_manifest(stream: _Stream) -> Manifest:
    header = stream.take(BLOCK_OCTETS)
    try:
        octets = size_in(header)
        if not 0 < octets <= _MAX_MANIFEST_OCTETS:
            raise ValueError("of no possible size")
        encoded = stream.take(octets)
        manifest = msgspec.json.decode(encoded, type=Manifest)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise PackageRefused(f"it does not begin with the manifest of a recording ({error})") from error
    if manifest.encoded() != encoded or manifest.header(MANIFEST_FILE, octets) != header:
        raise PackageRefused("its manifest is not as a package of recordings has it")
    stream.expect(bytes(padding(octets)), "the end of the manifest")
    return manifest


def _unpack(stream: _Stream, manifest: Manifest, staging: Path, disk: Files) -> None:
    needed = sum(file.octets for file in manifest.files) + _SPARE_OCTETS
    if disk.free_octets(staging) < needed:
        raise Unavailable("disk_full", f"not imported: it needs {needed} octets, and so many are not free")
    encoded = manifest.encoded()
    position = BLOCK_OCTETS + len(encoded) + padding(len(encoded))
    for file in manifest.files:
        header = manifest.header(file.name, file.octets)
        stream.expect(header, f"what stands before {file.name}")
        _unpack_file(stream, file, staging, disk)
        stream.expect(bytes(padding(file.octets)), f"the end of {file.name}")
        position += len(header) + file.octets + padding(file.octets)
    stream.expect(bytes(end_of_archive(position)), "its end")
    stream.expect_end()


def _unpack_file(stream: _Stream, packed: PackedFile, staging: Path, disk: Files) -> None:
    path = staging / packed.name
    disk.make_folder(path.parent)
    digest = hashlib.sha256()
    file = disk.open_new(path)
    try:
        for piece in stream.pass_on(packed.octets):
            digest.update(piece)
            file.write(bytes(piece))
        disk.fsync(file)
    finally:
        file.close()
    if digest.hexdigest() != packed.sha256:
        raise PackageRefused(f"{packed.name} is not what the manifest says")


def _put_in_place(staging: Path, target: Path, disk: Files) -> None:
    for folder in (path for path in staging.iterdir() if path.is_dir()):
        disk.fsync_folder(folder)
    disk.fsync_folder(staging)
    try:
        disk.rename(staging, target)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            raise Conflict("recording_exists", f"{target} was put there meanwhile") from error
        raise
    disk.fsync_folder(target.parent)


def _already_there(target: Path, manifest: Manifest) -> Imported:
    """Raises Conflict unless what is there is the same."""
    try:
        same = Package(target).manifest == manifest and verify_recording(target).ok
    except OSError:
        same = False
    if not same:
        raise Conflict("recording_exists", f"{target} is there, and it is not the same")
    return Imported(manifest.recording_id, target, already=True)


@contextmanager
def _staging(recordings_dir: Path) -> Iterator[Path]:
    """A folder that is gone afterwards, unless it got another name. What killed imports left is cleared away first."""
    with _locked(recordings_dir, fcntl.LOCK_EX):
        for left in recordings_dir.glob(f"{_STAGING_PREFIX}*"):
            _clear_away(left)
        staging = recordings_dir / f"{_STAGING_PREFIX}{secrets.token_hex(8)}"
        staging.mkdir(mode=0o750)
        held = _lock(staging, fcntl.LOCK_EX)
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        os.close(held)


def _clear_away(left: Path) -> None:
    """Unless somebody is at it: its maker holds a lock, which the kernel takes from a killed one."""
    try:
        with _locked(left, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(left, ignore_errors=True)
    except OSError:
        return


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    held = _lock(folder, how)
    try:
        yield
    finally:
        os.close(held)


def _lock(folder: Path, how: int) -> int:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, how)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def _opened(source: Path | BinaryIO) -> Iterator[_Stream]:
    if not isinstance(source, Path):
        yield _Stream(iter(lambda: source.read(PIECE_OCTETS), b""))
    elif source.is_dir():
        yield _Stream(Package(source).iterate())
    else:
        with source.open("rb") as file:
            yield _Stream(iter(lambda: file.read(PIECE_OCTETS), b""))
