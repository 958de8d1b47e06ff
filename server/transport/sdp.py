"""SDP: a client's one offer in, our one answer out (RFC 8829, 8843, 9429), never renegotiated.

The answer: ICE-lite, DTLS passive, everything in one BUNDLE. What the client sends is an uplink, what it receives is a
slot with an SSRC of its own; everything else is refused at its place (port 0) or held still (inactive).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

import msgspec

from server.config import MediaConfig
from server.sfu.ports import Codec, Extensions, Kind, SlotSpec, TrackLabel, UplinkSpec
from server.transport.answer import LocalDescription, SectionPlan, candidate_lines, write_answer
from server.transport.codecs import VIDEO_CODECS, choose_codecs
from server.transport.dtls import DIGESTS, Fingerprint
from server.transport.ice import Credentials
from server.transport.offer import Offer, OfferedSection, bad_sdp, parse_offer, split_lines, valid_credentials

MAX_RIDS = 3
_MAX_FRAGMENT_OCTETS = 20_000
_PROTOCOLS = ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF", "RTP/SAVP")
_LABELS = {Kind.AUDIO: (TrackLabel.MIC,), Kind.VIDEO: (TrackLabel.CAMERA, TrackLabel.SCREEN)}
_EXTENSION_URIS = {
    "mid": "urn:ietf:params:rtp-hdrext:sdes:mid",
    "rid": "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    "repaired_rid": "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
    "abs_send_time": "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "audio_level": "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "transport_cc": "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
}
_SLOT_EXTENSIONS = ("mid", "abs_send_time", "audio_level", "transport_cc")
_MAX_EXTENSION_ID = 14
"""Packets are written in the one-byte form (RFC 8285 4.2), so higher ids are not taken up, nor extmap-allow-mixed."""
_REVERSED = {"": "", "sendonly": "/recvonly", "recvonly": "/sendonly", "sendrecv": "/sendrecv"}


class Purpose(StrEnum):
    """What a peer connection is for: SESSION (a browser), PUBLISH (WHIP: sends only), VIEW (WHEP: receives only)."""

    SESSION = "session"
    PUBLISH = "publish"
    VIEW = "view"


class Negotiated(msgspec.Struct, frozen=True):
    """The answer and what it means. ``fingerprints`` are the client's; ``tag``: (kind, mid) that carries the ICE."""

    answer: str
    uplinks: tuple[UplinkSpec, ...]
    slots: tuple[SlotSpec, ...]
    remote: Credentials
    fingerprints: tuple[Fingerprint, ...]
    tag: tuple[str, str]


def answer_offer(
    text: str,
    labels: Mapping[str, TrackLabel],
    purpose: Purpose,
    local: LocalDescription,
    config: MediaConfig,
    new_ssrc: Callable[[], int],
    video_codecs: Sequence[str] = VIDEO_CODECS,
) -> Negotiated:
    """Answer an offer. ``labels``: mid of an uplink -> what it is; without one: mic, camera, then screen.

    ``video_codecs``: those that may be used, the one to send in first (vp8, h264, vp9, av1).

    Raises InvalidInput("bad_sdp", detail) for anything that cannot be answered.
    """
    offer = parse_offer(text)
    accepted = _accepted(offer, video_codecs)
    remote, fingerprints = _transport_of([offer.sections[place] for place in accepted])
    planner = _Planner(labels, purpose, config, new_ssrc, video_codecs)
    plans = {place: planner.plan(place, offer.sections[place]) for place in sorted(accepted)}
    uplinks = tuple(plan.uplink for plan in plans.values() if plan.uplink is not None)
    slots = tuple(plan.slot for plan in plans.values() if plan.slot is not None)
    if not uplinks and not slots:
        raise bad_sdp("nothing in it that may be sent or received here")
    tagged = accepted[0]
    answer = write_answer(offer, {place: plans[place] for place in accepted}, local, config.max_bitrate_bps)
    tag = (offer.sections[tagged].kind, plans[tagged].mid)
    return Negotiated(answer, uplinks, slots, remote, fingerprints, tag)


def read_fragment(text: str) -> Credentials | None:
    """The credentials of a trickle-ICE fragment (RFC 8840 9); None where it only trickles candidates.

    Candidates are not needed: a lite agent learns addresses from checks. Raises InvalidInput("bad_sdp").
    """
    attributes = dict(
        line[2:].partition(":")[::2] for line in split_lines(text, _MAX_FRAGMENT_OCTETS) if line.startswith("a=")
    )
    if "ice-ufrag" not in attributes and "ice-pwd" not in attributes:
        return None
    credentials = valid_credentials(attributes.get("ice-ufrag"), attributes.get("ice-pwd"))
    if credentials is None:
        raise bad_sdp("malformed ICE credentials")
    return credentials


def write_fragment(local: LocalDescription, tag: tuple[str, str]) -> str:
    """Our side of an ICE restart (RFC 9725 4.3.3): new credentials and all candidates, of the tagged m-section."""
    kind, mid = tag
    lines = [
        "a=ice-lite",
        f"a=ice-ufrag:{local.credentials.ufrag}",
        f"a=ice-pwd:{local.credentials.password}",
        f"m={kind} 9 UDP/TLS/RTP/SAVPF 0",
        f"a=mid:{mid}",
        *candidate_lines(local),
    ]
    return "\r\n".join(lines) + "\r\n"


