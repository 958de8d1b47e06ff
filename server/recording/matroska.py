"""Matroska as the recorder writes it: one track a file, whole clusters, readable wherever it was cut (RFC 9559). Pure.

A file is a head, then clusters of known size, each written in one go: what a killed writer or a full disk leaves is a
good file up to its last whole cluster. Each cluster ends with a Void element (RFC 9559 lets readers pass it over) that
says which RTP packet it reaches, so that another writer can go on where this one was killed. An ordinary muxer does
not append to a file it did not begin, and this is why there is one of our own.
"""

import struct
from collections.abc import Sequence
from typing import Final

import msgspec

from server.recording.frames import StreamFormat

TIMESTAMP_SCALE_NS: Final = 1_000_000
_SEEK_PRE_ROLL_NS: Final = 80_000_000
"""How long an Opus decoder needs to be in tune (RFC 7845 4.6)."""
_MAX_CLUSTER_SPAN_MS: Final = 30_000
"""A block's timestamp is 16 bits beside its cluster's."""
_EPOCH_2001_S: Final = 978_307_200
"""DateUTC counts nanoseconds from 2001-01-01 (RFC 8794 7.5)."""
_UNKNOWN_SIZE: Final = b"\x01" + b"\xff" * 7
_APP: Final = "Diemcau"
_CUES_EVERY_MS: Final = 2_000
_RESUME_MAGIC: Final = b"DcR1"
_RESUME: Final = struct.Struct("!4sLLLLLLB")
_VOID_OCTETS: Final = _RESUME.size

EBML: Final = 0x1A45DFA3
SEGMENT: Final = 0x18538067
SEEK_HEAD: Final = 0x114D9B74
INFO: Final = 0x1549A966
TRACKS: Final = 0x1654AE6B
CLUSTER: Final = 0x1F43B675
CUES: Final = 0x1C53BB6B
VOID: Final = 0xEC
_TRACK_ENTRY: Final = 0xAE
_VIDEO: Final = 0xE0
_SIMPLE_BLOCK: Final = 0xA3
_CLUSTER_TIMESTAMP: Final = 0xE7


class RtpPosition(msgspec.Struct, frozen=True):
    """Where in its RTP stream a cluster ends. ``base_timestamp``: the RTP time of the file's 0. ``sequence`` and
    ``timestamp``: of the last packet. ``packets``, ``lost``: since the file's start."""

    ssrc: int
    payload_type: int
    base_timestamp: int
    sequence: int
    timestamp: int
    packets: int
    lost: int


class Block(msgspec.Struct, frozen=True):
    """A frame in a file. ``time_ms`` from the file's 0."""

    time_ms: int
    keyframe: bool
    data: bytes


class CuePoint(msgspec.Struct, frozen=True):
    """``offset`` counts from the file's start."""

    time_ms: int
    offset: int


