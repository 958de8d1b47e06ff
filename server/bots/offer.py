"""The one SDP offer a virtual endpoint makes, and what it needs from the answer (RFC 8829, RFC 9725).

``build_offer`` writes the same shape a browser's offer has: mic, camera (one stream or simulcast rids), an empty
screen track, then receive-only slots. WHIP is the same with sends only, WHEP with slots only.
"""

from collections.abc import Iterator

import msgspec
from aiortc.sdp import SessionDescription

from server.errors import InvalidInput
from server.sfu.ports import Kind, TrackLabel

OPUS = 111
VP8 = 96
VP8_RTX = 97

AUDIO_LEVEL_ID = 1
ABS_SEND_TIME_ID = 2
MID_ID = 4
RID_ID = 10
REPAIRED_RID_ID = 11

_URIS = {
    AUDIO_LEVEL_ID: "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    ABS_SEND_TIME_ID: "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    MID_ID: "urn:ietf:params:rtp-hdrext:sdes:mid",
    RID_ID: "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    REPAIRED_RID_ID: "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
}


class SendTrack(msgspec.Struct, frozen=True):
    """One m-section to send on. ``streams``: (rid, ssrc, rtx ssrc) each; rid "" where there is only one stream.

    A track without streams is offered empty (the screen). SSRCs are declared only without rids, as browsers do.
    """

    mid: str
    label: TrackLabel
    streams: tuple[tuple[str, int, int], ...] = ()

    @property
    def kind(self) -> Kind:
        return Kind.AUDIO if self.label is TrackLabel.MIC else Kind.VIDEO

    @property
    def rids(self) -> tuple[str, ...]:
        return tuple(rid for rid, _, _ in self.streams if rid)


class OfferPlan(msgspec.Struct, frozen=True):
    """What to offer: sends first, then audio slots, then video slots; mids are the position in that order."""

    sends: tuple[SendTrack, ...]
    audio_slots: int
    video_slots: int

    @property
    def audio_mids(self) -> tuple[str, ...]:
        first = len(self.sends)
        return tuple(str(first + index) for index in range(self.audio_slots))

    @property
    def video_mids(self) -> tuple[str, ...]:
        first = len(self.sends) + self.audio_slots
        return tuple(str(first + index) for index in range(self.video_slots))


class Credentials(msgspec.Struct, frozen=True):
    """Our half of ICE and DTLS as the SDP names it; ``fingerprint`` is "sha-256 AA:BB:..."."""

    ufrag: str
    pwd: str
    fingerprint: str


class AnsweredSlot(msgspec.Struct, frozen=True):
    mid: str
    kind: Kind
    ssrc: int
    rtx_ssrc: int


class RemoteAnswer(msgspec.Struct, frozen=True):
    """What the answer says. ``address`` is the server's first UDP host candidate."""

    ufrag: str
    pwd: str
    fingerprints: tuple[str, ...]
    address: tuple[str, int]
    slots: tuple[AnsweredSlot, ...]
    accepted: frozenset[str]
    """Mids of the m-sections that were not refused (port 0 or inactive)."""


def build_offer(plan: OfferPlan, credentials: Credentials) -> str:
    """The offer as SDP text (CRLF lines). DTLS ``actpass``: a WHIP/WHEP client must (RFC 9725 4.4)."""
    return "\r\n".join(_offer_lines(plan, credentials)) + "\r\n"


def _offer_lines(plan: OfferPlan, credentials: Credentials) -> Iterator[str]:
    mids = [*(track.mid for track in plan.sends), *plan.audio_mids, *plan.video_mids]
    yield from ("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=ice-options:ice2")
    yield "a=group:BUNDLE " + " ".join(mids)
    yield "a=extmap-allow-mixed"
    for track in plan.sends:
        yield from _section(track.kind, track.mid, "sendonly", credentials)
        yield from _sent_streams(track)
    for mid in plan.audio_mids:
        yield from _section(Kind.AUDIO, mid, "recvonly", credentials)
    for mid in plan.video_mids:
        yield from _section(Kind.VIDEO, mid, "recvonly", credentials)


