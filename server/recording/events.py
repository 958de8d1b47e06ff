"""What a recording's ``events.jsonl`` says: one event a line, as docs/recordings.md describes them.

All times are Unix seconds of the server's clock. A line is ``{"n", "at", "prev", "event"}`` (see ``log``).
"""

from typing import Final

import msgspec

FORMAT: Final = 1
"""Grows when a reader of today could not read the log of tomorrow."""


class _Event(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True):
    """Base: tagged; what a newer writer adds is passed over."""


class EndpointEntry(msgspec.Struct, frozen=True):
    """An invited endpoint. ``role``: main, branch or chair."""

    seat_id: str
    name: str
    unit_path: tuple[str, ...]
    role: str


class Opened(_Event, frozen=True, tag="opened"):
    """The first line. ``public_key``: Ed25519, base64 of its 32 octets; its other half signs the closing line."""

    format: int
    recording_id: str
    meeting_id: str
    title: str
    host_agency: str
    chair: str
    started_by: str
    endpoints: tuple[EndpointEntry, ...]
    public_key: str


class Presence(_Event, frozen=True, tag="presence"):
    """An endpoint came, was lost or went. ``presence`` as in ``room.views``."""

    seat_id: str
    presence: str


class EndpointAdded(_Event, frozen=True, tag="endpoint_added"):
    """An endpoint was invited while the recording ran."""

    endpoint: EndpointEntry


class Granted(_Event, frozen=True, tag="granted"):
    """A seat has the floor from here on. ``by_right``: the main endpoint or the chair's desk."""

    seat_id: str
    by_right: bool = False
    subject: str = ""


class FloorEnded(_Event, frozen=True, tag="floor_ended"):
    seat_id: str


class Screen(_Event, frozen=True, tag="screen"):
    """A seat began or ceased to show its screen."""

    seat_id: str
    sharing: bool


class Staged(_Event, frozen=True, tag="staged"):
    """The stage changed: ``pictures`` are seat ids, best first, each with ``:camera`` or ``:screen`` behind it."""

    layout: str
    pictures: tuple[str, ...]


class Chatted(_Event, frozen=True, tag="chatted"):
    name: str
    text: str
    seat_id: str | None = None


class SegmentClosed(_Event, frozen=True, tag="segment"):
    """A finished Matroska file of one track. ``file``: relative to the recording's folder. ``starts_at`` is when its
    timestamp 0 was captured; ``recovered``: found after a crash, readable up to ``ends_at``. ``packets`` and ``lost``
    of RTP."""

    file: str
    sha256: str
    octets: int
    seat_id: str
    track: str
    codec: str
    starts_at: float
    ends_at: float
    packets: int = 0
    lost: int = 0
    recovered: bool = False


class Gap(_Event, frozen=True, tag="gap"):
    """Media that should be there and is not. ``seat_id`` None: of everybody. ``reason``: packets_lost, server_stopped,
    writer_stopped, queue_full, disk_full, disk_error."""

    starts_at: float
    ends_at: float
    reason: str
    seat_id: str | None = None
    track: str = ""


class Paused(_Event, frozen=True, tag="paused"):
    """Nothing is written from here on, for ``reason``: disk_full, disk_error."""

    reason: str


class Resumed(_Event, frozen=True, tag="resumed"):
    """Writing goes on: after a pause, or with ``after`` server_stopped or writer_stopped."""

    after: str


class Repaired(_Event, frozen=True, tag="repaired"):
    """A torn last line of ``cut_octets`` was cut off when the log was opened again."""

    cut_octets: int


class Closed(_Event, frozen=True, tag="closed", omit_defaults=False):
    """The last line. ``signature``: base64 Ed25519 over the octets of this line with ``signature`` empty (``""``).

    ``reason``: stopped, meeting_ended, abandoned (the meeting was gone when the server came back).
    """

    reason: str
    segments: int
    signature: str = ""


Event = (
    Opened
    | Presence
    | EndpointAdded
    | Granted
    | FloorEnded
    | Screen
    | Staged
    | Chatted
    | SegmentClosed
    | Gap
    | Paused
    | Resumed
    | Repaired
    | Closed
)


class Line(msgspec.Struct, frozen=True):
    """``n`` counts from 1. ``prev``: SHA-256 (hex) of the line before without its newline; 64 zeros in the first."""

    n: int
    at: float
    prev: str
    event: Event
