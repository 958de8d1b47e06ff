"""What a writer is told at its start, and what its link tells the server. Data only."""

from pathlib import Path
from typing import Protocol

import msgspec

from server.recording.events import Opened


class WriterLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How long, how much, how often. Times in seconds.

    ``segment_s``: a segment's length at most; a key frame is asked for ``keyframe_ahead_s`` before. ``flush_s``: what
    lies longer than this in the writer's memory goes to the kernel; ``sync_s``: from the kernel to the disk.
    ``reorder_s``: how long a late packet is waited for. ``reserve_octets`` are kept free for the last lines;
    ``full_octets``: with less room beside them nothing is written; ``resume_octets``: with so much it goes on
    (``config.RecordingConfig`` has these for the house). ``usual_bps``: before the rate is measured.
    ``backlog_octets``, ``backlog_s``: what the server keeps for a writer that does not take it. ``stalled_s`` without
    an answer: an alarm; ``kill_s``: a new writer. ``restart_s``: the first wait between two starts; it doubles up to
    ``restart_max_s``. ``close_s``: how long a close may take.
    """

    segment_s: float = 60.0
    keyframe_ahead_s: float = 3.0
    flush_s: float = 0.25
    sync_s: float = 1.0
    reorder_s: float = 0.3
    reserve_octets: int = 1 << 20
    full_octets: int = 64 << 20
    resume_octets: int = 256 << 20
    usual_bps: float = 3_000_000
    backlog_octets: int = 64 << 20
    backlog_s: float = 60.0
    stalled_s: float = 3.0
    kill_s: float = 20.0
    restart_s: float = 0.1
    restart_max_s: float = 5.0
    close_s: float = 10.0


class WriterSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Of one recording. ``opened`` None: an earlier writer's recording goes on. ``key_path``: the Ed25519 PEM that
    signs the closing line (read at the close, by the writer). ``python``: runs the writer, "" for this interpreter.
    """

    folder: Path
    opened: Opened | None
    key_path: Path
    limits: WriterLimits = WriterLimits()
    python: str = ""


class WriterStats(msgspec.Struct):
    """How the writing goes. ``state``: starting, ok, stalled, restarting, paused, closed, detached, failed (it ended
    without its closing line); ``detail``: why.

    ``backlog_octets``, ``backlog_s``: not yet known to be on the disk. ``dropped_packets``: never written, because the
    backlog was full or the writing paused. ``lost_packets``: never came. ``hours_left``: at the present rate, None
    before the writer's first word. ``open_tracks`` and ``segments`` count.
    """

    state: str = "starting"
    detail: str = ""
    backlog_octets: int = 0
    backlog_s: float = 0.0
    dropped_packets: int = 0
    lost_packets: int = 0
    malformed_packets: int = 0
    written_octets: int = 0
    bytes_per_s: float = 0.0
    restarts: int = 0
    free_octets: int | None = None
    hours_left: float | None = None
    open_tracks: int = 0
    segments: int = 0


class WriterObserver(Protocol):
    """Who hears of the writer. Called on the event loop's thread; must not raise."""

    def keyframe_wanted(self, track: int) -> None:
        """A segment of this track wants to begin: ask its source for a key frame."""

    def writer_changed(self, state: str, detail: str) -> None:
        """``ok``, ``stalled`` (no answer), ``restarting`` (it died), ``paused`` (``detail``: disk_full, disk_error)."""
