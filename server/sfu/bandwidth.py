"""How much fits: what a publisher may send (REMB out, from arrival times) and what a viewer can take (REMB in)."""

from collections import deque
from math import inf

from aiortc.rate import RateCounter, RemoteBitrateEstimator

from server.rtp.packet import RtpView

GROUP_S = 0.005
"""Packets that arrive within 5 ms count as one burst; the estimator behind groups them so anyway."""
MIN_BITRATE_BPS = 50_000
"""Nobody is asked to send less: sound must go on."""
PROMPT_DECREASE = 0.97
MIN_REMB_INTERVAL_S = 0.2

TRIAL_LOSS = 0.10
FIRST_TRIAL_S = 8.0
LAST_TRIAL_S = 64.0
REPLAN_CHANGE = 0.05
FALL = 0.95
OVERLOAD = 0.9
"""An estimate below this share of the last one, or of what is sent, is congestion."""
CONGESTION_MEMORY_S = 60.0


class WindowRate(RateCounter):
    """aiortc's rate counter, to the number, at a cost by packet instead of by millisecond gone by: the original
    walks a bucket for each, which was most of what a publisher's packet cost.
    """

    def __init__(self, window_ms: int = 1_000, scale: int = 8_000) -> None:
        self._window_ms = window_ms
        self._per_ms = scale
        super().__init__(1, scale)

    def reset(self) -> None:
        self._entries: deque[tuple[int, int]] = deque()
        self._octets = 0
        self._since_ms: int | None = None

    def add(self, value: int, now_ms: int) -> None:
        if self._since_ms is None:
            self._since_ms = now_ms
        self._forget_old(now_ms)
        self._entries.append((now_ms, value))
        self._octets += value

    def rate(self, now_ms: int) -> int | None:
        """Bits per second over the window, None where there is nothing to go by."""
        if self._since_ms is None:
            return None
        self._forget_old(now_ms)
        active_ms = now_ms - self._since_ms + 1
        if not self._entries or active_ms <= 1:
            return None
        return round(self._per_ms * self._octets / active_ms)

    def _forget_old(self, now_ms: int) -> None:
        assert self._since_ms is not None
        self._since_ms = max(self._since_ms, now_ms - self._window_ms + 1)
        while self._entries and self._entries[0][0] < self._since_ms:
            self._octets -= self._entries.popleft()[1]


class PublisherEstimate:
    """aiortc's receive-side estimator (Google congestion control on abs-send-time) for one publisher's video.

    ``bitrate_bps`` is what to put into the next REMB. It begins at ``start_bps``: a browser takes the first REMB as
    where to start.
    """

    __slots__ = ("_estimator", "_group_octets", "_group_until", "_max_bps", "bitrate_bps", "sent_at", "sent_bps")

    def __init__(self, start_bps: int, max_bps: int, now: float) -> None:
        self._estimator = RemoteBitrateEstimator()
        self._estimator.incoming_bitrate = WindowRate()
        self._estimator.rate_control.set_estimate(start_bps, int(now * 1000))
        self._max_bps = max_bps
        self._group_octets = 0
        self._group_until = 0.0
        self.bitrate_bps = min(start_bps, max_bps)
        self.sent_bps = 0
        self.sent_at = -inf

    def arrived(self, packet: RtpView, extension_id: int, now: float) -> bool:
        """Count a packet in. True: the estimate fell so far that the publisher should hear of it at once.

        ``extension_id``: where the packet carries abs-send-time.
        """
        self._group_octets += len(packet.data)
        if now < self._group_until:
            return False
        self._group_until = now + GROUP_S
        octets, self._group_octets = self._group_octets, 0
        stamp = packet.extension(extension_id)
        if stamp is None or len(stamp) != 3:
            return False
        estimate = self._estimator.add(int(now * 1000), int.from_bytes(stamp, "big"), octets, 0)
        if estimate is None:
            return False
        self.bitrate_bps = max(MIN_BITRATE_BPS, min(estimate[0], self._max_bps))
        return self.bitrate_bps < PROMPT_DECREASE * self.sent_bps

    def next_send_at(self, now: float) -> float:
        """When a prompt REMB may go, so that a bad line is not flooded with reports."""
        return max(now, self.sent_at + MIN_REMB_INTERVAL_S)

    def take(self, now: float) -> int:
        """The bitrate to announce now."""
        self.sent_bps = self.bitrate_bps
        self.sent_at = now
        return self.sent_bps


class ViewerBudget:
    """What a viewer can receive, by its own REMB. ``limit_bps`` None: it never said, so nothing is held back.

    A receiver's estimate grows only a little beyond what it receives: it says what was tried, not what could be. So
    more is tried in spite of it: everything that is wanted at once, or, within a minute of congestion, one step, after
    a wait that doubles with every failure. A trial ends well when the estimate has caught up, and badly when it falls,
    or is far less than what is sent, or packets get lost.
    """

    def __init__(self) -> None:
        self.estimate_bps: int | None = None
        self._planned_bps = 0
        self._trial_bps: int | None = None
        self._trial_at = -inf
        self._congested_at = -inf
        self._wait_s = FIRST_TRIAL_S

    @property
    def limit_bps(self) -> int | None:
        if self.estimate_bps is None or self._trial_bps is None:
            return self.estimate_bps
        return max(self.estimate_bps, self._trial_bps)

    def on_remb(self, bitrate_bps: int, sending_bps: int, now: float) -> bool:
        """Take in the viewer's estimate while it is sent ``sending_bps``. True: it differs enough to plan anew."""
        before = self.estimate_bps
        self.estimate_bps = bitrate_bps
        if bitrate_bps < FALL * (before or 0) or bitrate_bps < OVERLOAD * sending_bps:
            self._fall_back(now)
        elif self._trial_bps is not None and bitrate_bps >= self._trial_bps:
            self._trial_bps = None
            self._wait_s = FIRST_TRIAL_S
        if before is not None and abs(bitrate_bps - self._planned_bps) < REPLAN_CHANGE * self._planned_bps:
            return False
        self._planned_bps = bitrate_bps
        return True

    def on_loss(self, fraction: float, now: float) -> bool:
        """Take in a loss fraction (0..1). True: it ended a trial, so plan anew."""
        if self._trial_bps is None or fraction < TRIAL_LOSS:
            return False
        self._fall_back(now)
        return True

    def held_back(self, next_step_bps: int, wanted_bps: int, now: float) -> bool:
        """The plan gives less than the ``wanted_bps`` it takes for all. True: try more now, so plan anew."""
        if self._trial_bps is not None or now < self._trial_at:
            return False
        congested_lately = now - self._congested_at < CONGESTION_MEMORY_S
        self._trial_bps = next_step_bps if congested_lately else wanted_bps
        return True

    def _fall_back(self, now: float) -> None:
        if self._trial_bps is not None:
            self._trial_bps = None
            self._wait_s = min(LAST_TRIAL_S, 2 * self._wait_s)
        self._congested_at = now
        self._trial_at = now + self._wait_s
