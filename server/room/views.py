"""What others may see of a room: immutable sections, sent whole when they change. Part of docs/protocol.md.

Times are Unix seconds of the server's clock; clients correct with the ``server_time`` of ``welcome``/``pong``.
"""

from enum import StrEnum

import msgspec

from server.room.commands import FloorMode, LayoutName


class SeatRole(StrEnum):
    """MAIN chairs (điểm cầu chính), BRANCH attends (nhánh), CHAIR is the chairperson's own desk."""

    MAIN = "main"
    BRANCH = "branch"
    CHAIR = "chair"


class Presence(StrEnum):
    ABSENT = "absent"
    LOBBY = "lobby"
    PRESENT = "present"
    SUSPENDED = "suspended"
    REMOVED = "removed"


class SeatView(msgspec.Struct, frozen=True):
    """One endpoint's place. ``unit_path`` names its organisation units from the top (province first).

    ``since`` is when it came to its ``presence``; 0: it was never here.
    """

    seat_id: str
    name: str
    unit_path: tuple[str, ...]
    role: SeatRole
    presence: Presence
    mic_muted: bool
    camera_off: bool
    sharing: bool
    since: float


class HolderView(msgspec.Struct, frozen=True):
    """One holder of the floor. ``by_right``: main endpoint and chair. ``ends_at`` None: until withdrawn.

    ``suspended_until`` is set while the seat's connection is lost: the lease ends then.
    """

    seat_id: str
    by_right: bool
    granted_at: float
    ends_at: float | None
    suspended_until: float | None
    subject: str


class RequestView(msgspec.Struct, frozen=True):
    """A queued request; the list is in order, the first is on deck."""

    seat_id: str
    subject: str
    priority: int
    requested_at: float


class FloorView(msgspec.Struct, frozen=True):
    """``holders``: by right first, then by grant. ``queue``: in order. ``max_holders`` limits the granted ones in
    discussion and open; lecture has one, and only remembers the number."""

    mode: FloorMode
    max_holders: int
    all_muted: bool
    holders: tuple[HolderView, ...]
    queue: tuple[RequestView, ...]


class PictureView(msgspec.Struct, frozen=True):
    """One picture on the stage: ``track`` is camera or screen."""

    seat_id: str
    track: str


class StageView(msgspec.Struct, frozen=True):
    """The stage for everybody, best first; a viewer's own camera is skipped for it by the server."""

    layout: LayoutName
    pinned: tuple[str, ...]
    pictures: tuple[PictureView, ...]


class ModeratorView(msgspec.Struct, frozen=True):
    account_id: str
    name: str
    deputy: bool
    present: bool


class RecordingView(msgspec.Struct, frozen=True):
    """The recording that runs. ``state``: on, or paused for ``reason`` (disk_full, disk_error). ``started_by``: who
    started it, by name; empty where the meeting's own setting did."""

    recording_id: str
    since: float
    state: str
    reason: str
    started_by: str


class MeetingView(msgspec.Struct, frozen=True):
    """``acting_chair`` is the account that may grant now; None: nobody, so nothing is granted (fails closed).

    ``ended``: everybody is out; the seats are not told one by one then. ``recording`` None: nothing is recorded.
    """

    meeting_id: str
    title: str
    host_agency: str
    locked: bool
    lobby: bool
    ended: bool
    acting_chair: str | None
    moderators: tuple[ModeratorView, ...]
    recording: RecordingView | None


class ChatView(msgspec.Struct, frozen=True):
    seq: int
    at: float
    seat_id: str | None
    name: str
    text: str


class RoomView(msgspec.Struct, frozen=True):
    """Everything, for a newcomer."""

    meeting: MeetingView
    seats: tuple[SeatView, ...]
    floor: FloorView
    stage: StageView
    chat: tuple[ChatView, ...]
