"""The bench's own logic: the search, the line, the picture, Janus's SDP and configuration."""

from xml.etree import ElementTree as ET

import pytest
from aiortc.sdp import SessionDescription

from server.bots.offer import Credentials, read_answer
from server.bots.publisher import plan_offer
from tests.bench.chart import Panel, draw, fit, round_up
from tests.bench.janus.sdp import publisher_offer, viewer_answer
from tests.bench.janus.server import JanusSettings, configuration
from tests.bench.limits import GROWTH, HALVINGS, search
from tests.bench.report import table
from tests.bench.sfu import plan_publisher

CREDENTIALS = Credentials("ufrag", "password" * 3, "sha-256 AA:BB")
JANUS_OFFER = """v=0
o=- 1 1 IN IP4 198.18.0.2
s=VideoRoom 1
t=0 0
a=group:BUNDLE 0 1
a=ice-options:trickle
a=ice-lite
a=fingerprint:sha-256 01:02
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 198.18.0.2
a=sendonly
a=mid:0
a=rtcp-mux
a=ice-ufrag:abcd
a=ice-pwd:efgh
a=setup:actpass
a=rtpmap:111 opus/48000/2
a=msid:janus janus0
a=ssrc:11 cname:janus
a=candidate:1 1 udp 2015363327 198.18.0.2 40000 typ host
m=video 9 UDP/TLS/RTP/SAVPF 96 97
c=IN IP4 198.18.0.2
a=sendonly
a=mid:1
a=rtcp-mux
a=ice-ufrag:abcd
a=ice-pwd:efgh
a=setup:actpass
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 nack pli
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=ssrc-group:FID 22 33
a=ssrc:22 cname:janus
a=ssrc:33 cname:janus
"""


@pytest.mark.parametrize("truth", [0, 7, 159, 160, 161, 400, 1_234])
async def test_the_search_finds_the_most_that_is_carried(truth: int) -> None:
    tried: list[int] = []

    async def carries(viewers: int) -> bool:
        tried.append(viewers)
        return viewers <= truth

    found = await search(carries, first=160)
    assert found <= truth
    assert truth - found <= max(160, truth * (GROWTH - 1)) / 2**HALVINGS + 1
    assert len(tried) <= 12


async def test_the_search_ends_where_nothing_fails() -> None:
    async def carries(_: int) -> bool:
        return True

    assert 500 <= await search(carries, first=100, most=1_000) <= 1_400


def test_a_straight_line_is_found_and_a_crooked_one_told() -> None:
    line = fit([(1, 5.0), (2, 7.0), (3, 9.0)])
    assert (line.start, line.rise, line.straightness) == pytest.approx((3.0, 2.0, 1.0))
    assert fit([(1, 1.0), (2, 9.0), (3, 1.0)]).straightness == pytest.approx(0.0)
    assert fit([(1, 4.0), (2, 4.0)]).rise == 0


@pytest.mark.parametrize(("value", "end"), [(0.4, 0.5), (1, 1), (19.3, 20), (21, 25), (640, 1_000), (99, 100)])
def test_axes_end_at_round_numbers(value: float, end: float) -> None:
    assert round_up(value) == pytest.approx(end)


def test_the_picture_is_svg_with_every_point() -> None:
    panel = Panel("a < b", "viewers", "%", ((20.0, 5.0), (640.0, 60.0)))
    drawn = ET.fromstring(draw([panel, panel]))  # noqa: S314  our own text
    assert len(drawn.findall(".//{http://www.w3.org/2000/svg}circle")) == 4
    texts = [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("a < b") == 2


def test_a_publisher_is_the_dtls_client_towards_janus() -> None:
    plan = plan_publisher(picture=True)
    sdp = publisher_offer(plan, CREDENTIALS)
    assert "actpass" not in sdp
    assert [media.dtls.role for media in SessionDescription.parse(sdp).media if media.dtls] == ["client", "client"]
    assert [track.kind for track in plan_publisher(picture=False).sends] == ["audio"]


def test_janus_offers_are_read_and_answered() -> None:
    plan = plan_offer(None, audio_slots=1, video_slots=1)
    slots = read_answer(JANUS_OFFER.replace("\n", "\r\n"), plan).slots
    assert [(slot.mid, slot.ssrc, slot.rtx_ssrc) for slot in slots] == [("0", 11, 0), ("1", 22, 33)]
    answer = viewer_answer(JANUS_OFFER, CREDENTIALS)
    session = SessionDescription.parse(answer)
    assert [media.rtp.muxId for media in session.media] == ["0", "1"]
    assert [media.direction for media in session.media] == ["recvonly", "recvonly"]
    assert "ssrc" not in answer
    assert "candidate" not in answer
    assert answer.count("a=ice-ufrag:ufrag") == 2


def test_janus_is_told_its_event_loops_only_where_there_are_any() -> None:
    assert "event_loops = 2" in configuration(JanusSettings(2), "veth")["janus.jcfg"]
    assert "event_loops" not in configuration(JanusSettings(0), "veth")["janus.jcfg"]


def test_a_table_has_columns() -> None:
    assert table(("a", "bb"), [("1234", "x")]) == "a     bb\n1234  x"
