"""What may be asked of a room. Every command carries who asks; ``room.step(command, now)`` decides.

Structs are tagged by ``type`` and double as the wire form of the WebSocket's ``command`` message and of the
stored journal, so names and fields here are part of docs/protocol.md.
"""

from enum import StrEnum
from typing import Annotated, Final

import msgspec

SubjectText = Annotated[str, msgspec.Meta(max_length=200)]
ReasonText = Annotated[str, msgspec.Meta(max_length=300)]
ChatText = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
SeatId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class MeetingRole(StrEnum):
    """What somebody is in one meeting. ``ENDPOINT`` has a seat; the others may or may not."""

    CHAIR = "chair"
    DEPUTY = "deputy"
    OPERATOR = "operator"
    ENDPOINT = "endpoint"
    OBSERVER = "observer"
    SYSTEM = "system"


MODERATING: Final = frozenset({MeetingRole.CHAIR, MeetingRole.DEPUTY})
"""Roles that may chair: each such account is one of the meeting's moderators."""


class FloorMode(StrEnum):
    """lecture: a grant withdraws the previous one; discussion: up to k at once; open: present branches may take it."""

    LECTURE = "lecture"
    DISCUSSION = "discussion"
    OPEN = "open"


class LayoutName(StrEnum):
    """How the stage is arranged. AUTO: main endpoint first, then who holds the floor, then the rest."""

    AUTO = "auto"
    SINGLE = "single"
    SIDE_BY_SIDE = "side_by_side"
    GRID_4 = "grid_4"
    GRID_9 = "grid_9"
    GRID_16 = "grid_16"
    MAIN_STRIP = "main_strip"


class Actor(msgspec.Struct, frozen=True):
    """Who asks, as the server knows it (never as the client says)."""

    account_id: str
    name: str
    role: MeetingRole
    seat_id: str | None = None


class _Command(msgspec.Struct, frozen=True, tag_field="type", forbid_unknown_fields=True):
    """Base: tagged, closed to unknown fields."""


# --- asked by people -------------------------------------------------------------------------------


class RequestFloor(_Command, frozen=True, tag="request_floor"):
    """Join the queue (RFC 8855 FloorRequest). In OPEN mode it is granted at once where a place is free."""

    subject: SubjectText = ""


class CancelRequest(_Command, frozen=True, tag="cancel_request"):
    """Leave the queue."""


class ReleaseFloor(_Command, frozen=True, tag="release_floor"):
    """Give the floor back (RFC 8855 FloorRelease)."""


class SetDevices(_Command, frozen=True, tag="set_devices"):
    """The endpoint's own courtesy state, shown to others; no gate depends on it."""

    mic_muted: bool
    camera_off: bool


class SetScreen(_Command, frozen=True, tag="set_screen"):
    """Start or stop showing a screen. Needs the floor (or the floor by right)."""

    sharing: bool


class Say(_Command, frozen=True, tag="say"):
    """A chat line to everybody in the meeting."""

    text: ChatText


class GrantFloor(_Command, frozen=True, tag="grant_floor"):
    """Give the floor, with or without a request. ``duration_s`` None: until withdrawn."""

    seat_id: SeatId
    duration_s: Annotated[float, msgspec.Meta(ge=5, le=86_400)] | None = None


class DenyRequest(_Command, frozen=True, tag="deny_request"):
    seat_id: SeatId
    reason: ReasonText = ""


class RevokeFloor(_Command, frozen=True, tag="revoke_floor"):
    """Withdraw the floor (RFC 8855 Revoked)."""

    seat_id: SeatId
    reason: ReasonText = ""


class ExtendFloor(_Command, frozen=True, tag="extend_floor"):
    """Move a timed grant's end by ``extra_s`` (positive)."""

    seat_id: SeatId
    extra_s: Annotated[float, msgspec.Meta(ge=5, le=7_200)]


class MoveRequest(_Command, frozen=True, tag="move_request"):
    """Put a request at ``position`` (0 is next) among the whole queue."""

    seat_id: SeatId
    position: Annotated[int, msgspec.Meta(ge=0, le=1_000)]


