"""What a viewer can take: its estimate (REMB, or ours from its transport-wide feedback), its losses, and trials."""

from collections import deque
from math import inf

REPLAN_CHANGE = 0.05
FALL = 0.95
"""An estimate below this share of the last one is congestion."""
LEAP = 1.25
OVERLOAD = 0.88
"""So is one that leaps up to less than what is sent: the receiver met the line's limit and now knows it. Estimates
that merely creep after what is sent (libwebrtc's grow 8 % a second) say nothing of the kind."""
FIRST_OVERLOAD = 0.5
"""The first one says little yet."""

RAMP_S = 2.5
PROVE_S = 4.0
"""What was sent so long without congestion has room, whatever the receiver dares to say yet."""
FIRST_TRIAL_S = 4.0
LAST_PROBE_S = 8.0
LAST_TRIAL_S = 64.0
"""A failed probe costs nobody a picture, a failed trial does."""
CONGESTION_MEMORY_S = 60.0

HEAVY_LOSS = 0.10
"""Over two reports, and half as much again as is usual on this line."""
LOSS_REPORTS = 8
PROBE_LOSS = 0.08
PROBE_DELAY_S = 0.1
"""What ends a probe whatever the receiver's estimate says: so much more lost or longer on the way than usual."""
LOSS_GROWTH = 1.25
LOSS_REACTION_S = 2.5
"""What is reported so soon after congestion was lost before anything was done about it."""
MIN_LIMIT_BPS = 30_000


