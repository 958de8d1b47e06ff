"""The offer as other parsers read it, and the answer as we do."""

import pytest
from aiortc.sdp import SessionDescription

from server.bots.loops import Rung
from server.bots.offer import AnsweredSlot, Credentials, build_offer, read_answer
from server.bots.publisher import SIMULCAST, SINGLE, plan_offer
from server.config import MediaConfig
from server.errors import InvalidInput
from server.sfu.ports import Kind
from server.transport.answer import LocalDescription
from server.transport.dtls import Fingerprint
from server.transport.ice import Credentials as IceCredentials
from server.transport.sdp import Purpose, answer_offer

CREDENTIALS = Credentials("abcd", "0123456789abcdef01234567", "sha-256 " + ":".join(["AB"] * 32))


def test_a_session_offers_sends_then_slots() -> None:
    plan = plan_offer(SINGLE, audio_slots=2, video_slots=3)
    session = SessionDescription.parse(build_offer(plan, CREDENTIALS))
    assert [(media.rtp.muxId, media.kind, media.direction) for media in session.media] == [
        ("0", "audio", "sendonly"),
        ("1", "video", "sendonly"),
        ("2", "video", "sendonly"),
        ("3", "audio", "recvonly"),
        ("4", "audio", "recvonly"),
        ("5", "video", "recvonly"),
        ("6", "video", "recvonly"),
        ("7", "video", "recvonly"),
    ]
    assert session.group[0].items == [media.rtp.muxId for media in session.media]
    assert {media.dtls.role for media in session.media if media.dtls} == {"auto"}


def test_a_single_stream_declares_its_ssrc_and_its_retransmissions() -> None:
    plan = plan_offer(SINGLE, audio_slots=0, video_slots=0, screen=False)
    _, camera = SessionDescription.parse(build_offer(plan, CREDENTIALS)).media
    _, ssrc, rtx_ssrc = plan.sends[1].streams[0]
    assert camera.ssrc_group[0].items == [ssrc, rtx_ssrc]
    assert [codec.mimeType for codec in camera.rtp.codecs] == ["video/VP8", "video/rtx"]


def test_simulcast_names_rids_and_no_ssrcs() -> None:
    plan = plan_offer(SIMULCAST, audio_slots=0, video_slots=0)
    text = build_offer(plan, CREDENTIALS)
    assert "a=simulcast:send q;h;f\r\n" in text
    camera = SessionDescription.parse(text).media[1]
    assert camera.ssrc == []


def test_a_watcher_offers_slots_only() -> None:
    plan = plan_offer(None, audio_slots=1, video_slots=1)
    assert (plan.sends, plan.audio_mids, plan.video_mids) == ((), ("0",), ("1",))


ANSWER = """v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
t=0 0
a=ice-lite
a=group:BUNDLE 0 1
m=audio 5004 UDP/TLS/RTP/SAVPF 111
c=IN IP4 127.0.0.1
a=ice-ufrag:srv
a=ice-pwd:serverserverserverserver
a=fingerprint:sha-256 AB:CD
a=setup:passive
a=mid:0
a=sendonly
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=ssrc:1234 cname:x
a=candidate:1 1 udp 2130706431 192.0.2.7 5004 typ host
m=video 0 UDP/TLS/RTP/SAVPF 96
c=IN IP4 127.0.0.1
a=mid:1
a=sendonly
a=ssrc-group:FID 5 6
a=ssrc:6 cname:x
a=ssrc:5 cname:x
a=rtpmap:96 VP8/90000
""".replace("\n", "\r\n")


def test_an_answer_names_address_slots_and_what_was_refused() -> None:
    answer = read_answer(ANSWER, plan_offer(None, audio_slots=1, video_slots=1))
    assert answer.address == ("192.0.2.7", 5004)
    assert (answer.ufrag, answer.pwd) == ("srv", "serverserverserverserver")
    assert answer.slots == (AnsweredSlot("0", Kind.AUDIO, 1234, 0), AnsweredSlot("1", Kind.VIDEO, 5, 6))
    assert answer.accepted == {"0"}


@pytest.mark.parametrize("sdp", ["", "nonsense", "v=0\r\n", ANSWER.replace("a=candidate", "a=no-candidate")])
def test_an_unusable_answer_is_refused(sdp: str) -> None:
    with pytest.raises(InvalidInput):
        read_answer(sdp, plan_offer(None, audio_slots=1, video_slots=1))


@pytest.mark.parametrize("rungs", [SINGLE, SIMULCAST])
def test_the_server_takes_up_everything_that_is_offered(rungs: tuple[Rung, ...]) -> None:
    plan = plan_offer(rungs, audio_slots=3, video_slots=9)
    numbers = iter(range(50_000, 60_000))
    negotiated = answer_offer(
        build_offer(plan, CREDENTIALS),
        {track.mid: track.label for track in plan.sends},
        Purpose.SESSION,
        LocalDescription(IceCredentials("srv", "p" * 22), Fingerprint("sha-256", "CD:EF"), ("192.0.2.9",), 5004, 1),
        MediaConfig(),
        lambda: next(numbers),
    )
    assert [uplink.label for uplink in negotiated.uplinks] == [track.label for track in plan.sends]
    camera = negotiated.uplinks[1]
    assert camera.rids == plan.sends[1].rids
    if not camera.rids:
        _, ssrc, rtx_ssrc = plan.sends[1].streams[0]
        assert camera.ssrcs[0] == ssrc
        assert camera.rtx_of[rtx_ssrc] == ssrc
    answer = read_answer(negotiated.answer, plan)
    assert answer.address == ("192.0.2.9", 5004)
    assert [(slot.mid, slot.ssrc) for slot in answer.slots] == [(slot.mid, slot.ssrc) for slot in negotiated.slots]
    assert len(answer.slots) == 12
    assert answer.accepted == {track.mid for track in plan.sends} | {slot.mid for slot in answer.slots}
