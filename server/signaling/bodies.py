"""What travels over REST, as msgspec Structs (pure). docs/protocol.md is held to this by a test."""

from typing import Annotated

import msgspec

from server.archive.views import (
    Certificate,
    FilmStatus,
    RecordingDetail,
    Recordings,
    RecordingSpace,
    RetentionClasses,
    VerifyReport,
)
from server.room.commands import FloorMode
from server.room.views import FloorView, RoomView
from server.signaling.messages import IceServer

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    username: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class Me(msgspec.Struct, frozen=True):
    """The signed-in account. ``roles``: administrator, operator, chair, endpoint, archivist, observer."""

    account_id: str
    username: str
    name: str
    roles: tuple[str, ...]
    endpoint_id: str | None


class MeetingSummary(msgspec.Struct, frozen=True):
    """``state``: scheduled, open or ended. ``my_role`` as MeetingRole; None: not invited (administrators)."""

    meeting_id: str
    title: str
    host_agency: str
    starts_at: float
    ends_at: float
    state: str
    my_role: str | None
    endpoints: int
    present: int


class Meetings(msgspec.Struct, frozen=True):
    meetings: tuple[MeetingSummary, ...]


class FloorRequestBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    subject: Annotated[str, msgspec.Meta(max_length=200)] = ""


class GrantBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    duration_s: Annotated[float, msgspec.Meta(ge=5, le=86_400)] | None = None


class CreateMeeting(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Plan a meeting. ``endpoint_ids`` are the branches; ``chair_endpoint_id`` is the chair's own desk; ``record``:
    it is recorded from its first endpoint on."""

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    host_unit_id: Id
    starts_at: float
    ends_at: float
    main_endpoint_id: Id
    chair_account_id: Id
    deputy_account_ids: Annotated[tuple[Id, ...], msgspec.Meta(max_length=20)] = ()
    endpoint_ids: Annotated[tuple[Id, ...], msgspec.Meta(max_length=500)] = ()
    chair_endpoint_id: Id | None = None
    mode: FloorMode = FloorMode.LECTURE
    max_holders: Annotated[int, msgspec.Meta(ge=1, le=32)] = 3
    lobby: bool = False
    record: bool = False


class InviteBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    endpoint_ids: Annotated[tuple[Id, ...], msgspec.Meta(min_length=1, max_length=500)]


class RecordingStarted(msgspec.Struct, frozen=True):
    """The recording that runs now."""

    recording_id: str


class RecorderStatus(msgspec.Struct, frozen=True):
    """How the running recording is written. ``state``: starting, ok, stalled, restarting, paused; ``detail``: why.

    ``backlog_s``: what is not yet known to be on the disk, in seconds. ``dropped_packets`` were never written,
    ``lost_packets`` never came. ``hours_left`` null: not known yet.
    """

    recording_id: str
    since: float
    state: str
    detail: str
    backlog_s: float
    dropped_packets: int
    lost_packets: int
    written_octets: int
    restarts: int
    hours_left: float | None


class KeepingBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a recording is to be kept. ``reason`` is needed to place or lift a legal hold."""

    retention_class: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    legal_hold: bool
    reason: Annotated[str, msgspec.Meta(max_length=1_000)] = ""


class DestroyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]


class LineTestResult(msgspec.Struct, frozen=True):
    """Answer to ``POST /api/line-test``: how many octets arrived, and the server's clock."""

    octets: int
    server_time: float


class MediaLineTest(msgspec.Struct, frozen=True):
    """What a trial of the media port needs before its offer: the ways round a firewall, as in ``welcome``."""

    ice_servers: tuple[IceServer, ...]


class UnitEntry(msgspec.Struct, frozen=True):
    """An organisation unit. ``level`` names its tier, ``path`` the units from the top down to itself."""

    unit_id: str
    parent_id: str | None
    level: str
    name: str
    path: tuple[str, ...]


class UnitList(msgspec.Struct, frozen=True):
    """The whole tree, parents before children."""

    units: tuple[UnitEntry, ...]


class EndpointEntry(msgspec.Struct, frozen=True):
    """An endpoint of the directory. ``kind``: room, desk or hardware."""

    endpoint_id: str
    unit_id: str
    kind: str
    name: str
    unit_path: tuple[str, ...]


class EndpointList(msgspec.Struct, frozen=True):
    endpoints: tuple[EndpointEntry, ...]


class Health(msgspec.Struct, frozen=True):
    """``status``: ok or unavailable, with the ``reasons`` as stable codes."""

    status: str
    reasons: tuple[str, ...]
    meetings: int
    connections: int


class Problem(msgspec.Struct, frozen=True):
    """RFC 9457 problem details; ``code`` is stable."""

    type: str
    title: str
    status: int
    code: str
    detail: str


REQUESTS = (SignIn, FloorRequestBody, GrantBody, CreateMeeting, InviteBody, KeepingBody, DestroyBody)
RESPONSES = (
    Me,
    Meetings,
    MeetingSummary,
    RoomView,
    FloorView,
    LineTestResult,
    MediaLineTest,
    UnitList,
    EndpointList,
    RecordingStarted,
    RecorderStatus,
    Recordings,
    RecordingDetail,
    FilmStatus,
    VerifyReport,
    Certificate,
    RetentionClasses,
    RecordingSpace,
    Health,
    Problem,
)
"""Every body, for the generated TypeScript and OpenAPI."""
