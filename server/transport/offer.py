"""A client's SDP offer, parsed once at the border into frozen objects (RFC 8866, 8843, 8853).

aiortc's parser reads the structure, rtpmap, ICE and DTLS lines. Lines that it loses (rid, simulcast, direction of an
extmap, raw fmtp), that it trips over in legal forms (extmap attributes, valueless ssrc lines, fmtp of a static payload
type) or reads in quadratic time (ssrc, rtcp-fb) are kept from it and read here. Everything is bounded first.
"""

import re

import msgspec
from aiortc.sdp import MediaDescription, SessionDescription

from server.errors import InvalidInput
from server.transport.dtls import Fingerprint
from server.transport.ice import Credentials

MAX_OFFER_OCTETS = 100_000
MAX_SECTIONS = 64
MAX_LINES = 6_000
MAX_SECTION_LINES = 500
MAX_LINE_OCTETS = 4_096
MAX_SECTION_SSRCS = 32

_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
_FOR_AIORTC = (
    "m=",
    "v=",
    "a=ice-lite",
    *(f"a={name}:" for name in ("group", "mid", "rtpmap", "ice-ufrag", "ice-pwd", "setup", "fingerprint")),
)
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,16}")
_RID = re.compile(r"[A-Za-z0-9_-]{1,16}")
_ICE_TEXT = re.compile(r"[!-9;-~]{4,256}")
"""Printable without the colon that separates fragments in USERNAME. RFC 8839 allows less, some clients send more."""
_FINGERPRINT = re.compile(r"(?:[0-9A-F]{2}:){15,63}[0-9A-F]{2}")


class OfferedCodec(msgspec.Struct, frozen=True):
    """One payload type: ``name`` lower case, ``channels`` 1 where not given, ``feedback`` as in rtcp-fb."""

    payload_type: int
    name: str
    clock_rate: int
    channels: int
    fmtp: str
    feedback: frozenset[str]


class OfferedExtension(msgspec.Struct, frozen=True):
    """One ``a=extmap``; ``direction`` is the client's, "" where not said."""

    extension_id: int
    uri: str
    direction: str


class OfferedSection(msgspec.Struct, frozen=True):
    """One m-section. ``mid`` is "" where the offer has none; ``rids`` are those of ``a=simulcast:send``, in order."""

    kind: str
    is_disabled: bool
    protocol: str
    formats: tuple[str, ...]
    mid: str
    direction: str
    rtcp_mux: bool
    rtcp_rsize: bool
    setup: str
    credentials: Credentials | None
    fingerprints: tuple[Fingerprint, ...]
    codecs: tuple[OfferedCodec, ...]
    extensions: tuple[OfferedExtension, ...]
    rids: tuple[str, ...]
    ssrcs: tuple[int, ...]
    rtx_of: dict[int, int]


class Offer(msgspec.Struct, frozen=True):
    """``bundle`` are the mids of the BUNDLE group, empty where there is none."""

    sections: tuple[OfferedSection, ...]
    bundle: tuple[str, ...]


def parse_offer(text: str) -> Offer:
    """Raises InvalidInput("bad_sdp", detail), and never anything else, whatever ``text`` is."""
    session_lines, sections_lines = _split(text)
    kept = [line for lines in (session_lines, *sections_lines) for line in lines if line.startswith(_FOR_AIORTC)]
    try:
        described = SessionDescription.parse("\r\n".join(kept) + "\r\n")
    # aiortc says no by AssertionError, ValueError, KeyError, IndexError, AttributeError or TypeError, as it comes.
    except Exception as error:
        raise bad_sdp(f"unreadable: {type(error).__name__} {error}") from error
    default_direction = _direction(session_lines, "sendrecv")
    sections = tuple(
        _section(media, lines, default_direction) for media, lines in zip(described.media, sections_lines, strict=True)
    )
    if any(media.ice is not None and media.ice.iceLite for media in described.media):
        raise bad_sdp("an ICE-lite client cannot reach an ICE-lite server")
    mids = [section.mid for section in sections if section.mid]
    if len(set(mids)) != len(mids):
        raise bad_sdp("a mid is used twice")
    bundle = next((group.items for group in described.group if group.semantic == "BUNDLE"), [])
    return Offer(sections, tuple(str(mid) for mid in bundle))


