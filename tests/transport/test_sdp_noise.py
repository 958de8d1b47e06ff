"""SCENARIOS 24: malformed, huge and odd offers are refused with one error, quickly, or answered soundly."""

import re

import pytest
from aiortc.sdp import SessionDescription
from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import InvalidInput
from server.transport.offer import MAX_LINE_OCTETS, MAX_OFFER_OCTETS, MAX_SECTION_SSRCS, MAX_SECTIONS
from server.transport.sdp import Purpose
from tests.transport.answering import answer, offer, real_offer, real_offers, section

OFFERS = [real_offer(name) for name in real_offers()]
SPLINTERS = [
    "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    "m=video 0 UDP/TLS/RTP/SAVPF",
    "a=rtpmap:96 VP8",
    "a=rtpmap:x y/z",
    "a=extmap:99999999999 urn:x",
    "a=ssrc:4294967296 cname:x",
    "a=ssrc-group:FID 1 2",
    "a=ssrc-group:FID x y",
    "a=simulcast:send ;;,~",
    "a=rid: send",
    "a=fmtp:96",
    "a=fmtp:111 useinbandfec",
    "a=rtcp-fb:* ",
    "a=setup:both",
    "a=group:BUNDLE",
    "a=group:",
    "a=fingerprint:sha-256",
    "a=ice-ufrag:",
    "a=mid:điểm-cầu",
    "a=mid:0",
    "a=",
    "=",
    "\t",
    "v=0",
    "a=bundle-only",
    "a=sendrecv",
]


def try_answer(text: str, purpose: Purpose = Purpose.SESSION) -> str | None:
    """The answer, checked; None where it was refused as it should be. Any other exception is the test's failure."""
    try:
        negotiated = answer(text, purpose)
    except InvalidInput as refused:
        return None if refused.code == "bad_sdp" and len(refused.detail) <= 200 else f"an odd refusal: {refused!r}"
    sections = [line for line in text.replace("\r", "").split("\n") if line.startswith("m=")]
    answered = [line for line in negotiated.answer.split("\r\n") if line.startswith("m=")]
    assert [line.split()[0] for line in answered] == [line.split()[0] for line in sections]
    assert all(line.isprintable() and line[1:2] == "=" for line in negotiated.answer.split("\r\n")[:-1])
    # Of an fmtp the client gets its own words back; aiortc trips over those that should be numbers.
    mirrored = re.compile(r"^a=fmtp:.*\r\n", re.MULTILINE)
    SessionDescription.parse(mirrored.sub("", negotiated.answer))
    return negotiated.answer


def assert_sound(text: str, purpose: Purpose = Purpose.SESSION) -> None:
    outcome = try_answer(text, purpose)
    assert outcome is None or outcome.startswith("v=0\r\n")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_mutated_real_offers(data: st.DataObject) -> None:
    lines = data.draw(st.sampled_from(OFFERS)).split("\r\n")
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "double", "swap", "insert", "octets", "cut", "move"])):
            case "drop":
                del lines[place]
            case "double":
                lines.insert(place, lines[place])
            case "swap":
                other = data.draw(st.integers(0, len(lines) - 1))
                lines[place], lines[other] = lines[other], lines[place]
            case "insert":
                lines.insert(place, data.draw(st.sampled_from(SPLINTERS)))
            case "octets":
                at = data.draw(st.integers(0, len(lines[place])))
                lines[place] = lines[place][:at] + data.draw(st.text(max_size=4)) + lines[place][at + 1 :]
            case "cut":
                lines[place] = lines[place][: data.draw(st.integers(0, len(lines[place])))]
            case "move":
                lines.append(lines.pop(place))
        lines = lines or [""]
    assert_sound("\r\n".join(lines), data.draw(st.sampled_from(list(Purpose))))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_any_text(text: str) -> None:
    assert try_answer(text) is None


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(SPLINTERS), max_size=12), st.sampled_from(["audio", "video"]))
def test_odd_lines_in_a_good_section(lines: list[str], kind: str) -> None:
    assert_sound(offer(section(kind, *lines)))


def many(line: str, total: int = MAX_OFFER_OCTETS) -> str:
    return "\r\n".join([line] * (total // (len(line) + 2)))


HUGE = {
    "10,000 lines": offer(section("audio", *["a=x"] * 10_000)),
    "too long": offer(section("audio", *["a=x" + "y" * 1_000] * 120)),
    "a long line": offer(section("audio", "a=" + "y" * MAX_LINE_OCTETS)),
    "many sections": offer(*[section("audio", mid=str(number)) for number in range(MAX_SECTIONS + 1)]),
    "many lines in a section": offer(section("audio", *["a=rtcp-fb:96 nack"] * 600)),
    "many ssrcs": offer(section("audio", *[f"a=ssrc:{number} cname:x" for number in range(MAX_SECTION_SSRCS + 1)])),
    "many session lines": many("a=group:BUNDLE 0"),
    "only separators": "\r\n" * 50_000,
    "no section": "v=0\r\n",
    "no version": offer(section("audio")).removeprefix("v=0\r\n"),
    "empty": "",
    "a mid too long": offer(section("audio", mid="m" * 17)),
    "a mid twice": offer(section("audio"), section("video"), bundle="0"),
    "null": offer(section("audio", "a=\x00")),
    "another line separator": offer(section("audio", "a=fmtp:111 x\u2028a=ice-pwd:mine")),
    "half a surrogate": offer(section("audio", "a=\ud800")),
}


@pytest.mark.parametrize("name", HUGE)
def test_huge_and_broken_offers_are_refused(name: str) -> None:
    assert try_answer(HUGE[name]) is None


DENSE = {
    "rtpmaps": [f"a=rtpmap:{number % 128} VP8/90000" for number in range(480)],
    "feedback": [f"a=rtcp-fb:{number % 128} nack {number}" for number in range(480)],
    "extmaps": [f"a=extmap:{number} urn:x:{number}" for number in range(480)],
    "groups": [f"a=ssrc-group:FID {number} {number}" for number in range(480)],
    "rids": [f"a=rid:r{number} send" for number in range(240)] + ["a=simulcast:send " + ";".join(map(str, range(900)))],
}


@pytest.mark.timeout(10)  # some 0.2 s on an idle core; reading in quadratic time would take minutes
@pytest.mark.parametrize("name", DENSE)
def test_the_densest_offer_is_dealt_with(name: str) -> None:
    """As many such lines as the limits let in."""
    text = offer(*[section("video", *DENSE[name], mid=str(number)) for number in range(8)])[:MAX_OFFER_OCTETS]
    assert_sound(text)
