"""One recording being written: its tracks, its log, and what happens when the disk says no.

The writer process runs one; tests run it with a disk that fails. It reads no clock and no socket. Every line goes
through ``_lines`` and leaves it when it is in the log, so that a pause loses none.
"""

import errno
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from server.errors import NotFound
from server.recording.events import Event, Gap, Paused, Resumed, SegmentClosed
from server.recording.files import Files, OpenFile
from server.recording.keys import SigningKey
from server.recording.log import LOG_FILE, EventLog, read_log
from server.recording.orphans import TRACKS_FOLDER, TrackFile, adopt, file_name, look_at, numbers, track_name, unlogged
from server.recording.space import WriteRate
from server.recording.track import TrackDescription, TrackWriter
from server.recording.wire import Ack, Hello
from server.rtp.packet import RtpView
from server.rtp.sequence import difference32

RESERVE_FILE: Final = "reserve"
_POLL_S: Final = 1.0
_SAME_STREAM_TICKS: Final = 180 * 90_000
"""Slots' SSRCs come again after a restart of the server, RTP times do not."""
_ZEROS: Final = bytes(65_536)
_encode = msgspec.json.Encoder().encode


class _Pending(msgspec.Struct, frozen=True, gc=False):
    """A line that is not in the log yet. ``index``: of the frame that brought it, 0 for our own."""

    event: Event
    at: float
    index: int


