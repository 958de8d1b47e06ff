"""What a room is opened with: the meeting's people and rules, read from the store once."""

import msgspec

from server.room.commands import FloorMode
from server.room.views import SeatRole


class SeatSetup(msgspec.Struct, frozen=True):
    """An invited endpoint. ``unit_path`` names its units from the top of the tree."""

    seat_id: str
    name: str
    unit_path: tuple[str, ...]
    role: SeatRole


class ModeratorSetup(msgspec.Struct, frozen=True):
    """An account that may chair. Deputies are in the order in which they take over."""

    account_id: str
    name: str
    deputy: bool


class RoomSetup(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds. ``lease_s``: how long a dropped seat keeps its floor; ``chair_grace_s``: how long a
    dropped chair keeps the chair before a present deputy takes over. ``record``: recording starts with the first
    endpoint that comes in."""

    meeting_id: str
    title: str
    host_agency: str
    seats: tuple[SeatSetup, ...]
    moderators: tuple[ModeratorSetup, ...]
    mode: FloorMode = FloorMode.LECTURE
    max_holders: int = 3
    lobby: bool = False
    record: bool = False
    lease_s: float = 30.0
    chair_grace_s: float = 10.0
    max_queue: int = 200
    max_grant_s: float = 7_200.0
