"""How much fits: what a publisher may send (REMB out, from arrival times) and what a viewer can take (REMB in)."""

from math import inf

from server.rtp.extensions import ABS_SEND_TIME_LENGTH, STAMPS_A_SECOND
from server.rtp.packet import RtpView
from server.sfu.congestion import GROUP_S, ArrivalRate, DelayTrend, RateControl, Usage

_STAMPS_A_BURST = int(GROUP_S * STAMPS_A_SECOND)
UPDATE_S = 0.1
"""How often the estimate grows; it falls at once."""
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


class PublisherEstimate:
    """The receive-side estimate for one publisher's video, from abs-send-time and arrival (see congestion.py).

    ``bitrate_bps`` is what to put into the next REMB. It begins at ``start_bps``: a browser takes the first REMB as
    where to start.
    """

    __slots__ = (
        "_burst_octets",
        "_burst_until",
        "_control",
        "_max_bps",
        "_rate",
        "_sent_s",
        "_stamp",
        "_trend",
        "_update_at",
        "bitrate_bps",
        "sent_at",
        "sent_bps",
    )

    def __init__(self, start_bps: int, max_bps: int, now: float) -> None:
        self._trend = DelayTrend()
        self._rate = ArrivalRate()
        self._control = RateControl(min(start_bps, max_bps), now)
        self._max_bps = max_bps
        self._burst_octets = 0
        self._burst_until = 0.0
        self._stamp = -1
        self._sent_s = 0.0
        self._update_at = 0.0
        self.bitrate_bps = min(start_bps, max_bps)
        self.sent_bps = 0
        self.sent_at = -inf

    def arrived(self, packet: RtpView, extension_id: int, now: float) -> bool:
        """Count a packet in. True: the estimate fell so far that the publisher should hear of it at once.

        ``extension_id``: where the packet carries abs-send-time. Looked at is the first packet of each burst.
        """
        self._burst_octets += len(packet.data)
        if now < self._burst_until:
            return False
        value = packet.extension(extension_id)
        if value is None or len(value) != ABS_SEND_TIME_LENGTH:
            return False
        stamp = value[0] << 16 | value[1] << 8 | value[2]
        apart = stamp - self._stamp & 0xFFFFFF
        if apart < _STAMPS_A_BURST or apart >= 0x800000:
            if self._stamp >= 0:
                return False
            apart = 0
        self._stamp = stamp
        self._sent_s += apart / STAMPS_A_SECOND
        self._burst_until = now + GROUP_S
        self._rate.add(self._burst_octets, now)
        self._burst_octets = 0
        self._trend.sample(self._sent_s, now)
        usage = self._trend.usage
        if now < self._update_at and usage is not Usage.OVERUSED:
            return False
        self._update_at = now + UPDATE_S
        self._control.update(usage, self._rate.bps(now), now)
        self._control.limit(self._max_bps, now)
        self.bitrate_bps = max(MIN_BITRATE_BPS, int(self._control.bitrate_bps))
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
