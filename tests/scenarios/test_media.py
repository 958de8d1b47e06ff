"""The media plans of SCENARIOS.md on virtual time: a viewer sees one unbroken picture over any line."""

import pytest

from server.rtp import rtcp
from tests.scenarios.media_stage import RIDS, Stage, mark
from tests.scenarios.virtual_network import Line

LINES = {
    "clean": Line(),
    "5 % loss": Line(loss=0.05),
    "20 % loss": Line(loss=0.2),
    "jitter 50 ms": Line(jitter_s=0.050),
    "duplicates": Line(duplicate=0.2, jitter_s=0.010),
    "all of it": Line(loss=0.05, jitter_s=0.050, duplicate=0.05),
}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("up", LINES)
@pytest.mark.parametrize("down", LINES)
def test_a_switch_of_source_over_bad_lines(up: str, down: str, seed: int) -> None:
    """Row 1: loss, jitter and reordering on either side; nothing is missing in the end, and nothing twice."""
    stage = Stage(seed)
    for peer in (1, 2):
        stage.publisher(peer, line=LINES[up])
    viewer = stage.viewer(3, LINES[down])
    for target in (1, 2, 1):
        stage.watch(3, target)
        stage.play(3.0)
    sources = {mark(packet) & 0x0F for packet in viewer.packets.values()}
    last = viewer.packets[max(viewer.packets)]
    viewer_has = len(viewer.packets)
    stage.watch(3, None)
    stage.play(1.5)
    viewer.check()
    stage.check_requests()
    assert sources == {1, 2}
    assert mark(last) & 0x0F == 1
    assert viewer_has > 7.0 * 30 * 3
    assert [fed.track for fed in viewer.fed] == [(1, "1"), (2, "1"), (1, "1"), None]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("line", LINES)
def test_a_switch_of_layers_over_bad_lines(line: str, seed: int) -> None:
    stage = Stage(seed)
    stage.publisher(1, RIDS, LINES[line])
    viewer = stage.viewer(3, LINES[line])
    stage.watch(3, 1)
    for height in (720, 100, 360, 2_000, 180):
        stage.show(3, height)
        stage.play(2.0)
    stage.watch(3, None)
    stage.play(1.5)
    viewer.check()
    stage.check_requests()
    assert {mark(packet) >> 4 for packet in viewer.packets.values()} == {4, 5, 6}
    assert len(viewer.packets) > 9.0 * 30 * 3


@pytest.mark.parametrize("seed", [1, 2])
def test_by_what_the_viewer_can_take(seed: int) -> None:
    """Row 3: the estimate falls, the picture shrinks; it grows again with the estimate."""
    stage = Stage(seed)
    stage.publisher(1, RIDS, LINES["5 % loss"])
    viewer = stage.viewer(3, LINES["5 % loss"])
    stage.watch(3, 1)
    seen = []
    for bitrate_bps in (2_000_000, 125_000, 90_000, 2_000_000):
        stage.rtcp_in(3, rtcp.remb(1, bitrate_bps, [300]))
        stage.play(4.0)
        seen.append(mark(viewer.packets[max(viewer.packets)]) >> 4)
    assert seen[0] == seen[3] == 6
    assert seen[1] == 5
    assert seen[2] == 4
    stage.watch(3, None)
    stage.play(1.5)
    viewer.check()


def test_a_line_cut_for_five_seconds_comes_back() -> None:
    """Row 2: the publisher's line is cut; the others' pictures are not touched, its own comes back unbroken."""
    stage = Stage(7)
    first, _ = stage.publisher(1), stage.publisher(2)
    cut_off, unaffected = stage.viewer(3), stage.viewer(4)
    stage.watch(3, 1)
    stage.watch(4, 2)
    stage.play(2.0)
    first.line = Line(loss=1.0)
    stage.play(5.0)
    first.line = Line()
    before = len(cut_off.packets)
    stage.play(3.0)
    assert len(cut_off.packets) - before > 2.5 * 90
    assert len(unaffected.packets) > 9.5 * 90
    stage.watch(4, None)
    stage.play(1.0)
    unaffected.check()


def test_a_storm_of_key_frame_requests() -> None:
    """Row 26: 1000 requests a second are one request an interval, and no more key frames than that."""
    stage = Stage(5)
    stage.publisher(1)
    stormy, calm = stage.viewer(3), stage.viewer(4)
    stage.watch(3, 1)
    stage.watch(4, 1)
    stage.play(2.0)
    start, count = stage.network.now, len(stage.requests[1_000])
    while stage.network.now < start + 5.0:
        stormy.ask_keyframe()
        stage.play(0.001)
    assert len(stage.requests[1_000]) - count == 10
    stage.check_requests()
    for viewer in (stormy, calm):
        stage.watch(viewer.peer, None)
    stage.play(1.0)
    stormy.check()
    calm.check()


def test_one_viewers_bad_line_costs_the_other_nothing() -> None:
    """Row 6 in small: what one viewer loses is sent again to it alone, and asked of the publisher never."""
    stage = Stage(11)
    publisher = stage.publisher(1)
    bad, good = stage.viewer(3, LINES["20 % loss"]), stage.viewer(4)
    stage.watch(3, 1)
    stage.watch(4, 1)
    stage.play(10.0)
    stage.watch(3, None)
    stage.watch(4, None)
    stage.play(1.5)
    bad.check()
    good.check()
    assert good.repeated == 0
    assert publisher._rtx_sequence == 0
    assert len(good.packets) > 9.7 * 90
