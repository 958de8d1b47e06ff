"""Which of the offered codecs are taken, and how the answer names them (RFC 7587, 7741, 6184, 4588)."""

import msgspec

from server.sfu.ports import Codec, Kind
from server.transport.offer import OfferedCodec, is_number

_FEEDBACK = ("nack", "nack pli", "ccm fir", "goog-remb", "transport-cc")
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
    kind: Kind, offered: tuple[OfferedCodec, ...], *, prefer_vp8: bool, numbered: bool = False
) -> tuple[ChosenCodec, ...]:
    """Opus, or VP8 and H.264 with their RTX; in the offer's order, VP8 first where ``prefer_vp8``.

    ``numbered``: packets bear transport-wide numbers, so feedback about them (transport-cc) is taken up.
    """
    rtx_of = _rtx_payload_types(offered)
    known = _FEEDBACK if numbered else _FEEDBACK[:-1]
    chosen = [_choose(codec, rtx_of, known) for codec in offered if _is_taken(kind, codec)]
    if prefer_vp8:
        chosen.sort(key=lambda choice: choice.codec.name != "vp8")
    return tuple(chosen)


def _is_taken(kind: Kind, codec: OfferedCodec) -> bool:
    if kind is Kind.AUDIO:
        return (codec.name, codec.clock_rate, codec.channels) == ("opus", 48_000, 2)
    if codec.clock_rate != 90_000:
        return False
    if codec.name == "h264":
        parameters = _parameters(codec.fmtp)
        is_known_mode = parameters.get("packetization-mode", "0") in ("0", "1")
        return is_known_mode and parameters.get("profile-level-id", "42e01f")[:2].lower() in _H264_PROFILES
    return codec.name == "vp8"


def _choose(codec: OfferedCodec, rtx_of: dict[int, int], known: tuple[str, ...]) -> ChosenCodec:
    feedback = tuple(kind for kind in known if kind in codec.feedback)
    name = {"opus": "opus/48000/2", "vp8": "VP8/90000", "h264": "H264/90000"}[codec.name]
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
        name,
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
