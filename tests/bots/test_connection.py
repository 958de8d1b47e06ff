"""The media connection against the real media server on loopback."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from aiortc.rtp import RtcpPsfbPacket, RtcpRtpfbPacket, RtpPacket

from server.bots import offer
from server.bots.connection import MediaConnection
from server.bots.datagrams import DatagramSocket
from server.bots.offer import RemoteAnswer, read_answer
from server.bots.publisher import SINGLE, plan_offer
from server.bots.streams import RtpStream, vp8_descriptor
from server.clock import SystemClock
from server.errors import Unavailable
from server.transport.dtls import DtlsCertificate
from server.transport.handler import OpenedPeer
from server.transport.sdp import Purpose
from server.transport.server import MediaServer
from tests.transport.calling import Recorder, media_server

CLOCK = SystemClock()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def server(recorder: Recorder) -> AsyncIterator[MediaServer]:
    async with media_server(recorder) as server:
        yield server


def make_connection(*, kernel_times: bool = False) -> MediaConnection:
    plan = plan_offer(SINGLE, audio_slots=1, video_slots=1)
    return MediaConnection(CLOCK, plan, DtlsCertificate.generate(), kernel_times=kernel_times)


def answer_of(server: MediaServer, connection: MediaConnection) -> tuple[OpenedPeer, RemoteAnswer]:
    labels = {track.mid: track.label for track in connection.plan.sends}
    opened = server.open_peer(connection.offer_sdp, labels, Purpose.SESSION)
    return opened, read_answer(opened.answer, connection.plan)


def camera_stream(connection: MediaConnection) -> RtpStream:
    _, ssrc, rtx_ssrc = connection.plan.sends[1].streams[0]
    return RtpStream(ssrc, offer.VP8, 90_000, mid="1", rtx=(rtx_ssrc, offer.VP8_RTX))


def slot_packet(opened: OpenedPeer, sequence: int) -> bytes:
    slot = next(slot for slot in opened.slots if slot.mid == "3")
    packet = RtpPacket(payload_type=offer.OPUS, sequence_number=sequence, ssrc=slot.ssrc, payload=b"sound")
    return packet.serialize()


async def test_media_goes_both_ways(server: MediaServer, recorder: Recorder) -> None:
    connection = make_connection()
    opened, answer = answer_of(server, connection)
    await connection.connect(answer)
    await recorder.until(lambda: recorder.connected == [opened.key])

    connection.send_rtp(camera_stream(connection).packet(vp8_descriptor(True, 1) + b"picture", 0, True, CLOCK.now()))
    await recorder.until(lambda: recorder.rtp)
    assert recorder.rtp[0][1].endswith(b"picture")

    heard: list[bytes] = []
    connection.listen("3", lambda packet, _: heard.append(packet))
    for sequence in (10, 11, 13):
        server.send_rtp(opened.key, slot_packet(opened, sequence))
    server.send_rtcp(opened.key, bytes(RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=99)))
    await recorder.until(lambda: connection.rtcp_seen["pli"])
    assert [RtpPacket.parse(packet).sequence_number for packet in heard] == [10, 11, 13]
    assert connection.reception.by_mid["3"].lost == 1
    connection.close()
    await recorder.until(lambda: recorder.closed == [(opened.key, "peer_closed")])


async def test_it_reports_by_itself(server: MediaServer, recorder: Recorder) -> None:
    connection = make_connection()
    opened, answer = answer_of(server, connection)
    await connection.connect(answer)
    await recorder.until(lambda: [data for peer, data in recorder.rtcp if peer == opened.key])
    connection.close()


async def test_it_answers_keyframe_requests_and_nacks(server: MediaServer, recorder: Recorder) -> None:
    connection = make_connection()
    opened, answer = answer_of(server, connection)
    stream = camera_stream(connection)
    asked: list[bool] = []
    connection.add_stream(stream, lambda: asked.append(True))
    await connection.connect(answer)
    await recorder.until(lambda: recorder.connected)
    lost = stream.sequence
    connection.send_rtp(stream.packet(b"picture", 0, True, CLOCK.now()))
    server.send_rtcp(opened.key, bytes(RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=stream.ssrc)))
    server.send_rtcp(opened.key, bytes(RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=stream.ssrc, lost=[lost])))
    await recorder.until(lambda: len(recorder.rtp) == 2)
    assert asked == [True]
    assert RtpPacket.parse(recorder.rtp[1][1]).payload_type == offer.VP8_RTX
    connection.close()


async def test_kernel_times_are_unix_times_before_now(server: MediaServer, recorder: Recorder) -> None:
    connection = make_connection(kernel_times=True)
    opened, answer = answer_of(server, connection)
    await connection.connect(answer)
    await recorder.until(lambda: recorder.connected)
    arrived: list[float] = []
    connection.listen("3", lambda _, at: arrived.append(at))
    sent_at = CLOCK.now()
    server.send_rtp(opened.key, slot_packet(opened, 1))
    server.send_rtcp(opened.key, bytes(RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=99)))
    await recorder.until(lambda: connection.rtcp_seen["pli"])
    assert sent_at - 0.001 <= arrived[0] <= CLOCK.now() + 0.001
    connection.close()


async def test_the_wrong_certificate_is_refused(server: MediaServer) -> None:
    connection = make_connection()
    _, answer = answer_of(server, connection)
    forged = msgspec.structs.replace(answer, fingerprints=("sha-256 " + ":".join(["00"] * 32),))
    with pytest.raises(Unavailable) as refusal:
        await connection.connect(forged)
    assert refusal.value.code == "media_failed"
    assert connection.reason == "fingerprint_mismatch"


async def test_nobody_there_is_said_in_time() -> None:
    connection = make_connection()
    probe = DatagramSocket(("127.0.0.1", 9), connection.drops)
    own_host, own_port = probe.socket.getsockname()
    answer = RemoteAnswer("srv", "p" * 22, ("sha-256 00",), (own_host, own_port), (), frozenset())
    with pytest.raises(Unavailable, match="no answer to ICE"):
        await connection.connect(answer, timeout_s=0.3)
    probe.close()
    connection.send_raw(b"after the end")
    connection.close()


async def test_the_servers_end_is_noticed(server: MediaServer, recorder: Recorder) -> None:
    connection = make_connection()
    opened, answer = answer_of(server, connection)
    await connection.connect(answer)
    await recorder.until(lambda: recorder.connected)
    server.close_peer(opened.key, "over")
    await connection.closed.wait()
    assert connection.reason == "dtls_closed"
