"""Row 3 of SCENARIOS.md, one viewer: the line falls from 3 Mbit/s to 300 kbit/s and recovers."""

import pytest

from server.sfu.router import Router
from tests.scenarios.downlink import Downlink


@pytest.mark.parametrize("loss", [0.0, 0.05])
@pytest.mark.parametrize("numbered", [False, True], ids=["remb", "transport-cc"])
def test_a_line_that_falls_and_recovers(numbered: bool, loss: float) -> None:
    """Settled within 5 s, back within 15 s; the sound is whole but for the moment of the fall."""
    line = Downlink(3_000_000, numbered=numbered, loss=loss)
    good = line.play(12)
    assert [second.height for second in good[2:]] == [720] * 10
    line.line.rate_bps = 300_000
    weak = line.play(20)
    assert all(second.height == 180 and second.frames >= 22 for second in weak[4:])
    sound_expected = 50 * (1 - loss)
    assert sum(second.sound for second in weak[3:]) > 0.97 * 17 * sound_expected
    assert max(second.delay_s for second in weak[4:]) < 0.25, "probes do not fill the line"
    line.line.rate_bps = 3_000_000
    back = line.play(20)
    assert all(second.height == 720 for second in back[15:])
    assert sum(second.switches for second in back) <= 2
    assert all(second.frames >= 22 for second in back)


@pytest.mark.parametrize("numbered", [False, True], ids=["remb", "transport-cc"])
def test_a_line_that_is_weak_from_the_start(numbered: bool) -> None:
    line = Downlink(400_000, numbered=numbered)
    line.play(8)
    settled = line.play(30)
    assert all(second.frames >= 28 and second.height == 180 for second in settled)
    assert sum(second.switches for second in settled) == 0
    assert all(second.sound >= 48 for second in settled)


def test_no_padding_on_a_good_line() -> None:
    line = Downlink(10_000_000, numbered=False)
    played = line.play(20)
    assert max(second.octets * 8 for second in played) < 1_650_000


def test_a_viewer_that_leaves_while_it_is_probed() -> None:
    line = Downlink(400_000, numbered=True)
    router: Router = line.router
    while not router._peers[2].is_padded:
        line.play(1)
    router.remove_peer(2, line.clock.now)
    line.play(2)
    assert line.second.octets == 0
