"""Which of the offered codecs are taken, and how the answer names them (RFC 7587, 7741, 6184, 9628, 4588)."""

from collections.abc import Sequence

import msgspec

from server.sfu.ports import Codec, Kind
from server.transport.offer import OfferedCodec, is_number

_FEEDBACK = ("nack", "nack pli", "ccm fir", "goog-remb", "transport-cc")
VIDEO_CODECS = ("vp8", "h264")
"""What is taken of pictures unless a meeting says otherwise; vp9 and av1 are known too. The first is preferred."""
_RTPMAPS = {"opus": "opus/48000/2", "vp8": "VP8/90000", "h264": "H264/90000", "vp9": "VP9/90000", "av1": "AV1/90000"}
_H264_PROFILES = ("42", "4d")
"""profile_idc of (constrained) baseline and main (RFC 6184 8.1); without profile-level-id it is baseline."""


class ChosenCodec(msgspec.Struct, frozen=True):
    """A codec taken up: as the router sees it, and its lines for the answer."""

    codec: Codec
    rtpmap: str
    feedback: tuple[str, ...]

    @property
    def payload_types(self) -> tuple[int, ...]:
        """Its own, and that of its RTX."""
        rtx = self.codec.rtx_payload_type
        return (self.codec.payload_type,) if rtx is None else (self.codec.payload_type, rtx)

    def lines(self) -> list[str]:
        """rtpmap, rtcp-fb and fmtp, then the RTX."""
        number, rtx = self.codec.payload_type, self.codec.rtx_payload_type
        lines = [f"a=rtpmap:{number} {self.rtpmap}", *(f"a=rtcp-fb:{number} {kind}" for kind in self.feedback)]
        if self.codec.fmtp:
            lines.append(f"a=fmtp:{number} {self.codec.fmtp}")
        if rtx is not None:
            lines += [f"a=rtpmap:{rtx} rtx/{self.codec.clock_rate}", f"a=fmtp:{rtx} apt={number}"]
        return lines


def choose_codecs(
    kind: Kind,
    offered: tuple[OfferedCodec, ...],
    *,
    prefers: bool,
    numbered: bool = False,
    video_codecs: Sequence[str] = VIDEO_CODECS,
) -> tuple[ChosenCodec, ...]:
    """Opus, or of ``video_codecs`` what was offered, with RTX; in the offer's order, the first of them first where we
    have a preference (``prefers``).

    ``numbered``: packets bear transport-wide numbers, so feedback about them (transport-cc) is taken up.
    """
    rtx_of = _rtx_payload_types(offered)
    known = _FEEDBACK if numbered else _FEEDBACK[:-1]
    chosen = [_choose(codec, rtx_of, known) for codec in offered if _is_taken(kind, codec, video_codecs)]
    if prefers:
        chosen.sort(key=lambda choice: choice.codec.name != video_codecs[0])
    return tuple(chosen)


def _is_taken(kind: Kind, codec: OfferedCodec, video_codecs: Sequence[str]) -> bool:
    if kind is Kind.AUDIO:
        return (codec.name, codec.clock_rate, codec.channels) == ("opus", 48_000, 2)
    if codec.clock_rate != 90_000 or codec.name not in video_codecs:
        return False
    if codec.name == "h264":
        parameters = _parameters(codec.fmtp)
        is_known_mode = parameters.get("packetization-mode", "0") in ("0", "1")
        return is_known_mode and parameters.get("profile-level-id", "42e01f")[:2].lower() in _H264_PROFILES
    # Of VP9 and AV1 every decoder has profile 0 (RFC 9628 6, AV1 RTP payload 7.2).
    profile = {"vp9": "profile-id", "av1": "profile"}.get(codec.name)
    return codec.name in _RTPMAPS and (profile is None or _parameters(codec.fmtp).get(profile, "0") == "0")


def _choose(codec: OfferedCodec, rtx_of: dict[int, int], known: tuple[str, ...]) -> ChosenCodec:
    feedback = tuple(kind for kind in known if kind in codec.feedback)
    return ChosenCodec(
        Codec(
            payload_type=codec.payload_type,
            name=codec.name,
            clock_rate=codec.clock_rate,
            fmtp=_with_fec(codec.fmtp) if codec.name == "opus" else codec.fmtp,
            rtx_payload_type=rtx_of.get(codec.payload_type),
            nack="nack" in feedback,
            pli="nack pli" in feedback,
            remb="goog-remb" in feedback,
            fir="ccm fir" in feedback,
            transport_cc="transport-cc" in feedback,
        ),
        _RTPMAPS[codec.name],
        feedback,
    )


def _rtx_payload_types(offered: tuple[OfferedCodec, ...]) -> dict[int, int]:
    """Media payload type -> its RTX payload type; the first where there are several."""
    found: dict[int, int] = {}
    for codec in offered:
        apt = _parameters(codec.fmtp).get("apt", "") if codec.name == "rtx" else ""
        if is_number(apt):
            found.setdefault(int(apt), codec.payload_type)
    return found


def _with_fec(fmtp: str) -> str:
    """As offered, with in-band FEC asked for (RFC 7587 6.1): a weak line keeps its speech."""
    kept = [part.strip() for part in fmtp.split(";") if part.strip() and not part.strip().startswith("useinbandfec")]
    return ";".join([*kept, "useinbandfec=1"])


def _parameters(fmtp: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in fmtp.split(";"))
    return {name.lower(): value for name, _, value in pairs}
