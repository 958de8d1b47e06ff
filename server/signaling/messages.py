"""The wire: every WebSocket message as a msgspec Struct (pure). docs/protocol.md is held to this by a test.

JSON text frames, tagged by ``type``. The client speaks first (``hello``). ``VERSION`` grows only with
an incompatible change; unknown fields in messages from the server are to be ignored by clients.
"""

from typing import Annotated

import msgspec

from server.room.commands import PersonCommand
from server.room.views import ChatView, FloorView, MeetingView, RoomView, SeatView, StageView
from server.sfu.ports import Kind, TrackLabel

VERSION = 1

Sdp = Annotated[str, msgspec.Meta(max_length=100_000)]
Fragment = Annotated[str, msgspec.Meta(max_length=20_000)]
Mid = Annotated[str, msgspec.Meta(min_length=1, max_length=16)]
MAX_NUMBER = (1 << 53) - 1
"""What every JSON reader keeps exactly (RFC 8259 6); JSON as such has numbers without end."""


class _FromClient(msgspec.Struct, frozen=True, tag_field="type", forbid_unknown_fields=True):
    pass


class _FromServer(msgspec.Struct, frozen=True, tag_field="type"):
    pass


# --- client to server -------------------------------------------------------------------------------


class Hello(_FromClient, frozen=True, tag="hello"):
    """First message. ``resume`` is the token of a ``welcome`` seen before: same session, media kept."""

    version: int
    client: Annotated[str, msgspec.Meta(max_length=100)] = ""
    resume: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    take_over: bool = False
    """Take the seat from another tab or device that holds it; without it the answer is ``seat_taken``."""


class OfferedTrack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which send m-section carries what: ``label`` is mic, camera or screen."""

    mid: Mid
    label: TrackLabel


class Offer(_FromClient, frozen=True, tag="offer"):
    """The one SDP offer of this session. A new one replaces the peer connection (after a media failure)."""

    sdp: Sdp
    tracks: Annotated[list[OfferedTrack], msgspec.Meta(max_length=3)] = []


class RestartIce(_FromClient, frozen=True, tag="restart_ice"):
    """New ICE credentials of the session's peer connection as a fragment (RFC 8840 9): the way to us has changed, the
    media has not. Answered by ``ice_restarted``, or ``error`` where there is no connection to go on with."""

    fragment: Fragment


class SlotSize(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How tall a video slot is shown, in device pixels; 0: not shown."""

    mid: Mid
    height: Annotated[int, msgspec.Meta(ge=0, le=8_192)]


class ShowSlots(_FromClient, frozen=True, tag="show_slots"):
    sizes: Annotated[list[SlotSize], msgspec.Meta(max_length=32)]


class WatchSeat(_FromClient, frozen=True, tag="watch_seat"):
    """Moderators, operators: a seat's camera into one of my own slots (preview); None gives it back to the stage."""

    mid: Mid
    seat_id: Annotated[str, msgspec.Meta(max_length=64)] | None


class Ask(_FromClient, frozen=True, tag="command"):
    """A room command; answered by ``done`` or ``error`` with the same ``id``."""

    id: Annotated[int, msgspec.Meta(ge=0, le=MAX_NUMBER)]
    command: PersonCommand


class Ping(_FromClient, frozen=True, tag="ping"):
    """Every 5 s; ``line`` is what the client measured of its own line since the last."""

    sent_at: float
    rtt_ms: Annotated[float, msgspec.Meta(ge=0, le=600_000)] | None = None
    loss_percent: Annotated[float, msgspec.Meta(ge=0, le=100)] | None = None
    freezes: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] | None = None


class Bye(_FromClient, frozen=True, tag="bye"):
    """A good-bye: leave at once, no lease."""


FromClient = Hello | Offer | RestartIce | ShowSlots | WatchSeat | Ask | Ping | Bye


# --- server to client -------------------------------------------------------------------------------


class You(msgspec.Struct, frozen=True):
    """Who the server takes you for in this meeting. ``may`` lists the command types of your role."""

    account_id: str
    name: str
    role: str
    seat_id: str | None
    may: tuple[str, ...]


class IceServer(msgspec.Struct, frozen=True):
    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None


