"""The server's end of a recording's writer process: frames out in one send a loop turn, a backlog until they are on
the disk, a watchdog, a new writer where one dies. Nothing here waits for the disk."""

import asyncio
import contextlib
import logging
from typing import Final

import msgspec

from server.clock import Clock
from server.config import RecordingConfig
from server.recording.backlog import Backlog
from server.recording.events import Event, Gap
from server.recording.process import WriterProcess
from server.recording.settings import WriterLimits, WriterObserver, WriterSettings, WriterStats
from server.recording.space import judge
from server.recording.wire import HEADER, Ack, Hello, Kind, TrackOpening, frame
from server.sfu.ports import Codec, TrackLabel

__all__ = ["WriterLimits", "WriterLink", "WriterObserver", "WriterSettings", "WriterStats"]

_TURN_S: Final = 0.04
"""Frames go out together this often: a send costs some 30 µs, a packet in it half of one. A server that is killed
loses so much, at most."""
_WATCH_S: Final = 0.25
_LIVED_S: Final = 10.0
"""A writer that lived so long before it died is replaced at once."""
_GONE_S: Final = 2.0

_logger = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class WriterLink:
    """One recording's writer. All methods are called on the event loop's thread.

    ``stats.state``: starting, ok, stalled, restarting, paused, closed, detached, failed.
    """

    def __init__(self, settings: WriterSettings, clock: Clock, observer: WriterObserver) -> None:
        self._stats = WriterStats()
        self._settings = settings
        self._limits = settings.limits
        self._clock = clock
        self._observer = observer
        self._backlog = Backlog(self._limits.backlog_octets, self._limits.backlog_s)
        self._turn: list[tuple[int, int, float, bytes]] = []
        self._is_scheduled = False
        self._tracks: dict[int, TrackOpening] = {}
        self._closing: list[tuple[int, int]] = []
        self._process: WriterProcess | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._launched = asyncio.Event()
        self._ended = asyncio.Event()
        self._base = 0
        self._was_ok = False
        self._heard_at = 0.0
        self._dropping_since: float | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def stats(self) -> WriterStats:
        """As of now; the same object every time."""
        now = self._clock.now()
        stats = self._stats
        stats.backlog_octets, stats.backlog_s = self._backlog.octets, self._backlog.age_s(now)
        stats.open_tracks = len(self._tracks) - len(self._closing)
        return stats

    @property
    def process(self) -> WriterProcess | None:
        """The writer that runs; None between two."""
        return self._process

    async def start(self) -> None:
        """Start the writer process. Frames may be given before and while it starts; it not starting is an alarm."""
        self._supervisor = asyncio.create_task(self._supervise())
        await self._launched.wait()

    def open_track(self, track: int, seat_id: str, label: TrackLabel, codecs: tuple[Codec, ...]) -> None:
        """Packets of ``track`` (1..65535, used once a recording) follow; ``codecs`` tell its payload types."""
        opening = TrackOpening(track, seat_id, label.value, codecs)
        self._tracks[track] = opening
        self._give(Kind.OPEN_TRACK, track, self._clock.now(), _encode(opening))

    def close_track(self, track: int) -> None:
        """No more packets of it; its segment is closed."""
        if track in self._tracks:
            self._give(Kind.CLOSE_TRACK, track, self._clock.now(), b"")
            self._closing.append((self._backlog.sent + len(self._turn), track))

    def rtp(self, track: int, data: bytes, now: float) -> None:
        """One plain RTP packet, received at ``now``. An append and nothing else."""
        self._turn.append((Kind.RTP, track, now, data))
        if not self._is_scheduled:
            self._schedule()

    def rtcp(self, track: int, data: bytes, now: float) -> None:
        """A compound with the slot's sender report."""
        self._give(Kind.RTCP, track, now, data)

    def event(self, event: Event, at: float) -> None:
        """A line for the log; never dropped."""
        self._give(Kind.EVENT, 0, at, _encode(event))

    async def close(self, reason: str) -> None:
        """Close the segments and sign the log; returns when that is on disk, at ``limits.close_s`` at the latest.

        ``stats.state`` is "closed" then, or "failed" where the disk did not take it: the next start tries again.
        """
        self._give(Kind.CLOSE, 0, self._clock.now(), reason.encode())
        await self._end("closed")

    async def detach(self) -> None:
        """The server goes, the recording goes on at its next start: segments are closed, the log stays open."""
        self._give(Kind.DETACH, 0, self._clock.now(), b"")
        await self._end("detached")

    # Frames out.

    def _give(self, kind: Kind, track: int, at: float, payload: bytes) -> None:
        self._turn.append((kind, track, at, payload))
        if not self._is_scheduled:
            self._schedule()

    def _schedule(self) -> None:
        self._is_scheduled = True
        self._loop.call_later(_TURN_S, self._flush)

    def _flush(self) -> None:
        """What this turn of the loop brought, as one batch."""
        self._is_scheduled = False
        turn, self._turn = self._turn, []
        now = turn[-1][2]
        if self._stats.state == "paused" or self._backlog.is_full(now):
            turn = self._leave_media_out(turn)
        elif self._dropping_since is not None:
            gap = _encode(Gap(self._dropping_since, now, "queue_full"))
            self._dropping_since = None
            turn.insert(0, (Kind.EVENT, 0, now, gap))
        if not turn:
            return
        parts: list[bytes] = []
        pack = HEADER.pack
        for kind, track, at, payload in turn:
            parts += (pack(len(payload), kind, track, at), payload)
        data = self._backlog.add(parts, len(turn), now)
        if self._process is not None:
            self._process.send(data)

    def _leave_media_out(self, turn: list[tuple[int, int, float, bytes]]) -> list[tuple[int, int, float, bytes]]:
        """Counted; while the writing pauses its own lines say so, else a gap line will."""
        kept = [entry for entry in turn if entry[0] != Kind.RTP]
        dropped = len(turn) - len(kept)
        self._stats.dropped_packets += dropped
        if dropped and self._stats.state != "paused" and self._dropping_since is None:
            self._dropping_since = turn[0][2]
        return kept

    # Answers in.

    def _on_ack(self, ack: Ack) -> None:
        self._heard_at = self._clock.now()
        stats = self._stats
        self._was_ok = self._was_ok or ack.state == "ok"
        last = self._base + ack.acked
        self._backlog.ack(last)
        while self._closing and self._closing[0][0] <= self._backlog.acked:
            self._tracks.pop(self._closing.pop(0)[1], None)
        stats.written_octets, stats.segments = ack.written_octets, ack.segments
        stats.lost_packets, stats.malformed_packets = ack.lost_packets, ack.malformed_packets
        stats.bytes_per_s = ack.bytes_per_s or 0.0
        if ack.free_octets is not None:
            stats.free_octets = ack.free_octets
            config = RecordingConfig(usual_bps=self._limits.usual_bps, full_octets=self._limits.full_octets)
            stats.hours_left = judge(ack.free_octets, ack.bytes_per_s, config).hours_left
        self._change(ack.state, ack.detail)
        if ack.state in ("closed", "detached", "failed"):
            self._ended.set()
        for track in ack.wishes:
            self._observer.keyframe_wanted(track)

    def _change(self, state: str, detail: str) -> None:
        if (state, detail) != (self._stats.state, self._stats.detail):
            self._stats.state, self._stats.detail = state, detail
            self._observer.writer_changed(state, detail)

    # The process.

    async def _supervise(self) -> None:
        wait_s = self._limits.restart_s
        while not self._ended.is_set():
            began_at = self._clock.now()
            try:
                died = await self._run_one()
            except OSError as error:
                died = f"cannot be started: {error}"
            self._launched.set()
            if self._ended.is_set():
                return
            if self._clock.now() - began_at >= _LIVED_S:
                wait_s = self._limits.restart_s
            self._stats.restarts += 1
            _logger.warning("the recording's writer %s; another one takes over", died)
            self._change("restarting", died)
            for opening in self._tracks.values():
                if opening.label != TrackLabel.MIC:
                    self._observer.keyframe_wanted(opening.track)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, self._limits.restart_max_s)

    async def _run_one(self) -> str:
        """Start a writer, give it what its predecessor may not have written, stay until it dies; why it did."""
        process = await WriterProcess.start(self._settings.python, self._on_ack)
        self._heard_at = self._clock.now()
        self._base = self._backlog.acked
        now = self._clock.now()
        hello = Hello(
            folder=str(self._settings.folder),
            key_path=str(self._settings.key_path),
            opened=self._settings.opened,
            limits=self._limits,
            replaying=self._stats.restarts > 0,
            after_stop=self._settings.opened is None and not self._was_ok,
            tracks=tuple(self._tracks.values()),
        )
        process.send(frame(Kind.HELLO, 0, self._backlog.first_at(now), _encode(hello)))
        for batch in self._backlog:
            process.send(batch.data)
        self._process = process
        self._launched.set()
        try:
            return await self._watch(process)
        finally:
            self._process = None
            await process.stop()

    async def _watch(self, process: WriterProcess) -> str:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_WATCH_S):
                    await process.ended.wait()
            if process.ended.is_set():
                return "died"
            silent_s = self._clock.now() - self._heard_at
            if silent_s >= self._limits.kill_s:
                return f"did not answer for {silent_s:.0f} s"
            if silent_s >= self._limits.stalled_s:
                self._change("stalled", f"no answer for {self._limits.stalled_s:g} s")

    async def _end(self, state: str) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.close_s):
                await self._ended.wait()
        self._ended.set()
        if self._stats.state != state:
            self._change("failed", self._stats.detail or "the disk did not take the last lines in time")
        if self._process is not None:
            self._process.hang_up()
        if self._supervisor is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GONE_S):
                    await asyncio.shield(self._supervisor)
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
