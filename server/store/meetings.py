"""What the hub needs of a stored meeting: its set-up, and its state kept true."""

from enum import StrEnum

from server.config import Config
from server.room.setup import RoomSetup
from server.store.store import Store


class MeetingState(StrEnum):
    SCHEDULED = "scheduled"
    OPEN = "open"
    ENDED = "ended"


class MeetingShelf:
    """The meetings as the hub sees them."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._config = config

    async def load_setup(self, meeting_id: str) -> RoomSetup:
        """Raises NotFound("meeting_unknown"), Conflict("meeting_not_open") or Conflict("meeting_ended")."""
        raise NotImplementedError

    async def open_ids(self) -> tuple[str, ...]:
        """Meetings that are open: the rooms to bring back after a restart."""
        raise NotImplementedError

    async def mark_ended(self, meeting_id: str, now: float) -> None:
        """The room ended: keep it so. Doing it twice changes nothing."""
        raise NotImplementedError
