"""The one answer: what becomes of each m-section, codec, extension, for real clients and made-up ones."""

import msgspec
import pytest

from server.config import MediaConfig
from server.errors import InvalidInput
from server.sfu.ports import Kind, TrackLabel
from server.transport.answer import LocalDescription, candidate_lines
from server.transport.ice import Credentials
from server.transport.sdp import Purpose, read_fragment, write_fragment
from tests.transport.answering import LOCAL, answer, described, offer, purpose_of, real_offer, real_offers, section


def lines_of(text: str, start: str) -> list[str]:
    return [line for line in text.split("\r\n") if line.startswith(start)]


def refusal(text: str, purpose: Purpose = Purpose.SESSION) -> str:
    with pytest.raises(InvalidInput) as refused:
        answer(text, purpose)
    assert refused.value.code == "bad_sdp"
    return refused.value.detail


NUMBERS = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"


# --- real clients ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", real_offers())
def test_every_real_client_gets_its_sections_back_in_order(name: str) -> None:
    text = real_offer(name)
    negotiated = answer(text, purpose_of(name))
    answered, offered = described(negotiated), lines_of(text, "m=")
    assert [media.kind for media in answered] == [line[2:].split()[0] for line in offered]
    for media, line in zip(answered, offered, strict=True):
        assert media.port == 5004
        assert media.dtls is not None
        assert media.dtls.role == "server"
        assert media.rtcp_mux or "a=rtcp-mux" in negotiated.answer
        assert set(map(str, media.fmt)) <= set(line.split()[3:]), "payload types are the client's own"
    assert lines_of(negotiated.answer, "a=group:BUNDLE") == lines_of(text, "a=group:BUNDLE")
    assert negotiated.answer.count("a=end-of-candidates") == len(answered), "aiortc takes the last section's alone"
    assert "a=ice-lite" in negotiated.answer
    assert (f" {NUMBERS}" in negotiated.answer) == ("m=video" in text and f" {NUMBERS}" in text)


def test_chromium() -> None:
    negotiated = answer(real_offer("chromium-session"))
    mic, camera, screen = negotiated.uplinks
    assert [uplink.label for uplink in negotiated.uplinks] == [TrackLabel.MIC, TrackLabel.CAMERA, TrackLabel.SCREEN]
    assert [uplink.kind for uplink in negotiated.uplinks] == [Kind.AUDIO, Kind.VIDEO, Kind.VIDEO]
    assert camera.rids == ("q", "h", "f")
    assert "a=simulcast:recv q;h;f" in negotiated.answer
    assert [codec.name for codec in camera.codecs] == ["vp8"] + ["h264"] * 6
    assert (camera.codecs[0].payload_type, camera.codecs[0].rtx_payload_type) == (96, 97)
    assert camera.codecs[0].nack
    assert camera.codecs[0].pli
    assert camera.codecs[0].remb
    assert camera.codecs[0].fir
    extensions = camera.extensions
    assert (extensions.mid, extensions.rid, extensions.repaired_rid, extensions.abs_send_time) == (4, 10, 11, 2)
    assert (mic.extensions.audio_level, mic.codecs[0].name, mic.codecs[0].rtx_payload_type) == (1, "opus", None)
    assert len(screen.ssrcs) == 1
    assert list(screen.rtx_of.values()) == list(screen.ssrcs)
    assert [(slot.kind, slot.index, slot.mid) for slot in negotiated.slots] == [
        (Kind.AUDIO, 0, "3"),
        (Kind.AUDIO, 1, "4"),
        (Kind.AUDIO, 2, "5"),
        (Kind.VIDEO, 0, "6"),
    ]
    assert negotiated.tag == ("audio", "0")


def test_firefox_keeps_its_layers_and_their_ssrcs() -> None:
    camera = answer(real_offer("firefox-session")).uplinks[1]
    assert camera.rids == ("q", "h", "f")
    assert len(camera.ssrcs) == 3
    assert set(camera.rtx_of.values()) == set(camera.ssrcs)


def test_gstreamer_bundles_behind_port_zero() -> None:
    negotiated = answer(real_offer("gstreamer-whip"), Purpose.PUBLISH)
    assert [(uplink.mid, uplink.label) for uplink in negotiated.uplinks] == [("video0", "camera"), ("audio1", "mic")]
    assert negotiated.tag == ("video", "video0")


