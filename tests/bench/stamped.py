"""A publisher whose video packets carry their time of sending, so that a viewer can say how long they took."""

import secrets
from struct import Struct

from server.bots import offer
from server.bots.connection import MediaConnection
from server.bots.players import SendRtp
from server.bots.streams import RtpStream, vp8_descriptor
from server.clock import Clock

_STAMP = Struct("!dI")
_MAGIC = 0xD1E3CA00
_KEYFRAME = b"\x50\x01\x00\x9d\x01\x2a\x00\x05\xd0\x02"
"""A VP8 frame header that says keyframe, 1280x720 (RFC 6386 9.1). Nobody decodes what follows."""
_DELTA_FRAME = b"\x51\x01\x00"
KEYFRAME_INTERVAL_S = 10.0
_SPREAD = 0.4
"""A frame's packets leave within this share of the frame interval, as a browser's pacer sends them."""


class StampedVideo:
    """A ``bots.players.Player``: ``bitrate_bps`` of VP8-like packets of 1,100 octets, 30 frames a second."""

    def __init__(self, stream: RtpStream, send: SendRtp, clock: Clock, bitrate_bps: int) -> None:
        self._stream = stream
        self._send = send
        self._clock = clock
        self._frames_per_s = 30
        self._chunks = max(1, round(bitrate_bps / 8 / self._frames_per_s / 1_100))
        self._filler = secrets.token_bytes(1_100)
        self._chunk = 0
        self._frame = 0
        self._keyframe_due = True
        self._keyframe_at = 0.0
        self._due: float | None = None

    def restart(self) -> None:
        """The server asks for a keyframe."""
        self._keyframe_due = True

    def play(self, now: float) -> float | None:
        if self._due is None or now - self._due > 0.5:
            self._due = now
        if self._chunk == 0:
            self._keyframe_due = self._keyframe_due or now >= self._keyframe_at
        head = b""
        if self._chunk == 0:
            head = _KEYFRAME if self._keyframe_due else _DELTA_FRAME
            if self._keyframe_due:
                self._keyframe_due, self._keyframe_at = False, now + KEYFRAME_INTERVAL_S
        sent_at = self._clock.now()
        payload = (
            vp8_descriptor(self._chunk == 0, self._frame & 0x7FFF) + head + self._filler[len(head) + _STAMP.size :]
        )
        payload += _STAMP.pack(sent_at, _MAGIC)
        self._chunk = (self._chunk + 1) % self._chunks
        timestamp = self._frame * 90_000 // self._frames_per_s & 0xFFFFFFFF
        self._send(self._stream.packet(payload, timestamp, self._chunk == 0, sent_at))
        interval_s = 1 / self._frames_per_s
        if self._chunk == 0:
            self._frame += 1
            self._due += interval_s * (1 - _SPREAD * (self._chunks - 1) / self._chunks)
        else:
            self._due += interval_s * _SPREAD / self._chunks
        return self._due


def stamp_of(packet: bytes) -> float | None:
    """When the packet was sent (Unix seconds), None for one without a stamp."""
    if len(packet) < 12 + _STAMP.size:
        return None
    sent_at, magic = _STAMP.unpack_from(packet, len(packet) - _STAMP.size)
    return float(sent_at) if magic == _MAGIC else None


def stamped_stream(connection: MediaConnection) -> RtpStream:
    """The camera's only stream of ``connection``'s plan."""
    camera = connection.plan.sends[1]
    _, ssrc, rtx_ssrc = camera.streams[0]
    return RtpStream(ssrc, offer.VP8, 90_000, mid=camera.mid, rtx=(rtx_ssrc, offer.VP8_RTX))
