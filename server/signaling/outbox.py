"""What still has to go to one client (pure): bounded, and never stale.

A section (a seat, the floor, the stage, ...) that is still waiting when its newer state comes is replaced by it,
at the newer one's place in the order: a slow client skips states, it never gets an old one after a new one, and
what waits for it cannot grow with time. What may not be skipped (answers, chat lines) is kept in order and counts
against the limits; over them ``put`` says so and the connection is closed.
"""

from collections.abc import Hashable

MAX_MESSAGES = 2_000
MAX_OCTETS = 4_000_000


class Outbox:
    """Encoded messages in order. ``merged``: how many were replaced before they were sent."""

    def __init__(self, max_messages: int = MAX_MESSAGES, max_octets: int = MAX_OCTETS) -> None:
        self._max_messages = max_messages
        self._max_octets = max_octets
        self._waiting: dict[Hashable, bytes] = {}
        self._octets = 0
        self._serial = 0
        self.merged = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, data: bytes, section: Hashable | None = None) -> bool:
        """Add a message; ``section`` names the state it carries, None: not to be skipped. False: over the limit."""
        if section is None:
            self._serial += 1
            section = self._serial
        else:
            replaced = self._waiting.pop(section, None)
            if replaced is not None:
                self._octets -= len(replaced)
                self.merged += 1
        self._waiting[section] = data
        self._octets += len(data)
        return len(self._waiting) <= self._max_messages and self._octets <= self._max_octets

    def put_first(self, data: bytes) -> None:
        """Add a message before everything that waits."""
        self._serial += 1
        self._waiting = {self._serial: data, **self._waiting}
        self._octets += len(data)

    def __contains__(self, section: Hashable) -> bool:
        """Whether a state of ``section`` still waits."""
        return section in self._waiting

    def take(self) -> bytes | None:
        """The oldest message, None when nothing waits."""
        if not self._waiting:
            return None
        data = self._waiting.pop(next(iter(self._waiting)))
        self._octets -= len(data)
        return data

    def clear(self) -> None:
        """Forget everything that waits."""
        self._waiting.clear()
        self._octets = 0
