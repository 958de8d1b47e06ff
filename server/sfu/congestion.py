"""Google congestion control, told the time: is a queue building up, and what rate follows (draft-ietf-rmcat-gcc-02).

``DelayTrend`` watches how one-way delay moves from burst to burst (the trendline filter of libwebrtc, its numbers);
``RateControl`` turns that into a bitrate. Neither knows which end of the line it sits at: a publisher's REMB and a
viewer's transport-wide feedback are worked out by the same two.
"""

from collections import deque
from enum import Enum
from math import inf, sqrt

GROUP_S = 0.005
"""Packets sent within 5 ms count as one burst: what a burst does to itself is not congestion."""
WINDOW_SAMPLES = 20
SMOOTHING = 0.9
GAIN = 4.0
MAX_SAMPLES_COUNTED = 60
OVERUSE_MS = 10.0
"""So long must delay grow before it counts."""
STALE_S = 2.0
"""After such a pause delays are compared anew: clocks drift, routes change."""
LEAST_QUEUE_MS = 10.0
"""A trend in less delay than this is noise."""
STANDING_MS = 60.0
"""While so much delay stands above the least of the last seconds, nothing grows: the queue is to drain first."""
FULL_MS = 250.0
"""So much, and not falling, is congestion though it no longer grows: a full queue drops."""
FULL_INTERVAL_S = 1.0
LEAST_DELAY_S = 8.0
"""The least delay is that of the last 8 to 16 s: a longer way is taken as the new usual after that."""
_REBASE_SAMPLES = 512

DECREASE = 0.85
INCREASE = 0.08
"""Growth a second, at first."""
ACCELERATION = 0.05
MAX_INCREASE = 0.30
CALM_S = 2.0
"""After so long without congestion the growth grows: a line that came back should be filled within seconds."""
NEAR_CAPACITY_S = 4.0
"""So long after congestion, and near to where it was met, growth is one packet a response time."""
RESPONSE_S = 0.3
PACKET_BITS = 9_600
HEADROOM = 1.5
"""An estimate does not outgrow what arrives by more: it would be a guess."""
MIN_DECREASE_INTERVAL_S = 0.2


class Usage(Enum):
    """What a queue on the way does: stays, drains, builds up."""

    NORMAL = "normal"
    UNDERUSED = "underused"
    OVERUSED = "overused"


