"""Outgoing packets as the server's own parser and aiortc read them."""

from aiortc.codecs.vpx import VpxPayloadDescriptor
from aiortc.rtp import RtpPacket, unwrap_rtx

from server.bots import offer
from server.bots.streams import HISTORY, RtpStream, ntp_timestamp, vp8_descriptor
from server.rtp.packet import parse

NOW = 1_700_000_000.5


def make_stream(rid: str = "") -> RtpStream:
    return RtpStream(1_000, offer.VP8, 90_000, mid="1", rid=rid, rtx=(2_000, offer.VP8_RTX))


def test_a_packet_carries_number_time_mid_and_rid() -> None:
    stream = make_stream("q")
    first, second = (parse(stream.packet(b"payload", 77, True, NOW)) for _ in range(2))
    assert first is not None
    assert second is not None
    assert (first.ssrc, first.payload_type, first.timestamp, first.marker) == (1_000, 96, 77, True)
    assert second.sequence == (first.sequence + 1) & 0xFFFF
    assert first.payload == b"payload"
    assert (first.extension(offer.MID_ID), first.extension(offer.RID_ID)) == (b"1", b"q")
    assert first.extension(offer.ABS_SEND_TIME_ID) == int(NOW % 64 * 2**18).to_bytes(3, "big")
    assert first.extension(offer.AUDIO_LEVEL_ID) is None


def test_speech_and_silence_differ_in_the_voice_flag() -> None:
    stream = RtpStream(1, offer.OPUS, 48_000, mid="0")
    speech, silence = (parse(stream.packet(b"x", 0, False, NOW, level)) for level in (15, 127))
    assert speech is not None
    assert silence is not None
    assert speech.extension(offer.AUDIO_LEVEL_ID) == bytes((0x80 | 15,))
    assert silence.extension(offer.AUDIO_LEVEL_ID) == bytes((127,))


def test_sequence_numbers_wrap() -> None:
    stream = make_stream()
    stream.sequence = 0xFFFF
    numbers = [RtpPacket.parse(stream.packet(b"x", 0, False, NOW)).sequence_number for _ in range(3)]
    assert numbers == [0xFFFF, 0, 1]


def test_a_lost_packet_comes_again_as_rtx() -> None:
    stream = make_stream("h")
    original = RtpPacket.parse(stream.packet(b"lost", 900, True, NOW))
    again = stream.retransmission(original.sequence_number, NOW)
    assert again is not None
    view = parse(again)
    assert view is not None
    assert view.extension(offer.REPAIRED_RID_ID) == b"h"
    unwrapped = unwrap_rtx(RtpPacket.parse(again), offer.VP8, 1_000)
    assert (unwrapped.sequence_number, unwrapped.payload, unwrapped.timestamp) == (
        original.sequence_number,
        b"lost",
        900,
    )


def test_what_was_forgotten_or_never_sent_is_not_repeated() -> None:
    stream = make_stream()
    first = RtpPacket.parse(stream.packet(b"first", 0, False, NOW)).sequence_number
    for _ in range(HISTORY):
        stream.packet(b"more", 0, False, NOW)
    assert stream.retransmission(first, NOW) is None
    assert stream.retransmission(first - 1, NOW) is None
    audio = RtpStream(1, offer.OPUS, 48_000, mid="0")
    audio.packet(b"x", 0, False, NOW, 127)
    assert audio.retransmission(audio.sequence - 1, NOW) is None


def test_the_sender_report_maps_media_time_to_wall_time() -> None:
    stream = make_stream()
    assert stream.sender_info(NOW) is None
    stream.packet(b"four", 9_000, True, NOW)
    info = stream.sender_info(NOW + 0.5)
    assert info is not None
    assert (info.rtp_timestamp, info.packet_count, info.octet_count) == (9_000 + 45_000, 1, 4)
    assert info.ntp_timestamp == ntp_timestamp(NOW + 0.5)


def test_the_vp8_descriptor_says_picture_and_start() -> None:
    for first, picture_id in ((True, 0), (False, 0x7FFF)):
        parsed, rest = VpxPayloadDescriptor.parse(vp8_descriptor(first, picture_id) + b"frame")
        assert (parsed.partition_start, parsed.picture_id, rest) == (int(first), picture_id, b"frame")
