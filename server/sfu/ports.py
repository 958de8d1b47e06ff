"""What the router knows of the world (idea 1, "one road"): Sources feed it, Sinks take from it.

Everything negotiated by SDP is boiled down to these frozen descriptions; ``transport.sdp`` makes them,
``sfu.router`` takes them. Peer handles (``PeerKey``) are small integers given by the media plane.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

PeerKey = int


class Kind(StrEnum):
    """RTP media kind."""

    AUDIO = "audio"
    VIDEO = "video"


class TrackLabel(StrEnum):
    """What a Source shows or says."""

    MIC = "mic"
    CAMERA = "camera"
    SCREEN = "screen"


class Codec(msgspec.Struct, frozen=True):
    """One negotiated payload type. ``name`` is lower case: opus, vp8, h264, ...; ``fmtp`` as in SDP.

    ``nack``, ``pli``, ``fir``, ``remb``, ``transport_cc``: what a=rtcp-fb allows (RFC 4585, RFC 5104).
    """

    payload_type: int
    name: str
    clock_rate: int
    fmtp: str = ""
    rtx_payload_type: int | None = None
    nack: bool = False
    pli: bool = False
    remb: bool = False
    fir: bool = False
    transport_cc: bool = False


class Extensions(msgspec.Struct, frozen=True):
    """Negotiated RTP header extension ids (RFC 8285), None where not negotiated."""

    mid: int | None = None
    rid: int | None = None
    repaired_rid: int | None = None
    abs_send_time: int | None = None
    audio_level: int | None = None
    transport_cc: int | None = None


class UplinkSpec(msgspec.Struct, frozen=True):
    """One m-section that the client sends on. ``rids`` are in offered order (worst to best is q, h, f)."""

    mid: str
    kind: Kind
    label: TrackLabel
    codecs: tuple[Codec, ...]
    extensions: Extensions
    rids: tuple[str, ...] = ()
    ssrcs: tuple[int, ...] = ()
    rtx_of: Mapping[int, int] = {}
    """rtx ssrc -> media ssrc, from a=ssrc-group:FID."""

    @property
    def numbered_by(self) -> int:
        """The extension id of the transport-wide numbers that its sender wants reported; 0: it does not."""
        return self.extensions.transport_cc or 0 if any(codec.transport_cc for codec in self.codecs) else 0


class SlotSpec(msgspec.Struct, frozen=True):
    """One receive-only m-section of the client: an outgoing stream with an SSRC of its own.

    ``index`` counts slots of the same kind in the order of the offer, from 0.
    """

    mid: str
    kind: Kind
    index: int
    ssrc: int
    rtx_ssrc: int
    codecs: tuple[Codec, ...]
    extensions: Extensions

    @property
    def numbered_by(self) -> int:
        """The extension id of the transport-wide numbers to send; 0: its feedback is not wanted.

        Where the viewer would send REMB instead, that is taken: docs/media.md has the measurement.
        """
        sends_remb = self.extensions.abs_send_time and any(codec.remb for codec in self.codecs)
        takes_numbers = any(codec.transport_cc for codec in self.codecs)
        return self.extensions.transport_cc or 0 if takes_numbers and not sends_remb else 0
