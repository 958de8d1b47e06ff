"""What the server and a recording's writer say to each other over their socket: length-prefixed frames both ways.

Server to writer: ``!IBHd`` (payload octets, kind, track, at) and the payload. The first is HELLO; those after it are
counted from 1, and an ``Ack`` says up to which one everything is on the disk. Writer to server: ``!I`` and an ``Ack``
as JSON. Both ends are the same program, so a malformed frame is a bug of ours: ValueError.
"""

import struct
from enum import IntEnum
from typing import Final

import msgspec

from server.recording.events import Opened
from server.recording.settings import WriterLimits
from server.sfu.ports import Codec

HEADER: Final = struct.Struct("!IBHd")
_ACK_HEADER: Final = struct.Struct("!I")
_MAX_PAYLOAD: Final = 16 << 20


class Kind(IntEnum):
    HELLO = 0
    RTP = 1
    RTCP = 2
    EVENT = 3
    OPEN_TRACK = 4
    CLOSE_TRACK = 5
    CLOSE = 6
    DETACH = 7


class TrackOpening(msgspec.Struct, frozen=True):
    """Payload of OPEN_TRACK."""

    track: int
    seat_id: str
    label: str
    codecs: tuple[Codec, ...]


class Hello(msgspec.Struct, frozen=True):
    """Payload of HELLO. ``replaying``: an earlier writer of this server died, and what it may not have written follows.
    ``after_stop``: the recording stood still until now, and the log shall say so. ``tracks``: open where the frames
    that follow begin."""

    folder: str
    key_path: str
    opened: Opened | None
    limits: WriterLimits
    replaying: bool = False
    after_stop: bool = False
    tracks: tuple[TrackOpening, ...] = ()


class Ack(msgspec.Struct, frozen=True, omit_defaults=True):
    """``acked``: frames whose octets are on the disk (or that are not to be written). ``state``: ok, paused, closed,
    detached, failed, ``detail`` says why. ``wishes``: tracks that want a key frame."""

    acked: int
    state: str = "ok"
    detail: str = ""
    free_octets: int | None = None
    written_octets: int = 0
    bytes_per_s: float | None = None
    segments: int = 0
    lost_packets: int = 0
    malformed_packets: int = 0
    wishes: tuple[int, ...] = ()


class WireFrame(msgspec.Struct, frozen=True, gc=False):
    """One frame as the writer reads it."""

    kind: int
    track: int
    at: float
    payload: bytes


def frame(kind: Kind, track: int, at: float, payload: bytes = b"") -> bytes:
    return HEADER.pack(len(payload), kind, track, at) + payload


class FrameReader:
    """Cuts what comes off the socket into frames. Raises ValueError for what is none."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[WireFrame]:
        self._buffer += data
        frames = []
        offset = 0
        available = len(self._buffer)
        while available - offset >= HEADER.size:
            size, kind, track, at = HEADER.unpack_from(self._buffer, offset)
            if size > _MAX_PAYLOAD or kind > Kind.DETACH:
                raise ValueError(f"not a frame: kind {kind}, {size} octets")
            end = offset + HEADER.size + size
            if end > available:
                break
            frames.append(WireFrame(kind, track, at, bytes(self._buffer[offset + HEADER.size : end])))
            offset = end
        del self._buffer[:offset]
        return frames


def encode_ack(ack: Ack) -> bytes:
    payload = msgspec.json.encode(ack)
    return _ACK_HEADER.pack(len(payload)) + payload


class AckReader:
    """The other direction. Raises ValueError (msgspec's errors are such) for what is none."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._decoder = msgspec.json.Decoder(Ack)

    def feed(self, data: bytes) -> list[Ack]:
        self._buffer += data
        acks = []
        while len(self._buffer) >= _ACK_HEADER.size:
            (size,) = _ACK_HEADER.unpack_from(self._buffer)
            if size > _MAX_PAYLOAD:
                raise ValueError(f"not an ack: {size} octets")
            end = _ACK_HEADER.size + size
            if end > len(self._buffer):
                break
            acks.append(self._decoder.decode(bytes(self._buffer[_ACK_HEADER.size : end])))
            del self._buffer[:end]
        return acks