class ViewerBudget:
    """``limit_bps`` None: nothing is known, so nothing is held back.

    A receiver's estimate grows only a little beyond what it receives: it says what was tried, not what could be. So
    more is tried in spite of it. Before any congestion all that is wanted is simply sent. Within a minute of congestion
    the next step is probed first, with padding that nobody sees; who cannot be sent padding is sent the step itself.
    After a failure the next trial waits twice as long. Heavy loss limits too, unless the line loses that much always.
    """

    def __init__(self) -> None:
        self.estimate_bps: int | None = None
        self._proven_bps = 0
        self._loss_limit_bps = inf
        self._recent_loss = deque([0.0], maxlen=LOSS_REPORTS)
        self._planned_bps = 0
        self._trial_bps: int | None = None
        self._is_probe = False
        self._trial_began = -inf
        self._trial_at = -inf
        self._congested_at = -inf
        self._wait_s = FIRST_TRIAL_S
        self._usual_rtt_s = inf

    def limit(self, running_bps: int, now: float) -> int | None:
        """``limit_bps`` to plan with while ``running_bps`` are planned for: what goes on uncongested has its room.

        A source that grows does not lose its picture before the line has said anything.
        """
        limit_bps = self.limit_bps
        if limit_bps is None or now - self._congested_at < PROVE_S:
            return limit_bps
        return int(max(limit_bps, min(running_bps, self._loss_limit_bps)))

    @property
    def limit_bps(self) -> int | None:
        known_bps = inf if self.estimate_bps is None else max(self.estimate_bps, self._proven_bps)
        limit_bps = min(known_bps, self._loss_limit_bps)
        if self._trial_bps is not None and not self._is_probe:
            limit_bps = max(limit_bps, self._trial_bps)
        return None if limit_bps == inf else int(limit_bps)

    @property
    def is_probing(self) -> bool:
        return self._trial_bps is not None and self._is_probe

    def probe_bps(self, sending_bps: int, now: float) -> int:
        """What is to be sent in all while ``is_probing``: slowly up to the trial's rate, so that queues stay short."""
        assert self._trial_bps is not None
        share = min(1.0, (now - self._trial_began) / RAMP_S)
        return int(sending_bps + share * max(0, self._trial_bps - sending_bps))

    def on_estimate(self, bitrate_bps: int, sending_bps: int, now: float) -> bool:
        """Take in an estimate while ``sending_bps`` are sent, padding included. True: plan anew."""
        before = self.estimate_bps
        self.estimate_bps = bitrate_bps
        if before is None:
            is_congested = bitrate_bps < FIRST_OVERLOAD * sending_bps
        else:
            leaps = bitrate_bps > LEAP * before
            is_congested = bitrate_bps < FALL * before or (leaps and bitrate_bps < OVERLOAD * sending_bps)
        if is_congested:
            self._fall_back(now)
        elif self._trial_bps is not None and bitrate_bps >= self._trial_bps:
            self._succeed(self._trial_bps)
        elif not self._is_probe:
            self.prove(sending_bps, now)
        limit_bps = self.limit_bps
        assert limit_bps is not None
        if before is not None and abs(limit_bps - self._planned_bps) < REPLAN_CHANGE * self._planned_bps:
            return False
        self._planned_bps = limit_bps
        return True

    def on_loss(self, fraction: float, sending_bps: int, now: float) -> bool:
        """Take in a loss fraction (0..1) over the last report interval. True: it is congestion, so plan anew."""
        usual = sum(self._recent_loss) / len(self._recent_loss)
        lately = (self._recent_loss[-1] + fraction) / 2
        self._recent_loss.append(fraction)
        if self.is_probing and fraction >= usual + PROBE_LOSS:
            self._fall_back(now)
            return False
        if lately >= max(HEAVY_LOSS, 1.5 * usual + 0.03):
            if now - self._congested_at < LOSS_REACTION_S:
                return False
            limit_bps = sending_bps * (1 - fraction / 2)
            self._loss_limit_bps = max(MIN_LIMIT_BPS, min(self._loss_limit_bps, limit_bps))
            self._fall_back(now)
            return True
        self._loss_limit_bps *= LOSS_GROWTH
        if self._loss_limit_bps > LEAP * max(self.estimate_bps or sending_bps, self._proven_bps):
            self._loss_limit_bps = inf
        return False

    def on_rtt(self, rtt_s: float, now: float) -> None:
        """Take in a round trip. While probing, a queue ends the probe."""
        if not self.is_probing:
            self._usual_rtt_s = rtt_s
        elif rtt_s > self._usual_rtt_s + PROBE_DELAY_S:
            self._fall_back(now)

    def held_back(self, next_step_bps: int, wanted_bps: int, now: float, *, can_probe: bool) -> bool:
        """The plan gives less than the ``wanted_bps`` it takes for all. True: try more now, so plan anew.

        False: not now, or a probe began (``is_probing``).
        """
        if self._trial_bps is not None and now - self._trial_began > 2 * PROVE_S:
            # So much is not sent at all; what is wanted has changed since.
            self._trial_bps = None
        if self._trial_bps is not None or now < self._trial_at:
            return False
        congested_lately = now - self._congested_at < CONGESTION_MEMORY_S
        self._trial_bps = next_step_bps if congested_lately else wanted_bps
        self._is_probe = congested_lately and can_probe
        self._trial_began = now
        return not self._is_probe

    def prove(self, sending_bps: int, now: float) -> bool:
        """End a trial that went on long enough while so much was really sent. True: it did, so plan anew."""
        trial_bps = self._trial_bps
        if trial_bps is None or now - self._trial_began < PROVE_S or sending_bps < 0.8 * trial_bps:
            return False
        self._succeed(trial_bps)
        return True

    def stop_probe(self) -> None:
        """It cannot go on: nothing was learnt."""
        if self._is_probe:
            self._trial_bps = None

    def _succeed(self, trial_bps: int) -> None:
        self._proven_bps = max(self._proven_bps, trial_bps)
        self._loss_limit_bps = inf
        self._trial_bps = None
        self._wait_s = FIRST_TRIAL_S

    def _fall_back(self, now: float) -> None:
        if self._trial_bps is not None:
            self._wait_s = min(LAST_PROBE_S if self._is_probe else LAST_TRIAL_S, 2 * self._wait_s)
            self._trial_bps = None
        self._proven_bps = 0
        self._congested_at = now
        self._trial_at = now + self._wait_s
