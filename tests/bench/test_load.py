"""The load generator's C part against a peer that we play: what it sends, counts, dates and answers."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_PLI,
    AnyRtcpPacket,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpSrPacket,
)

from server.bots import offer
from server.bots.connection import HandedOver
from server.bots.offer import OfferPlan
from server.bots.publisher import plan_offer
from server.bots.reception import Reception
from server.rtp.packet import RtpView, parse
from server.rtp.vp8 import is_keyframe_start
from server.transport.srtp import AEAD_AES_128_GCM, SrtpKeys, SrtpSession
from tests.bench.load.engine import LoadEngine, Picture
from tests.bench.sfu import plan_publisher

_KEYS = (b"a" * 28, b"b" * 28)
SLOT_SSRC, AGAIN_SSRC = 70_000, 70_001


class PlayedConnection:
    """A connected peer without ICE and DTLS: what the engine takes over, and the other end of its socket."""

    def __init__(self, plan: OfferPlan) -> None:
        self.plan = plan
        self.reception = Reception()
        self.taken: list[bytes] = []
        self.far, self._near = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for end in (self.far, self._near):
            end.bind(("127.0.0.1", 0))
        self._near.connect(self.far.getsockname())
        self.far.connect(self._near.getsockname())
        self.far.settimeout(5.0)
        self._srtp = SrtpSession(SrtpKeys(AEAD_AES_128_GCM, *_KEYS), Counter())
        self.far_srtp = SrtpSession(SrtpKeys(AEAD_AES_128_GCM, *reversed(_KEYS)), Counter())

    def hand_over(self) -> HandedOver:
        return HandedOver(self._near.fileno(), self._srtp)

    def receive(self, datagram: bytes) -> None:
        self.taken.append(datagram)

    async def next_media(self) -> bytes:
        """The next RTP packet that the engine sent, deciphered."""
        while True:
            datagram = await asyncio.to_thread(self.far.recv, 2_048)
            if not 192 <= datagram[1] <= 223:
                packet = self.far_srtp.unprotect(datagram)
                assert packet is not None
                return packet

    async def next_report(self) -> list[AnyRtcpPacket]:
        while True:
            datagram = await asyncio.to_thread(self.far.recv, 2_048)
            if 192 <= datagram[1] <= 223:
                compound = self.far_srtp.unprotect_rtcp(datagram)
                assert compound is not None
                return list(RtcpPacket.parse(compound))

    def close(self) -> None:
        self.far.close()
        self._near.close()


@pytest.fixture
async def engine() -> AsyncIterator[LoadEngine]:
    async with LoadEngine() as engine:
        yield engine


def _view(packet: bytes) -> RtpView:
    view = parse(packet)
    assert view is not None
    return view


def _renumbered(packet: bytes, ssrc: int, sequence: int) -> bytes:
    """What a server does to a packet."""
    return packet[:2] + (sequence & 0xFFFF).to_bytes(2, "big") + packet[4:8] + ssrc.to_bytes(4, "big") + packet[12:]


async def _until(reached: Callable[[], bool]) -> None:
    """The engine's thread tells nobody: look again and again, for as long as a test may last."""
    while not reached():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


async def _last_block(viewer: PlayedConnection, highest: int) -> tuple[RtcpReceiverInfo, RtcpPsfbPacket]:
    """The viewer's receiver report about everything up to ``highest``, with the REMB beside it."""
    while True:
        report, *rest = await viewer.next_report()
        assert isinstance(report, RtcpRrPacket)
        if report.reports and report.reports[0].highest_sequence == highest:
            assert isinstance(rest[0], RtcpPsfbPacket)
            return report.reports[0], rest[0]


def test_a_picture_has_the_wanted_rate() -> None:
    for bitrate_bps, frames_per_s in ((1_500_000, 30), (450_000, 30), (130_000, 15)):
        picture = Picture(bitrate_bps, frames_per_s)
        sent_bps = 8 * picture.payload_octets * picture.packets_per_frame * frames_per_s
        assert sent_bps == pytest.approx(bitrate_bps, rel=0.2)