def bad_sdp(detail: str) -> InvalidInput:
    return InvalidInput("bad_sdp", detail[:200])


def split_lines(text: str, max_octets: int) -> list[str]:
    """SDP lines without their ends; empty lines are passed over. Raises InvalidInput("bad_sdp")."""
    if len(text) > max_octets:
        raise bad_sdp(f"longer than {max_octets} octets")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    if len(lines) > MAX_LINES:
        raise bad_sdp(f"more than {MAX_LINES} lines")
    for line in lines:
        if len(line) > MAX_LINE_OCTETS:
            raise bad_sdp(f"a line is longer than {MAX_LINE_OCTETS} octets")
        # Values are mirrored into the answer: nothing in them may start a line there (\v, \x85, U+2028, ...).
        if not line.isprintable():
            raise bad_sdp("a control character")
    return [line for line in lines if line]


def valid_credentials(ufrag: str | None, password: str | None) -> Credentials | None:
    """Credentials where both are there and well-formed (RFC 8839 5.4), else None."""
    if ufrag is None or password is None or not _ICE_TEXT.fullmatch(ufrag) or not _ICE_TEXT.fullmatch(password):
        return None
    return Credentials(ufrag, password)


def _split(text: str) -> tuple[list[str], list[list[str]]]:
    session: list[str] = []
    sections: list[list[str]] = []
    for line in split_lines(text, MAX_OFFER_OCTETS):
        if line.startswith("m="):
            sections.append([])
        lines = sections[-1] if sections else session
        lines.append(line)
        if len(lines) > MAX_SECTION_LINES:
            raise bad_sdp(f"more than {MAX_SECTION_LINES} lines in a section")
    if not sections or len(sections) > MAX_SECTIONS:
        raise bad_sdp(f"{len(sections)} m-sections; 1 to {MAX_SECTIONS} are taken")
    if not session or not session[0].startswith("v=0"):
        raise bad_sdp("does not begin with v=0")
    return session, sections


def _section(media: MediaDescription, lines: list[str], default_direction: str) -> OfferedSection:
    mid = media.rtp.muxId or ""
    if mid and not _TOKEN.fullmatch(mid):
        raise bad_sdp("a mid is not a token of at most 16 characters")
    attributes = _attributes(lines)
    ssrcs, rtx_of = _ssrcs(attributes)
    return OfferedSection(
        kind=media.kind,
        is_disabled=media.port == 0 and "bundle-only" not in attributes,
        protocol=media.profile,
        formats=tuple(str(value) for value in media.fmt),
        mid=mid,
        direction=_direction(lines, default_direction),
        rtcp_mux="rtcp-mux" in attributes,
        rtcp_rsize="rtcp-rsize" in attributes,
        setup=media.dtls.role if media.dtls is not None else "",
        credentials=valid_credentials(media.ice.usernameFragment, media.ice.password) if media.ice else None,
        fingerprints=_fingerprints(media),
        codecs=_codecs(media, attributes),
        extensions=_extensions(attributes),
        rids=_simulcast_rids(attributes),
        ssrcs=ssrcs,
        rtx_of=rtx_of,
    )


def _attributes(lines: list[str]) -> dict[str, list[str]]:
    attributes: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("a="):
            name, _, value = line[2:].partition(":")
            attributes.setdefault(name, []).append(value.strip())
    return attributes


def _direction(lines: list[str], default: str) -> str:
    for line in lines:
        if line.startswith("a=") and line[2:] in _DIRECTIONS:
            return line[2:]
    return default


def _fingerprints(media: MediaDescription) -> tuple[Fingerprint, ...]:
    if media.dtls is None:
        return ()
    found = [Fingerprint(entry.algorithm.lower(), entry.value.upper()) for entry in media.dtls.fingerprints]
    if any(not _FINGERPRINT.fullmatch(fingerprint.value) for fingerprint in found):
        raise bad_sdp("a malformed fingerprint")
    return tuple(found)