class DelayTrend:
    """Fed once a burst with when it was sent and when it arrived, in seconds of two clocks that need not agree."""

    __slots__ = (
        "_accumulated_ms",
        "_arrived_s",
        "_counted",
        "_full_at",
        "_least_before_ms",
        "_least_ms",
        "_least_since_s",
        "_over_ms",
        "_overs",
        "_previous_slope",
        "_rebase_in",
        "_sent_s",
        "_smoothed_ms",
        "_sum_x",
        "_sum_xx",
        "_sum_xy",
        "_sum_y",
        "_threshold",
        "_window",
        "_x_origin_s",
        "usage",
    )
    _counted: int
    _least_ms: float
    _least_since_s: float

    def __init__(self) -> None:
        self.usage = Usage.NORMAL
        self._threshold = 12.5
        self._sent_s = self._arrived_s = -inf
        self._restart()

    def sample(self, sent_s: float, arrived_s: float) -> None:
        """Take in one burst. One sent before the last is passed over."""
        apart_s = sent_s - self._sent_s
        if apart_s <= 0:
            return
        between_s = arrived_s - self._arrived_s
        self._sent_s, self._arrived_s = sent_s, arrived_s
        if apart_s > STALE_S or abs(between_s) > STALE_S:
            self._restart()
            return
        self._accumulated_ms += 1000.0 * (between_s - apart_s)
        self._smoothed_ms += (1.0 - SMOOTHING) * (self._accumulated_ms - self._smoothed_ms)
        if self._smoothed_ms < self._least_ms:
            self._least_ms = self._smoothed_ms
        if arrived_s - self._least_since_s > LEAST_DELAY_S:
            self._least_before_ms, self._least_ms = self._least_ms, self._smoothed_ms
            self._least_since_s = arrived_s
        slope = self._slope(1000.0 * (arrived_s - self._x_origin_s), self._smoothed_ms)
        if self._counted < MAX_SAMPLES_COUNTED:
            self._counted += 1
        self._judge(slope, self._counted * GAIN * slope, 1000.0 * apart_s, 1000.0 * between_s)
        self._judge_queue(slope, arrived_s)

    @property
    def queue_ms(self) -> float:
        """How much the delay stands above the least of the last seconds."""
        least_ms, before_ms = self._least_ms, self._least_before_ms
        return self._smoothed_ms - (least_ms if least_ms < before_ms else before_ms)

    def _restart(self) -> None:
        self._window: deque[tuple[float, float]] = deque()
        self._sum_x = self._sum_y = self._sum_xx = self._sum_xy = 0.0
        self._x_origin_s = 0.0
        self._rebase_in = 0
        self._accumulated_ms = self._smoothed_ms = 0.0
        self._least_ms = self._least_before_ms = 0.0
        self._least_since_s = self._full_at = self._arrived_s
        self._counted = 0
        self._over_ms = -1.0
        self._overs = 0
        self._previous_slope = 0.0
        self.usage = Usage.NORMAL

    def _slope(self, x: float, y: float) -> float:
        """Least squares over the window, by running sums; 0 until it is full."""
        if not self._rebase_in:
            x = self._rebase(x)
        self._rebase_in -= 1
        window = self._window
        window.append((x, y))
        self._sum_x += x
        self._sum_y += y
        self._sum_xx += x * x
        self._sum_xy += x * y
        if len(window) <= WINDOW_SAMPLES:
            return 0.0
        old_x, old_y = window.popleft()
        self._sum_x -= old_x
        self._sum_y -= old_y
        self._sum_xx -= old_x * old_x
        self._sum_xy -= old_x * old_y
        spread = WINDOW_SAMPLES * self._sum_xx - self._sum_x * self._sum_x
        if spread < 1.0:
            return 0.0
        return (WINDOW_SAMPLES * self._sum_xy - self._sum_x * self._sum_y) / spread

    def _rebase(self, x: float) -> float:
        """Count time and delay from here, so that the sums of squares stay small. Returns the new ``x``."""
        self._rebase_in = _REBASE_SAMPLES
        self._x_origin_s += x / 1000.0
        base = self._smoothed_ms
        self._accumulated_ms -= base
        self._smoothed_ms = 0.0
        self._least_ms -= base
        self._least_before_ms -= base
        self._window = deque((old_x - x, old_y - base) for old_x, old_y in self._window)
        self._sum_x = sum(old_x for old_x, _ in self._window)
        self._sum_y = sum(old_y for _, old_y in self._window)
        self._sum_xx = sum(old_x * old_x for old_x, _ in self._window)
        self._sum_xy = sum(old_x * old_y for old_x, old_y in self._window)
        return 0.0

    def _judge(self, slope: float, trend: float, apart_ms: float, between_ms: float) -> None:
        threshold = self._threshold
        if trend > threshold:
            self._over_ms = apart_ms / 2 if self._over_ms < 0 else self._over_ms + apart_ms
            self._overs += 1
            if self._over_ms > OVERUSE_MS and self._overs > 1 and slope >= self._previous_slope:
                self._over_ms = 0.0
                self._overs = 0
                self.usage = Usage.OVERUSED
        else:
            self._over_ms = -1.0
            self._overs = 0
            self.usage = Usage.UNDERUSED if trend < -threshold else Usage.NORMAL
        self._previous_slope = slope
        size = abs(trend)
        # The threshold follows what is usual on this line, and does not follow a sudden jump (draft 5.4).
        if size <= threshold + 15.0:
            gain = 0.039 if size < threshold else 0.0087
            elapsed_ms = 100.0 if between_ms > 100.0 else between_ms if between_ms > 0.0 else 0.0
            threshold += gain * (size - threshold) * elapsed_ms
            self._threshold = 6.0 if threshold < 6.0 else threshold

    def _judge_queue(self, slope: float, arrived_s: float) -> None:
        """What the height of the queue says, where its slope says nothing."""
        queue_ms = self.queue_ms
        if queue_ms < LEAST_QUEUE_MS:
            if self.usage is Usage.OVERUSED:
                self.usage = Usage.NORMAL
        elif queue_ms > STANDING_MS and self.usage is Usage.NORMAL:
            self.usage = Usage.UNDERUSED
            if queue_ms > FULL_MS and slope > -0.02 and arrived_s - self._full_at > FULL_INTERVAL_S:
                self._full_at = arrived_s
                self.usage = Usage.OVERUSED