def _accepted(offer: Offer, video_codecs: Sequence[str]) -> list[int]:
    """Places of the m-sections that can be taken, the one whose transport all share (BUNDLE tag) first."""
    usable = [place for place, section in enumerate(offer.sections) if _is_usable(section, video_codecs)]
    if len(offer.sections) > 1:
        order = {mid: rank for rank, mid in enumerate(offer.bundle)}
        usable = sorted(
            (place for place in usable if offer.sections[place].mid in order),
            key=lambda place: order[offer.sections[place].mid],
        )
    if not usable:
        raise bad_sdp("no audio or video section that can be taken (BUNDLE and rtcp-mux are needed)")
    return usable


def _is_usable(section: OfferedSection, video_codecs: Sequence[str]) -> bool:
    known = section.kind in (Kind.AUDIO, Kind.VIDEO) and section.protocol in _PROTOCOLS
    return (
        known
        and not section.is_disabled
        and section.rtcp_mux
        and bool(choose_codecs(Kind(section.kind), section.codecs, prefers=False, video_codecs=video_codecs))
    )


def _transport_of(sections: Sequence[OfferedSection]) -> tuple[Credentials, tuple[Fingerprint, ...]]:
    """ICE and DTLS of the BUNDLE tag, or of the first section that has them (RFC 8843 7.1.3)."""
    tagged = next((section for section in sections if section.credentials is not None), sections[0])
    if tagged.credentials is None:
        raise bad_sdp("no ICE credentials")
    fingerprints = next((section.fingerprints for section in sections if section.fingerprints), ())
    if not tagged.setup:
        raise bad_sdp("no a=setup")
    if not fingerprints:
        raise bad_sdp("no fingerprint: DTLS-SRTP is required")
    if not DIGESTS & {fingerprint.algorithm for fingerprint in fingerprints}:
        raise bad_sdp("no fingerprint of sha-256, sha-384 or sha-512")
    if tagged.setup == "server":  # aiortc's word for a=setup:passive
        raise bad_sdp("a=setup:passive: this server is the passive side, the client must be active")
    return tagged.credentials, fingerprints


class _Planner:
    """Goes through the accepted sections in order, counting slots and giving labels out."""

    def __init__(
        self,
        labels: Mapping[str, TrackLabel],
        purpose: Purpose,
        config: MediaConfig,
        new_ssrc: Callable[[], int],
        video_codecs: Sequence[str],
    ) -> None:
        self._video_codecs = video_codecs
        self._labels = labels
        self._purpose = purpose
        self._limits = {Kind.AUDIO: config.audio_slots, Kind.VIDEO: config.video_slots}
        self._new_ssrc = new_ssrc
        self._slots: Counter[Kind] = Counter()
        self._taken_labels: set[TrackLabel] = set()
        self._free_labels = {
            kind: [label for label in known if label not in labels.values()] for kind, known in _LABELS.items()
        }

    def plan(self, place: int, section: OfferedSection) -> SectionPlan:
        kind = Kind(section.kind)
        mid = section.mid or str(place)
        sends = section.direction in ("sendonly", "sendrecv") and self._purpose is not Purpose.VIEW
        receives = section.direction in ("recvonly", "sendrecv") and self._purpose is not Purpose.PUBLISH
        label = self._label(kind, mid) if sends else None
        has_slot = receives and self._slots[kind] < self._limits[kind]
        ids = {
            name: extension
            for name, uri in _EXTENSION_URIS.items()
            for extension in section.extensions
            if extension.uri == uri
            and 1 <= extension.extension_id <= _MAX_EXTENSION_ID
            and extension.direction in _REVERSED
            and (label is not None or name in _SLOT_EXTENSIONS)
            and (kind is Kind.VIDEO or label is None or name != "transport_cc")
        }
        chosen = choose_codecs(
            kind,
            section.codecs,
            prefers=label is not None,
            numbered="transport_cc" in ids,
            video_codecs=self._video_codecs,
        )
        codecs = tuple(choice.codec for choice in chosen)
        extensions = Extensions(**{name: extension.extension_id for name, extension in ids.items()})
        rids = section.rids[:MAX_RIDS] if kind is Kind.VIDEO and "rid" in ids else ()
        return SectionPlan(
            mid=mid,
            codecs=chosen,
            extmaps=tuple(
                f"{extension.extension_id}{_REVERSED[extension.direction]} {extension.uri}"
                for extension in ids.values()
            ),
            uplink=UplinkSpec(mid, kind, label, codecs, extensions, rids, section.ssrcs, section.rtx_of)
            if label is not None
            else None,
            slot=self._slot(kind, mid, codecs, extensions) if has_slot else None,
        )

    def _label(self, kind: Kind, mid: str) -> TrackLabel | None:
        """What the client says it is, where that fits the kind; else the next that is free; None: one too many."""
        free = self._free_labels[kind]
        named = self._labels.get(mid)
        if named is None:
            return free.pop(0) if free else None
        if named not in _LABELS[kind] or named in self._taken_labels:
            return None
        self._taken_labels.add(named)
        return named

    def _slot(self, kind: Kind, mid: str, codecs: tuple[Codec, ...], extensions: Extensions) -> SlotSpec:
        index = self._slots[kind]
        self._slots[kind] += 1
        has_rtx = any(codec.rtx_payload_type is not None for codec in codecs)
        return SlotSpec(mid, kind, index, self._new_ssrc(), self._new_ssrc() if has_rtx else 0, codecs, extensions)