def test_ffmpeg_is_active_and_declares_its_retransmissions() -> None:
    negotiated = answer(real_offer("ffmpeg-whip"), Purpose.PUBLISH)
    camera = negotiated.uplinks[1]
    assert camera.rtx_of == {1873502457: 1873502456}
    assert camera.ssrcs == (1873502456,)
    assert camera.codecs[0].fmtp == "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42000b"


@pytest.mark.parametrize("name", ["aiortc-view", "libwebrtc-view"])
def test_viewers_get_slots(name: str) -> None:
    negotiated = answer(real_offer(name), Purpose.VIEW)
    assert not negotiated.uplinks
    sound, picture = negotiated.slots
    assert (sound.ssrc, sound.rtx_ssrc, picture.ssrc, picture.rtx_ssrc) == (1000, 0, 1001, 1002)
    assert [media.direction for media in described(negotiated)] == ["sendonly", "sendonly"]
    video = described(negotiated)[1]
    assert [str(group) for group in video.ssrc_group] == ["FID 1001 1002"]
    assert {(entry.ssrc, entry.cname) for entry in video.ssrc} == {(1001, "diemcau"), (1002, "diemcau")}
    assert video.msid == "slot0 video0"


# --- directions and purposes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "purpose", "answered", "sends", "receives"),
    [
        ("sendonly", Purpose.SESSION, "recvonly", True, False),
        ("recvonly", Purpose.SESSION, "sendonly", False, True),
        ("sendrecv", Purpose.SESSION, "sendrecv", True, True),
        ("sendonly", Purpose.PUBLISH, "recvonly", True, False),
        ("sendrecv", Purpose.PUBLISH, "recvonly", True, False),
        ("recvonly", Purpose.VIEW, "sendonly", False, True),
        ("sendrecv", Purpose.VIEW, "sendonly", False, True),
    ],
)
def test_directions(offered: str, purpose: Purpose, answered: str, sends: bool, receives: bool) -> None:
    negotiated = answer(offer(section("video", f"a={offered}")), purpose)
    assert described(negotiated)[0].direction == answered
    assert (len(negotiated.uplinks), len(negotiated.slots)) == (int(sends), int(receives))


@pytest.mark.parametrize(
    ("offered", "purpose"),
    [("inactive", Purpose.SESSION), ("recvonly", Purpose.PUBLISH), ("sendonly", Purpose.VIEW)],
)
def test_nothing_to_do_is_an_error(offered: str, purpose: Purpose) -> None:
    assert "nothing" in refusal(offer(section("audio", f"a={offered}")), purpose)


def test_an_inactive_section_is_answered_inactive_beside_others() -> None:
    negotiated = answer(offer(section("audio"), section("video", "a=inactive", mid="1")))
    assert [media.direction for media in described(negotiated)] == ["sendrecv", "inactive"]
    assert described(negotiated)[1].port == 5004


def test_the_direction_may_stand_at_session_level() -> None:
    negotiated = answer(offer(section("audio"), head=("a=recvonly",)))
    assert described(negotiated)[0].direction == "sendonly"


# --- bundle --------------------------------------------------------------------------------------------


def test_a_single_section_needs_no_bundle_and_no_mid() -> None:
    negotiated = answer(offer(section("audio", "a=sendonly", mid=None), bundle=""))
    assert negotiated.uplinks[0].mid == "0"
    assert "a=mid" not in negotiated.answer
    assert "BUNDLE" not in negotiated.answer


def test_several_sections_without_bundle_are_refused() -> None:
    assert "BUNDLE" in refusal(offer(section("audio"), section("video", mid="1"), bundle=""))


def test_what_stands_outside_the_bundle_is_refused_at_its_place() -> None:
    negotiated = answer(offer(section("audio"), section("video", mid="1"), section("video", mid="2"), bundle="0 2"))
    assert [media.port for media in described(negotiated)] == [5004, 0, 5004]
    assert "a=group:BUNDLE 0 2\r\n" in negotiated.answer
    assert [uplink.mid for uplink in negotiated.uplinks] == ["0", "2"]


