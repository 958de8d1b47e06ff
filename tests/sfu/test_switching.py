"""A viewer sees one unbroken stream, whatever feeds its slot."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.rtp import rtcp
from server.sfu.feeding import MAX_LATE_START, PATIENCE_S
from server.sfu.outputs import SlotFed
from server.sfu.ports import Codec, Extensions, SlotSpec
from tests.sfu.hall import Hall, assert_unbroken
from tests.sfu.packets import (
    H264,
    OPUS,
    VP8,
    Camera,
    Microphone,
    audio_slot,
    camera,
    mic,
    rtp,
    video_slot,
)

A, B = (1, "1"), (2, "1")
PCMU = Codec(0, "pcmu", 8_000)
EVENTS = ("a", "b", "none", "close", "open", "hide", "show")


def two_cameras(bits: int = 15, other_bits: int = 15) -> tuple[Hall, Camera, Camera]:
    hall = Hall()
    for peer in (1, 2):
        hall.join(peer, [mic(), camera(codecs=(VP8,))])
    hall.join(9, slots=[audio_slot(), video_slot()])
    hall.open(A, B, (1, "0"), (2, "0"))
    one = Camera(ssrc=201, picture_id_bits=bits, sequence=65_530, timestamp=0xFFFFFF00, picture_id=0x7FFE, tl0=250)
    other = Camera(ssrc=202, picture_id_bits=other_bits, sequence=30_000, timestamp=5, picture_id=9, tl0=3)
    return hall, one, other


def play(hall: Hall, frames: int, *sources: tuple[int, Camera], key: bool = False) -> None:
    """Frames at 30 a second; ``key`` makes the first of each source a key frame."""
    for index in range(frames):
        for peer, source in sources:
            hall.send(peer, source.frame(hall.now, key=key and index == 0))
        hall.advance(1 / 30)


def test_a_switch_waits_for_the_key_frame_and_then_is_seamless() -> None:
    hall, one, other = two_cameras()
    hall.assign(9, "v0", A)
    play(hall, 10, (1, one), (2, other), key=True)
    hall.assign(9, "v0", B)
    assert len(hall.keyframe_requests(2, 202)) == 1
    play(hall, 5, (1, one), (2, other))
    assert len(hall.received[9]) == 45, "the old one shows meanwhile"
    assert hall.fed[-1] == SlotFed(9, "v0", A)
    play(hall, 10, (1, one), (2, other), key=True)
    assert hall.fed[-1] == SlotFed(9, "v0", B)
    received = hall.received[9]
    assert_unbroken(received)
    switch = next(index for index, packet in enumerate(received[47:], 47) if b"\x9d\x01\x2a" in packet.payload)
    step = received[switch].timestamp - received[switch - 1].timestamp & 0xFFFFFFFF
    assert step in (0, 1, 3_000), "the time that really went by"
    assert [packet.marker for packet in received[:3]] == [False, False, True]


def test_timestamps_advance_by_the_time_that_went_by() -> None:
    hall, one, other = two_cameras()
    hall.assign(9, "v0", A)
    play(hall, 1, (1, one), key=True)
    hall.assign(9, "v0", None)
    assert hall.fed[-1] == SlotFed(9, "v0", None, "unassigned")
    hall.advance(2.0)
    hall.assign(9, "v0", B)
    play(hall, 1, (2, other), key=True)
    received = hall.received[9]
    assert_unbroken(received)
    assert received[3].timestamp - received[2].timestamp & 0xFFFFFFFF == pytest.approx(90_000 * (2 + 1 / 30), abs=2)


def test_sender_reports_of_two_sources_say_nothing_of_each_other() -> None:
    hall, one, other = two_cameras()
    hall.assign(9, "v0", A)
    play(hall, 3, (1, one), (2, other), key=True)
    hall.report(1, rtcp.sender_report(201, 5 << 40, one.timestamp, 1, 1))
    hall.report(2, rtcp.sender_report(202, 6 << 40, other.timestamp, 1, 1))
    hall.assign(9, "v0", B)
    play(hall, 3, (1, one), (2, other), key=True)
    assert_unbroken(hall.received[9])
    steps = {later.timestamp - earlier.timestamp & 0xFFFFFFFF for earlier, later in pairwise(hall.received[9])}
    assert steps <= {0, 1, 3_000}


@pytest.mark.parametrize(("bits", "other_bits"), [(15, 15), (7, 7), (0, 0), (0, 15), (15, 0), (15, 7)])
def test_pictures_of_every_kind_of_encoder(bits: int, other_bits: int) -> None:
    hall, one, other = two_cameras(bits, other_bits)
    for target in (A, B, A, B):
        hall.assign(9, "v0", target)
        play(hall, 7, (1, one), (2, other), key=True)
        play(hall, 7, (1, one), (2, other))
    shown_meanwhile = 2 * 3  # at each switch to B a frame of A comes before B's key frame
    assert len(hall.received[9]) == 4 * 14 * 3 + shown_meanwhile
    assert_unbroken(hall.received[9])


def test_tl0_goes_on_by_one() -> None:
    hall, one, other = two_cameras()
    for target in (A, B, A):
        hall.assign(9, "v0", target)
        play(hall, 4, (1, one), (2, other), key=True)
    indices = []
    for packet in hall.received[9]:
        descriptor = packet.vp8()
        assert descriptor is not None
        if packet.marker:
            indices.append(descriptor.tl0_picture_index)
    assert [after - before & 0xFF for before, after in pairwise(indices)] == [1] * (len(indices) - 1)


def test_h264_without_any_of_it() -> None:
    hall = Hall()
    hall.join(1, [camera(codecs=(H264,))])
    hall.join(9, slots=[SlotSpec("v0", camera().kind, 0, 9_000, 0, (H264,), Extensions())])
    hall.open(A)
    hall.assign(9, "v0", A)
    mid = ((1, b"1"),)
    hall.send(1, rtp(102, 10, 100, 5, b"\x41delta", extensions=mid))
    hall.send(1, rtp(102, 11, 3_100, 5, b"\x67sps", extensions=mid))
    hall.send(1, rtp(102, 12, 3_100, 5, b"\x65idr", marker=True, extensions=mid))
    assert [packet.payload for packet in hall.received[9]] == [b"\x67sps", b"\x65idr"]
    assert hall.received[9][0].extensions_offset == 0


def test_vp9_is_switched_at_its_key_frames_and_tells_its_size() -> None:
    vp9 = Codec(98, "vp9", 90_000, "profile-id=0", pli=True)
    hall = Hall()
    hall.join(1, [camera(codecs=(vp9,))])
    hall.join(9, slots=[video_slot(codecs=(vp9,))])
    hall.open(A)
    hall.assign(9, "v0", A)
    mid = ((1, b"1"),)
    hall.send(1, rtp(98, 10, 100, 5, b"\x48\x86\x00", extensions=mid))
    assert hall.received[9] == []
    key = b"\x08\x82\x49\x83\x42\x00\x13\xf0\x0b\x30\x00"
    hall.send(1, rtp(98, 11, 3_100, 5, key, extensions=mid))
    assert [packet.payload for packet in hall.received[9]] == [key]
    layer = hall.router.track_stats(A, hall.now).layers[0]
    assert (layer.codec, layer.width, layer.height) == ("vp9", 320, 180)


def test_what_we_cannot_look_into_starts_with_any_packet() -> None:
    unknown = Codec(45, "h265", 90_000, pli=True)
    hall = Hall()
    hall.join(1, [camera(codecs=(unknown,))])
    hall.join(9, slots=[video_slot(codecs=(unknown,))])
    hall.open(A)
    hall.assign(9, "v0", A)
    hall.send(1, rtp(45, 10, 100, 5, b"obu", extensions=((1, b"1"),)))
    assert len(hall.received[9]) == 1
    hall.advance(10.0)
    assert len(hall.keyframe_requests(1, 5)) == 4


def test_sound_is_switched_at_once() -> None:
    hall, _, _ = two_cameras()
    voices = {1: Microphone(ssrc=101), 2: Microphone(ssrc=102, sequence=60_000, timestamp=0xFFFFFFF0)}
    for peer in (1, 2, 1):
        hall.assign(9, "a0", (peer, "0"))
        assert hall.fed[-1] == SlotFed(9, "a0", (peer, "0"))
        for _ in range(5):
            for sender, voice in voices.items():
                hall.send(sender, voice.packet(payload=bytes((sender,)) * 9))
            hall.advance(0.02)
    assert [packet.payload[0] for packet in hall.received[9]] == [1] * 5 + [2] * 5 + [1] * 5
    assert_unbroken(hall.received[9])


def test_a_late_packet_of_the_new_source_from_before_the_switch_would_collide() -> None:
    hall, one, other = two_cameras()
    hall.join(8, slots=[video_slot(ssrc=7_000)])
    hall.assign(8, "v0", B)
    play(hall, 1, (2, other), key=True)
    early = other.frame(hall.now)
    hall.send(2, early[:2])
    hall.assign(9, "v0", B)
    play(hall, 2, (2, other), key=True)
    hall.send(2, early[2])
    assert len(hall.received[9]) == 6
    assert_unbroken(hall.received[9])
    assert len(hall.received[8]) == 12, "who had begun before gets it"
    other.sequence += 1
    late = other.frame(hall.now)
    hall.send(2, late[1:])
    hall.send(2, late[0])
    hall.send(2, late[0])
    assert len(hall.received[9]) == 9, "a late one within the stretch passes, a duplicate does not"
    assert one.sequence == 65_530


def test_a_late_packet_nobody_had_begun_for() -> None:
    hall, _, other = two_cameras()
    hall.send(2, other.frame(hall.now))
    early = other.frame(hall.now)
    hall.send(2, early[:2])
    hall.assign(9, "v0", B)
    play(hall, 1, (2, other), key=True)
    assert hall.send(2, early[2]) == [None]


def test_a_key_frame_overtaken_by_its_own_packets_starts_whole() -> None:
    hall, one, _ = two_cameras()
    hall.assign(9, "v0", A)
    hall.send(1, one.frame(hall.now))
    first, second, third = one.frame(hall.now, key=True)
    hall.send(1, [second, third, first])
    sequences = sorted(packet.sequence for packet in hall.received[9] + hall.resent[9])
    assert sequences == list(range(sequences[0], sequences[0] + 3))
    assert hall.received[9][0].sequence == sequences[0]
    play(hall, 1, (1, one))
    assert hall.received[9][1].sequence == sequences[2] + 1


def test_a_hole_behind_a_late_key_frame_is_left_to_the_viewers_nack() -> None:
    hall, one, _ = two_cameras()
    hall.assign(9, "v0", A)
    hall.send(1, one.frame(hall.now))
    first, second, third = one.frame(hall.now, key=True)
    hall.send(1, [third, first])
    assert [packet.sequence - hall.received[9][0].sequence for packet in hall.resent[9]] == [2]
    hall.send(1, second)
    assert hall.received[9][1].sequence == hall.received[9][0].sequence + 1


def test_a_key_frame_that_comes_far_too_late_starts_nothing() -> None:
    hall, one, _ = two_cameras()
    hall.assign(9, "v0", A)
    hall.send(1, one.frame(hall.now))
    late = one.frame(hall.now, key=True)
    for _ in range(MAX_LATE_START // 3 + 1):
        hall.send(1, one.frame(hall.now))
    hall.send(1, late)
    assert hall.received[9] == []
    play(hall, 1, (1, one), key=True)
    assert len(hall.received[9]) == 3


def test_a_source_that_owes_a_key_frame_loses_the_old_picture() -> None:
    hall, one, other = two_cameras()
    hall.assign(9, "v0", A)
    play(hall, 1, (1, one), (2, other), key=True)
    hall.assign(9, "v0", B)
    for _ in range(int(PATIENCE_S * 30) + 2):
        play(hall, 1, (1, one), (2, other))
    before = len(hall.received[9])
    assert hall.fed[-1] == SlotFed(9, "v0", B)
    play(hall, 30, (1, one), (2, other))
    assert len(hall.received[9]) == before
    requests = hall.keyframe_requests(2, 202)
    assert {round(after - at, 3) for at, after in pairwise(requests)} == {0.5}
    assert len(requests) >= 8
    play(hall, 1, (1, one), (2, other), key=True)
    assert len(hall.received[9]) == before + 3
    assert_unbroken(hall.received[9])


def test_a_source_that_sends_nothing_is_announced_at_once() -> None:
    hall, one, other = two_cameras()
    hall.assign(9, "v0", A)
    play(hall, 3, (1, one), key=True)
    hall.assign(9, "v0", B)
    assert hall.fed[-1] == SlotFed(9, "v0", B)
    play(hall, 3, (1, one))
    assert len(hall.received[9]) == 9
    play(hall, 3, (2, other), key=True)
    assert len(hall.received[9]) == 18
    assert hall.fed[-1] == SlotFed(9, "v0", B)


def test_when_the_old_sources_gate_closes_while_waiting_for_the_new() -> None:
    hall, one, other = two_cameras()
    hall.assign(9, "v0", A)
    play(hall, 3, (1, one), (2, other), key=True)
    hall.assign(9, "v0", B)
    hall.close(A)
    assert hall.fed[-1] == SlotFed(9, "v0", B)
    play(hall, 3, (1, one), (2, other))
    assert len(hall.received[9]) == 9
    play(hall, 3, (1, one), (2, other), key=True)
    assert len(hall.received[9]) == 18
    assert_unbroken(hall.received[9])


def test_when_the_new_sources_gate_closes_nothing_shows() -> None:
    hall, one, other = two_cameras()
    hall.assign(9, "v0", A)
    play(hall, 3, (1, one), (2, other), key=True)
    hall.assign(9, "v0", B)
    hall.close(B)
    assert hall.fed[-1] == SlotFed(9, "v0", None, "gate_closed")
    play(hall, 3, (1, one), (2, other), key=True)
    assert len(hall.received[9]) == 9


def test_going_back_while_waiting() -> None:
    hall, one, other = two_cameras()
    hall.assign(9, "v0", A)
    play(hall, 3, (1, one), (2, other), key=True)
    hall.assign(9, "v0", B)
    hall.assign(9, "v0", A)
    hall.assign(9, "v0", A)
    play(hall, 3, (1, one), (2, other), key=True)
    hall.advance(PATIENCE_S)
    assert len(hall.received[9]) == 18
    assert_unbroken(hall.received[9])
    assert hall.fed[-1] == SlotFed(9, "v0", A)


def test_an_encoder_restart_goes_on_unbroken() -> None:
    hall, one, _ = two_cameras()
    hall.assign(9, "v0", A)
    play(hall, 40, (1, one), key=True)
    restarted = Camera(ssrc=301, sequence=1, timestamp=1, picture_id=1, tl0=1)
    play(hall, 2, (1, restarted))
    assert len(hall.keyframe_requests(1, 301)) == 1
    play(hall, 5, (1, restarted), key=True)
    assert len(hall.received[9]) == 135
    assert_unbroken(hall.received[9])


def test_a_jump_of_the_sequence_numbers_goes_on_unbroken() -> None:
    hall, one, _ = two_cameras()
    voice = Microphone()
    hall.assign(9, "v0", A)
    hall.assign(9, "a0", (1, "0"))
    play(hall, 5, (1, one), key=True)
    hall.send(1, voice.packet())
    one.sequence += 20_000
    voice.sequence += 20_000
    play(hall, 5, (1, one), key=True)
    hall.send(1, [voice.packet(), voice.packet(), voice.packet()])
    play(hall, 5, (1, one), key=True)
    pictures = [packet for packet in hall.received[9] if packet.payload_type == 96]
    sounds = [packet for packet in hall.received[9] if packet.payload_type == 111]
    assert len(pictures) == 30
    assert len(sounds) == 3
    assert_unbroken(pictures)
    assert_unbroken(sounds)
    assert hall.router.drops == {"sequence_jump": 2}


def test_a_hidden_slot_gets_no_packets_and_is_announced_all_the_same() -> None:
    hall, one, other = two_cameras()
    hall.show(9, "v0", 0)
    hall.assign(9, "v0", A)
    play(hall, 3, (1, one), (2, other), key=True)
    assert hall.received[9] == []
    assert hall.fed[-1] == SlotFed(9, "v0", A)
    hall.show(9, "v0", 300)
    hall.show(9, "v0", 300)
    play(hall, 3, (1, one), (2, other), key=True)
    assert len(hall.received[9]) == 9
    hall.show(9, "v0", 0)
    play(hall, 3, (1, one), (2, other))
    hall.assign(9, "v0", B)
    assert hall.fed[-1] == SlotFed(9, "v0", B)
    hall.show(9, "v0", 300)
    hall.show(9, "a0", 300)
    hall.show(9, "unknown", 300)
    play(hall, 3, (1, one), (2, other), key=True)
    assert len(hall.received[9]) == 18
    assert_unbroken(hall.received[9])


@pytest.mark.parametrize(
    ("slot", "track"),
    [
        (video_slot(codecs=(H264,)), A),
        (video_slot(), (1, "0")),
        (audio_slot(codecs=(Codec(0, "pcmu", 8_000),)), (1, "0")),
    ],
)
def test_what_a_viewer_cannot_take_leaves_its_slot_empty(slot: SlotSpec, track: tuple[int, str]) -> None:
    hall, one, _ = two_cameras()
    hall.join(8, slots=[slot])
    hall.assign(8, slot.mid, track)
    play(hall, 3, (1, one), key=True)
    hall.send(1, Microphone().packet())
    assert hall.received[8] == []
    assert SlotFed(8, slot.mid, None, "codec_not_negotiated") in hall.fed
    assert hall.router.flows.by_stream == {}


def test_slots_of_two_viewers_and_the_sources_stay_apart() -> None:
    hall, one, other = two_cameras()
    hall.join(8, slots=[video_slot(ssrc=7_000)])
    hall.assign(9, "v0", A)
    play(hall, 5, (1, one), (2, other), key=True)
    hall.assign(8, "v0", A)
    play(hall, 5, (1, one), (2, other))
    play(hall, 5, (1, one), (2, other), key=True)
    assert len(hall.received[9]) == 45
    assert len(hall.received[8]) == 15
    assert_unbroken(hall.received[8])
    assert {packet.ssrc for packet in hall.received[8]} == {7_000}


def test_header_extensions_are_the_viewers() -> None:
    hall, one, _ = two_cameras()
    hall.assign(9, "v0", A)
    hall.assign(9, "a0", (1, "0"))
    play(hall, 1, (1, one), key=True)
    hall.send(1, Microphone().packet(dbov=33))
    picture, sound = hall.received[9][0], hall.received[9][-1]
    assert (picture.extension(1), picture.extension(2)) == (b"v0", None)
    assert len(picture.extension(4) or b"") == 3
    assert sound.extension(5) == bytes((0x80 | 33,))
    wide = Extensions(mid=15, audio_level=200, abs_send_time=None)
    hall.join(8, slots=[SlotSpec("m" * 17, mic().kind, 0, 6_000, 0, (OPUS,), wide)])
    hall.assign(8, "m" * 17, (1, "0"))
    hall.send(1, Microphone(sequence=1_001, timestamp=99_999).packet(dbov=33))
    assert hall.received[8][0].extensions_offset == 0


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "none", "close", "open", "hide", "show"]), st.booleans()), max_size=25
    )
)
def test_any_order_of_events_is_one_unbroken_stream(events: list[tuple[str, bool]]) -> None:
    hall, one, other = two_cameras()
    for event, key in events:
        if event in ("a", "b", "none"):
            hall.assign(9, "v0", {"a": A, "b": B, "none": None}[event])
        elif event in ("open", "close"):
            hall.router.set_gate(A, event == "open", hall.now)
            hall.collect()
        else:
            hall.show(9, "v0", 300 if event == "show" else 0)
        play(hall, 2, (1, one), (2, other), key=key)
    assert_unbroken(hall.received[9])
