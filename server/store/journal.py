"""The room journal: what was asked of each room, in order, so that it can be replayed after a crash."""

from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

import msgspec
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from server.errors import Conflict, Unavailable
from server.room.commands import Command
from server.store.store import Store
from server.store.tables import RoomEventRow

_decoder = msgspec.json.Decoder(Command)
_encoder = msgspec.json.Encoder()

Row = dict[str, object]


class Entry(NamedTuple):
    """One journal line; ``command`` None: time passed a deadline (a tick)."""

    seq: int
    at: float
    command: Command | None


class Journal:
    """Append-only per meeting, lines numbered from 1. Commands are kept as JSON, readable with any tool for as long
    as files are kept."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def append(self, meeting_id: str, entries: Sequence[tuple[int, float, Command | None]]) -> None:
        """On the disk when it returns; all or none. Appending the same lines again (a commit whose answer was lost)
        changes nothing. Raises Conflict("journal_conflict") where a number holds another line, or the meeting is
        unknown; Unavailable."""
        if not entries:
            return
        rows = [_to_row(meeting_id, *entry) for entry in entries]
        try:
            async with self._store.write() as session:
                await session.execute(insert(RoomEventRow), rows)
        except IntegrityError:
            await self._append_missing(meeting_id, rows)

    async def load(self, meeting_id: str) -> list[Entry]:
        """All entries in order. Raises Unavailable("journal_damaged") naming the first line that is changed,
        unreadable or missing: a meeting is not continued on a guess."""
        lines = select(RoomEventRow).where(RoomEventRow.meeting_id == meeting_id).order_by(RoomEventRow.seq)
        async with self._store.read() as session:
            rows = (await session.scalars(lines)).all()
        for seq, row in enumerate(rows, 1):
            if row.seq != seq:
                raise _damaged(meeting_id, seq, "missing")
        return [_to_entry(row) for row in rows]

    async def _append_missing(self, meeting_id: str, rows: list[Row]) -> None:
        numbers = [row["seq"] for row in rows]
        kept_lines = select(RoomEventRow.seq, RoomEventRow.crc32).where(
            RoomEventRow.meeting_id == meeting_id, RoomEventRow.seq.in_(numbers)
        )
        try:
            async with self._store.write() as session:
                kept = {line.seq: line.crc32 for line in await session.execute(kept_lines)}
                missing = [row for row in rows if kept.get(row["seq"]) != row["crc32"]]
                if missing:
                    await session.execute(insert(RoomEventRow), missing)
        except IntegrityError as error:
            raise Conflict("journal_conflict", f"{meeting_id} from line {numbers[0]}: {error.orig}") from error


def _to_row(meeting_id: str, seq: int, at: float, command: Command | None) -> Row:
    text = None if command is None else _encoder.encode(command).decode()
    return {"meeting_id": meeting_id, "seq": seq, "at": at, "command": text, "crc32": _sum(meeting_id, seq, at, text)}


def _to_entry(row: RoomEventRow) -> Entry:
    if row.crc32 != _sum(row.meeting_id, row.seq, row.at, row.command):
        raise _damaged(row.meeting_id, row.seq, "changed")
    if row.command is None:
        return Entry(row.seq, row.at, None)
    try:
        return Entry(row.seq, row.at, _decoder.decode(row.command))
    except msgspec.DecodeError as error:
        raise _damaged(row.meeting_id, row.seq, str(error)) from error


def _sum(meeting_id: str, seq: int, at: float, text: str | None) -> str:
    return format(crc32(_encoder.encode((meeting_id, seq, at, text))), "08x")


def _damaged(meeting_id: str, seq: int, how: str) -> Unavailable:
    return Unavailable("journal_damaged", f"the journal of {meeting_id} is damaged at line {seq}: {how}")
