"""What the hub says to whoever signals for it (a WebSocket), in plain values."""

from dataclasses import dataclass
from typing import Protocol

from server.room.views import ChatView, FloorView, MeetingView, SeatView, StageView
from server.sfu.ports import SlotSpec

Section = SeatView | FloorView | StageView | MeetingView | ChatView


@dataclass(frozen=True, slots=True)
class Feed:
    """What the slot ``mid`` carries now. ``track``: mic, camera, screen, or empty with no seat."""

    mid: str
    seat_id: str | None
    track: str


@dataclass(frozen=True, slots=True)
class Link:
    """A seat's line as the server measures it: bit/s and percent over the last seconds.

    ``media`` is connected, connecting or none. ``freezes``: pictures that stood still since the client's last report.
    """

    seat_id: str
    up_bps: int
    down_bps: int
    up_loss_percent: float
    down_loss_percent: float
    rtt_ms: float | None
    media: str
    freezes: int | None = None


@dataclass(frozen=True, slots=True)
class LineReport:
    """What a client measured of its own line since its last report."""

    rtt_ms: float | None
    loss_percent: float | None
    freezes: int | None


@dataclass(frozen=True, slots=True)
class MediaAnswer:
    """The answer to a session's offer, with the slots it may be fed on."""

    sdp: str
    slots: tuple[SlotSpec, ...]


@dataclass(frozen=True, slots=True)
class MediaSession:
    """A WHIP or WHEP session (RFC 9725): its id for the ``Location`` and the SDP answer."""

    session_id: str
    sdp: str


class Listener(Protocol):
    """One WebSocket. Calls must not block; a slow client is the implementation's own problem."""

    def tell(self, section: Section) -> None: ...

    def feeds(self, feeds: tuple[Feed, ...]) -> None: ...

    def speaking(self, seat_ids: tuple[str, ...]) -> None: ...

    def layers(self, mid: str, rids: tuple[str, ...]) -> None: ...

    def shortage(self, level: str) -> None: ...

    def links(self, links: tuple[Link, ...]) -> None: ...

    def alarm(self, code: str, detail: str, since: float, active: bool) -> None: ...

    def close(self, code: str, detail: str) -> None: ...
