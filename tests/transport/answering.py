"""Answers to offers, as values: what the tests of the SDP parts share."""

from collections.abc import Mapping, Sequence
from itertools import count

from aiortc.sdp import MediaDescription, SessionDescription

from server.config import MediaConfig
from server.sfu.ports import TrackLabel
from server.transport.answer import LocalDescription
from server.transport.codecs import VIDEO_CODECS
from server.transport.dtls import Fingerprint
from server.transport.ice import Credentials
from server.transport.sdp import Negotiated, Purpose, answer_offer
from tests.transport.calling import OFFERS

LOCAL = LocalDescription(
    Credentials("serverufrag", "server-password-of-24-ch"),
    Fingerprint("sha-256", ":".join(["AB"] * 32)),
    ("192.0.2.9", "2001:db8::9", "127.0.0.1"),
    5004,
    77,
)
PURPOSES = {"session": Purpose.SESSION, "whip": Purpose.PUBLISH, "view": Purpose.VIEW}


def answer(
    text: str,
    purpose: Purpose = Purpose.SESSION,
    labels: Mapping[str, TrackLabel] | None = None,
    config: MediaConfig | None = None,
    video_codecs: Sequence[str] = VIDEO_CODECS,
) -> Negotiated:
    ssrcs = count(1_000)
    return answer_offer(
        text, labels or {}, purpose, LOCAL, config or MediaConfig(), lambda: next(ssrcs), video_codecs=video_codecs
    )


def real_offer(name: str) -> str:
    """``who-purpose``, for instance ``chromium-session``: as the client made it."""
    return (OFFERS / f"{name}.sdp").read_bytes().decode()


def real_offers() -> list[str]:
    return sorted(path.stem for path in OFFERS.glob("*.sdp"))


def purpose_of(name: str) -> Purpose:
    return PURPOSES[name.rpartition("-")[2]]


def described(negotiated: Negotiated) -> list[MediaDescription]:
    """The answer's m-sections as an independent parser sees them."""
    return SessionDescription.parse(negotiated.answer).media


AUDIO = ("a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;usedtx=1")
VIDEO = (
    "a=rtpmap:96 VP8/90000",
    "a=rtcp-fb:96 nack",
    "a=rtcp-fb:96 nack pli",
    "a=rtcp-fb:96 transport-cc",
    "a=rtpmap:97 rtx/90000",
    "a=fmtp:97 apt=96",
)


def section(
    kind: str, *lines: str, mid: str | None = "0", port: int = 9, formats: str = "", setup: str = "actpass"
) -> list[str]:
    """One m-section that would be taken; ``lines`` come last."""
    codec = {"audio": AUDIO, "video": VIDEO}.get(kind, ())
    numbers = formats or {"audio": "111", "video": "96 97"}.get(kind, "webrtc-datachannel")
    protocol = "UDP/DTLS/SCTP" if kind == "application" else "UDP/TLS/RTP/SAVPF"
    made = [f"m={kind} {port} {protocol} {numbers}", "c=IN IP4 0.0.0.0", "a=rtcp-mux"]
    made += ["a=ice-ufrag:abcd", "a=ice-pwd:abcdefghijklmnopqrstuvwx", "a=fingerprint:sha-256 " + ":".join(["CD"] * 32)]
    if setup:
        made.append(f"a=setup:{setup}")
    if mid is not None:
        made.append(f"a=mid:{mid}")
    return [*made, *codec, *lines]


def offer(*sections: list[str], bundle: str | None = None, head: tuple[str, ...] = ()) -> str:
    mids = [line[6:] for lines in sections for line in lines if line.startswith("a=mid:")]
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=Điểm cầu", "t=0 0", *head]
    group = " ".join(mids) if bundle is None else bundle
    if group:
        lines.append(f"a=group:BUNDLE {group}")
    return "\r\n".join([*lines, *(line for made in sections for line in made)]) + "\r\n"
