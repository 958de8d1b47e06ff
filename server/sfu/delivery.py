"""What a viewer can take, worked out here from its transport-wide feedback (send-side GCC)."""

from server.rtp.transport_cc import TICKS_A_SECOND, TransportFeedback
from server.sfu.congestion import GROUP_S, ArrivalRate, DelayTrend, RateControl, Usage
from server.sfu.sent_log import SentLog

START_BPS = 1_200_000
MIN_ESTIMATE_BPS = 30_000


class DeliveryEstimate:
    """One per viewer that reports. Times of sending are ours, times of arrival the viewer's; only differences count."""

    __slots__ = ("_burst_at", "_control", "_rate", "_reported", "_trend")

    def __init__(self, now: float) -> None:
        self._trend = DelayTrend()
        self._rate = ArrivalRate()
        self._control = RateControl(START_BPS, now)
        self._burst_at = 0.0
        self._reported = -1
        """The highest number reported so far; what comes again about older ones changes nothing."""

    def on_feedback(self, feedback: TransportFeedback, log: SentLog, now: float) -> int | None:
        """Take in one feedback. Returns the estimate in bit/s; None where it told nothing new."""
        overused = False
        arrived_s = -1.0
        for index, tick in enumerate(feedback.arrivals):
            if tick is None:
                continue
            found = log.find(feedback.base + index & 0xFFFF)
            if found is None or found[0] <= self._reported:
                continue
            self._reported, sent_at, octets = found
            arrived_s = tick / TICKS_A_SECOND
            self._rate.add(octets, arrived_s)
            if sent_at - self._burst_at >= GROUP_S:
                self._burst_at = sent_at
                self._trend.sample(sent_at, arrived_s)
                overused = overused or self._trend.usage is Usage.OVERUSED
        if arrived_s < 0:
            return None
        usage = Usage.OVERUSED if overused else self._trend.usage
        self._control.update(usage, self._rate.bps(arrived_s), now)
        return max(MIN_ESTIMATE_BPS, int(self._control.bitrate_bps))