@pytest.mark.parametrize(
    "refused",
    [
        section("application", mid="1"),
        section("text", mid="1"),
        section("video", mid="1", port=0),
        [line for line in section("video", mid="1") if line != "a=rtcp-mux"],
        section("video", mid="1", formats="98 100"),
        [line.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP") for line in section("video", mid="1")],
    ],
    ids=["data channel", "unknown kind", "switched off", "no rtcp-mux", "no codec", "not secure"],
)
def test_what_cannot_be_taken_gets_port_zero(refused: list[str]) -> None:
    negotiated = answer(offer(refused, section("audio", mid="0"), bundle="1 0"))
    first, second = lines_of(negotiated.answer, "m=")
    assert first.split()[:2] == [refused[0].split()[0], "0"]
    assert first.split()[2:] == refused[0].split()[2:]
    assert second.startswith("m=audio 5004 ")
    assert "a=group:BUNDLE 0\r\n" in negotiated.answer
    assert negotiated.tag == ("audio", "0")
    assert negotiated.answer.index("a=candidate") > negotiated.answer.index("m=audio")


def test_a_bundle_only_section_is_taken() -> None:
    negotiated = answer(offer(section("audio"), section("video", "a=bundle-only", mid="1", port=0)))
    assert [media.port for media in described(negotiated)] == [5004, 5004]


def test_the_bundles_first_section_gives_ice_and_dtls() -> None:
    other = [line.replace("abcd", "efgh") for line in section("video", mid="1")]
    assert answer(offer(section("audio"), other, bundle="1 0")).remote.ufrag == "efgh"


def test_credentials_may_stand_at_session_level() -> None:
    bare = [line for line in section("audio") if not line.startswith(("a=ice", "a=fingerprint", "a=setup"))]
    fingerprint = "a=fingerprint:sha-512 " + ":".join(["0a"] * 64)
    head = ("a=ice-ufrag:sess", "a=ice-pwd:abcdefghijklmnopqrstuvwx", "a=setup:active", fingerprint)
    negotiated = answer(offer(bare, head=head))
    assert negotiated.remote == Credentials("sess", "abcdefghijklmnopqrstuvwx")
    assert [(entry.algorithm, entry.value[:5]) for entry in negotiated.fingerprints] == [("sha-512", "0A:0A")]


# --- transport refusals -----------------------------------------------------------------------------------


def without(start: str) -> str:
    return offer([line for line in section("audio") if not line.startswith(start)])


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (offer(section("audio", setup="passive")), "passive"),
        (offer(section("audio", setup="")), "setup"),
        (offer(section("audio", setup="holdconn")), "unreadable"),
        (offer(section("audio"), head=("a=ice-lite",)), "ICE-lite"),
        (without("a=ice-ufrag"), "ICE credentials"),
        (without("a=ice-pwd"), "ICE credentials"),
        (without("a=fingerprint"), "fingerprint"),
        (without("a=fingerprint").replace("a=setup", "a=fingerprint:sha-1 " + "0A:" * 19 + "0A\r\na=setup"), "sha-256"),
        (without("a=fingerprint").replace("a=setup", "a=fingerprint:sha-256 nonsense\r\na=setup"), "fingerprint"),
        (without("a=rtcp-mux"), "rtcp-mux"),
    ],
)
def test_a_transport_that_cannot_be_answered(text: str, word: str) -> None:
    assert word in refusal(text)


# --- codecs ------------------------------------------------------------------------------------------------


def video(*lines: str, formats: str) -> list[str]:
    bare = [line for line in section("video", formats=formats) if "96" not in line and "97" not in line[:12]]
    return [f"m=video 9 UDP/TLS/RTP/SAVPF {formats}", *(line for line in bare if not line.startswith("m=")), *lines]


H264 = ("a=rtpmap:102 H264/90000", "a=rtpmap:103 rtx/90000", "a=fmtp:103 apt=102")