class SetPriority(_Command, frozen=True, tag="set_priority"):
    """RFC 8855 priority: 0 lowest, 2 normal, 4 highest. Equal priority is first come, first served."""

    seat_id: SeatId
    priority: Annotated[int, msgspec.Meta(ge=0, le=4)]


class MuteAll(_Command, frozen=True, tag="mute_all"):
    """Withdraw every granted floor (holders by right are muted too where ``by_right``), until unmuted or granted."""

    by_right: bool = False


class UnmuteByRight(_Command, frozen=True, tag="unmute_by_right"):
    """Give the holders by right their floor back after ``MuteAll(by_right=True)``."""


class SetMode(_Command, frozen=True, tag="set_mode"):
    mode: FloorMode
    max_holders: Annotated[int, msgspec.Meta(ge=1, le=32)] = 3


class SetLock(_Command, frozen=True, tag="set_lock"):
    """A locked meeting takes no newcomers; seats that are in (or suspended) may come back."""

    locked: bool


class SetLobby(_Command, frozen=True, tag="set_lobby"):
    """With the lobby on, newcomers wait until admitted."""

    lobby: bool


class Admit(_Command, frozen=True, tag="admit"):
    """Let a waiting seat in; ``seat_id`` None: everybody waiting."""

    seat_id: SeatId | None = None


class RemoveSeat(_Command, frozen=True, tag="remove_seat"):
    """Send an endpoint out. It may not come back until ``Admit`` names it."""

    seat_id: SeatId
    reason: ReasonText = ""


class SetStage(_Command, frozen=True, tag="set_stage"):
    """Choose the layout and the pinned pictures (first slots, in order)."""

    layout: LayoutName
    pinned: Annotated[list[SeatId], msgspec.Meta(max_length=16)] = []


class StartRecording(_Command, frozen=True, tag="start_recording"):
    """Record from here on what holds the floor. Everybody in the meeting sees that it runs."""


class StopRecording(_Command, frozen=True, tag="stop_recording"):
    """End the recording; another start begins a new one."""


class EndMeeting(_Command, frozen=True, tag="end_meeting"):
    """Close the meeting for everybody."""


PersonCommand = (
    RequestFloor
    | CancelRequest
    | ReleaseFloor
    | SetDevices
    | SetScreen
    | Say
    | GrantFloor
    | DenyRequest
    | RevokeFloor
    | ExtendFloor
    | MoveRequest
    | SetPriority
    | MuteAll
    | UnmuteByRight
    | SetMode
    | SetLock
    | SetLobby
    | Admit
    | RemoveSeat
    | SetStage
    | StartRecording
    | StopRecording
    | EndMeeting
)
"""What a client may send. The rest is said by the server alone."""


# --- said by the server (role SYSTEM) ---------------------------------------------------------------


class Join(_Command, frozen=True, tag="join"):
    """Somebody arrived: an endpoint takes its seat, a moderator or watcher its place.

    The joining ``Actor`` is the command's actor. Joining again while in is a no-op (other tab, media only).
    """


class Drop(_Command, frozen=True, tag="drop"):
    """The last connection of the actor was lost without a good-bye: the seat is suspended for the lease."""


class Leave(_Command, frozen=True, tag="leave"):
    """The actor left on purpose: the seat is free, its floor and request end."""


class Restart(_Command, frozen=True, tag="restart"):
    """The server came back: everyone who was in is suspended from ``now``, the floor stays as it was."""


class AddSeat(_Command, frozen=True, tag="add_seat"):
    """An endpoint was invited after the room had been opened."""

    seat_id: SeatId
    name: str
    unit_path: tuple[str, ...]
    role: str


class SuspendRecording(_Command, frozen=True, tag="suspend_recording"):
    """The recorder cannot write (``reason``: disk_full, disk_error), or with "" can again."""

    reason: str


SystemCommand = Join | Drop | Leave | Restart | AddSeat | SuspendRecording

Body = PersonCommand | SystemCommand


class Command(msgspec.Struct, frozen=True):
    """A command with its actor: what ``Room.step`` takes and the journal keeps."""

    actor: Actor
    body: Body
