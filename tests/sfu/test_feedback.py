"""RTCP through the router: NACK both ways, key frame requests, reports, and what strangers send."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rtp import rtcp
from server.rtp.rtx import unwrap_rtx, wrap_rtx
from server.rtp.sequence import difference32
from server.sfu.keyframes import REQUEST_INTERVAL_S
from server.sfu.nack import MAX_TRIES
from server.sfu.ports import Codec, SlotSpec
from server.sfu.resend import MAX_NUMBERS, MIN_INTERVAL_S
from tests.sfu.hall import Hall, assert_unbroken, look
from tests.sfu.packets import (
    EXTENSIONS,
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

CAMERA, MIC = (1, "1"), (1, "0")
PLAIN_VP8 = Codec(96, "vp8", 90_000, nack=True, pli=True)


def hall_with_picture(*slots: SlotSpec, codec: Codec = VP8) -> tuple[Hall, Camera]:
    hall = Hall()
    hall.join(1, [mic(), camera(codecs=(codec,))])
    hall.join(2, slots=slots or (video_slot(),))
    hall.open(CAMERA, MIC)
    hall.assign(2, "v0", CAMERA)
    source = Camera()
    hall.send(1, source.frame(hall.now, key=True))
    return hall, source


def nack(*sequences: int, ssrc: int = 9_000) -> bytes:
    return rtcp.nack(2, ssrc, [sequence + 0x10000 for sequence in sequences])


# --- upstream ------------------------------------------------------------------------------------------------


def test_a_lost_packet_is_asked_for_and_goes_out_late_with_its_own_number() -> None:
    hall, source = hall_with_picture()
    first, lost, third = source.frame(hall.now)
    hall.send(1, [first, third])
    hall.advance(0.011)
    assert [numbers for _, numbers in hall.nacked(1)] == [[look(lost).sequence]]
    hall.send(1, wrap_rtx(look(lost), 97, 1, 300))
    hall.advance(1.0)
    assert len(hall.nacked(1)) == 1
    assert_unbroken(sorted(hall.received[2], key=lambda packet: packet.sequence))
    assert len(hall.received[2]) == 6


def test_a_packet_only_overtaken_is_not_asked_for() -> None:
    hall, source = hall_with_picture()
    first, late, third = source.frame(hall.now)
    hall.send(1, [first, third])
    hall.advance(0.005)
    hall.send(1, late)
    hall.advance(1.0)
    assert hall.nacked(1) == []


def test_what_never_comes_is_given_up_for_a_key_frame() -> None:
    hall, source = hall_with_picture()
    asked_before = len(hall.keyframe_requests(1, 200))
    source.sequence += 2
    hall.send(1, source.frame(hall.now))
    hall.advance(3.0)
    assert len(hall.nacked(1)) == MAX_TRIES
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(hall.nacked(1))]
    assert gaps == pytest.approx([0.11] * (MAX_TRIES - 1))
    assert len(hall.keyframe_requests(1, 200)) > asked_before


def test_a_hole_too_large_is_mended_at_once() -> None:
    hall, source = hall_with_picture()
    hall.advance(1.0)
    asked_before = len(hall.keyframe_requests(1, 200))
    source.sequence += 1_000
    hall.send(1, source.frame(hall.now))
    assert len(hall.keyframe_requests(1, 200)) == asked_before + 1


def test_what_was_given_up_asks_nothing_of_a_gate_closed_since() -> None:
    hall, source = hall_with_picture()
    hall.advance(1.0)
    source.sequence += 1
    hall.send(1, source.frame(hall.now))
    source.sequence += 1_000
    hall.send(1, source.frame(hall.now))
    before = len(hall.keyframe_requests(1, 200))
    hall.close(CAMERA)
    hall.advance(1.0)
    assert len(hall.keyframe_requests(1, 200)) == before
    assert hall.nacked(1) == []


def test_nobody_asks_for_a_picture_nobody_watches_or_without_nack() -> None:
    hall, source = hall_with_picture()
    hall.assign(2, "v0", None)
    source.sequence += 2
    hall.send(1, source.frame(hall.now))
    voice = Microphone()
    hall.send(1, voice.packet())
    voice.sequence += 2
    hall.send(1, voice.packet())
    hall.advance(1.0)
    assert hall.nacked(1) == []


def test_lost_sound_is_asked_for_where_negotiated_and_never_costs_a_key_frame() -> None:
    opus = Codec(111, "opus", 48_000, nack=True)
    hall = Hall()
    hall.join(1, [mic(codecs=(opus,))])
    hall.join(2, slots=[audio_slot()])
    hall.open(MIC)
    hall.assign(2, "a0", MIC)
    voice = Microphone()
    hall.send(1, voice.packet())
    voice.sequence += 1
    hall.send(1, voice.packet())
    hall.advance(3.0)
    assert len(hall.nacked(1)) == MAX_TRIES
    assert hall.keyframe_requests(1, 100) == []


# --- downstream ----------------------------------------------------------------------------------------------


def test_a_viewer_gets_again_what_it_lost_as_rtx() -> None:
    hall, _ = hall_with_picture()
    lost = hall.received[2][1]
    hall.report(2, nack(lost.sequence))
    (rtx,) = hall.resent[2]
    assert (rtx.ssrc, rtx.payload_type) == (9_500, 97)
    original = look(unwrap_rtx(rtx, 96, 9_000) or b"")
    assert (original.sequence, original.timestamp, original.payload) == (lost.sequence, lost.timestamp, lost.payload)
    hall.report(2, nack(hall.received[2][2].sequence))
    assert hall.resent[2][1].sequence == rtx.sequence + 1 & 0xFFFF


@pytest.mark.parametrize(
    "slot",
    [
        video_slot(codecs=(PLAIN_VP8,)),
        SlotSpec("v0", camera().kind, 0, 9_000, 0, (VP8,), EXTENSIONS),
    ],
)
def test_without_rtx_it_is_sent_again_plainly(slot: SlotSpec) -> None:
    hall, _ = hall_with_picture(slot)
    lost = hall.received[2][1]
    hall.report(2, nack(lost.sequence))
    assert [packet.data for packet in hall.resent[2]] == [lost.data]


def test_what_was_sent_before_a_switch_can_still_be_had() -> None:
    hall, source = hall_with_picture()
    hall.join(3, [camera(codecs=(VP8,))])
    hall.open((3, "1"))
    other = Camera(ssrc=203, sequence=50_000)
    hall.send(3, other.frame(hall.now))
    before = hall.received[2][1]
    for target, sender, peer in (((3, "1"), other, 3), (CAMERA, source, 1), ((3, "1"), other, 3)):
        hall.assign(2, "v0", target)
        hall.send(peer, sender.frame(hall.now, key=True))
    hall.report(2, nack(before.sequence, hall.received[2][-1].sequence))
    assert len(hall.resent[2]) == 2
    for target, sender, peer in ((CAMERA, source, 1), ((3, "1"), other, 3)):
        hall.assign(2, "v0", target)
        hall.send(peer, sender.frame(hall.now, key=True))
    hall.advance(0.2)
    hall.report(2, nack(before.sequence))
    assert len(hall.resent[2]) == 2, "too many switches ago"


def test_what_was_never_sent_or_is_no_more_kept_is_passed_over() -> None:
    hall, source = hall_with_picture()
    first = hall.received[2][0].sequence
    hall.report(2, nack(first - 1, first + 100, first + 0x4000 & 0xFFFF))
    hall.report(2, nack(first, ssrc=4_711))
    assert hall.resent[2] == []
    hall.advance(2.5)
    hall.report(2, nack(first))
    assert hall.resent[2] == []
    hall.send(1, source.frame(hall.now)[0])
    hall.report(2, nack(first + 3))
    assert len(hall.resent[2]) == 1


def test_nothing_is_sent_again_before_anything_was_sent() -> None:
    hall = Hall()
    hall.join(2, slots=[video_slot()])
    hall.report(2, nack(1, 2, 3))
    assert hall.resent[2] == []


def test_the_same_packet_is_not_sent_again_at_once() -> None:
    hall, _ = hall_with_picture()
    lost = hall.received[2][1].sequence
    hall.report(2, nack(lost))
    hall.report(2, nack(lost))
    assert len(hall.resent[2]) == 1
    hall.advance(max(MIN_INTERVAL_S, 0.05) + 0.001)
    hall.report(2, nack(lost))
    assert len(hall.resent[2]) == 2


def test_nobody_makes_us_send_a_multiple_of_the_stream() -> None:
    hall, source = hall_with_picture()
    for _ in range(60):
        hall.send(1, source.frame(hall.now))
        hall.advance(1 / 30)
    start = hall.now
    sent = sum(len(packet.data) for packet in hall.received[2])
    for _ in range(200):
        hall.report(2, nack(*(packet.sequence for packet in hall.received[2][-180:])))
        hall.advance(0.01)
        hall.send(1, source.frame(hall.now))
    elapsed = hall.now - start
    resent = sum(len(packet.data) for packet in hall.resent[2])
    streamed = sum(len(packet.data) for packet in hall.received[2]) - sent
    assert resent < (elapsed + 1.0) * 50_000 + streamed
    assert hall.router.drops["nack_over_budget"] > 0


def test_absurdly_long_nacks_are_cut() -> None:
    hall, _ = hall_with_picture()
    hall.report(2, nack(*range(MAX_NUMBERS + 300)))
    assert hall.router.drops["nack_over_budget"] == 300
    hall.report(2, b"".join(nack(*(number for number in range(start, start + 300))) for start in range(0, 9_000, 300)))


def test_what_is_remembered_of_retransmissions_is_bounded() -> None:
    hall, source = hall_with_picture()
    for _ in range(800):
        hall.send(1, source.frame(hall.now))
        hall.report(2, nack(*(packet.sequence for packet in hall.received[2][-3:])))
        hall.advance(0.1)
        hall.received[2] = hall.received[2][-3:]
    assert len(hall.resent[2]) > 1_100
    # The router is asked for its own bound: nothing of it is visible from outside.
    resender = hall.router._peers[2].resenders[9_000]
    assert len(resender._sent_at) <= 1_024


# --- key frames ----------------------------------------------------------------------------------------------


def test_a_storm_of_requests_is_one_request_an_interval() -> None:
    """SCENARIOS row 26: PLI 1000 times a second, from two viewers, in both forms."""
    hall, source = hall_with_picture()
    hall.join(3, slots=[video_slot(ssrc=7_000)])
    hall.assign(3, "v0", CAMERA)
    hall.send(1, source.frame(hall.now, key=True))
    hall.advance(5.0)
    start = hall.now
    for index in range(5_000):
        hall.report(2, rtcp.pli(2, 9_000) if index % 2 else rtcp.fir(2, 9_000, index))
        hall.report(3, rtcp.pli(3, 7_000))
        hall.advance(0.001)
        if index % 33 == 0:
            hall.send(1, source.frame(hall.now))
    requests = [at for at in hall.keyframe_requests(1, 200) if at >= start]
    assert len(requests) == 10
    assert all(later - earlier >= REQUEST_INTERVAL_S - 1e-6 for earlier, later in pairwise(requests))


def test_a_request_after_a_key_frame_holds_back_no_new_one_for_long() -> None:
    hall, source = hall_with_picture()
    hall.advance(5.0)
    for _ in range(3):
        before = len(hall.keyframe_requests(1, 200))
        hall.report(2, rtcp.pli(2, 9_000))
        hall.advance(0.1)
        hall.send(1, source.frame(hall.now, key=True))
        hall.report(2, rtcp.pli(2, 9_000))
        hall.advance(0.41)
        assert len(hall.keyframe_requests(1, 200)) == before + 2
        hall.send(1, source.frame(hall.now, key=True))
        hall.advance(5.0)


def test_fir_only_where_only_that_was_negotiated() -> None:
    hall, _ = hall_with_picture(codec=Codec(96, "vp8", 90_000, fir=True))
    hall.advance(1.0)
    hall.report(2, rtcp.pli(2, 9_000))
    formats = [(packet.fmt, packet.fci[4:5]) for _, packet in psfb(hall)]
    assert formats[0] == (4, b"\x01")
    assert formats[-1][0] == 4
    assert formats[-1][1] > b"\x01"
    hall, _ = hall_with_picture(codec=Codec(96, "vp8", 90_000, fir=True, pli=True))
    assert {packet.fmt for _, packet in psfb(hall)} == {1}


def psfb(hall: Hall) -> list[tuple[float, rtcp.RtcpPsfbPacket]]:
    return [
        (at, packet) for at, packet in hall.feedback[1] if isinstance(packet, rtcp.RtcpPsfbPacket) and packet.fmt < 15
    ]


def test_requests_about_what_is_not_shown_go_nowhere() -> None:
    hall, _ = hall_with_picture()
    hall.assign(2, "v0", None)
    hall.advance(3.0)
    before = len(hall.keyframe_requests(1, 200))
    hall.report(2, rtcp.pli(2, 9_000))
    hall.report(2, rtcp.pli(2, 200))
    hall.report(2, bytes(rtcp.RtcpPsfbPacket(2, 2, 9_000, b"slislisl")))
    hall.advance(1.0)
    assert len(hall.keyframe_requests(1, 200)) == before


def test_feedback_is_a_compound_that_every_stack_takes() -> None:
    hall, _ = hall_with_picture()
    kinds = [type(packet).__name__ for _, packet in hall.feedback[1]]
    assert kinds[0] == "RtcpRrPacket"


# --- reports -------------------------------------------------------------------------------------------------


def test_lips_match_by_the_sources_own_clock() -> None:
    """Sound takes 80 ms longer than picture on the way in: the reports still say when each was captured."""
    hall = Hall()
    hall.join(1, [mic(), camera(codecs=(VP8,))])
    hall.join(2, slots=[audio_slot(), video_slot()])
    hall.open(CAMERA, MIC)
    hall.assign(2, "a0", MIC)
    hall.assign(2, "v0", CAMERA)
    voice, source = Microphone(timestamp=1_000_000), Camera(timestamp=5_000_000)
    skew_s = -12_345.678
    pending: list[tuple[float, bytes]] = []
    captured: dict[int, float] = {}
    for index in range(150):
        pending += [(hall.now + 0.020, packet) for packet in source.frame(hall.now, key=index == 0)]
        voice.timestamp += 1_600 - 960
        pending.append((hall.now + 0.100, voice.packet()))
        captured |= {source.timestamp: hall.now, voice.timestamp: hall.now}
        if index % 30 == 10:
            ntp = rtcp.ntp_from_unix(hall.now + skew_s)
            hall.report(1, rtcp.sender_report(source.ssrc, ntp, source.timestamp, 1, 1))
            hall.report(1, rtcp.sender_report(voice.ssrc, ntp, voice.timestamp, 1, 1))
        hall.advance(1 / 30)
        due = [packet for at, packet in pending if at <= hall.now]
        pending = [entry for entry in pending if entry[0] > hall.now]
        hall.send(1, due)
    sounds = hall.sender_reports(2, 8_000)[-1][1].sender_info
    pictures = hall.sender_reports(2, 9_000)[-1][1].sender_info
    sound = [packet for packet in hall.received[2] if packet.ssrc == 8_000][-1]
    picture = [packet for packet in hall.received[2] if packet.ssrc == 9_000][-1]
    heard = rtcp.unix_from_ntp(sounds.ntp_timestamp) + difference32(sound.timestamp, sounds.rtp_timestamp) / 48_000
    seen = rtcp.unix_from_ntp(pictures.ntp_timestamp) + difference32(picture.timestamp, pictures.rtp_timestamp) / 90_000
    truly = captured[picture.timestamp] - captured[sound.timestamp]
    assert truly == pytest.approx(0.08, abs=0.03)
    assert seen - heard == pytest.approx(truly, abs=0.001)


def test_sender_reports_without_any_from_the_source() -> None:
    hall, _ = hall_with_picture()
    hall.advance(0.5)
    (at, report), *_ = hall.sender_reports(2, 9_000)
    last = hall.received[2][-1]
    assert report.sender_info.rtp_timestamp == last.timestamp + round((at - (hall.now - 0.5)) * 90_000) & 0xFFFFFFFF
    assert report.sender_info.packet_count == 3
    assert report.sender_info.octet_count == sum(packet.payload_length for packet in hall.received[2])
    assert 0.1 <= at - (hall.now - 0.5) <= 0.2


def test_counts_in_reports_go_on_across_switches() -> None:
    hall, source = hall_with_picture()
    for _ in range(12):
        hall.assign(2, "v0", None)
        hall.assign(2, "v0", CAMERA)
        hall.send(1, source.frame(hall.now, key=True))
    hall.advance(2.0)
    info = hall.sender_reports(2, 9_000)[-1][1].sender_info
    assert info.packet_count == len(hall.received[2])
    assert info.octet_count == sum(packet.payload_length for packet in hall.received[2])


def test_receiver_reports_tell_the_publisher_of_loss_and_its_clock() -> None:
    hall, source = hall_with_picture()
    hall.advance(1.5)
    source.sequence += 3
    hall.send(1, source.frame(hall.now))
    hall.report(1, rtcp.sender_report(200, 0x1122334455667788, source.timestamp, 1, 1))
    hall.report(1, rtcp.sender_report(4_711, 0, 0, 1, 1))
    sent_at = hall.now
    hall.advance(1.0)
    block = hall.blocks(1, 200)[-1]
    assert (block.packets_lost, block.fraction_lost) == (3, 128)
    assert block.highest_sequence == source.sequence
    assert block.lsr == 0x33445566
    assert block.dlsr == pytest.approx(65_536 * (hall.now - sent_at), abs=65_536)


def test_round_trip_and_loss_of_a_viewers_line() -> None:
    hall, source = hall_with_picture()
    hall.advance(1.0)
    assert hall.router.link(2, hall.now).rtt_ms is None
    lsr = rtcp.compact_ntp(hall.sender_reports(2, 9_000)[-1][1].sender_info.ntp_timestamp)
    sent_at = hall.sender_reports(2, 9_000)[-1][0]
    hall.advance(0.25 - (hall.now - sent_at))
    for highest, lost in ((100, 0), (200, 10), (200, 10), (300, 20)):
        info = rtcp.RtcpReceiverInfo(9_000, 25, lost, highest, 0, lsr, int(0.05 * 65_536))
        hall.report(2, rtcp.receiver_report(2, [info, rtcp.RtcpReceiverInfo(4_711, 0, 0, 0, 0, 1, 1)]))
    for _ in range(60):
        hall.send(1, source.frame(hall.now))
        hall.advance(1 / 30)
    link = hall.router.link(2, hall.now)
    assert link.rtt_ms == pytest.approx(200, abs=1)
    assert link.down_loss_percent == 10.0
    assert link.down_bps > 100_000
    assert (link.up_bps, link.estimate_bps) == (0, None)
    publisher = hall.router.link(1, hall.now)
    assert publisher.up_bps > 100_000
    assert (publisher.up_loss_percent, publisher.down_bps) == (0.0, 0)
    hall.report(2, rtcp.remb(2, 640_000, [9_000]))
    assert hall.router.link(2, hall.now).estimate_bps == 640_000


@pytest.mark.parametrize(("lsr", "dlsr"), [(0, 5), (1, 1), (0xFFFFFFFF, 0xFFFFFFFF)])
def test_insane_round_trips_are_passed_over(lsr: int, dlsr: int) -> None:
    hall, _ = hall_with_picture()
    info = rtcp.RtcpReceiverInfo(9_000, 0, 0, 1, 0, lsr, dlsr)
    hall.report(2, rtcp.receiver_report(2, [info]))
    assert hall.router.link(2, hall.now).rtt_ms is None


def test_a_peer_that_sends_and_receives_reports_in_one_packet() -> None:
    hall = Hall()
    hall.join(1, [mic(), camera(codecs=(VP8,))], [video_slot()])
    hall.join(2, [camera(codecs=(VP8,))])
    hall.open(CAMERA, (2, "1"))
    hall.assign(1, "v0", (2, "1"))
    hall.send(2, Camera(ssrc=202).frame(hall.now, key=True))
    hall.send(1, Camera().frame(hall.now))
    info = rtcp.RtcpSenderInfo(rtcp.ntp_from_unix(hall.now), 1, 1, 1)
    block = rtcp.RtcpReceiverInfo(9_000, 0, 3, 10, 0, 0, 0)
    hall.report(1, bytes(rtcp.RtcpSrPacket(200, info, [block])))
    hall.advance(2.0)
    kinds = {type(packet).__name__ for _, packet in hall.feedback[1]}
    assert kinds >= {"RtcpSrPacket", "RtcpRrPacket", "RtcpSdesPacket"}


def test_good_byes_and_descriptions_are_passed_over() -> None:
    hall, source = hall_with_picture()
    hall.report(1, bytes(rtcp.RtcpByePacket([200])) + rtcp.source_description(200, "x"))
    hall.send(1, source.frame(hall.now))
    assert len(hall.received[2]) == 6
    assert not hall.router.drops


# --- strangers -----------------------------------------------------------------------------------------------


def test_malformed_compounds_are_dropped_and_counted() -> None:
    hall, _ = hall_with_picture()
    hall.report(2, b"")
    hall.report(2, b"\x81\xc9\x00\x01aaaa")
    assert hall.router.drops == {"malformed_rtcp": 2}


@given(st.lists(st.binary(max_size=80), max_size=20), st.booleans())
def test_any_octets_harm_nobody(datagrams: list[bytes], as_rtcp: bool) -> None:
    hall, source = hall_with_picture()
    for datagram in datagrams:
        if as_rtcp:
            hall.report(1, datagram)
            hall.report(2, b"\x80" + datagram)
        else:
            hall.send(1, datagram)
            hall.send(1, rtp(96, source.sequence, source.timestamp, 200, datagram))
            hall.send(1, rtp(97, source.sequence, source.timestamp, 201, datagram, extensions=((1, b"1"),)))
    hall.advance(1.0)
    before = len(hall.received[2])
    hall.send(1, source.frame(hall.now))
    assert len(hall.received[2]) == before + 3
    hall.check_drops()


def test_opus_has_no_rtx() -> None:
    hall, _ = hall_with_picture(video_slot(), audio_slot(codecs=(OPUS,)))
    hall.assign(2, "a0", MIC)
    hall.send(1, Microphone().packet())
    hall.report(2, nack(hall.received[2][-1].sequence, ssrc=8_000))
    assert hall.resent[2][-1].data == hall.received[2][-1].data
