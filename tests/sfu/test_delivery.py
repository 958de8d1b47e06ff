"""A viewer's line from its transport-wide feedback."""

from server.rtp.transport_cc import TransportFeedback
from server.sfu.delivery import MIN_ESTIMATE_BPS, DeliveryEstimate
from server.sfu.sent_log import SentLog
from tests.sfu.bottleneck import Bottleneck, Clock


class Reporter:
    """Sends at ``rate_bps`` over a bottleneck, and hears every 0.1 s what came."""

    def __init__(self, line_bps: float) -> None:
        self.clock, self.log = Clock(1_750_000_000.0), SentLog()
        self.line = Bottleneck(line_bps)
        self.estimate = DeliveryEstimate(self.clock.now)
        self.found: list[int] = []
        self.rate_bps = 1_000_000.0
        self._ticks: dict[int, int] = {}
        self._next = 0
        self._send()
        self._tell()

    def _send(self) -> None:
        number = self.log.take(1_000, self.clock.now)
        arrives_at = self.line.send(1_000, self.clock.now)
        if arrives_at is not None:
            self.clock.at(arrives_at, lambda: self._ticks.update({number: round((self.clock.now - 1.75e9) * 4_000)}))
        self.clock.at(self.clock.now + 8_000 / self.rate_bps, self._send)

    def _tell(self) -> None:
        if self._ticks:
            end = max(self._ticks) + 1
            arrivals = tuple(self._ticks.get(number) for number in range(self._next, end))
            found = self.estimate.on_feedback(
                TransportFeedback(1, 2, self._next, 0, arrivals), self.log, self.clock.now
            )
            if found is not None:
                self.found.append(found)
                self.rate_bps = min(found, 2_500_000)
            self._next = end
            self._ticks = {}
        self.clock.at(self.clock.now + 0.1, self._tell)


def test_settles_backs_off_and_comes_back() -> None:
    reporter = Reporter(1_000_000)
    reporter.clock.run(15.0)
    late = reporter.found[-100:]
    assert 0.7e6 < sum(late) / len(late) < 1.05e6
    reporter.line.rate_bps = 300_000
    reporter.clock.run(4.0)
    assert reporter.found[-1] < 320_000
    reporter.line.rate_bps = 3_000_000
    reporter.clock.run(14.0)
    assert reporter.found[-1] > 2_000_000


def test_what_was_reported_before_or_never_sent_says_nothing() -> None:
    log, estimate = SentLog(), DeliveryEstimate(0.0)
    for _ in range(3):
        log.take(100, 1.0)
    feedback = TransportFeedback(1, 2, 0, 0, (400, None, 401))
    assert estimate.on_feedback(feedback, log, 1.1) is not None
    assert estimate.on_feedback(feedback, log, 1.2) is None
    assert estimate.on_feedback(TransportFeedback(1, 2, 900, 0, (500,)), log, 1.3) is None
    assert estimate.on_feedback(TransportFeedback(1, 2, 0, 0, ()), log, 1.3) is None


def test_never_below_the_least() -> None:
    log, estimate = SentLog(), DeliveryEstimate(0.0)
    found, now = [], 100.0
    for number in range(400):
        now += 0.02
        log.take(10, now)
        arrival = round((now + number * 0.01) * 4_000)
        found.append(estimate.on_feedback(TransportFeedback(1, 2, number, 0, (arrival,)), log, now))
    assert min(each for each in found if each is not None) == MIN_ESTIMATE_BPS
