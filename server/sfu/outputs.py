"""What the router gives back: packets to send, feedback to send, and what changed. Carried out by the media plane."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from server.rtp.packet import RtpView
from server.sfu.flows import Flow
from server.sfu.ports import Kind, PeerKey, TrackLabel

TrackId = tuple[PeerKey, str]
"""(peer, mid of the uplink)."""


class Forward(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One incoming packet and everybody who gets a copy. Safe to keep for a batch: nothing of it is changed later.

    ``flows`` are the fan-out's, ``taps`` those of Sinks inside this process. ``then``: the same packet for those who
    get fewer temporal layers, numbered accordingly, and so on.
    """

    packet: RtpView
    flows: tuple[Flow, ...]
    taps: tuple[Flow, ...] = ()
    then: "Forward | None" = None


@dataclass(frozen=True, slots=True)
class SendRtcp:
    """A compound RTCP packet for ``peer``, not yet protected."""

    peer: PeerKey
    data: bytes


@dataclass(frozen=True, slots=True)
class SendRtp:
    """A complete RTP packet for ``peer`` (a retransmission), not yet protected."""

    peer: PeerKey
    data: bytes


@dataclass(frozen=True, slots=True)
class SlotFed:
    """What slot ``mid`` of ``peer`` carries from now on.

    ``track`` None: nothing, for ``reason``: unassigned, gate_closed, source_gone, codec_not_negotiated.
    """

    peer: PeerKey
    mid: str
    track: TrackId | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ActiveSpeakers:
    """Who is audibly speaking, the dominant one first. Sent when it changes; empty: silence."""

    tracks: tuple[TrackId, ...]


@dataclass(frozen=True, slots=True)
class LayersWanted:
    """The layers of a picture that anybody takes now, worst first; ("",): one without simulcast; (): nobody watches.

    Its sender may switch the others off (``setParameters``: ``active``), and should switch on at once what is in it
    again. Sent when it changes, fewer only after 3 s. Who does not heed it loses nothing.
    """

    track: TrackId
    rids: tuple[str, ...]


class Shortage(StrEnum):
    """What a viewer's line costs it: NONE nothing, PICTURES some or their size, ALL_PICTURES all, it has sound only."""

    NONE = "none"
    PICTURES = "pictures"
    ALL_PICTURES = "all_pictures"


@dataclass(frozen=True, slots=True)
class Starved:
    """A viewer's line is too weak, or no longer. Sent when ``shortage`` changes; it begins with NONE."""

    peer: PeerKey
    shortage: Shortage


Output = SendRtcp | SendRtp | SlotFed | ActiveSpeakers | LayersWanted | Starved


@dataclass(frozen=True, slots=True)
class LinkStats:
    """A peer's line. Bits per second and loss over the last report interval; ``rtt_ms`` from its receiver reports.

    ``estimate_bps`` is what the peer says it can receive (REMB), None where it never said.
    """

    up_bps: int
    down_bps: int
    up_loss_percent: float
    down_loss_percent: float
    rtt_ms: float | None
    estimate_bps: int | None


@dataclass(frozen=True, slots=True)
class LayerStats:
    """One incoming stream: ``rid`` "" without simulcast; ``width``/``height`` 0 while unknown; counts since bound."""

    rid: str
    ssrc: int
    codec: str
    bitrate_bps: int
    width: int
    height: int
    packets: int
    lost: int


@dataclass(frozen=True, slots=True)
class TrackStats:
    """One uplink; ``layers`` are those seen, worst first."""

    label: TrackLabel
    kind: Kind
    gate_open: bool
    layers: tuple[LayerStats, ...]