class ArrivalRate:
    """Bits per second over about the last half second, in steps of 25 ms."""

    __slots__ = ("_marks", "_octets")

    WINDOW_STEPS = 20
    STEP_S = 0.025

    def __init__(self) -> None:
        self._octets = 0
        self._marks: deque[tuple[float, int]] = deque(maxlen=self.WINDOW_STEPS + 1)

    def add(self, octets: int, now: float) -> None:
        """Count octets that came since the last call."""
        marks = self._marks
        if not marks:
            marks.append((now, 0))
            return
        self._octets += octets
        if now - marks[-1][0] >= self.STEP_S:
            marks.append((now, self._octets))

    def bps(self, now: float) -> float | None:
        """None while there is too little to go by. A pause counts as one: the rate falls with it."""
        if not self._marks:
            return None
        oldest_at, oldest = self._marks[0]
        elapsed_s = now - oldest_at
        return 8 * (self._octets - oldest) / elapsed_s if elapsed_s >= 4 * self.STEP_S else None


class RateControl:
    """Additive and multiplicative increase, multiplicative decrease. ``bitrate_bps`` is what fits, as far as known."""

    __slots__ = ("_capacity_bps", "_changed_at", "_congested_at", "_decreased_at", "_deviation", "bitrate_bps")

    def __init__(self, start_bps: float, now: float) -> None:
        self.bitrate_bps = float(start_bps)
        self._capacity_bps: float | None = None
        """Where congestion was met, averaged."""
        self._deviation = 0.4
        self._changed_at = now
        self._decreased_at = -inf
        self._congested_at = -inf

    def update(self, usage: Usage, arriving_bps: float | None, now: float) -> None:
        """Move on to ``now``. ``arriving_bps`` None: not known yet, so nothing is concluded from congestion."""
        elapsed_s = min(1.0, now - self._changed_at)
        self._changed_at = now
        if usage is Usage.OVERUSED:
            self._congested_at = now
            if arriving_bps is not None:
                self._decrease(arriving_bps, now)
        elif usage is Usage.NORMAL:
            self._increase(arriving_bps, elapsed_s, now)

    def limit(self, bitrate_bps: float, now: float) -> None:
        """Something else (loss, the configuration) says that no more fits."""
        if bitrate_bps < self.bitrate_bps:
            self.bitrate_bps = bitrate_bps
            self._changed_at = now

    def _decrease(self, arriving_bps: float, now: float) -> None:
        far_off = arriving_bps < self.bitrate_bps / 2
        if now - self._decreased_at < MIN_DECREASE_INTERVAL_S and not far_off:
            return
        self._decreased_at = now
        self._note_capacity(arriving_bps)
        self.bitrate_bps = min(self.bitrate_bps, DECREASE * arriving_bps)

    def _increase(self, arriving_bps: float | None, elapsed_s: float, now: float) -> None:
        calm_s = now - self._congested_at
        if self._is_near_capacity(arriving_bps) and calm_s < NEAR_CAPACITY_S:
            grown = self.bitrate_bps + elapsed_s * PACKET_BITS / RESPONSE_S
        else:
            rate = min(MAX_INCREASE, INCREASE + ACCELERATION * max(0.0, calm_s - CALM_S))
            grown = self.bitrate_bps * (1.0 + rate) ** elapsed_s + 1_000 * elapsed_s
        if arriving_bps is not None:
            grown = min(grown, HEADROOM * arriving_bps + 10_000)
        self.bitrate_bps = max(self.bitrate_bps, grown)

    def _is_near_capacity(self, arriving_bps: float | None) -> bool:
        if self._capacity_bps is None or arriving_bps is None:
            return False
        if arriving_bps > self._capacity_bps + 3 * self._sigma_bps():
            self._capacity_bps = None
            return False
        return True

    def _note_capacity(self, arriving_bps: float) -> None:
        if self._capacity_bps is None or abs(arriving_bps - self._capacity_bps) > 3 * self._sigma_bps():
            self._capacity_bps = arriving_bps
            return
        error_kbps = (self._capacity_bps - arriving_bps) / 1000
        self._capacity_bps += 0.05 * (arriving_bps - self._capacity_bps)
        scaled = error_kbps * error_kbps / max(1.0, self._capacity_bps / 1000)
        self._deviation = min(2.5, max(0.4, 0.95 * self._deviation + 0.05 * scaled))

    def _sigma_bps(self) -> float:
        assert self._capacity_bps is not None
        return 1000 * sqrt(self._deviation * self._capacity_bps / 1000)
