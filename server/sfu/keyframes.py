"""When to ask one source for a key frame: coalesced, and again until one comes (RFC 4585 6.3.1)."""

from math import inf

REQUEST_INTERVAL_S = 0.5
"""At most one request a source and interval, whoever asks. libwebrtc's encoder ignores requests closer than 300 ms
(kMinKeyframeSendIntervalMs); LiveKit's shortest throttle is 500 ms."""
MAX_REPEATS = 4
"""How often a viewer's own request is repeated; one who still sees nothing asks again. Waiting to start has no end."""


class KeyframeRequests:
    """The requests to one incoming stream. ``due_at`` is when the next one may or must go, infinity: none is wanted."""

    __slots__ = ("_last_at", "_repeats", "due_at")

    def __init__(self) -> None:
        self._last_at = -inf
        self._repeats = 0
        self.due_at = inf

    def want(self, now: float) -> None:
        """Somebody needs a key frame; many who say so count as one."""
        self._repeats = MAX_REPEATS
        self.due_at = min(self.due_at, max(now, self._last_at + REQUEST_INTERVAL_S))

    def take_due(self, now: float, somebody_waits: bool) -> bool:
        """Whether to send a request now. The next falls due an interval later, until ``arrived`` or ``drop``."""
        if self.due_at > now:
            return False
        if not somebody_waits and self._repeats <= 0:
            self.due_at = inf
            return False
        self._repeats -= 1
        self._last_at = now
        self.due_at = now + REQUEST_INTERVAL_S
        return True

    def arrived(self) -> None:
        """A key frame came: nothing is wanted any more."""
        self.due_at = inf

    def drop(self) -> None:
        """Nobody may ask any more (the gate closed)."""
        self.due_at = inf