def test_uplinks_put_vp8_first_and_slots_keep_the_order() -> None:
    lines = (*H264, "a=fmtp:102 packetization-mode=1;profile-level-id=42e01f", "a=rtpmap:98 VP8/90000")
    negotiated = answer(offer(video(*lines, formats="102 103 98")))
    assert [codec.name for codec in negotiated.uplinks[0].codecs] == ["vp8", "h264"]
    assert lines_of(negotiated.answer, "m=") == ["m=video 5004 UDP/TLS/RTP/SAVPF 98 102 103"]
    viewed = answer(offer(video(*lines, formats="102 103 98")), Purpose.VIEW)
    assert [codec.name for codec in viewed.slots[0].codecs] == ["h264", "vp8"]


@pytest.mark.parametrize(
    ("fmtp", "is_taken"),
    [
        ("packetization-mode=1;profile-level-id=42e01f", True),
        ("profile-level-id=42001f; packetization-mode=0", True),
        ("packetization-mode=1;profile-level-id=4D001F", True),
        ("packetization-mode=1", True),
        ("packetization-mode=1;profile-level-id=640c1f", False),
        ("packetization-mode=2;profile-level-id=42e01f", False),
    ],
)
def test_h264_profiles_and_modes(fmtp: str, is_taken: bool) -> None:
    text = offer(video(*H264, f"a=fmtp:102 {fmtp}", formats="102 103"))
    if is_taken:
        codec = answer(text).uplinks[0].codecs[0]
        assert (codec.payload_type, codec.rtx_payload_type, codec.fmtp) == (102, 103, fmtp)
        assert f"a=fmtp:102 {fmtp}\r\n" in answer(text).answer
    else:
        assert "no audio or video" in refusal(text)


def test_other_audio_codecs_are_left_out() -> None:
    lines = ("a=rtpmap:0 PCMU/8000", "a=rtpmap:126 telephone-event/8000", "a=fmtp:126 0-15", "a=rtpmap:112 opus/48000")
    negotiated = answer(offer(section("audio", *lines, formats="0 111 126 112")))
    assert lines_of(negotiated.answer, "m=") == ["m=audio 5004 UDP/TLS/RTP/SAVPF 111"]
    assert lines_of(negotiated.answer, "a=fmtp") == ["a=fmtp:111 minptime=10;usedtx=1;useinbandfec=1"]


def test_feedback_is_mirrored_where_known() -> None:
    negotiated = answer(
        offer(section("video", "a=rtcp-fb:* ccm fir", "a=rtcp-fb:96  goog-remb", "a=rtcp-fb:96 nack rpsi"))
    )
    assert lines_of(negotiated.answer, "a=rtcp-fb") == [
        f"a=rtcp-fb:96 {kind}" for kind in ("nack", "nack pli", "ccm fir", "goog-remb")
    ]
    plain = answer(offer([line for line in section("video") if "rtcp-fb" not in line])).uplinks[0].codecs[0]
    assert [plain.nack, plain.pli, plain.remb, plain.fir] == [False] * 4


def test_transport_wide_feedback_where_packets_can_bear_numbers() -> None:
    lines = ("a=rtcp-fb:96 goog-remb", "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time")
    numbered = answer(offer(section("video", f"a=extmap:3 {NUMBERS}", "a=sendrecv")))
    assert "a=rtcp-fb:96 transport-cc" in numbered.answer
    assert (numbered.uplinks[0].numbered_by, numbered.slots[0].numbered_by) == (3, 3)
    both = answer(offer(section("video", f"a=extmap:3 {NUMBERS}", "a=sendrecv", *lines)))
    assert (both.uplinks[0].numbered_by, both.slots[0].numbered_by) == (3, 0)
    bare = answer(offer(section("video", "a=sendrecv")))
    assert "transport-cc" not in bare.answer
    assert (bare.uplinks[0].numbered_by, bare.slots[0].numbered_by) == (0, 0)
    sound = answer(offer(section("audio", f"a=extmap:3 {NUMBERS}", "a=rtcp-fb:111 transport-cc")))
    assert "transport-" not in sound.answer


def test_a_meeting_may_ask_for_other_codecs() -> None:
    negotiated = answer(real_offer("chromium-session"), video_codecs=("vp9", "vp8", "av1"))
    camera = negotiated.uplinks[1]
    assert camera.codecs[0].name == "vp9"
    assert {codec.name for codec in camera.codecs} == {"vp9", "vp8", "av1"}
    assert sum(codec.name == "vp9" for codec in camera.codecs) == 1, "profile 0 alone"
    assert "h264" not in {codec.name for slot in negotiated.slots for codec in slot.codecs}
    assert " VP9/90000" in negotiated.answer


