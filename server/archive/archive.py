"""The archive as the rest of the house sees it."""

from dataclasses import dataclass

from server.archive.search import Query
from server.archive.views import (
    Certificate,
    FilmStatus,
    RecordingDetail,
    Recordings,
    RecordingSpace,
    RetentionClass,
    RetentionClasses,
    VerifyReport,
)
from server.errors import NotFound
from server.store.records import Account


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks into the archive, and from where."""

    account: Account
    remote: str


class Archive:
    """Every method raises NotFound("recording_unknown") for what the account may not know of."""

    public_key = ""

    async def opened(self, recording_id: str, meeting_id: str, at: float) -> None:
        """A recording begins, or goes on after a restart."""

    async def closed(self, recording_id: str, reason: str) -> None:
        """Its log is signed and on the disk."""

    async def search(self, account: Account, query: Query) -> Recordings:
        return Recordings((), 0, None)

    async def show(self, visitor: Visitor, recording_id: str) -> RecordingDetail:
        raise NotFound("recording_unknown", "no such recording")

    async def verify(self, visitor: Visitor, recording_id: str) -> VerifyReport:
        raise NotFound("recording_unknown", "no such recording")

    async def render(self, visitor: Visitor, recording_id: str) -> FilmStatus:
        raise NotFound("recording_unknown", "no such recording")

    async def keep(
        self, visitor: Visitor, recording_id: str, retention_class: str, legal_hold: bool, reason: str
    ) -> RecordingDetail:
        raise NotFound("recording_unknown", "no such recording")

    async def destroy(self, visitor: Visitor, recording_id: str, reason: str) -> Certificate:
        raise NotFound("recording_unknown", "no such recording")

    async def certificate(self, visitor: Visitor, recording_id: str) -> Certificate:
        raise NotFound("recording_unknown", "no such recording")

    async def space(self, account: Account) -> RecordingSpace:
        return RecordingSpace(0, 0, 0.0, 0.0, "ok")

    async def classes(self) -> RetentionClasses:
        return RetentionClasses((RetentionClass("permanent", "Vĩnh viễn", None, None),), "permanent")
