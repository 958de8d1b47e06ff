"""The writer process of one recording: ``python -m server.recording.writer FD``, FD an inherited socket.

A plain loop: what it does is wait for the disk, and nothing else waits for it. It ends when it was told to close or
detach, or when the socket does (the server was killed): then it finishes what it has, and leaves the log open.
"""

import contextlib
import fcntl
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from server.errors import DiemcauError
from server.recording.events import Event
from server.recording.files import Files, RealFiles
from server.recording.journal import Journal
from server.recording.log import AlreadyClosed
from server.recording.track import TrackDescription
from server.recording.wire import Ack, FrameReader, Hello, Kind, TrackOpening, WireFrame, encode_ack

_READ_OCTETS: Final = 1 << 20
_WAKE_S: Final = 0.1
_TICK_S: Final = 0.02
_ACK_S: Final = 0.5
_GOODBYE_S: Final = 5.0
_LOCK_S: Final = 10.0

_logger = logging.getLogger(__name__)
_hello = msgspec.json.Decoder(Hello)
_opening = msgspec.json.Decoder(TrackOpening)
_event: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


class Writer:
    """Between the socket and the journal. ``run`` returns the process's exit code."""

    def __init__(self, connection: socket.socket, files: Files) -> None:
        self._socket = connection
        self._files = files
        self._reader = FrameReader()
        self._journal: Journal | None = None
        self._lock = -1
        self._index = 0
        self._stream_at = 0.0
        self._heard_at = 0.0
        self._ticked_at = 0.0
        self._acked_at = 0.0
        self._last_acked = -1
        self._last_state = ""
        self._outgoing = b""
        self._ending = False
        self._reason: str | None = None

    def run(self) -> int:
        """Until told to end, or the socket ends. 0, or 1 where the recording cannot be written at all."""
        self._socket.setblocking(False)
        try:
            while not self._turn():
                pass
        except AlreadyClosed:
            self._say_goodbye(Ack(acked=0, state="closed"))
        except DiemcauError as error:
            _logger.exception("the recording cannot be written")
            self._say_goodbye(Ack(acked=0, state="failed", detail=error.detail))
            return 1
        except OSError:
            # No folder, or another writer's: the server starts a new one by and by.
            _logger.exception("the recording cannot be written now")
            return 1
        return 0

    def _turn(self) -> bool:
        """Read, write, answer once; True at the end."""
        waiting_to_write = [self._socket] if self._outgoing else []
        readable, _, _ = select.select([self._socket], waiting_to_write, [], _WAKE_S)
        if readable and not self._receive():
            if self._journal is not None:
                self._journal.finish(None, self._now())
            return True
        journal = self._journal
        if journal is None:
            return False
        monotonic = time.monotonic()
        if monotonic - self._ticked_at >= _TICK_S:
            self._ticked_at = monotonic
            if self._ending and (self._finish(journal) or self._reason is None):
                return True
            journal.tick(self._now())
        self._answer(journal, monotonic)
        return False

    def _receive(self) -> bool:
        """Take what is there; False at the end of the stream."""
        try:
            data = self._socket.recv(_READ_OCTETS)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        for frame in self._reader.feed(data):
            self._stream_at, self._heard_at = max(self._stream_at, frame.at), time.monotonic()
            self._take(frame)
        return bool(data)

    def _take(self, frame: WireFrame) -> None:
        if frame.kind == Kind.HELLO:
            hello = _hello.decode(frame.payload)
            self._lock = _lock_folder(Path(hello.folder))
            self._journal = Journal(hello, self._files, frame.at)
            return
        journal = self._journal
        assert journal is not None, "the first frame is a hello"
        self._index += 1
        match frame.kind:
            case Kind.RTP:
                journal.rtp(frame.track, frame.payload, frame.at, self._index)
            case Kind.RTCP:
                journal.rtcp(frame.track, frame.payload, self._index)
            case Kind.EVENT:
                journal.event(_event.decode(frame.payload), frame.at, self._index)
            case Kind.OPEN_TRACK:
                opening = _opening.decode(frame.payload)
                described = TrackDescription(opening.track, opening.seat_id, opening.label, opening.codecs)
                journal.open_track(described, self._index)
            case Kind.CLOSE_TRACK:
                journal.close_track(frame.track, self._index, frame.at)
            case Kind.CLOSE:
                self._ending, self._reason = True, frame.payload.decode()
            case _:
                self._ending, self._reason = True, None

    def _finish(self, journal: Journal) -> bool:
        if not journal.finish(self._reason, self._now()):
            return False
        self._say_goodbye(journal.ack())
        return True

    def _now(self) -> float:
        """The server's clock: when the last frame was sent, and what has passed here since it was read."""
        return self._stream_at + (time.monotonic() - self._heard_at)

    def _answer(self, journal: Journal, monotonic: float) -> None:
        if not self._outgoing:
            is_due = monotonic - self._acked_at >= _ACK_S
            if not (
                is_due or journal.acked != self._last_acked or journal.has_wishes or journal.state != self._last_state
            ):
                return
            self._acked_at, self._last_acked, self._last_state = monotonic, journal.acked, journal.state
            self._outgoing = encode_ack(journal.ack())
        with contextlib.suppress(BlockingIOError, ConnectionError):
            self._outgoing = self._outgoing[self._socket.send(self._outgoing) :]

    def _say_goodbye(self, ack: Ack) -> None:
        with contextlib.suppress(OSError):
            self._socket.settimeout(_GOODBYE_S)
            self._socket.sendall(self._outgoing + encode_ack(ack))


def _lock_folder(folder: Path) -> int:
    """Two writers never write one recording: an earlier one may still be finishing. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    deadline = time.monotonic() + _LOCK_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return descriptor


def main(arguments: Sequence[str]) -> int:
    """``arguments``: the socket's file descriptor."""
    logging.basicConfig(level=logging.WARNING, format="recording writer: %(message)s")
    for ignored in (signal.SIGINT, signal.SIGTERM):
        # Signals to the whole group reach this process too; the server says what is to be done.
        signal.signal(ignored, signal.SIG_IGN)
    with socket.socket(fileno=int(arguments[0])) as connection:
        return Writer(connection, RealFiles()).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