def test_reduced_size_rtcp_is_mirrored() -> None:
    assert "a=rtcp-rsize" in answer(offer(section("audio", "a=rtcp-rsize"))).answer
    assert "a=rtcp-rsize" not in answer(offer(section("audio"))).answer


# --- extensions, simulcast, labels, limits ---------------------------------------------------------------------

MID_URI = "urn:ietf:params:rtp-hdrext:sdes:mid"
RID_URI = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
LEVEL_URI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"


@pytest.mark.parametrize(
    ("line", "expected", "answered"),
    [
        (f"a=extmap:4 {MID_URI}", 4, f"a=extmap:4 {MID_URI}"),
        (f"a=extmap:14/sendrecv {MID_URI}", 14, f"a=extmap:14/sendrecv {MID_URI}"),
        (f"a=extmap:4/sendonly {MID_URI}", 4, f"a=extmap:4/recvonly {MID_URI}"),
        (f"a=extmap:15 {MID_URI}", None, None),
        (f"a=extmap:16 {MID_URI}", None, None),
        (f"a=extmap:0 {MID_URI}", None, None),
        (f"a=extmap:4/inactive {MID_URI}", None, None),
        ("a=extmap:4 urn:example:unknown", None, None),
        (f"a=extmap:4 urn:example:first\r\na=extmap:4 {MID_URI}", None, None),
    ],
)
def test_extension_ids(line: str, expected: int | None, answered: str | None) -> None:
    negotiated = answer(offer(section("audio", "a=extmap-allow-mixed", line)))
    assert negotiated.uplinks[0].extensions.mid == expected
    assert lines_of(negotiated.answer, "a=extmap") == ([answered] if answered else [])


def test_extension_attributes_are_passed_over() -> None:
    assert answer(offer(section("audio", f"a=extmap:1 {LEVEL_URI} vad=on"))).uplinks[0].extensions.audio_level == 1


def test_slots_take_no_stream_ids() -> None:
    negotiated = answer(offer(section("video", f"a=extmap:5 {RID_URI}", f"a=extmap:6 {MID_URI}", "a=recvonly")))
    assert (negotiated.slots[0].extensions.mid, negotiated.slots[0].extensions.rid) == (6, None)


RIDS = ("a=rid:q send", "a=rid:h send max-width=640", "a=rid:f send", "a=rid:x send", "a=rid:r recv")


@pytest.mark.parametrize(
    ("simulcast", "rids"),
    [
        ("send q;h;f", ("q", "h", "f")),
        ("send q;~h,x;f recv r", ("q", "h", "f")),
        ("recv r send q;h", ("q", "h")),
        ("send q;h;f;x", ("q", "h", "f")),
        ("send q;q;nobody;r", ("q",)),
        ("recv r", ()),
        ("send", ()),
    ],
)
def test_simulcast(simulcast: str, rids: tuple[str, ...]) -> None:
    negotiated = answer(offer(section("video", f"a=extmap:5 {RID_URI}", *RIDS, f"a=simulcast:{simulcast}")))
    assert negotiated.uplinks[0].rids == rids
    expected = [f"a=simulcast:recv {';'.join(rids)}"] if rids else []
    assert lines_of(negotiated.answer, "a=simulcast") == expected
    assert lines_of(negotiated.answer, "a=rid") == [f"a=rid:{rid} recv" for rid in rids]


def test_simulcast_needs_the_stream_id_extension() -> None:
    assert answer(offer(section("video", *RIDS, "a=simulcast:send q;h;f"))).uplinks[0].rids == ()


def uplink_labels(*sections: list[str], labels: dict[str, TrackLabel]) -> list[tuple[str, TrackLabel]]:
    return [(uplink.mid, uplink.label) for uplink in answer(offer(*sections), labels=labels).uplinks]


