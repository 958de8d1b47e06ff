"""What a step of the room asks of the world. Only ``hub.py`` carries these out."""

from dataclasses import dataclass

from server.room.commands import Command
from server.room.views import ChatView, FloorView, MeetingView, SeatView, StageView


@dataclass(frozen=True, slots=True)
class Persist:
    """Append to the room's journal before anybody is told. Replaying the journal gives the same state.

    Besides commands the journal holds ``tick`` steps that ended something (a deadline), with their ``now``.
    """

    seq: int
    at: float
    command: Command | None


@dataclass(frozen=True, slots=True)
class SetGate:
    """Open or close the audio road of a seat. Closing comes before any opening in one step."""

    seat_id: str
    open: bool


@dataclass(frozen=True, slots=True)
class Tell:
    """A section changed: send it to everybody in the room."""

    section: SeatView | FloorView | StageView | MeetingView | ChatView


@dataclass(frozen=True, slots=True)
class Expel:
    """Close every connection of a seat or account; both None: of everybody. ``code``: ``removed`` or ``ended``."""

    seat_id: str | None
    account_id: str | None
    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth a log line (audit). ``account_id``: who did it; None: time, or the rules.

    Floor: floor_granted, floor_extended, floor_released, floor_withdrawn, floor_expired, floor_lapsed (the endpoint
    is gone), floor_restored (by right), request_denied, all_muted, mode_set. Chair (the account that chairs now):
    chair_taken, chair_taken_over, chair_vacant. House: locked, unlocked, lobby_on, lobby_off, seat_admitted,
    seat_removed, restarted, meeting_ended. Recording: recording_started, recording_stopped, recording_paused,
    recording_resumed.
    """

    event: str
    seat_id: str | None
    account_id: str | None
    detail: str = ""


Effect = Persist | SetGate | Tell | Expel | Note