class Welcome(_FromServer, frozen=True, tag="welcome"):
    """``resumed``: the session went on, keep the peer connection. In the lobby the room shows only the own seat."""

    version: int
    session: str
    resume: str
    resumed: bool
    server_time: float
    you: You
    room: RoomView
    ice_servers: tuple[IceServer, ...] = ()
    video_slots: int = 9


class AnsweredSlot(msgspec.Struct, frozen=True):
    """One receive-only m-section of the offer: ``index`` counts slots of its kind from 0."""

    mid: str
    kind: Kind
    index: int
    ssrc: int


class Answer(_FromServer, frozen=True, tag="answer"):
    sdp: str
    slots: tuple[AnsweredSlot, ...]


class IceRestarted(_FromServer, frozen=True, tag="ice_restarted"):
    """The answer to ``restart_ice``: our new credentials and all our candidates."""

    fragment: str


class IceServers(_FromServer, frozen=True, tag="ice_servers"):
    """Relay credentials in place of those given before, which expire: for the next ICE restart or connection."""

    ice_servers: tuple[IceServer, ...]


class SlotFeed(msgspec.Struct, frozen=True):
    """What a slot carries now; ``seat_id`` None: nothing. ``track``: mic, camera, screen or empty."""

    mid: str
    seat_id: str | None
    track: str


class Slots(_FromServer, frozen=True, tag="slots"):
    feeds: tuple[SlotFeed, ...]


class SeatChanged(_FromServer, frozen=True, tag="seat"):
    seat: SeatView


class FloorChanged(_FromServer, frozen=True, tag="floor"):
    floor: FloorView


class StageChanged(_FromServer, frozen=True, tag="stage"):
    stage: StageView


class MeetingChanged(_FromServer, frozen=True, tag="meeting"):
    meeting: MeetingView


class Chat(_FromServer, frozen=True, tag="chat"):
    line: ChatView


class Speaking(_FromServer, frozen=True, tag="speaking"):
    """Who is audibly speaking now, loudest first (audio-level extension, RFC 6464)."""

    seat_ids: tuple[str, ...]


class Layers(_FromServer, frozen=True, tag="layers"):
    """To a publisher: which layers of its picture ``mid`` anybody takes now, worst first; [""]: one without simulcast;
    []: nobody watches. The others may be switched off (RTCRtpSender.setParameters: ``active``)."""

    mid: str
    rids: tuple[str, ...]


class Shortage(_FromServer, frozen=True, tag="shortage"):
    """What the own line costs: ``none``; ``pictures``, some or their size; ``all_pictures``, there is sound only."""

    level: str


class LinkView(msgspec.Struct, frozen=True):
    """A seat's media link as the server measures it; both directions in bit/s, loss in percent of the last 5 s."""

    seat_id: str
    up_bps: int
    down_bps: int
    up_loss_percent: float
    down_loss_percent: float
    rtt_ms: float | None
    media: str
    """``connected``, ``connecting`` or ``none``."""
    freezes: int | None = None
    """Pictures that stood still, as the client last reported; None: it does not report."""


class Links(_FromServer, frozen=True, tag="links"):
    """To moderators and operators every 2 s: links that changed; to an endpoint: its own."""

    links: tuple[LinkView, ...]


class Done(_FromServer, frozen=True, tag="done"):
    id: int


class Refusal(_FromServer, frozen=True, tag="error"):
    """``id`` of the command refused; None: not about a command. ``about``: the type of the message refused, or
    empty. Codes are listed in docs/protocol.md."""

    id: int | None
    code: str
    detail: str
    about: str = ""


class Pong(_FromServer, frozen=True, tag="pong"):
    sent_at: float
    server_time: float


class GoodBye(_FromServer, frozen=True, tag="goodbye"):
    """The server closes: ``removed``, ``ended``, ``moved`` (another tab), ``signed_out``, ``draining``."""

    code: str
    detail: str


class Alarm(_FromServer, frozen=True, tag="alarm"):
    """To moderators and operators: something of the server's own is wrong (``active``) or well again."""

    code: str
    detail: str
    since: float
    active: bool


FromServer = (
    Welcome
    | Answer
    | IceRestarted
    | IceServers
    | Slots
    | SeatChanged
    | FloorChanged
    | StageChanged
    | MeetingChanged
    | Chat
    | Speaking
    | Layers
    | Shortage
    | Links
    | Done
    | Refusal
    | Pong
    | GoodBye
    | Alarm
)
