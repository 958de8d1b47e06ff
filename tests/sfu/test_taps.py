"""Taps: Sinks inside this process are fed like any viewer, apart from what the fan-out carries."""

from tests.sfu.hall import Hall, assert_unbroken
from tests.sfu.packets import Camera, Microphone, audio_slot, camera, mic, video_slot

MIC, CAMERA = (1, "0"), (1, "1")
TAP = -1


def hall_with_tap() -> Hall:
    hall = Hall()
    hall.join(1, [mic(), camera()])
    hall.join(TAP, slots=[audio_slot(), video_slot()])
    hall.assign(TAP, "a0", MIC)
    hall.assign(TAP, "v0", CAMERA)
    return hall


def test_a_tap_hears_through_the_gate_only() -> None:
    hall, source = hall_with_tap(), Microphone()
    hall.send(1, [source.packet() for _ in range(3)])
    assert hall.received[TAP] == []
    hall.open(MIC)
    hall.send(1, [source.packet() for _ in range(3)])
    hall.close(MIC)
    hall.send(1, [source.packet() for _ in range(3)])
    assert len(hall.received[TAP]) == 3
    assert_unbroken(hall.received[TAP])
    assert hall.router.flows.taps == {}


def test_a_tap_alone_is_a_reason_to_forward_and_to_ask_for_a_key_frame() -> None:
    hall, source = hall_with_tap(), Camera()
    hall.open(CAMERA)
    hall.send(1, source.frame(hall.now, key=False))
    assert hall.received[TAP] == []
    assert hall.keyframe_requests(1, 200)
    hall.send(1, source.frame(hall.now, key=True))
    assert hall.received[TAP]
    assert hall.router.flows.by_stream == {}


def test_a_late_packet_reaches_a_tap_and_a_viewer_that_had_begun() -> None:
    hall, source = hall_with_tap(), Microphone()
    hall.join(2, slots=[audio_slot()])
    hall.assign(2, "a0", MIC)
    hall.open(MIC)
    hall.send(1, source.packet())
    late, next_one = source.packet(), source.packet()
    hall.send(1, next_one)
    hall.join(3, slots=[audio_slot()])
    hall.assign(3, "a0", MIC)
    hall.send(1, source.packet())
    hall.send(1, late)
    assert len(hall.received[TAP]) == 4
    assert len(hall.received[2]) == 4
    assert len(hall.received[3]) == 1


def test_a_tap_is_told_when_what_it_gets_was_captured() -> None:
    hall, source = hall_with_tap(), Microphone()
    hall.open(MIC)
    hall.send(1, source.packet())
    hall.advance(2.0)
    assert hall.sender_reports(TAP, audio_slot().ssrc)


def test_a_tap_that_goes_leaves_no_flow() -> None:
    hall = hall_with_tap()
    hall.open(MIC)
    hall.send(1, Microphone().packet())
    assert hall.router.flows.taps
    hall.router.remove_peer(TAP, hall.now)
    assert hall.router.flows.taps == {}