async def test_pictures_are_whole_frames_and_a_request_brings_a_keyframe(engine: LoadEngine) -> None:
    publisher = PlayedConnection(plan_publisher(picture=True))
    engine.add(publisher)
    engine.show(publisher, Picture(1_500_000))
    views = [_view(await publisher.next_media()) for _ in range(18)]
    assert [view.sequence for view in views] == [views[0].sequence + place & 0xFFFF for place in range(18)]
    assert [view.marker for view in views] == ([False] * 5 + [True]) * 3
    assert len({view.timestamp for view in views}) == 3
    assert views[6].timestamp - views[0].timestamp & 0xFFFFFFFF == 3_000
    keyframes = [is_keyframe_start(view.data, view.payload_offset, view.payload_end) for view in views]
    assert keyframes == [True] + [False] * 17
    assert views[0].extension(offer.MID_ID) == b"1"
    pli = bytes(RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=1, media_ssrc=views[0].ssrc))
    protected = publisher.far_srtp.protect_rtcp(bytes(RtcpRrPacket(ssrc=1)) + pli)
    assert protected is not None
    publisher.far.send(protected)
    while not is_keyframe_start(views[-1].data, views[-1].payload_offset, views[-1].payload_end):
        views.append(_view(await publisher.next_media()))
    assert engine.totals().keyframe_requests == 1
    publisher.close()


async def test_copies_are_counted_dated_and_reported(engine: LoadEngine) -> None:
    publisher = PlayedConnection(plan_publisher(picture=False))
    viewer = PlayedConnection(plan_offer(None, audio_slots=1, video_slots=0))
    viewer.reception.expect("0", SLOT_SSRC)
    viewer.reception.expect_retransmissions("0", AGAIN_SSRC)
    engine.add(publisher)
    engine.add(viewer)
    stream = engine.speak(publisher)
    for place in range(10):
        packet = await publisher.next_media()
        if place == 4:
            continue  # lost on the way
        copy = viewer.far_srtp.protect(_renumbered(packet, SLOT_SSRC, 65_530 + place))
        assert copy is not None
        viewer.far.send(copy)
    again = viewer.far_srtp.protect(_renumbered(packet, AGAIN_SSRC, 1))
    assert again is not None
    viewer.far.send(again)
    await _until(lambda: engine.totals().retransmissions == 1)
    totals, arrivals = engine.totals(), engine.arrivals(viewer)["0"]
    assert (totals.packets, totals.lost, totals.late, totals.unknown, totals.strays) == (9, 1, 0, 0, 0)
    assert (arrivals.packets, arrivals.lost, arrivals.source) == (9, 1, stream)
    p50_ms, longest_ms = engine.delay_ms(0.5, 1.0)
    assert 0 < p50_ms <= longest_ms < 1_000
    reported, remb = await _last_block(viewer, highest=65_539)
    assert (reported.ssrc, reported.packets_lost) == (SLOT_SSRC, 1)
    assert (remb.fmt, remb.fci[:4]) == (RTCP_PSFB_APP, b"REMB")
    sender = next(each for each in await publisher.next_report() if isinstance(each, RtcpSrPacket))
    assert sender.sender_info.packet_count >= 10
    publisher.close()
    viewer.close()


async def test_what_is_not_media_goes_to_the_connection(engine: LoadEngine) -> None:
    viewer = PlayedConnection(plan_offer(None, audio_slots=1, video_slots=0))
    engine.add(viewer)
    viewer.far.send(b"\x00\x01stun")
    viewer.far.send(b"\x80\x60" + bytes(10))
    await _until(lambda: bool(viewer.taken) and engine.totals().unknown == 1)
    assert viewer.taken == [b"\x00\x01stun"]
    engine.remove(viewer)
    viewer.far.send(b"\x00\x01late")
    assert engine.totals().handed_on == 1
    viewer.close()


async def test_a_silenced_stream_sends_nothing_more(engine: LoadEngine) -> None:
    publisher = PlayedConnection(plan_publisher(picture=False))
    engine.add(publisher)
    stream = engine.speak(publisher)
    await publisher.next_media()
    engine.set_sending(stream, False)
    sent = engine.sent(stream)
    while engine.totals().reports_out < 2:
        await publisher.next_report()
    assert engine.sent(stream) == sent
    publisher.close()
