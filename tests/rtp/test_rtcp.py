"""RTCP in and out: only one error comes out of any input, and what we make is read back alike."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import InvalidInput
from server.rtp import rtcp


def only(data: bytes) -> rtcp.AnyRtcpPacket:
    packets = rtcp.parse(data)
    assert len(packets) == 1
    return packets[0]


def psfb(data: bytes) -> rtcp.RtcpPsfbPacket:
    packet = only(data)
    assert isinstance(packet, rtcp.RtcpPsfbPacket)
    return packet


@given(st.binary(max_size=120))
def test_any_octets_give_packets_or_the_one_error(data: bytes) -> None:
    _parse_or_refuse(data)


@given(st.integers(0, 63), st.sampled_from([200, 201, 202, 203, 204, 205, 206, 207]), st.binary(max_size=60))
def test_any_body_of_a_known_type_gives_packets_or_the_one_error(first: int, kind: int, body: bytes) -> None:
    body = body[: len(body) // 4 * 4]
    _parse_or_refuse(struct.pack("!BBH", 0x80 | first, kind, len(body) // 4) + body)


def _parse_or_refuse(data: bytes) -> None:
    refusal = ""
    packets: list[rtcp.AnyRtcpPacket] = []
    try:
        packets = rtcp.parse(data)
    except InvalidInput as error:
        refusal = error.code
    assert refusal in ("", "malformed_rtcp")
    for packet in packets:
        if isinstance(packet, rtcp.RtcpPsfbPacket):
            rtcp.remb_bps(packet)
            rtcp.keyframe_ssrcs(packet)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\xc9\x00",
        b"\x40\xc9\x00\x00",
        b"\x81\xc9\x00\x01aaaa",
        b"\x80\xc8\x00\x01aaaa",
        b"\x80\xce\x00\x01aaaa",
        b"\xa0\xc9\x00\x00",
        b"\x80\xc9\x00\x05aaaa",
        bytes(2_049),
    ],
)
def test_malformed(data: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        rtcp.parse(data)
    assert refused.value.code == "malformed_rtcp"


def test_unknown_types_are_passed_over() -> None:
    assert rtcp.parse(b"\x80\xcc\x00\x02aaaabbbb" + b"\x80\xcf\x00\x01aaaa") == []


def test_pli_and_fir_name_what_they_ask_for() -> None:
    assert rtcp.keyframe_ssrcs(psfb(rtcp.pli(1, 2))) == [2]
    assert rtcp.keyframe_ssrcs(psfb(rtcp.fir(1, 3, 256 + 7))) == [3]
    assert psfb(rtcp.fir(1, 3, 256 + 7)).fci == b"\0\0\0\x03\x07\0\0\0"
    assert rtcp.keyframe_ssrcs(psfb(rtcp.remb(1, 1_000, [2]))) == []


def test_remb_there_and_back() -> None:
    assert rtcp.remb_bps(psfb(rtcp.remb(1, 0x3FFFF, [2, 3]))) == 0x3FFFF
    assert rtcp.remb_bps(psfb(rtcp.remb(1, 2_500_000, []))) == pytest.approx(2_500_000, rel=1e-4)
    assert len(psfb(rtcp.remb(1, 1, range(1, 400))).fci) == 8 + 4 * 255


@pytest.mark.parametrize("fci", [b"", b"REMB", b"RAMB\0\0\0\0", b"REMB\x02\0\0\0aaaa"])
def test_what_is_not_remb(fci: bytes) -> None:
    assert rtcp.remb_bps(rtcp.RtcpPsfbPacket(15, 1, 0, fci)) is None


def test_remb_of_the_wrong_format_or_absurd_size() -> None:
    assert rtcp.remb_bps(rtcp.RtcpPsfbPacket(1, 1, 0, b"REMB\0\x03\xff\xff")) is None
    assert rtcp.remb_bps(rtcp.RtcpPsfbPacket(15, 1, 0, b"REMB\0\xff\xff\xff")) == rtcp.MAX_REMB_BPS


@given(st.integers(0, 0xFFFF), st.lists(st.integers(0, 300), unique=True, min_size=1, max_size=60))
def test_nacks_name_every_number_also_across_the_wrap(start: int, offsets: list[int]) -> None:
    wanted = sorted(0x10000 + start + offset for offset in offsets)
    lost: list[int] = []
    for packet in rtcp.parse(rtcp.nack(1, 2, wanted)):
        assert isinstance(packet, rtcp.RtcpRtpfbPacket)
        assert rtcp.is_nack(packet)
        assert packet.media_ssrc == 2
        lost += packet.lost
    assert lost == [number & 0xFFFF for number in wanted]


def test_a_foreign_nack_whose_bits_wrap_names_16_bit_numbers() -> None:
    """A sender may put 65535 and what follows it into one entry (RFC 4585 6.2.1); ours splits there."""
    entry = b"\x81\xcd\0\3" + bytes(8) + b"\xff\xff\x80\1"
    (packet,) = rtcp.parse(entry)
    assert isinstance(packet, rtcp.RtcpRtpfbPacket)
    assert packet.lost == [65_535, 0, 15]


def test_no_loss_is_no_nack() -> None:
    assert rtcp.nack(1, 2, []) == b""
    assert not rtcp.is_nack(rtcp.RtcpRtpfbPacket(15, 1, 2))


def test_sender_report_counts_wrap() -> None:
    packet = only(rtcp.sender_report(1, 2, 0x1_0000_0003, 0x1_0000_0004, 5))
    assert isinstance(packet, rtcp.RtcpSrPacket)
    info = packet.sender_info
    assert (packet.ssrc, info.ntp_timestamp, info.rtp_timestamp) == (1, 2, 3)
    assert (info.packet_count, info.octet_count) == (4, 5)


@pytest.mark.parametrize(("blocks", "packets"), [(0, 1), (1, 1), (31, 1), (32, 2), (63, 3)])
def test_receiver_reports_take_any_number_of_blocks(blocks: int, packets: int) -> None:
    infos = [rtcp.RtcpReceiverInfo(ssrc, 0, -1, 2, 3, 4, 5) for ssrc in range(blocks)]
    parsed = rtcp.parse(rtcp.receiver_report(7, infos))
    assert len(parsed) == packets
    read: list[rtcp.RtcpReceiverInfo] = []
    for packet in parsed:
        assert isinstance(packet, rtcp.RtcpRrPacket)
        read += packet.reports
    assert read == infos


def test_source_description() -> None:
    packet = only(rtcp.source_description(7, "diemcau"))
    assert isinstance(packet, rtcp.RtcpSdesPacket)
    assert packet.chunks[0].ssrc == 7
    assert packet.chunks[0].items == [(1, b"diemcau")]


@pytest.mark.parametrize("unix_s", [0.0, 1_750_000_000.25, 1.0])
def test_ntp_there_and_back(unix_s: float) -> None:
    assert rtcp.unix_from_ntp(rtcp.ntp_from_unix(unix_s)) == pytest.approx(unix_s, abs=1e-6)


def test_compact_ntp_is_the_middle() -> None:
    assert rtcp.compact_ntp(0x1122334455667788) == 0x33445566
