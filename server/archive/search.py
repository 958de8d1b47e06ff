"""What may be asked of the archive."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Empty fields ask for nothing. Times are Unix seconds, [starts_at, ends_at)."""

    text: str = ""
    meeting_id: str = ""
    agency: str = ""
    endpoint: str = ""
    person: str = ""
    starts_at: float | None = None
    ends_at: float | None = None
    state: str = ""
    sort: str = "newest"
    cursor: str = ""
    limit: int = 50
