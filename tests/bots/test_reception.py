"""Counting from sequence numbers alone, with wraps, gaps and disorder."""

import pytest
from aiortc.rtp import RtcpPacket, RtcpPsfbPacket, RtcpRrPacket, RtcpRtpfbPacket, RtcpSrPacket, unpack_remb_fci

from server.bots import offer
from server.bots.reception import Arrivals, Reception
from server.bots.reports import RECEIVE_ESTIMATE_BPS, Reporter
from server.bots.streams import RtpStream, ntp_timestamp

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("sequences", "lost", "reordered"),
    [
        ([], 0, 0),
        ([5], 0, 0),
        ([5, 6, 7], 0, 0),
        ([5, 7], 1, 0),
        ([5, 7, 6], 0, 1),
        ([65_534, 65_535, 0, 1], 0, 0),
        ([65_534, 1], 2, 0),
        ([0, 65_535], 0, 1),
        ([10, 10], 0, 1),
    ],
)
def test_lost_and_reordered(sequences: list[int], lost: int, reordered: int) -> None:
    arrivals = Arrivals(1, "0")
    for sequence in sequences:
        arrivals.count(sequence, 100)
    assert (arrivals.packets, arrivals.lost, arrivals.reordered) == (len(sequences), lost, reordered)
    assert arrivals.octets == 100 * len(sequences)


def test_a_snapshot_sums_slots_and_leaves_retransmissions_out() -> None:
    reception = Reception()
    reception.expect("3", 30).count(1, 50)
    reception.expect("4", 40).count(1, 50)
    reception.expect_retransmissions("4", 41)
    reception.by_ssrc[41].count(9, 50)
    assert reception.snapshot().packets == 2


def test_reports_speak_of_both_directions() -> None:
    reception = Reception()
    arrivals = reception.expect("3", 30)
    for sequence in (1, 2, 4, 5):
        arrivals.count(sequence, 100)
    reporter = Reporter(reception)
    stream = RtpStream(7, offer.OPUS, 48_000, mid="0")
    stream.packet(b"x", 0, False, NOW, 127)
    reporter.add(stream, None)
    their_sr = RtcpSrPacket(ssrc=30, sender_info=stream.sender_info(NOW))  # type: ignore[arg-type]  # sent above
    reporter.receive([their_sr], NOW)

    compound = reporter.tick(NOW + 0.5)
    assert compound is not None
    report, remb = RtcpPacket.parse(compound)
    assert isinstance(report, RtcpSrPacket)
    (block,) = report.reports
    assert (block.ssrc, block.packets_lost, block.fraction_lost, block.highest_sequence) == (30, 1, 256 // 5, 5)
    assert block.lsr == ntp_timestamp(NOW) >> 16 & 0xFFFFFFFF
    assert block.dlsr == 32_768
    assert isinstance(remb, RtcpPsfbPacket)
    assert unpack_remb_fci(remb.fci)[1] == [30]
    assert unpack_remb_fci(remb.fci)[0] == pytest.approx(RECEIVE_ESTIMATE_BPS, rel=0.01)
    assert reporter.tick(NOW + 0.6) is None
    assert reporter.tick(reporter.next_deadline()) is not None


def test_who_sends_nothing_reports_nothing_but_reception() -> None:
    compound = Reporter(Reception()).tick(NOW)
    assert compound is not None
    (report,) = RtcpPacket.parse(compound)
    assert isinstance(report, RtcpRrPacket)
    assert report.reports == []


def test_feedback_asks_for_keyframes_and_lost_packets() -> None:
    reporter = Reporter(Reception())
    stream = RtpStream(7, offer.VP8, 90_000, mid="1", rtx=(8, offer.VP8_RTX))
    asked: list[int] = []
    reporter.add(stream, lambda: asked.append(7))
    stream.packet(b"x", 0, True, NOW)
    lost = stream.sequence - 1
    feedback = reporter.receive(
        [
            RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=7),
            RtcpPsfbPacket(fmt=4, ssrc=1, media_ssrc=0, fci=(7).to_bytes(4, "big") + bytes(4)),
            RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=99),
            RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=7, lost=[lost, lost + 1]),
            RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=99, lost=[lost]),
            RtcpRrPacket(ssrc=1),
        ],
        NOW,
    )
    assert feedback.kinds == ("pli", "fir", "pli", "nack", "nack", "rr")
    assert asked == [7, 7]
    assert len(feedback.retransmissions) == 1
