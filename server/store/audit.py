"""Who did what, when, from where."""

import msgspec

from server.store.store import Store


class AuditLine(msgspec.Struct, frozen=True):
    """``account_id`` None: nobody signed in, or the server itself. ``target``: the id of what it was done to."""

    at: float
    action: str
    account_id: str | None = None
    remote: str = ""
    target: str = ""
    detail: str = ""


class AuditLog:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def append(self, line: AuditLine) -> None:
        raise NotImplementedError

    async def latest(self, limit: int = 100) -> list[AuditLine]:
        """Newest first."""
        raise NotImplementedError
