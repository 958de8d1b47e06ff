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
    assert all(second.frames >= 25 and second.height == 180 for second in settled)
    assert sum(second.switches for second in settled) == 0
    assert sum(second.sound for second in settled) >= 0.99 * 30 * 50, "a failed probe costs a moment at most"


def test_fewer_frames_of_the_larger_picture_where_the_next_layer_does_not_fit() -> None:
    """With temporal layers 400 kbit/s carry 360 lines at half the frames instead of 180 lines."""
    line = Downlink(3_000_000, numbered=True, pattern=((0, False), (2, True), (1, True), (2, False)))
    line.play(10)
    line.line.rate_bps = 400_000
    line.play(5)
    settled = line.play(15)
    assert all(second.height == 360 and 13 <= second.frames <= 17 for second in settled)
    assert sum(second.switches for second in settled) == 0
    line.line.rate_bps = 900_000
    line.play(15)
    assert all(second.height == 360 and second.frames >= 28 for second in line.play(10))


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