def _section(kind: Kind, mid: str, direction: str, credentials: Credentials) -> Iterator[str]:
    payload_types = f"{OPUS}" if kind is Kind.AUDIO else f"{VP8} {VP8_RTX}"
    yield f"m={kind} 9 UDP/TLS/RTP/SAVPF {payload_types}"
    yield from ("c=IN IP4 0.0.0.0", "a=rtcp:9 IN IP4 0.0.0.0")
    yield f"a=ice-ufrag:{credentials.ufrag}"
    yield f"a=ice-pwd:{credentials.pwd}"
    yield f"a=fingerprint:{credentials.fingerprint}"
    yield from ("a=setup:actpass", f"a=mid:{mid}", f"a={direction}", "a=rtcp-mux", "a=rtcp-rsize")
    if kind is Kind.AUDIO:
        yield from (_extmap(AUDIO_LEVEL_ID), _extmap(ABS_SEND_TIME_ID), _extmap(MID_ID))
        yield f"a=rtpmap:{OPUS} opus/48000/2"
        yield f"a=fmtp:{OPUS} minptime=10;useinbandfec=1"
    else:
        yield from map(_extmap, (ABS_SEND_TIME_ID, MID_ID, RID_ID, REPAIRED_RID_ID))
        yield f"a=rtpmap:{VP8} VP8/90000"
        yield from (f"a=rtcp-fb:{VP8} {feedback}" for feedback in ("goog-remb", "ccm fir", "nack", "nack pli"))
        yield f"a=rtpmap:{VP8_RTX} rtx/90000"
        yield f"a=fmtp:{VP8_RTX} apt={VP8}"


def _sent_streams(track: SendTrack) -> Iterator[str]:
    if track.rids:
        yield from (f"a=rid:{rid} send" for rid in track.rids)
        yield "a=simulcast:send " + ";".join(track.rids)
        return
    for _, ssrc, rtx_ssrc in track.streams:
        if track.kind is Kind.VIDEO:
            yield f"a=ssrc-group:FID {ssrc} {rtx_ssrc}"
            yield f"a=ssrc:{rtx_ssrc} cname:bot"
        yield f"a=ssrc:{ssrc} cname:bot"


def _extmap(extension_id: int) -> str:
    return f"a=extmap:{extension_id} {_URIS[extension_id]}"


def read_answer(sdp: str, plan: OfferPlan) -> RemoteAnswer:
    """Take from the answer what the connection needs. Raises InvalidInput("bad_answer") where it is not usable."""
    try:
        session = SessionDescription.parse(sdp)
    except (ValueError, AssertionError, IndexError, KeyError) as error:
        raise InvalidInput("bad_answer", f"the server's SDP answer cannot be read: {error}") from error
    if not session.media:
        raise InvalidInput("bad_answer", "the server's SDP answer has no m-section")
    first = session.media[0]
    addresses = [
        (candidate.ip, candidate.port)
        for media in session.media
        for candidate in media.ice_candidates
        if candidate.protocol.lower() == "udp" and candidate.type == "host"
    ]
    ufrag, pwd = (first.ice.usernameFragment, first.ice.password) if first.ice else (None, None)
    if not addresses or first.dtls is None or not ufrag or not pwd:
        raise InvalidInput("bad_answer", "the server's SDP answer lacks a UDP candidate, ICE or DTLS attributes")
    slot_mids = {*plan.audio_mids, *plan.video_mids}
    slots = []
    for media in session.media:
        if media.rtp.muxId in slot_mids and media.ssrc:
            rtx = next((int(group.items[1]) for group in media.ssrc_group if group.semantic == "FID"), 0)
            ssrc = next(source.ssrc for source in media.ssrc if source.ssrc != rtx)
            slots.append(AnsweredSlot(media.rtp.muxId, Kind(media.kind), ssrc, rtx))
    return RemoteAnswer(
        ufrag,
        pwd,
        tuple(f"{print_.algorithm} {print_.value}" for print_ in first.dtls.fingerprints),
        addresses[0],
        tuple(slots),
        frozenset(media.rtp.muxId for media in session.media if media.port and media.direction != "inactive"),
    )
