"""The router of one meeting: packets of all its peers in, flows, feedback and events out. Pure, told the time."""

from collections import Counter
from collections.abc import Sequence

from server.sfu.flows import FlowTable
from server.sfu.outputs import (
    ActiveSpeakers,
    Forward,
    LayerStats,
    LinkStats,
    Output,
    SendRtcp,
    SendRtp,
    SlotFed,
    TrackId,
    TrackStats,
)
from server.sfu.ports import PeerKey, SlotSpec, UplinkSpec

__all__ = [
    "ActiveSpeakers",
    "Forward",
    "LayerStats",
    "LinkStats",
    "Output",
    "Router",
    "SendRtcp",
    "SendRtp",
    "SlotFed",
    "TrackId",
    "TrackStats",
]


class Router:
    """See docs/media.md. Methods that name an unknown peer, mid or track raise KeyError: that is the caller's bug."""

    def __init__(self, *, max_bitrate_bps: int = 2_500_000, start_bitrate_bps: int = 1_200_000) -> None:
        self.flows = FlowTable()
        self.drops: Counter[str] = Counter()

    def add_peer(
        self, peer: PeerKey, destination: int, uplinks: Sequence[UplinkSpec], slots: Sequence[SlotSpec], now: float
    ) -> None: ...

    def remove_peer(self, peer: PeerKey, now: float) -> None: ...

    def on_rtp(self, peer: PeerKey, data: bytes, now: float) -> Forward | None: ...

    def on_rtcp(self, peer: PeerKey, data: bytes, now: float) -> None: ...

    def set_gate(self, track: TrackId, open: bool, now: float) -> None: ...  # noqa: A002 the plainest word for it

    def assign(self, peer: PeerKey, mid: str, track: TrackId | None, now: float) -> None: ...

    def show(self, peer: PeerKey, mid: str, height: int, now: float) -> None: ...

    def next_deadline(self) -> float | None: ...

    def tick(self, now: float) -> None: ...

    def take_output(self) -> list[Output]:
        return []

    def link(self, peer: PeerKey, now: float) -> LinkStats:
        return LinkStats(0, 0, 0.0, 0.0, None, None)

    def track_stats(self, track: TrackId, now: float) -> TrackStats:
        raise KeyError(track)
