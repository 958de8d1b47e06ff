import asyncio
from collections.abc import Sequence

from server.clock import SystemClock
from server.errors import Conflict, Unavailable
from server.hub.journal_writer import JournalWriter
from server.room.commands import Command
from server.room.effects import Persist

Alarms = list[tuple[str, bool]]


class FailingJournal:
    """Fails the first ``failures`` appends as a full disk would, then keeps what it is given."""

    def __init__(self, failures: int = 0, error: Exception | None = None) -> None:
        self.failures = failures
        self.error = error or Unavailable("store_unavailable", "disk full")
        self.kept: list[int] = []
        self.appends = 0
        self.tried = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def append(self, meeting_id: str, entries: Sequence[tuple[int, float, Command | None]]) -> None:
        self.appends += 1
        self.tried.set()
        await self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise self.error
        self.kept += [seq for seq, _, _ in entries]


def make_writer(journal: FailingJournal, patience_s: float = 0.01) -> tuple[JournalWriter, Alarms, asyncio.Event]:
    alarms: Alarms = []
    well_again = asyncio.Event()

    def note(code: str, detail: str, since: float, active: bool) -> None:
        alarms.append((code, active))
        if not active:
            well_again.set()

    return JournalWriter(journal, "m_1", SystemClock(), note, patience_s=patience_s, retry_s=0.0), alarms, well_again


def entries(*seqs: int) -> list[Persist]:
    return [Persist(seq, float(seq), None) for seq in seqs]


async def test_entries_are_written_before_append_returns() -> None:
    journal = FailingJournal()
    writer, alarms, _ = make_writer(journal)

    await writer.append(entries(1, 2))
    await writer.append(entries(3))
    await writer.append([])

    assert journal.kept == [1, 2, 3]
    assert alarms == []


async def test_a_failing_store_raises_an_alarm_and_loses_nothing() -> None:
    journal = FailingJournal(failures=3)
    writer, alarms, well_again = make_writer(journal)

    await writer.append(entries(1))
    await writer.append(entries(2))
    await well_again.wait()

    assert journal.kept == [1, 2]
    assert alarms[0] == ("journal_failing", True)
    assert alarms[-1] == ("journal_failing", False)
    assert writer.lost == 0


async def test_a_hanging_store_does_not_hold_the_meeting() -> None:
    journal = FailingJournal()
    journal.gate.clear()
    writer, alarms, well_again = make_writer(journal)

    await writer.append(entries(1))

    assert alarms == [("journal_failing", True)]
    journal.gate.set()
    await well_again.wait()
    assert journal.kept == [1]


async def test_lines_that_are_there_already_are_told_and_passed_over() -> None:
    journal = FailingJournal(failures=1, error=Conflict("journal_conflict", "seq 1 taken"))
    writer, alarms, _ = make_writer(journal)

    await writer.append(entries(1))
    await writer.append(entries(2))

    assert journal.kept == [2]
    assert alarms == [("journal_conflict", True)]


async def test_what_waits_is_bounded_and_the_loss_is_counted() -> None:
    journal = FailingJournal(failures=1_000_000)
    writer, _, _ = make_writer(journal)

    await writer.append(entries(*range(10_005)))

    assert writer.lost == 5
    await writer.close()


async def test_closing_writes_what_is_left() -> None:
    journal = FailingJournal()
    journal.gate.clear()
    writer, _, _ = make_writer(journal)
    await writer.append(entries(1))
    journal.gate.set()

    await writer.close()

    assert journal.kept == [1]


async def test_what_comes_together_is_written_together_and_goes_on_in_order() -> None:
    journal = FailingJournal()
    journal.gate.clear()
    writer, _, _ = make_writer(journal, patience_s=60.0)
    order: list[int] = []

    async def step(seq: int) -> None:
        await writer.append(entries(seq))
        order.append(seq)

    steps = [asyncio.create_task(step(seq)) for seq in range(1, 51)]
    await journal.tried.wait()
    journal.gate.set()
    await asyncio.gather(*steps)

    assert order == journal.kept == list(range(1, 51))
    assert journal.appends == 1