def _codecs(media: MediaDescription, attributes: dict[str, list[str]]) -> tuple[OfferedCodec, ...]:
    """In the order of the m-line, which is the client's preference."""
    fmtps = _fmtps(attributes)
    feedback: dict[str, set[str]] = {}
    for value in attributes.get("rtcp-fb", ()):
        payload_type, _, kind = value.partition(" ")
        feedback.setdefault(payload_type, set()).add(" ".join(kind.split()))
    for_all = feedback.get("*", set())
    described = {codec.payloadType: codec for codec in media.rtp.codecs}
    return tuple(
        OfferedCodec(
            payload_type=payload_type,
            name=codec.mimeType.partition("/")[2].lower(),
            clock_rate=codec.clockRate,
            channels=codec.channels or 1,
            fmtp=fmtps.get(payload_type, ""),
            feedback=frozenset(for_all | feedback.get(str(payload_type), set())),
        )
        for payload_type in dict.fromkeys(media.fmt)
        if (codec := described.get(payload_type)) is not None and 0 <= payload_type <= 127
    )


def _fmtps(attributes: dict[str, list[str]]) -> dict[int, str]:
    found: dict[int, str] = {}
    for value in attributes.get("fmtp", ()):
        payload_type, _, parameters = value.partition(" ")
        if is_number(payload_type):
            found[int(payload_type)] = parameters.strip()
    return found


def _extensions(attributes: dict[str, list[str]]) -> tuple[OfferedExtension, ...]:
    """The first of each id and URI counts. Attributes after the URI (``vad=on``) change nothing for us."""
    found: dict[str, OfferedExtension] = {}
    ids: set[int] = set()
    for value in attributes.get("extmap", ()):
        words = value.split()
        extension_id, _, direction = (words[0] if words else "").partition("/")
        if len(words) < 2 or not is_number(extension_id):
            raise bad_sdp("a malformed extmap")
        number, uri = int(extension_id), words[1]
        if number not in ids and uri not in found:
            ids.add(number)
            found[uri] = OfferedExtension(number, uri, direction)
    return tuple(found.values())


def _simulcast_rids(attributes: dict[str, list[str]]) -> tuple[str, ...]:
    """RIDs of ``a=simulcast:send q;h;f`` (RFC 8853): the first of alternatives (``,``), paused (``~``) or not."""
    sendable = {
        words[0] for value in attributes.get("rid", ()) if len(words := value.split()) >= 2 and words[1] == "send"
    }
    for value in attributes.get("simulcast", ()):
        words = value.split()
        for direction, streams in zip(words[::2], words[1::2], strict=False):
            if direction == "send":
                rids = [stream.split(",")[0].removeprefix("~") for stream in streams.split(";")]
                return tuple(dict.fromkeys(rid for rid in rids if rid in sendable and _RID.fullmatch(rid)))
    return ()


def _ssrcs(attributes: dict[str, list[str]]) -> tuple[tuple[int, ...], dict[int, int]]:
    """Media SSRCs in the order they were declared, and rtx SSRC -> media SSRC (RFC 5576 4.2, FID)."""
    rtx_of: dict[int, int] = {}
    for value in attributes.get("ssrc-group", ()):
        words = value.split()
        if len(words) == 3 and words[0] == "FID":
            rtx_of[_ssrc(words[2])] = _ssrc(words[1])
    declared = dict.fromkeys(_ssrc(value.partition(" ")[0]) for value in attributes.get("ssrc", ()))
    if len(declared) > MAX_SECTION_SSRCS or len(rtx_of) > MAX_SECTION_SSRCS:
        raise bad_sdp(f"more than {MAX_SECTION_SSRCS} SSRCs in a section")
    return tuple(ssrc for ssrc in declared if ssrc not in rtx_of), rtx_of


def _ssrc(text: str) -> int:
    if not is_number(text) or int(text) > 0xFFFFFFFF:
        raise bad_sdp("a malformed SSRC")
    return int(text)


def is_number(text: str) -> bool:
    """Up to ten ASCII digits: int() alone also takes signs, underscores and other scripts' digits."""
    return text.isascii() and text.isdigit() and len(text) <= 10
