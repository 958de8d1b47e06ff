"""Temporal layers left out: at once and without a key frame, and the viewer sees one unbroken stream."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rtp import rtcp
from server.rtp.packet import RtpView
from server.rtp.rtx import wrap_rtx
from server.sfu.thinning import MAX_SKIPPED, Skipped, ThinStream, find_layers
from server.sfu.uplink import Uplink
from tests.sfu.hall import Hall, assert_unbroken, look
from tests.sfu.packets import VP8, Camera, camera, rtp, video_slot
from tests.sfu.test_simulcast import remb

TRACK = (1, "1")
L1T3 = ((0, False), (2, True), (1, True), (2, False))
STEP = 3_000


class Show:
    """A camera with three temporal layers, of some 600 kbit/s, and one viewer."""

    def __init__(self, pattern: tuple[tuple[int, bool], ...] = L1T3, picture_id_bits: int = 15) -> None:
        self.hall = Hall()
        self.hall.join(1, [camera(codecs=(VP8,))])
        self.hall.join(2, slots=[video_slot()])
        self.hall.open(TRACK)
        self.hall.assign(2, "v0", TRACK)
        self.source = Camera(
            pattern=pattern, packet_octets=800, picture_id=0x7FFF - 60, picture_id_bits=picture_id_bits
        )
        self.answered = 0

    def play(self, seconds: float) -> list[RtpView]:
        """Returns what the viewer got meanwhile."""
        before = len(self.hall.received[2])
        for _ in range(round(30 * seconds)):
            asked = len(self.hall.keyframe_requests(1, self.source.ssrc))
            is_key, self.answered = asked > self.answered, asked
            place = 0 if is_key else self.source.frames + 1
            # The lowest layer takes two fifths, as libwebrtc shares it out.
            self.source.packet_octets = 1_280 if not self.source.pattern[place % len(self.source.pattern)][0] else 640
            self.hall.send(1, self.source.frame(self.hall.now, key=is_key))
            self.hall.advance(1 / 30)
        return self.hall.received[2][before:]

    def estimate(self, bitrate_bps: int) -> None:
        remb(self.hall, bitrate_bps)


def layers(packets: Sequence[RtpView]) -> set[int]:
    descriptors = [packet.vp8() for packet in packets]
    return {descriptor.temporal_layer for descriptor in descriptors if descriptor is not None}


def assert_decodable(packets: Sequence[RtpView]) -> None:
    """Every frame has what it rests on: the last frame of the layers below it, and of its own unless it is a sync."""
    assert_unbroken(packets)
    frames = {packet.timestamp: packet.vp8() for packet in packets if packet.vp8() is not None}
    shown: dict[int, int] = {}
    first = min(frames)
    for timestamp, descriptor in sorted(frames.items()):
        assert descriptor is not None
        assert (timestamp - first) % STEP == 0, "time goes on as the source's does"
        place = (timestamp - first) // STEP
        layer = descriptor.temporal_layer
        if layer == 0 and 0 in shown:
            assert place - shown[0] == 4
        if layer and not descriptor.layer_sync:
            assert place - shown[1] == 1, "the second of the upper layer rests on the one in the middle"
        shown[layer] = place
    tl0s = [
        frame.tl0_picture_index for _, frame in sorted(frames.items()) if frame is not None and not frame.temporal_layer
    ]
    assert all((after - before) % 256 == 1 for before, after in pairwise(tl0s))


def test_down_at_once_and_up_again_without_a_key_frame() -> None:
    show = Show()
    show.play(3.0)
    show.estimate(2_000_000)
    assert layers(show.play(2.0)) == {0, 1, 2}
    requests = len(show.hall.keyframe_requests(1, 200))
    show.estimate(430_000)
    show.play(0.2)
    half = show.play(2.0)
    assert layers(half) == {0, 1}
    assert len(half) == pytest.approx(0.5 * 2 * 90, abs=6)
    show.estimate(270_000)
    show.play(0.2)
    least = show.play(2.0)
    assert layers(least) == {0}
    assert len(least) == pytest.approx(0.25 * 2 * 90, abs=6)
    show.estimate(2_000_000)
    show.play(0.3)
    assert layers(show.play(1.0)) == {0, 1, 2}
    assert len(show.hall.keyframe_requests(1, 200)) == requests
    assert_decodable(show.hall.received[2])


def test_step_by_step_up() -> None:
    show = Show()
    show.play(3.0)
    show.estimate(2_000_000)
    show.play(2.0)
    show.estimate(270_000)
    show.play(1.0)
    for bitrate_bps, expected in ((520_000, {0, 1}), (2_000_000, {0, 1, 2})):
        show.estimate(bitrate_bps)
        show.play(0.5)
        assert layers(show.play(1.0)) == expected
    assert_decodable(show.hall.received[2])


def test_an_encoder_without_sync_frames_is_asked_for_a_key_frame() -> None:
    show = Show(pattern=((0, False), (1, False)))
    show.play(3.0)
    show.estimate(2_000_000)
    show.play(2.0)
    show.estimate(450_000)
    show.play(1.0)
    assert layers(show.play(1.0)) == {0}
    requests = len(show.hall.keyframe_requests(1, 200))
    show.estimate(2_000_000)
    show.play(2.0)
    assert len(show.hall.keyframe_requests(1, 200)) > requests
    assert layers(show.play(0.5)) == {0, 1}
    assert_unbroken(show.hall.received[2])


def thinned() -> Show:
    """At half the frame rate."""
    show = Show()
    show.play(3.0)
    show.estimate(2_000_000)
    show.play(2.0)
    show.estimate(430_000)
    show.play(1.0)
    assert layers(show.play(0.5)) == {0, 1}
    return show


def test_a_lost_packet_is_mended_and_one_that_is_left_out_is_padding_in_its_place() -> None:
    show = thinned()
    hall, source = show.hall, show.source
    while source.frames % 4 != 3:
        show.play(1 / 30)
    for _ in range(4):
        packets = source.frame(hall.now)
        hall.send(1, [packets[0], packets[2]])
        hall.advance(0.011)
        assert hall.nacked(1)[-1][1] == [look(packets[1]).sequence]
        hall.send(1, wrap_rtx(look(packets[1]), 97, 1, 700))
        hall.advance(0.020)
    show.play(0.5)
    got = sorted(hall.received[2], key=lambda packet: packet.sequence)
    assert all(after.sequence - before.sequence == 1 for before, after in pairwise(got))
    empty = [packet for packet in got if not packet.payload]
    assert len(empty) == 2, "one for each frame of the upper layer"
    assert all(packet.padded and not packet.marker for packet in empty)


def test_what_was_lost_on_the_viewers_line_is_sent_again() -> None:
    show = thinned()
    lost = show.hall.received[2][-5]
    show.hall.report(2, rtcp.nack(1, 9_000, [lost.sequence + 0x10000]))
    (again,) = show.hall.resent[2]
    assert again.payload[:2] == lost.sequence.to_bytes(2, "big")
    assert again.payload[2:] == lost.payload


def test_a_late_packet_goes_to_those_only_who_had_begun() -> None:
    show = thinned()
    hall, source = show.hall, show.source
    while source.frames % 4 != 3:
        show.play(1 / 30)
    packets = source.frame(hall.now)
    hall.send(1, [packets[0], packets[2]])
    hall.join(3, slots=[video_slot(ssrc=5_000)])
    hall.report(3, rtcp.remb(1, 2_000_000, [5_000]))
    hall.assign(3, "v0", TRACK)
    show.play(2.0)
    slot = hall.router._peers[3].slots["v0"]
    thin = hall.router._peers[1].streams[0].thins[1]
    hall.report(3, rtcp.remb(1, 430_000, [5_000]))
    show.play(0.5)
    assert slot.feed is not None
    assert slot.feed.stream is thin
    count = {peer: len(hall.received[peer]) for peer in (2, 3)}
    hall.send(1, packets[1])
    assert len(hall.received[2]) == count[2] + 1
    assert len(hall.received[3]) == count[3]


def test_a_late_packet_begins_nothing() -> None:
    show = Show()
    show.play(3.0)
    show.estimate(2_000_000)
    show.play(2.0)
    packets = show.source.frame(show.hall.now)
    show.hall.send(1, packets[1:])
    show.estimate(430_000)
    show.hall.send(1, packets[0])
    thin = show.hall.router._peers[1].streams[0].thins[1]
    assert thin.waiters
    assert (thin.is_idle, thin.reception) == (True, None)
    show.play(0.2)
    assert thin.reception is not None
    assert_unbroken(sorted(show.hall.received[2], key=lambda packet: packet.sequence))


def test_another_gate_and_another_sender_begin_anew() -> None:
    show = thinned()
    show.hall.close(TRACK)
    show.play(1.0)
    show.hall.open(TRACK)
    show.play(2.0)
    assert layers(show.play(1.0)) == {0, 1}
    show.source.sequence += 9_000
    show.play(2.0)
    assert layers(show.play(1.0)) == {0, 1}
    assert_unbroken(show.hall.received[2])


def test_a_stream_without_layers_is_never_thinned() -> None:
    for show in (Show(pattern=((0, False),)), Show(picture_id_bits=0), Show(picture_id_bits=7)):
        show.play(3.0)
        assert show.hall.router._peers[1].streams[0].thins == ()


# --- the parts ---------------------------------------------------------------------------------------------------


def thin_stream(max_layer: int = 1) -> ThinStream:
    uplink = Uplink(1, camera(codecs=(VP8,)), 1)
    stream = uplink.streams[0]
    stream.bind(200, VP8, 1, 0.0)
    return ThinStream(stream, max_layer)


@given(st.lists(st.integers(0, 60), max_size=80))
def test_skipped_counts_what_lies_below(numbers: list[int]) -> None:
    skipped = Skipped()
    for number in numbers:
        skipped.add(number)
    for number in range(62):
        assert skipped.below(number) == len({other for other in numbers if other < number})


def test_skipped_forgets_the_oldest_and_still_counts_them() -> None:
    skipped = Skipped()
    for number in range(3 * MAX_SKIPPED):
        skipped.add(number)
    assert skipped.below(3 * MAX_SKIPPED) == 3 * MAX_SKIPPED
    assert len(skipped._numbers) <= MAX_SKIPPED


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=60), st.integers(0, 0xFFFF))
def test_any_order_gives_every_packet_a_number_of_its_own(steps: list[tuple[bool, int]], start: int) -> None:
    thin = thin_stream()
    source = Camera(pattern=L1T3, sequence=start, picture_id=0x7FF8, packets_per_frame=2)
    arriving: list[tuple[int, bytes]] = []
    number = 0x10000 + start + 1
    for index, (is_lost, delay) in enumerate(steps):
        for packet in source.frame(0.0, key=index == 0):
            if not is_lost or index == 0:
                arriving.append((number + 2 * delay if index else number, packet))
            number += 1
    got: dict[int, bytes] = {}
    first = 0x10000 + start + 1
    for _, packet in sorted(arriving, key=lambda arrival: arrival[0]):
        extended = first + (int.from_bytes(packet[2:4], "big") - start - 1 & 0xFFFF)
        taken = thin.take(look(packet), extended, 0.0)
        if taken is not None:
            copy, own = taken
            assert own not in got
            assert own & 0xFFFF == copy.sequence
            got[own] = copy.data
    assert got
    if not any(is_lost for is_lost, _ in steps[1:]) and not any(delay for _, delay in steps):
        assert sorted(got) == list(range(min(got), min(got) + len(got))), "nothing lost, so no gap"


def test_what_cannot_be_told_is_left_out() -> None:
    thin = thin_stream()
    for payload in (b"\x10\x00", b"\x90", b"\x90\x80\x01", b"\x80\xe0\x80\x01\x05\x00frame"):
        assert thin.take(look(rtp(96, 1, 2, 200, payload)), 0x10001, 0.0) is None
    started = thin.take(look(Camera(pattern=L1T3, sequence=9).frame(0.0, key=True)[0]), 0x10010, 0.0)
    assert started is not None
    assert thin.take(look(Camera(pattern=L1T3, sequence=3).frame(0.0, key=True)[0]), 0x10005, 0.0) is None
    again = thin.take(look(Camera(pattern=L1T3, sequence=9).frame(0.0, key=True)[0]), 0x10010, 0.0)
    assert again is None, "a duplicate"


def test_seven_bit_picture_ids() -> None:
    thin = thin_stream(max_layer=0)

    def packet(picture: int, layer: int) -> RtpView:
        payload = bytes((0x90, 0xE0, picture & 0x7F, 9, layer << 6)) + b"frame"
        return look(rtp(96, picture, 3_000 * picture, 200, payload, marker=True))

    got = []
    for picture in range(120, 140):
        taken = thin.take(packet(picture, picture % 2), 0x10000 + picture, 0.0)
        if taken is not None:
            descriptor = taken[0].vp8()
            assert descriptor is not None
            got.append(descriptor.picture_id)
    assert got == [(120 + index) & 0x7F for index in range(10)]


def test_layers_are_found_once() -> None:
    uplink = Uplink(1, camera(codecs=(VP8,)), 1)
    stream = uplink.streams[0]
    find_layers(stream)
    stream.bind(200, VP8, 1, 0.0)
    source = Camera(pattern=L1T3, sequence=0)
    for number in range(8):
        stream.receive(look(source.frame(0.0, key=not number)[0]), 0.0, False)
        find_layers(stream)
        source.sequence = number + 1
    assert [thin.max_layer for thin in stream.thins] == [0, 1]
