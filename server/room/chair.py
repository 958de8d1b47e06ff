"""Who chairs now.

- The chair, while it is connected.
- An acting chair that lost its connection keeps the chair for ``grace_s`` seconds; one that left does not.
- Else the first connected deputy, in the order of the invitation. Else nobody: then nothing is granted.
- A change of chair changes nothing else: no floor is given or taken by it.

The chair's own account may command at any time (REST control without a tab open): that is a permission, not
presence, and so it is told in ``permissions``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import msgspec

from server.room.commands import Actor, MeetingRole
from server.room.setup import ModeratorSetup
from server.room.views import ModeratorView


class Moderator(msgspec.Struct, frozen=True):
    """``dropped_at``: when its connection was lost; None while connected, after a good-bye, or never seen.
    ``seat_id``: the endpoint from which it last came, if any."""

    account_id: str
    name: str
    deputy: bool
    present: bool = False
    dropped_at: float | None = None
    seat_id: str | None = None


@dataclass(slots=True)
class Chair:
    """The moderators (chair first, then deputies in order) and which of them is the acting chair."""

    moderators: dict[str, Moderator]
    grace_s: float
    acting: str | None = None

    @classmethod
    def of(cls, setup: Iterable[ModeratorSetup], grace_s: float) -> Self:
        in_order = sorted(setup, key=lambda moderator: moderator.deputy)
        return cls({m.account_id: Moderator(m.account_id, m.name, m.deputy) for m in in_order}, grace_s)

    def copy(self) -> "Chair":
        return Chair(self.moderators.copy(), self.grace_s, self.acting)

    def knows(self, actor: Actor) -> bool:
        """Whether an actor that says chair or deputy is one of this meeting's."""
        moderator = self.moderators.get(actor.account_id)
        return moderator is not None and moderator.deputy == (actor.role is MeetingRole.DEPUTY)

    @property
    def is_attended(self) -> bool:
        """Whether the acting chair is connected (not in its grace)."""
        return self.acting is not None and self.moderators[self.acting].present

    def arrive(self, account_id: str, seat_id: str | None) -> None:
        self._set(account_id, seat_id=seat_id, present=True, dropped_at=None)

    def drop(self, account_id: str, now: float) -> None:
        if self.moderators[account_id].present:
            self._set(account_id, present=False, dropped_at=now)

    def leave(self, account_id: str) -> None:
        self._set(account_id, present=False, dropped_at=None)

    def leave_seat(self, seat_id: str) -> None:
        """The seat was sent out, with everybody at it."""
        for moderator in tuple(self.moderators.values()):
            if moderator.seat_id == seat_id:
                self.leave(moderator.account_id)

    def leave_all(self) -> None:
        for account_id in tuple(self.moderators):
            self.leave(account_id)

    def restart(self, now: float) -> None:
        """The server was away: whoever was connected, or in its grace, has the whole grace again."""
        for moderator in tuple(self.moderators.values()):
            if moderator.present or moderator.account_id == self.acting:
                self._set(moderator.account_id, present=False, dropped_at=now)

    def settle(self, now: float) -> None:
        """Decide who is acting chair at ``now``."""
        self.acting = self._choose(now)

    def deadline(self) -> float | None:
        """When the acting chair's grace ends."""
        if self.acting is None:
            return None
        dropped_at = self.moderators[self.acting].dropped_at
        return None if dropped_at is None else dropped_at + self.grace_s

    def views(self) -> tuple[ModeratorView, ...]:
        return tuple(ModeratorView(m.account_id, m.name, m.deputy, m.present) for m in self.moderators.values())

    def _choose(self, now: float) -> str | None:
        present = [moderator for moderator in self.moderators.values() if moderator.present]
        if present and not present[0].deputy:
            return present[0].account_id
        grace_ends = self.deadline()
        if grace_ends is not None and now < grace_ends:
            return self.acting
        return present[0].account_id if present else None

    def _set(self, account_id: str, **changes: object) -> None:
        self.moderators[account_id] = msgspec.structs.replace(self.moderators[account_id], **changes)
