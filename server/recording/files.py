"""The one place where the recorder touches the disk: so that a test can let operation 1, 2, 3, ... fail.

Nothing here buffers: what ``write`` took is in the kernel (it outlives a killed process), what ``fsync`` took is on
the disk (it outlives a power cut).
"""

import os
from pathlib import Path
from typing import Protocol


class OpenFile(Protocol):
    """One open file, unbuffered. Every method raises OSError where the disk does."""

    def write(self, data: bytes) -> None:
        """Write all of ``data`` at the current position (at the end where opened for appending)."""

    def write_at(self, offset: int, data: bytes) -> None:
        """Write all of ``data`` over what is at ``offset``; the current position stays."""

    def read_at(self, offset: int, length: int) -> bytes:
        """At most ``length`` octets from ``offset``; fewer at the end only."""

    def size(self) -> int: ...

    def truncate(self, size: int) -> None:
        """Cut to ``size`` octets and go on writing there."""

    def close(self) -> None: ...


class Files(Protocol):
    """What the recorder asks of a file system. Every method raises OSError where the disk does."""

    def open_new(self, path: Path) -> OpenFile:
        """Make a file to read and write. Raises FileExistsError."""

    def open_append(self, path: Path) -> OpenFile:
        """Open to write at the end (and to read); made where it is missing."""

    def fsync(self, file: OpenFile) -> None: ...

    def fsync_folder(self, path: Path) -> None:
        """Make the names in ``path`` (new, renamed, removed files) outlive a power cut."""

    def make_folder(self, path: Path) -> None:
        """With its parents; no error where it exists."""

    def names(self, path: Path) -> list[str]:
        """The names in a folder, sorted."""

    def exists(self, path: Path) -> bool: ...

    def read(self, path: Path) -> bytes: ...

    def rename(self, source: Path, target: Path) -> None:
        """In one step; an existing ``target`` is replaced."""

    def unlink(self, path: Path) -> None:
        """Remove a file; no error where it is missing."""

    def free_octets(self, path: Path) -> int:
        """What an ordinary process may still write beside ``path``."""


class RealFile:
    """``OpenFile`` by file descriptor."""

    def __init__(self, path: Path, flags: int) -> None:
        self._descriptor = os.open(path, flags | os.O_CLOEXEC, 0o640)
        self._position = os.fstat(self._descriptor).st_size

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: bytes) -> None:
        self.write_at(self._position, data)
        self._position += len(data)

    def write_at(self, offset: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._descriptor, view, offset)
            view = view[written:]
            offset += written

    def read_at(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, offset)

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def truncate(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)
        self._position = size

    def close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


class RealFiles:
    """``Files`` of the operating system."""

    def open_new(self, path: Path) -> OpenFile:
        return RealFile(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)

    def open_append(self, path: Path) -> OpenFile:
        return RealFile(path, os.O_RDWR | os.O_CREAT)

    def fsync(self, file: OpenFile) -> None:
        assert isinstance(file, RealFile)
        os.fsync(file.fileno())

    def fsync_folder(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def make_folder(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)

    def names(self, path: Path) -> list[str]:
        return sorted(entry.name for entry in path.iterdir())

    def exists(self, path: Path) -> bool:
        return path.exists()

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def rename(self, source: Path, target: Path) -> None:
        source.replace(target)

    def unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def free_octets(self, path: Path) -> int:
        status = os.statvfs(path)
        return status.f_bavail * status.f_frsize
