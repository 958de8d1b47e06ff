"""One segment: a Matroska file that grows cluster by cluster, is synced, and in the end indexed and hashed."""

import hashlib
from pathlib import Path

from server.recording import matroska
from server.recording.files import Files, OpenFile
from server.recording.frames import StreamFormat
from server.recording.matroska import Block, CuePoint, RtpPosition, Scan

_SHARE = 1 << 20
"""Octets that are hashed at a time."""


class Segment:
    """A file being written. Frames given to ``add`` are in the kernel after ``flush`` and on the disk after ``sync``.

    An OSError passes through and leaves a good file: what was half written is cut before the next write. A later
    ``sync`` writes again what a failed one may have lost (the kernel forgets such pages).
    """

    def __init__(
        self,
        files: Files,
        path: Path,
        file: OpenFile,
        head: matroska.Head | None,
        stream: StreamFormat,
        starts_at: float,
    ) -> None:
        self.path = path
        self.stream = stream
        self.starts_at = starts_at
        self.last_ms = 0
        self.frames = 0
        self.position: RtpPosition | None = None
        """Of the last frame given."""
        self._files = files
        self._file = file
        self._head = head
        self._end = 0
        self._synced = 0
        self._buffer: list[Block] = []
        self._unsynced: list[bytes] = []
        self._torn = False
        self._unsure = False
        self._cues: list[CuePoint] = []

    @classmethod
    def create(cls, files: Files, path: Path, stream: StreamFormat, starts_at: float, name: str) -> "Segment":
        """A new file with its head. OSError passes through, and then there is no such file."""
        head = matroska.Head(stream, starts_at, name)
        segment = cls(files, path, files.open_new(path), head, stream, starts_at)
        try:
            segment._write(head.octets)
        except OSError:
            segment.abandon()
            files.unlink(path)
            raise
        return segment

    @classmethod
    def reopen(cls, files: Files, path: Path, found: Scan, codec: str, name: str) -> "Segment":
        """Go on with what a killed writer left and ``scan`` found. OSError passes through."""
        stream = StreamFormat(codec, found.codec_id, found.private, found.width, found.height)
        head = matroska.Head(stream, found.starts_at, name)
        file = files.open_append(path)
        try:
            tracks = file.read_at(head.tracks_offset, len(head.octets) - head.tracks_offset)
        except OSError:
            file.close()
            raise
        # The head of another version has its places elsewhere: such a file is good without an index as well.
        is_ours = tracks == head.octets[head.tracks_offset :]
        segment = cls(files, path, file, head if is_ours else None, stream, found.starts_at)
        segment._end = segment._synced = found.end
        segment._torn = True
        segment.last_ms, segment.frames, segment.position = found.last_ms, found.frames, found.position
        segment._cues = list(found.cue_points)
        segment._unsynced = [b""]
        return segment

    @property
    def octets(self) -> int:
        return self._end

    @property
    def has_unsynced(self) -> bool:
        return bool(self._buffer or self._unsynced)

    def add(self, block: Block, position: RtpPosition) -> None:
        """One more frame. Its time must not be below the last one's. OSError where a full cluster must go first."""
        if self._buffer and (
            (block.keyframe and self.stream.width) or not matroska.fits(self._buffer[0].time_ms, block.time_ms)
        ):
            self.flush()
        self._buffer.append(block)
        self.position = position
        self.last_ms = block.time_ms
        self.frames += 1

    def flush(self) -> None:
        """What was added goes to the kernel."""
        if not self._buffer or self.position is None:
            return
        offset = self._end
        keyframe = next((block for block in self._buffer if block.keyframe), None)
        self._write(matroska.cluster(self._buffer, self.position))
        self._buffer.clear()
        if keyframe is not None:
            self._cues.append(CuePoint(keyframe.time_ms, offset))

    def sync(self) -> None:
        """What was added is on the disk when this returns."""
        self.flush()
        if not self._unsynced:
            return
        self._put_in_order()
        self._unsure = True
        self._files.fsync(self._file)
        self._unsure = False
        self._unsynced.clear()
        self._synced = self._end

    def finish(self, ends_ms: float) -> tuple[str, int]:
        """Index, sizes, sync, close: SHA-256 (hex) and octets of the whole. After an OSError it may be called again."""
        self.flush()
        end, parts = self._end, len(self._unsynced)
        try:
            if self._head is None:
                self._put_in_order()
            else:
                self._write(matroska.cues(self._cues, self._head.segment_offset))
                for offset, octets in self._head.patches(self.starts_at, ends_ms, end, self._end):
                    self._file.write_at(offset, octets)
            self._files.fsync(self._file)
            digest, size = hash_file(self._file), self._end
        except OSError:
            del self._unsynced[parts:]
            self._end, self._torn, self._unsure = end, True, True
            raise
        self._file.close()
        return digest, size

    def abandon(self) -> None:
        """Close the file as it is; ``scan`` finds what is good in it."""
        self._file.close()

    def _write(self, octets: bytes) -> None:
        self._put_in_order()
        self._torn = True
        self._file.write(octets)
        self._torn = False
        self._unsynced.append(octets)
        self._end += len(octets)

    def _put_in_order(self) -> None:
        if self._torn:
            self._file.truncate(self._end)
            self._torn = False
        if self._unsure:
            self._file.write_at(self._synced, b"".join(self._unsynced))


def hash_file(file: OpenFile) -> str:
    """SHA-256 in hex. OSError passes through."""
    digest = hashlib.sha256()
    offset = 0
    while octets := file.read_at(offset, _SHARE):
        digest.update(octets)
        offset += len(octets)
    return digest.hexdigest()
