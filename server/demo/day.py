"""The sample province's day: a meeting that is open now, one that has ended and one still to come."""

from dataclasses import dataclass

from server.demo import province
from server.meetings.book import MeetingBook, NewMeeting, Summary
from server.room.commands import FloorMode
from server.store.meetings import MeetingState
from server.store.records import Account
from server.store.store import Store

_QUARTER_S = 900.0
_HOUR_S = 3_600.0
_YEAR_S = 365 * 24 * _HOUR_S
_MAX_HOLDERS = 12


@dataclass(frozen=True, slots=True)
class Day:
    """Who meets: ``operator`` plans; ``branches`` are endpoint ids in order, ``main`` and ``desk`` apart."""

    operator: Account
    chair_id: str
    deputy_id: str
    host_unit_id: str
    main: str
    desk: str
    branches: tuple[str, ...]


async def ensure_day(store: Store, day: Day, now: float) -> str:
    """The id of the open meeting. One that is still open from an earlier day goes on, with newcomers invited."""
    book = MeetingBook(store)
    opened = await _find_open(book, day.operator, now)
    if opened is not None:
        await book.invite(day.operator, opened.meeting_id, day.branches, now)
        return opened.meeting_id
    start = now - now % _QUARTER_S
    meeting_id = await _create(book, day, province.TITLE, start, start + 2 * _HOUR_S, now)
    await book.open(day.operator, meeting_id, now)
    earlier = await _create(book, day, province.EARLIER_TITLE, start - 2 * _HOUR_S, start - 0.75 * _HOUR_S, now)
    await book.open(day.operator, earlier, start - 2 * _HOUR_S)
    await book.end(day.operator, earlier, start - 0.75 * _HOUR_S)
    await _create(book, day, province.LATER_TITLE, start + 2.5 * _HOUR_S, start + 4 * _HOUR_S, now)
    return meeting_id


async def _find_open(book: MeetingBook, operator: Account, now: float) -> Summary | None:
    known = await book.list_for(operator, now - _YEAR_S, now)
    return next((one for one in known if one.state is MeetingState.OPEN and one.title == province.TITLE), None)


async def _create(book: MeetingBook, day: Day, title: str, starts_at: float, ends_at: float, now: float) -> str:
    meeting = NewMeeting(
        title=title,
        host_unit_id=day.host_unit_id,
        starts_at=starts_at,
        ends_at=ends_at,
        main_endpoint_id=day.main,
        chair_account_id=day.chair_id,
        deputy_account_ids=(day.deputy_id,),
        endpoint_ids=day.branches,
        chair_endpoint_id=day.desk,
        mode=FloorMode.DISCUSSION,
        max_holders=_MAX_HOLDERS,
    )
    return (await book.create(day.operator, meeting, now)).meeting_id
