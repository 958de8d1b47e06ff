"""The room: commands in, effects out. It reads no clock; every call is told ``now`` (Unix seconds)."""

from collections.abc import Iterable
from typing import Self

from server.room.commands import Command
from server.room.effects import Effect
from server.room.setup import RoomSetup
from server.room.views import RoomView


class Room:
    """One meeting's rules and state.

    ``step`` and ``tick`` return effects in this order: ``Persist`` (exactly one, whenever the state changed),
    ``SetGate`` closings, ``SetGate`` openings, ``Tell``, ``Expel``, ``Note``; nothing changed: an empty list.
    """

    setup: RoomSetup

    def __init__(self, setup: RoomSetup, now: float) -> None:
        """A new, empty room: everybody absent."""
        raise NotImplementedError

    @classmethod
    def replay(cls, setup: RoomSetup, entries: Iterable[tuple[float, Command | None]]) -> Self:
        """The room after its journal: ``(at, command)`` of every Persist in order (command None: a tick).

        Afterwards the hub steps ``Restart``. Entries that the setup of today refuses are skipped and counted in
        ``skipped``.
        """
        raise NotImplementedError

    def step(self, command: Command, now: float) -> list[Effect]:
        """Decide one command. Raises Forbidden, Conflict, NotFound or InvalidInput; the state is untouched then."""
        raise NotImplementedError

    def tick(self, now: float) -> list[Effect]:
        """End what is due at ``now`` (leases, timed grants, the chair's grace)."""
        raise NotImplementedError

    def next_deadline(self) -> float | None:
        """When ``tick`` has something to do next; None: never."""
        raise NotImplementedError

    def view(self) -> RoomView:
        """Everything, for a newcomer."""
        raise NotImplementedError

    @property
    def seq(self) -> int:
        """``seq`` of the last Persist; 0: none yet."""
        raise NotImplementedError

    @property
    def skipped(self) -> int:
        """Journal entries that ``replay`` had to skip."""
        raise NotImplementedError

    @property
    def gates(self) -> frozenset[str]:
        """Seats whose sound may be heard now."""
        raise NotImplementedError

    @property
    def screens(self) -> frozenset[str]:
        """Seats whose shared screen may be seen now."""
        raise NotImplementedError

    @property
    def acting_chair(self) -> str | None:
        """Account that may grant now (the chair's own account always may); None: nobody is there."""
        raise NotImplementedError
