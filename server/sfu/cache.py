"""The last packets of one incoming stream, kept for retransmission: bounded by count and by age."""

from server.rtp.packet import RtpView

VIDEO_PACKETS = 512
AUDIO_PACKETS = 64
MAX_AGE_S = 2.0
"""No player waits longer for a lost packet."""


class PacketCache:
    """A ring by extended sequence number. Holds nothing until the first ``put``, and nothing after ``clear``."""

    __slots__ = ("_capacity", "_put_at", "_ring")

    def __init__(self, capacity: int) -> None:
        """``capacity``: packets, a power of two."""
        self._capacity = capacity
        self._ring: list[tuple[int, float, RtpView] | None] = []
        self._put_at = 0.0

    def put(self, extended: int, packet: RtpView, now: float) -> None:
        if not self._ring:
            self._ring = [None] * self._capacity
        self._put_at = now
        self._ring[extended & self._capacity - 1] = (extended, now, packet)

    def get(self, extended: int, now: float) -> RtpView | None:
        """The packet with that number, None where it was never put, has been overwritten or is too old."""
        if not self._ring:
            return None
        entry = self._ring[extended & self._capacity - 1]
        if entry is None or entry[0] != extended or now - entry[1] > MAX_AGE_S:
            return None
        return entry[2]

    def drop_old(self, now: float) -> None:
        """Let go of everything once nothing was put for so long that all is too old."""
        if self._ring and now - self._put_at > MAX_AGE_S:
            self.clear()

    def clear(self) -> None:
        self._ring = []
