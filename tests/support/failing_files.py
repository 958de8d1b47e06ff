"""Disks that fail: the Nth operation raises, or everything that needs room once the room is used up."""

import errno
import os
from pathlib import Path

from server.recording.files import OpenFile, RealFiles


class FailingFiles(RealFiles):
    """Real files whose operation ``at_operation`` (from 1) raises OSError(``error``), and ``times - 1`` after it.

    A failing write writes half first, as disks do. ``operations`` counts; ``failed`` says whether it came to that.
    ``room``: octets that may be written in all before every write raises ENOSPC (None: any number). Raise ``room`` and
    there is room again. Deleting a file gives its octets back.
    """

    def __init__(self, at_operation: int = 0, error: int = errno.EIO, times: int = 1, room: int | None = None) -> None:
        self._first = at_operation
        self._error = error
        self._times = times
        self.room = room
        self.operations = 0
        self.failed = False

    def step(self, name: str) -> None:
        """Count one operation; raise where it is the chosen one."""
        self.operations += 1
        if self._first <= self.operations < self._first + self._times and self._first:
            self.failed = True
            raise OSError(self._error, f"{os.strerror(self._error)} (operation {self.operations}: {name})")

    def take_room(self, octets: int) -> int:
        """How many of ``octets`` may be written."""
        if self.room is None:
            return octets
        taken = min(octets, max(0, self.room))
        self.room -= taken
        return taken

    def open_new(self, path: Path) -> OpenFile:
        self.step(f"open_new {path.name}")
        return _FailingFile(self, super().open_new(path), path.name)

    def open_append(self, path: Path) -> OpenFile:
        self.step(f"open_append {path.name}")
        return _FailingFile(self, super().open_append(path), path.name)

    def fsync(self, file: OpenFile) -> None:
        assert isinstance(file, _FailingFile)
        self.step(f"fsync {file.name}")
        super().fsync(file.real)

    def fsync_folder(self, path: Path) -> None:
        self.step(f"fsync_folder {path.name}")
        super().fsync_folder(path)

    def make_folder(self, path: Path) -> None:
        self.step(f"make_folder {path.name}")
        super().make_folder(path)

    def names(self, path: Path) -> list[str]:
        self.step(f"names {path.name}")
        return super().names(path)

    def read(self, path: Path) -> bytes:
        self.step(f"read {path.name}")
        return super().read(path)

    def rename(self, source: Path, target: Path) -> None:
        self.step(f"rename {source.name}")
        super().rename(source, target)

    def unlink(self, path: Path) -> None:
        self.step(f"unlink {path.name}")
        if self.room is not None and path.exists():
            self.room += path.stat().st_size
        super().unlink(path)

    def free_octets(self, path: Path) -> int:
        self.step(f"free_octets {path.name}")
        return super().free_octets(path) if self.room is None else max(0, self.room)


class _FailingFile:
    def __init__(self, files: FailingFiles, real: OpenFile, name: str) -> None:
        self._files = files
        self.real = real
        self.name = name

    def write(self, data: bytes) -> None:
        try:
            self._files.step(f"write {self.name}")
        except OSError:
            self.real.write(data[: len(data) // 2])
            raise
        room = self._files.take_room(len(data))
        self.real.write(data[:room])
        if room < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write_at(self, offset: int, data: bytes) -> None:
        try:
            self._files.step(f"write_at {self.name}")
        except OSError:
            self.real.write_at(offset, data[: len(data) // 2])
            raise
        self.real.write_at(offset, data)

    def read_at(self, offset: int, length: int) -> bytes:
        self._files.step(f"read_at {self.name}")
        return self.real.read_at(offset, length)

    def size(self) -> int:
        return self.real.size()

    def truncate(self, size: int) -> None:
        self._files.step(f"truncate {self.name}")
        if self._files.room is not None:
            self._files.room += max(0, self.real.size() - size)
        self.real.truncate(size)

    def close(self) -> None:
        self.real.close()
