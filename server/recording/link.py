"""The server's end of a recording's writer process: frames out in one send a loop turn, a backlog until they are on
the disk, a watchdog, a new writer where one dies. Nothing here waits for the disk."""

from server.clock import Clock
from server.recording.events import Event
from server.recording.settings import WriterLimits, WriterObserver, WriterSettings, WriterStats
from server.sfu.ports import Codec, TrackLabel

__all__ = ["WriterLimits", "WriterLink", "WriterObserver", "WriterSettings", "WriterStats"]


class WriterLink:
    """One recording's writer. All methods are called on the event loop's thread."""

    def __init__(self, settings: WriterSettings, clock: Clock, observer: WriterObserver) -> None:
        self.stats = WriterStats()
        self._settings = settings
        self._clock = clock
        self._observer = observer

    async def start(self) -> None:
        """Start the writer process. Frames may be given before and while it starts."""
        raise NotImplementedError

    def open_track(self, track: int, seat_id: str, label: TrackLabel, codecs: tuple[Codec, ...]) -> None:
        """Packets of ``track`` (1..65535, used once a recording) follow; ``codecs`` tell its payload types."""
        raise NotImplementedError

    def close_track(self, track: int) -> None:
        """No more packets of it; its segment is closed."""
        raise NotImplementedError

    def rtp(self, track: int, data: bytes, now: float) -> None:
        """One plain RTP packet, received at ``now``. An append and nothing else."""
        raise NotImplementedError

    def rtcp(self, track: int, data: bytes, now: float) -> None:
        """A compound with the slot's sender report."""
        raise NotImplementedError

    def event(self, event: Event, at: float) -> None:
        """A line for the log; never dropped."""
        raise NotImplementedError

    async def close(self, reason: str) -> None:
        """Close the segments and sign the log; returns when that is on disk, at ``limits.close_s`` at the latest."""
        raise NotImplementedError

    async def detach(self) -> None:
        """The server goes, the recording goes on at its next start: segments are closed, the log stays open."""
        raise NotImplementedError
