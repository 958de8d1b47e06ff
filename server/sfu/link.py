"""How a peer's line does: rates and loss of the last seconds, both ways."""

from collections import deque

import msgspec

WINDOW_S = 5.0


class Totals(msgspec.Struct, frozen=True):
    """Running counts at one moment. Up is what the peer sends, down what it is sent; expected and lost in packets."""

    at: float
    up_octets: int = 0
    down_octets: int = 0
    up_expected: int = 0
    up_lost: int = 0
    down_expected: int = 0
    down_lost: int = 0


class LinkMeter:
    """Samples of Totals, about one a second; figures are differences over the last WINDOW_S."""

    def __init__(self, now: float) -> None:
        self._samples: deque[Totals] = deque([Totals(now)])

    def sample(self, totals: Totals) -> None:
        self._samples.append(totals)
        while totals.at - self._samples[0].at > WINDOW_S and len(self._samples) > 2:
            self._samples.popleft()

    @property
    def up_bps(self) -> int:
        return self._rate_bps(self._samples[-1].up_octets - self._samples[0].up_octets)

    @property
    def down_bps(self) -> int:
        return self._rate_bps(self._samples[-1].down_octets - self._samples[0].down_octets)

    @property
    def up_loss_percent(self) -> float:
        first, last = self._samples[0], self._samples[-1]
        return _percent(last.up_lost - first.up_lost, last.up_expected - first.up_expected)

    @property
    def down_loss_percent(self) -> float:
        first, last = self._samples[0], self._samples[-1]
        return _percent(last.down_lost - first.down_lost, last.down_expected - first.down_expected)

    def _rate_bps(self, octets: int) -> int:
        elapsed_s = self._samples[-1].at - self._samples[0].at
        return max(0, int(8 * octets / elapsed_s)) if elapsed_s > 0 else 0


def _percent(lost: int, expected: int) -> float:
    return round(min(100.0, max(0.0, 100.0 * lost / expected)), 1) if expected > 0 else 0.0