class Journal:
    """See the module. ``state`` is starting, ok, paused, closed or detached; ``detail`` the reason of a pause."""

    def __init__(self, hello: Hello, files: Files, now: float) -> None:
        """Begin or go on as ``hello`` says. Raises LogDamaged, AlreadyClosed, NotFound; a failing disk is a pause."""
        self.state = "starting"
        self.detail = ""
        self.segments = 0
        self.free_octets: int | None = None
        self.rate = WriteRate()
        self._hello = hello
        self._limits = hello.limits
        self._folder = Path(hello.folder)
        self._files = files
        self._log: EventLog | None = None
        self._lines: deque[_Pending] = deque()
        self._known: set[bytes] = set()
        self._tracks: dict[int, TrackWriter] = {}
        self._numbers: dict[str, int] = {}
        self._left: dict[str, TrackFile] = {}
        self._own_files: set[str] = set()
        self._wishes: set[int] = set()
        self._received = 0
        self._acked = 0
        self._flushed_at = self._synced_at = self._polled_at = now
        self._began_at = self._paused_at = now
        self._folder_changed = False
        self._closed_octets = 0
        self._lost = self._malformed = 0
        self._ending: str | None = None
        self._todo: deque[Callable[[float], None]] = deque((self._open, self._look_back, self._make_reserve))
        self._go_on(now)
        for opening in hello.tracks:
            self.open_track(TrackDescription(opening.track, opening.seat_id, opening.label, opening.codecs), 0)

    def open_track(self, description: TrackDescription, index: int) -> None:
        """Packets of this track follow. Known numbers are passed over (they come again in a replay)."""
        self._received = max(self._received, index)
        if description.number not in self._tracks:
            self._tracks[description.number] = TrackWriter(description, self._files, self._limits, self)

    def close_track(self, track: int, index: int, now: float) -> None:
        self._received = index
        writer = self._tracks.get(track)
        if writer is None:
            return
        self._attempt(lambda _: writer.close(), now)
        self._lost += writer.lost
        self._malformed += writer.malformed
        del self._tracks[track]

    def rtp(self, track: int, data: bytes, at: float, index: int) -> None:
        self._received = index
        writer = self._tracks.get(track)
        if writer is None or self.state != "ok":
            return
        try:
            writer.rtp(data, at, index)
        except OSError as error:
            self._pause(error, at)

    def rtcp(self, track: int, data: bytes, index: int) -> None:
        self._received = index
        if writer := self._tracks.get(track):
            writer.rtcp(data)

    def event(self, event: Event, at: float, index: int) -> None:
        """A line; one that an earlier writer wrote already is passed over."""
        self._received = index
        key = _encode((at, event))
        if key in self._known:
            self._known.remove(key)
            return
        self._lines.append(_Pending(event, at, index))
        if isinstance(event, Gap) and event.reason == "queue_full":
            for writer in self._tracks.values():
                writer.skip()
        self._attempt(self._write_lines, at)

    def tick(self, now: float) -> None:
        """Call it several times a second. ``now``: of the stream; it must not run ahead of frames that wait."""
        if self.state in ("starting", "paused"):
            if now - self._polled_at >= _POLL_S:
                self._polled_at = now
                self._poll(now)
            return
        if self.state != "ok":
            return
        self._attempt(self._tick_tracks, now)
        if self.state == "ok" and now - self._synced_at >= self._limits.sync_s:
            self._synced_at = self._flushed_at = now
            self._attempt(self._sync, now)
            self._attempt(self._check_space, now)
        elif self.state == "ok" and now - self._flushed_at >= self._limits.flush_s:
            self._flushed_at = now
            self._attempt(self._flush, now)

    def finish(self, reason: str | None, now: float) -> bool:
        """Close everything; with a ``reason`` write the closing line, with None leave the log open for another day.

        False where the disk does not let it: call it again later.
        """
        self._ending = reason
        if self.state in ("starting", "paused"):
            self._poll(now)
        self._attempt(self._finish, now)
        return self.state in ("closed", "detached")

    def ack(self) -> Ack:
        """What the server is told; wishes are told once."""
        wishes, self._wishes = tuple(sorted(self._wishes)), set()
        return Ack(
            acked=self._acked,
            state="paused" if self.state == "starting" else self.state,
            detail=self.detail,
            free_octets=self.free_octets,
            written_octets=self.written_octets,
            bytes_per_s=self.rate.bytes_per_s(),
            segments=self.segments,
            lost_packets=self._lost + sum(writer.lost for writer in self._tracks.values()),
            malformed_packets=self._malformed + sum(writer.malformed for writer in self._tracks.values()),
            wishes=wishes,
        )

    @property
    def acked(self) -> int:
        return self._acked

    @property
    def has_wishes(self) -> bool:
        return bool(self._wishes)

    @property
    def written_octets(self) -> int:
        return self._closed_octets + sum(writer.octets for writer in self._tracks.values())

    # What tracks ask (see track.TrackHome).

    def new_path(self, track: str) -> Path:
        number = self._numbers.get(track, 0) + 1
        self._numbers[track] = number
        self._folder_changed = True
        path = self._folder / TRACKS_FOLDER / file_name(track, number)
        self._own_files.add(f"{TRACKS_FOLDER}/{path.name}")
        return path

    def log(self, event: Event, at: float) -> None:
        self._lines.append(_Pending(event, at, 0))
        if isinstance(event, SegmentClosed):
            self._own_files.add(event.file)
            self.segments += 1
            self._closed_octets += event.octets

    def wish_keyframe(self, track: int) -> None:
        self._wishes.add(track)

    def claim(self, track: str, packet: RtpView) -> TrackFile | None:
        left = self._left.get(track)
        position = left.found.position if left is not None and left.found is not None else None
        if position is None or position.ssrc != packet.ssrc:
            return None
        if abs(difference32(packet.timestamp, position.timestamp)) > _SAME_STREAM_TICKS:
            return None
        return self._left.pop(track)

    # The beginning, and going on.

    def _open(self, now: float) -> None:
        self._files.make_folder(self._folder / TRACKS_FOLDER)
        if self._files.exists(self._folder / LOG_FILE):
            lines = read_log(self._folder, tolerant=True)
            self._log = EventLog.resume(self._folder, self._files, now)
            if self._hello.replaying:
                self._known = {_encode((line.at, line.event)) for line in lines}
            if self._hello.after_stop:
                last_at = max((line.at for line in lines), default=now)
                self._todo.append(lambda at: self._tell_stop(last_at, at))
            elif self._hello.replaying:
                self._lines.append(_Pending(Resumed("writer_stopped"), now, 0))
        else:
            if self._hello.opened is None:
                raise NotFound("recording_missing", f"there is no {LOG_FILE} in {self._folder}")
            self._log = EventLog.create(self._folder, self._hello.opened, self._began_at, self._files)
        self.segments = len(self._log.segment_files)

    def _look_back(self, now: float) -> None:
        """Orphans get their lines. With a replay coming, the last one of each track is left to go on with."""
        assert self._log is not None
        self._numbers = numbers(self._folder, self._files)
        logged = self._log.segment_files | self._own_files
        for orphan in unlogged(self._folder, self._files, logged):
            name = track_name(orphan.seat_id, orphan.label)
            is_last = orphan.number == self._numbers[name]
            if self._hello.replaying and is_last and orphan.found is not None and not orphan.found.finished:
                self._left[name] = orphan
                self._own_files.add(orphan.logged_as)
            elif (line := adopt(orphan, self._files)) is not None:
                self.log(line, now)
        if self._hello.replaying:
            for name, number in numbers(self._folder, self._files).items():
                if name not in self._left and (last := look_at(self._folder, file_name(name, number), self._files)):
                    self._left[name] = last

    def _tell_stop(self, last_at: float, now: float) -> None:
        ends = [line.event.ends_at for line in self._lines if isinstance(line.event, SegmentClosed)]
        self._lines.append(_Pending(Gap(min(now, max([last_at, *ends])), now, "server_stopped"), now, 0))
        self._lines.append(_Pending(Resumed("server_stopped"), now, 0))

    def _make_reserve(self, now: float) -> None:
        path = self._folder / RESERVE_FILE
        if self._files.exists(path):
            return
        draft = self._folder / f"{RESERVE_FILE}.new"
        self._files.unlink(draft)
        file = self._files.open_new(draft)
        try:
            self._fill(file)
            self._files.fsync(file)
        finally:
            file.close()
        self._files.rename(draft, path)

    def _fill(self, file: OpenFile) -> None:
        left = self._limits.reserve_octets
        while left > 0:
            file.write(_ZEROS[:left])
            left -= len(_ZEROS)

    def _catch_up(self, now: float) -> None:
        """Whatever is still to be done before packets are written; each step once."""
        while self._todo:
            self._todo[0](now)
            self._todo.popleft()
        self._write_lines(now)
        self._sync_log(now)
        self.state, self.detail = "ok", ""

    def _sync_log(self, now: float) -> None:
        assert self._log is not None
        self._log.sync()
        self._synced_at = self._flushed_at = now
        self._acknowledge()

    # Every now and then.

    def _tick_tracks(self, now: float) -> None:
        for writer in self._tracks.values():
            writer.tick(now)
        self._write_lines(now)

    def _flush(self, now: float) -> None:
        for writer in self._tracks.values():
            writer.flush()

    def _sync(self, now: float) -> None:
        for writer in self._tracks.values():
            writer.sync()
        self._finish_unclaimed(now)
        if self._folder_changed:
            self._files.fsync_folder(self._folder / TRACKS_FOLDER)
            self._folder_changed = False
        self._write_lines(now)
        assert self._log is not None
        self._log.sync()
        self.rate.add(self.written_octets, now)
        self._acknowledge()

    def _finish_unclaimed(self, now: float) -> None:
        """What an earlier writer left of a track that was not opened again."""
        for name, left in list(self._left.items()):
            if left.found is not None and left.logged_as in self._own_files and not left.found.finished:
                line = adopt(left, self._files)
                assert line is not None
                self.log(line, now)
            del self._left[name]

    def _check_space(self, now: float) -> None:
        self.free_octets = self._files.free_octets(self._folder)
        if self.free_octets <= self._limits.full_octets:
            raise OSError(errno.ENOSPC, "less than the limit is free")

    def _write_lines(self, now: float) -> None:
        assert self._log is not None
        while self._lines:
            pending = self._lines[0]
            self._log.append(pending.event, pending.at)
            self._lines.popleft()

    def _acknowledge(self) -> None:
        """Everything given so far is on the disk, but for what waits to be a whole frame."""
        oldest = [index for writer in self._tracks.values() if (index := writer.oldest_index()) is not None]
        oldest += [line.index for line in self._lines if line.index]
        self._acked = max(self._acked, min(oldest, default=self._received + 1) - 1)

    # When the disk says no.

    def _attempt(self, step: Callable[[float], None], now: float) -> None:
        if self.state == "ok":
            try:
                step(now)
            except OSError as error:
                self._pause(error, now)

    def _go_on(self, now: float) -> None:
        try:
            self._catch_up(now)
        except OSError as error:
            self._pause(error, now)

    def _pause(self, error: OSError, now: float) -> None:
        reason = "disk_full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "disk_error"
        was_running = self.state == "ok"
        self.state, self.detail = "paused", reason
        self._polled_at = now
        if self._log is not None and self._log.closed:
            return
        if not was_running:
            if self._tell_pause not in self._todo:
                self._todo.append(self._tell_pause)
            return
        self._paused_at = now
        if reason == "disk_full":
            self._try(lambda: self._files.unlink(self._folder / RESERVE_FILE))
        for writer in self._tracks.values():
            writer.interrupt()
        self._left.clear()
        self._lines.append(_Pending(Paused(reason), now, 0))
        self._try(lambda: self._write_lines(now))
        self._try(lambda: self._sync_log(now))
        self._todo.extend((self._adopt_again, self._make_reserve, self._tell_pause))

    @staticmethod
    def _try(step: Callable[[], None]) -> None:
        """The disk is known to fail; what does not work now is done when it works again."""
        try:
            step()
        except OSError:
            return

    def _poll(self, now: float) -> None:
        """Is there room again, does the disk work again? Then do what was left, and go on."""
        try:
            self.free_octets = self._files.free_octets(self._existing_folder())
        except OSError:
            return
        if self.detail == "disk_full" and self.free_octets < self._limits.resume_octets:
            return
        self._go_on(now)
        if self.state == "ok":
            for number, writer in self._tracks.items():
                writer.skip()
                if not writer.is_sound:
                    self.wish_keyframe(number)

    def _existing_folder(self) -> Path:
        return self._folder if self._files.exists(self._folder) else self._folder.parent

    def _adopt_again(self, now: float) -> None:
        assert self._log is not None
        logged = self._log.segment_files | {
            line.event.file for line in self._lines if isinstance(line.event, SegmentClosed)
        }
        for orphan in unlogged(self._folder, self._files, logged):
            if (line := adopt(orphan, self._files)) is not None:
                # What was in memory, or torn, is missing as well.
                self._paused_at = min(self._paused_at, line.ends_at)
                self.log(line, now)

    def _tell_pause(self, now: float) -> None:
        self._lines.append(_Pending(Gap(self._paused_at, now, self.detail), now, 0))
        self._lines.append(_Pending(Resumed(self.detail), now, 0))

    # The end.

    def _finish(self, now: float) -> None:
        assert self._log is not None
        if not self._log.closed:
            for writer in self._tracks.values():
                writer.close()
            self._finish_unclaimed(now)
            self._files.fsync_folder(self._folder / TRACKS_FOLDER)
            self._write_lines(now)
            self._files.unlink(self._folder / RESERVE_FILE)
        if self._ending is None:
            self._log.sync()
            self._log.release()
        else:
            self._log.close(self._ending, SigningKey.load_or_make(Path(self._hello.key_path)), now)
        self._acked = self._received
        self.state = "closed" if self._ending is not None else "detached"