def test_labels() -> None:
    videos = [section("video", mid=str(number)) for number in (1, 2, 3)]
    sections = [section("audio"), section("audio", mid="4"), *videos]
    assert uplink_labels(*sections, labels={}) == [("0", "mic"), ("1", "camera"), ("2", "screen")]
    given = {"0": TrackLabel.MIC, "1": TrackLabel.SCREEN}
    assert uplink_labels(*sections, labels=given) == [("0", "mic"), ("1", "screen"), ("2", "camera")]
    # Nobody gets a second microphone or camera, nor sound under another name.
    doubled = {"0": TrackLabel.MIC, "4": TrackLabel.MIC, "1": TrackLabel.CAMERA, "2": TrackLabel.CAMERA}
    assert uplink_labels(*sections, labels=doubled) == [("0", "mic"), ("1", "camera"), ("3", "screen")]
    assert uplink_labels(*sections[:2], labels={"0": TrackLabel.CAMERA}) == [("4", "mic")]


def test_slots_over_the_limit_stay_inactive() -> None:
    sections = [section("video", "a=recvonly", mid=str(number)) for number in range(4)]
    negotiated = answer(offer(*sections), config=MediaConfig(video_slots=2))
    assert [media.direction for media in described(negotiated)] == ["sendonly"] * 2 + ["inactive"] * 2
    assert [slot.mid for slot in negotiated.slots] == ["0", "1"]


def test_the_bitrate_limit_is_told_to_who_sends_pictures() -> None:
    config = MediaConfig(max_bitrate_bps=2_500_000)
    told = answer(offer(section("audio"), section("video", mid="1")), config=config).answer
    assert told.count("b=AS:2500\r\nb=TIAS:2500000\r\n") == 1
    assert told.index("b=AS") > told.index("m=video")
    assert "b=AS" not in answer(offer(section("video", "a=recvonly")), config=config).answer


def test_candidates() -> None:
    assert lines_of(answer(offer(section("audio"))).answer, "a=candidate") == [
        "a=candidate:1 1 udp 2130706431 192.0.2.9 5004 typ host",
        "a=candidate:2 1 udp 2130706175 2001:db8::9 5004 typ host",
        "a=candidate:3 1 udp 2130705919 127.0.0.1 5004 typ host",
    ]


def test_tcp_candidates_come_after_all_others() -> None:
    """RFC 6544 4.5: passive, with a priority below any UDP one's."""
    local = msgspec.structs.replace(LOCAL, tcp=True)
    assert candidate_lines(local)[3:] == [
        "a=candidate:4 1 tcp 1526726655 192.0.2.9 5004 typ host tcptype passive",
        "a=candidate:5 1 tcp 1526726399 2001:db8::9 5004 typ host tcptype passive",
        "a=candidate:6 1 tcp 1526726143 127.0.0.1 5004 typ host tcptype passive",
        "a=end-of-candidates",
    ]


# --- fragments (WHIP PATCH) ---------------------------------------------------------------------------------------


def test_a_fragment_with_candidates_only() -> None:
    assert (
        read_fragment("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n")
        is None
    )


def test_a_fragment_of_a_restart() -> None:
    text = "a=ice-options:trickle ice2\r\na=ice-ufrag:efgh\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\nm=audio 9 X 0\r\n"
    assert read_fragment(text) == Credentials("efgh", "abcdefghijklmnopqrstuvwx")


@pytest.mark.parametrize(
    "text",
    [
        "a=ice-ufrag:efgh\r\n",
        "a=ice-ufrag:e\r\na=ice-pwd:abcdefghijklmnop\r\n",
        "a=ice-pwd:x:y\r\n",
        "\x00",
        "a=x\r\n" * 9_999,
    ],
)
def test_a_malformed_fragment(text: str) -> None:
    with pytest.raises(InvalidInput, match=r".") as refused:
        read_fragment(text)
    assert refused.value.code == "bad_sdp"


def test_our_fragment() -> None:
    local = LocalDescription(LOCAL.credentials, LOCAL.fingerprint, ("192.0.2.9",), 5004, 1)
    assert write_fragment(local, ("audio", "a0")).split("\r\n") == [
        "a=ice-lite",
        "a=ice-ufrag:serverufrag",
        "a=ice-pwd:server-password-of-24-ch",
        "m=audio 9 UDP/TLS/RTP/SAVPF 0",
        "a=mid:a0",
        "a=candidate:1 1 udp 2130706431 192.0.2.9 5004 typ host",
        "a=end-of-candidates",
        "",
    ]
