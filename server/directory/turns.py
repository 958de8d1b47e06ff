"""One sign-in at a time per source, so that parallel guesses are judged one after the other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.errors import TooMany

_LONGEST_QUEUE = 256


class Turns:
    """A queue per source, bounded: a hall behind one address may wait in it, a flood may not. No source can take
    more than one of the few places where passwords are hashed, so the others are served between."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._waiting: dict[str, int] = {}

    @asynccontextmanager
    async def take(self, source: str) -> AsyncIterator[None]:
        """Raises TooMany("signin_busy") where too many of the same source wait already."""
        waiting = self._waiting.get(source, 0)
        if waiting >= _LONGEST_QUEUE:
            raise TooMany("signin_busy", "too many people sign in from the same address at this moment; try again")
        self._waiting[source] = waiting + 1
        try:
            async with self._locks.setdefault(source, asyncio.Lock()):
                yield
        finally:
            self._waiting[source] -= 1
            if not self._waiting[source]:
                del self._waiting[source], self._locks[source]
