"""Finding recordings: words to SQL, the same on SQLite and PostgreSQL.

Every word of ``q`` must be somewhere in the recording's lines. Of the last one, which may be half typed, and of one
with a ``*`` behind it the beginning is enough: Vietnamese words are short, and beginnings of all of them would be found
everywhere. Words in "double quotes" must follow one another in one line. The words of ``agency``, ``endpoint`` and
``person`` must be found in one line of that kind. Words are looked up in an inverted index (ADR 0006), so that nothing
is looked through but what is found.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from server.archive.access import Sight
from server.archive.folding import LONGEST_WORD, Term, fold, split_words
from server.errors import InvalidInput
from server.store.tables import RecordingLineRow, RecordingRow, RecordingWordRow

MOST_WORDS = 16
MOST_HITS = 5

_PHRASE = re.compile(r'"([^"]*)"')
_BEHIND = "\U0010ffff"
"""Greater than every letter: ends the range of the words that begin with a prefix."""
_STORED_STATES = frozenset({"recording", "paused", "damaged", "destroyed"})


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


@dataclass(frozen=True, slots=True)
class Wanted:
    """Each word once, and those of quoted phrases in order."""

    terms: tuple[Term, ...]
    phrases: tuple[tuple[str, ...], ...] = ()


def parse(text: str) -> Wanted:
    """Raises InvalidInput("invalid_query") for too many words."""
    phrases = tuple(phrase for quoted in _PHRASE.findall(text) if len(phrase := _words(quoted)) > 1)
    found = list(split_words(text))
    terms = dict[Term, None]()
    for word in found:
        behind = text[word.ends : word.ends + 1]
        # One letter with a * would be found in everything, at the price of looking through everything.
        is_open = (behind == "*" and len(word.folded) > 1) or (word is found[-1] and behind != '"')
        terms[Term(word.folded, begins=is_open and len(word.folded) < LONGEST_WORD)] = None
    if len(terms) > MOST_WORDS:
        raise InvalidInput("invalid_query", f"At most {MOST_WORDS} words.")
    return Wanted(tuple(terms), phrases)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.folded for word in split_words(text))


_COLUMNS: Mapping[str, tuple[InstrumentedAttribute[Any], bool]] = {
    "newest": (RecordingRow.started_at, False),
    "oldest": (RecordingRow.started_at, True),
    "title": (RecordingRow.title_key, True),
    "longest": (RecordingRow.duration_s, False),
}
"""By name of the sorting: the column, and whether its values rise."""


class Order:
    """A way of sorting and the place in it where a page begins. Raises InvalidInput("invalid_query")."""

    def __init__(self, sort: str, cursor: str) -> None:
        if sort not in _COLUMNS:
            raise InvalidInput("invalid_query", f"sort is one of {', '.join(_COLUMNS)}.")
        self._sort = sort
        self._column, self._rising = _COLUMNS[sort]
        self.total: int | None = None
        """How many there are in all, as counted with the first page."""
        self._after = self._read(cursor) if cursor else None

    def apply(self, rows: Select[int, int]) -> Select[int, int]:
        keys = (self._column, RecordingRow.number)
        if self._after is not None:
            value, number = self._after
            behind = (key > at if self._rising else key < at for key, at in zip(keys, (value, number), strict=True))
            further, next_one = behind
            rows = rows.where(or_(further, and_(self._column == value, next_one)))
        return rows.order_by(*(key.asc() if self._rising else key.desc() for key in keys))

    def cursor_of(self, row: RecordingRow, total: int) -> str:
        """For what follows ``row``."""
        value = getattr(row, self._column.key)
        return msgspec.json.encode([self._sort, value, row.number, total]).hex()

    def _read(self, cursor: str) -> tuple[float | str, int]:
        try:
            kind = tuple[str, float | str, int, int]
            sort, value, number, self.total = msgspec.json.decode(bytes.fromhex(cursor), type=kind)
        except (ValueError, msgspec.MsgspecError) as error:
            raise InvalidInput("invalid_query", "This is no cursor.") from error
        if sort != self._sort or isinstance(value, str) != (sort == "title") or not 0 <= number < 1 << 31:
            raise InvalidInput("invalid_query", "The cursor is of another list.")
        return value, number


def conditions(query: Query, wanted: Wanted, sight: Sight, now: float) -> list[ColumnElement[bool]]:
    """What a recording must be to be in the answer. Raises InvalidInput("invalid_query")."""
    found = [sight.knows()]
    if query.meeting_id:
        found.append(RecordingRow.meeting_id == query.meeting_id)
    if query.starts_at is not None:
        found.append(RecordingRow.started_at >= query.starts_at)
    if query.ends_at is not None:
        found.append(RecordingRow.started_at < query.ends_at)
    if query.state:
        found.append(_in_state(query.state, now))
    found += [_has_word(term, sight) for term in wanted.terms]
    found += [_has_line(f" {' '.join(phrase)} ", sight=sight) for phrase in wanted.phrases]
    for kind, text in (("agency", query.agency), ("endpoint", query.endpoint), ("person", query.person)):
        terms = parse(text).terms
        if terms:
            found += [RecordingRow.number.in_(_numbers(term).where(RecordingWordRow.kind == kind)) for term in terms]
            found.append(_has_line(*map(_piece, terms), kind=kind))
    return found


def select_hits(numbers: Sequence[int], heard: Sequence[int], terms: Sequence[Term]) -> Select[Any]:
    """Of each recording the lines with the most of ``terms``: number, kind, at_s, text; the best first. Chat lines of
    those only that may be ``heard``."""
    alike = [RecordingLineRow.folded.contains(_piece(term), autoescape=True) for term in terms]
    found = sum((case((one, 1), else_=0) for one in alike), start=case((alike[0], 0), else_=0))
    place = func.row_number().over(
        partition_by=RecordingLineRow.number, order_by=(found.desc(), RecordingLineRow.position)
    )
    line = RecordingLineRow
    ranked = (
        select(line.number, line.kind, line.at_s, line.text, place.label("place"))
        .where(line.number.in_(numbers), or_(*alike), or_(line.kind != "chat", line.number.in_(heard)))
        .subquery()
    )
    return select(ranked).where(ranked.c.place <= MOST_HITS).order_by(ranked.c.number, ranked.c.place)


def _has_word(term: Term, sight: Sight) -> ColumnElement[bool]:
    """Chat counts only where the account may hear the recording."""
    if sight.hears_all_it_knows():
        return RecordingRow.number.in_(_numbers(term))
    said = RecordingRow.number.in_(_numbers(term).where(RecordingWordRow.kind == "chat"))
    told = RecordingRow.number.in_(_numbers(term).where(RecordingWordRow.kind != "chat"))
    return or_(told, and_(sight.hears(), said))


def _numbers(term: Term) -> Select[int]:
    word, found = RecordingWordRow.word, select(RecordingWordRow.number)
    if term.begins:
        return found.where(word >= term.folded, word < term.folded + _BEHIND)
    return found.where(word == term.folded)


def _piece(term: Term) -> str:
    """What a folded line has that the term is found in."""
    return f" {term.folded}" if term.begins else f" {term.folded} "


def _has_line(*pieces: str, kind: str = "", sight: Sight | None = None) -> ColumnElement[bool]:
    line = select(RecordingLineRow.position).where(
        RecordingLineRow.number == RecordingRow.number,
        *(RecordingLineRow.folded.contains(piece, autoescape=True) for piece in pieces),
    )
    if kind:
        line = line.where(RecordingLineRow.kind == kind)
    if sight is not None and not sight.hears_all_it_knows():
        line = line.where(or_(RecordingLineRow.kind != "chat", sight.hears()))
    return line.exists()


def _in_state(state: str, now: float) -> ColumnElement[bool]:
    """The states of a summary, which tell of a closed recording how far its film is; and ``expired``."""
    if state == "expired":
        return is_expired(now)
    if state in _STORED_STATES:
        return RecordingRow.state == state
    closed = RecordingRow.state == "closed"
    if state == "closed":
        return and_(closed, RecordingRow.film_state.not_in(("rendering", "ready")))
    if state in ("rendering", "ready"):
        return and_(closed, RecordingRow.film_state == state)
    raise InvalidInput("invalid_query", "There is no such state.")


def is_expired(now: float) -> ColumnElement[bool]:
    """Kept for as long as it must be, and nothing holds it: proposed for destruction."""
    return and_(
        RecordingRow.state.in_(("closed", "damaged")),
        RecordingRow.keep_until <= now,
        RecordingRow.legal_hold.is_(False),
    )


def title_key(title: str) -> str:
    """What titles are sorted by."""
    return fold(title)[:900]