def element(identifier: int, *content: bytes) -> bytes:
    """An EBML element with its size in as few octets as it needs (RFC 8794 4 to 6)."""
    size = sum(map(len, content))
    width = 1
    while size >= (1 << 7 * width) - 1:
        width += 1
    name = identifier.to_bytes((identifier.bit_length() + 7) // 8, "big")
    return b"".join((name, (size | 1 << 7 * width).to_bytes(width, "big"), *content))


def _number(identifier: int, value: int) -> bytes:
    return element(identifier, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def _float(identifier: int, value: float) -> bytes:
    return element(identifier, struct.pack("!d", value))


def _text(identifier: int, value: str) -> bytes:
    return element(identifier, value.encode())


def _date(starts_at: float) -> bytes:
    return element(0x4461, struct.pack("!q", round((starts_at - _EPOCH_2001_S) * 1e9)))


class Head:
    """The beginning of a file, and where in it the places lie that its end fills in."""

    def __init__(self, stream: StreamFormat, starts_at: float, name: str) -> None:
        """``starts_at``: Unix seconds, kept in DateUTC. ``name``: the track's, for players."""
        magic = element(
            EBML,
            *(_number(identifier, value) for identifier, value in ((0x4286, 1), (0x42F7, 1), (0x42F2, 4), (0x42F3, 8))),
            _text(0x4282, "matroska"),
            _number(0x4287, 4),
            _number(0x4285, 2),
        )
        opening = SEGMENT.to_bytes(4, "big")
        seek_head = _seek_head(0, 0, 0)
        before_date = _number(0x2AD7B1, TIMESTAMP_SCALE_NS) + _text(0x4D80, _APP) + _text(0x5741, _APP)
        date = _date(starts_at)
        no_duration = element(VOID, bytes(len(_float(0x4489, 0.0)) - 2))
        info = element(INFO, before_date, date, no_duration)
        self.segment_offset = len(magic) + len(opening) + len(_UNKNOWN_SIZE)
        self.size_offset = self.segment_offset - len(_UNKNOWN_SIZE)
        self.seek_offset = self.segment_offset
        self.info_offset = self.seek_offset + len(seek_head)
        self.tracks_offset = self.info_offset + len(info)
        self.duration_offset = self.tracks_offset - len(no_duration)
        self.date_offset = self.duration_offset - len(date)
        reserved = element(VOID, bytes(len(seek_head) - 2))
        self.octets = magic + opening + _UNKNOWN_SIZE + reserved + info + _tracks(stream, name)

    def patches(self, starts_at: float, ends_ms: float, cues_offset: int, size: int) -> list[tuple[int, bytes]]:
        """What to write where, once the cues are at ``cues_offset`` and the file has ``size`` octets."""
        start = self.segment_offset
        return [
            (self.seek_offset, _seek_head(self.info_offset - start, self.tracks_offset - start, cues_offset - start)),
            (self.date_offset, _date(starts_at)),
            (self.duration_offset, _float(0x4489, ends_ms)),
            (self.size_offset, (size - start | 1 << 56).to_bytes(8, "big")),
        ]


def _seek_head(info: int, tracks: int, cues: int) -> bytes:
    """Always of the same length: positions have 8 octets."""
    entries = ((INFO, info), (TRACKS, tracks), (CUES, cues))
    return element(
        SEEK_HEAD,
        *(
            element(0x4DBB, element(0x53AB, name.to_bytes(4, "big")), element(0x53AC, offset.to_bytes(8, "big")))
            for name, offset in entries
        ),
    )


def _tracks(stream: StreamFormat, name: str) -> bytes:
    fields = [
        _number(0xD7, 1),
        _number(0x73C5, 1),
        _number(0x83, 1 if stream.width else 2),
        _number(0x9C, 0),
        _text(0x22B59C, "und"),
        _text(0x536E, name),
        _text(0x86, stream.codec_id),
    ]
    if stream.private:
        fields.append(element(0x63A2, stream.private))
    if stream.width:
        fields.append(element(_VIDEO, _number(0xB0, stream.width), _number(0xBA, stream.height)))
    else:
        fields.append(_number(0x56BB, _SEEK_PRE_ROLL_NS))
        fields.append(element(0xE1, _float(0xB5, 48_000.0), _number(0x9F, 2)))
    return element(TRACKS, element(_TRACK_ENTRY, *fields))


def cluster(blocks: Sequence[Block], position: RtpPosition) -> bytes:
    """One cluster of at least one block; see ``fits`` for how much may be in it."""
    start_ms = blocks[0].time_ms
    parts = [_number(_CLUSTER_TIMESTAMP, start_ms)]
    for block in blocks:
        head = struct.pack("!BhB", 0x81, block.time_ms - start_ms, 0x80 if block.keyframe else 0)
        parts.append(element(_SIMPLE_BLOCK, head, block.data))
    p = position
    fields = (p.ssrc, p.base_timestamp, p.timestamp, p.packets, p.lost, p.sequence, p.payload_type)
    parts.append(element(VOID, _RESUME.pack(_RESUME_MAGIC, *fields)))
    return element(CLUSTER, *parts)


def fits(first_ms: int, time_ms: int) -> bool:
    """Whether a block at ``time_ms`` may be in the cluster that begins at ``first_ms``."""
    return 0 <= time_ms - first_ms <= _MAX_CLUSTER_SPAN_MS


def cues(points: Sequence[CuePoint], segment_offset: int) -> bytes:
    """The index of a file: only every 2 s, and at least one point (RFC 9559 wants no empty one)."""
    kept: list[bytes] = []
    last_ms = -_CUES_EVERY_MS
    for point in points:
        if point.time_ms - last_ms >= _CUES_EVERY_MS or not kept:
            last_ms = point.time_ms
            place = element(0xB7, _number(0xF7, 1), _number(0xF1, point.offset - segment_offset))
            kept.append(element(0xBB, _number(0xB3, point.time_ms), place))
    return element(CUES, *kept)


class Scan(msgspec.Struct):
    """What is good in a file. ``end``: behind the last whole cluster. ``finished``: it has its index and its size.

    ``position`` None: not one whole cluster. ``clusters`` are offsets.
    """

    starts_at: float
    codec_id: str
    private: bytes
    width: int
    height: int
    end: int
    finished: bool = False
    position: RtpPosition | None = None
    last_ms: int = 0
    frames: int = 0
    cue_points: list[CuePoint] = []


def scan(data: bytes) -> Scan | None:
    """Look through a file this module wrote, however it was cut. None: not even its head is whole."""
    reader = _Reader(data)
    found = Scan(0.0, "", b"", 0, 0, 0)
    try:
        identifier, start, size = reader.head(0)
        segment, inside, declared = reader.head(start + size)
        if identifier != EBML or segment != SEGMENT:
            return None
        offset = inside
        while True:
            identifier, start, size = reader.head(offset)
            end = start + size
            if end > len(data):
                break
            if identifier == INFO:
                _read_info(reader, start, end, found)
            elif identifier == TRACKS:
                _read_tracks(reader, start, end, found)
                found.end = end
            elif identifier == CLUSTER:
                _read_cluster(reader, offset, start, end, found)
            elif identifier == CUES:
                found.finished = inside + declared == len(data) == end
            offset = end
    except (IndexError, ValueError, struct.error):
        pass
    return found if found.end else None


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def head(self, offset: int) -> tuple[int, int, int]:
        """Identifier, where the content starts, its size (huge where unknown). Raises IndexError, ValueError."""
        first = self.data[offset]
        width = 9 - first.bit_length()
        if width > 4:
            raise ValueError("no identifier")
        identifier = int.from_bytes(self.data[offset : offset + width], "big")
        offset += width
        first = self.data[offset]
        width = 9 - first.bit_length()
        if width > 8 or offset + width > len(self.data):
            raise ValueError("no size")
        size = int.from_bytes(self.data[offset : offset + width], "big") & (1 << 7 * width) - 1
        return identifier, offset + width, size

    def children(self, start: int, end: int) -> list[tuple[int, int, int]]:
        found = []
        while start < end:
            identifier, inside, size = self.head(start)
            if inside + size > end:
                raise ValueError("past its parent")
            found.append((identifier, inside, inside + size))
            start = inside + size
        return found


def _read_info(reader: _Reader, start: int, end: int, found: Scan) -> None:
    for identifier, inside, stop in reader.children(start, end):
        if identifier == 0x4461:
            found.starts_at = struct.unpack("!q", reader.data[inside:stop])[0] / 1e9 + _EPOCH_2001_S


def _read_tracks(
    reader: _Reader, start: int, end: int, found: Scan, nested: tuple[int, ...] = (_TRACK_ENTRY, _VIDEO)
) -> None:
    """``nested``: which element is looked into, and which in that one; damage may nest them without end."""
    for identifier, inside, stop in reader.children(start, end):
        value = reader.data[inside:stop]
        if identifier in nested[:1]:
            _read_tracks(reader, inside, stop, found, nested[1:])
        elif identifier == 0x86:
            found.codec_id = value.decode("ascii", "replace")
        elif identifier == 0x63A2:
            found.private = value
        elif identifier == 0xB0:
            found.width = int.from_bytes(value, "big")
        elif identifier == 0xBA:
            found.height = int.from_bytes(value, "big")


def _read_cluster(reader: _Reader, offset: int, start: int, end: int, found: Scan) -> None:
    base = frames = 0
    last_ms, keyframe_ms = found.last_ms, -1
    position = None
    for identifier, inside, stop in reader.children(start, end):
        if identifier == _CLUSTER_TIMESTAMP:
            base = int.from_bytes(reader.data[inside:stop], "big")
        elif identifier == _SIMPLE_BLOCK:
            _, relative, flags = struct.unpack_from("!BhB", reader.data, inside)
            last_ms = max(last_ms, base + relative)
            frames += 1
            if flags & 0x80 and keyframe_ms < 0:
                keyframe_ms = base + relative
        elif identifier == VOID and stop - inside == _VOID_OCTETS:
            magic, ssrc, base_timestamp, timestamp, packets, lost, sequence, kind = _RESUME.unpack_from(
                reader.data, inside
            )
            if magic == _RESUME_MAGIC:
                position = RtpPosition(ssrc, kind, base_timestamp, sequence, timestamp, packets, lost)
    if position is None or not frames:
        raise ValueError("not a cluster of ours")
    found.position, found.last_ms, found.end = position, last_ms, end
    found.frames += frames
    if keyframe_ms >= 0:
        found.cue_points.append(CuePoint(keyframe_ms, offset))
