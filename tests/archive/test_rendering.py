"""The render queue with real worker processes: progress, failures, back-off, kills, restarts."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import select

from server.archive.archive import _render_by_cli
from server.archive.catalogue import Catalogue
from server.archive.rendering import RenderLimits, RenderQueue
from server.archive.views import FilmStatus
from server.recording.keys import SIGNING_KEY_FILE
from server.store.tables import RecordingRow
from tests.archive.conftest import Place
from tests.archive.recorded import STARTS_AT, write_recording

WORKER = Path(__file__).with_name("worker.py")
RID = "rec_abcdefgh23456789"
QUICK = RenderLimits(stall_s=20.0, retry_s=100.0, tries=3)
KEPT = FilmStatus("", 0.0, "")


class Queue:
    """A queue over the place's store, and what it left behind."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.catalogue = Catalogue(
            place.house.store,
            place.recordings_dir,
            place.data_dir / SIGNING_KEY_FILE,
            place.clock,
            "years_10",
            films=True,
        )
        self.queue = self.build(QUICK)

    def build(self, limits: RenderLimits) -> RenderQueue:
        return RenderQueue(self.place.house.store, self.catalogue, self.place.clock, command, limits)

    async def record(self, orders: str, recording_id: str = RID) -> Path:
        """A closed recording, with what the worker shall do run by run."""
        folder = write_recording(self.place.recordings_dir, self.place.key, recording_id=recording_id)
        (folder / "orders.txt").write_text(orders)
        await self.catalogue.refresh(recording_id)
        return folder

    async def row(self, recording_id: str = RID) -> RecordingRow:
        async with self.place.house.store.read() as session:
            row = await session.scalar(select(RecordingRow).where(RecordingRow.recording_id == recording_id))
            assert row is not None
            return row

    async def until(self, is_so: Callable[[RecordingRow], bool], recording_id: str = RID) -> RecordingRow:
        """Looks again until the row is so; the test's own time limit ends what never is."""
        while True:
            row = await self.row(recording_id)
            if is_so(row):
                return row
            await asyncio.sleep(0.02)  # the other process has no event to give us


def command(folder: Path, again: bool) -> Sequence[str]:
    return (sys.executable, str(WORKER), str(folder), *(["--again"] if again else []))


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - the other process has no event to give us
        await asyncio.sleep(0.01)


@pytest.fixture
async def q(place: Place) -> AsyncIterator[Queue]:
    built = Queue(place)
    yield built
    await built.queue.stop()


async def test_a_closed_recording_gets_its_film(q: Queue) -> None:
    await q.record("film")
    assert (await q.row()).film_state == "waiting"
    await q.queue.start()
    row = await q.until(lambda row: row.film_state == "ready")
    assert (row.film_progress, row.film_detail, row.state, row.damage) == (1.0, "", "closed", "")
    await until(lambda: q.queue.live(RID, KEPT) is KEPT)


async def test_what_is_queued_later_is_begun_at_once(q: Queue) -> None:
    await q.queue.start()
    await q.record("film")
    q.queue.wake()
    await q.until(lambda row: row.film_state == "ready")


async def test_progress_is_told_and_the_worker_steps_back_for_the_meeting(q: Queue) -> None:
    folder = await q.record("wait")
    await q.queue.start()
    await until(lambda: q.queue.live(RID, KEPT).progress == 0.25)
    assert q.queue.live(RID, KEPT) == FilmStatus("rendering", 0.25, "")
    assert (await q.row()).film_state == "rendering"
    (folder / "go").touch()
    await q.until(lambda row: row.film_state == "ready")


async def test_one_at_a_time_the_longest_waiting_first(q: Queue) -> None:
    first = await q.record("wait", "rec_first")
    await q.record("film", "rec_second")
    await q.queue.start()
    await until((first / "waiting").exists)
    assert (await q.row("rec_second")).film_state == "waiting"
    (first / "go").touch()
    await q.until(lambda row: row.film_state == "ready", "rec_second")
    assert (await q.row("rec_first")).film_state == "ready"


@pytest.mark.parametrize(
    ("order", "detail"),
    [("fail", "the disk is full"), ("die", "the worker ended with -9"), ("nothing", "the worker ended without a film")],
)
async def test_a_failure_is_told_and_tried_again_with_back_off(q: Queue, order: str, detail: str) -> None:
    await q.record(f"{order} {order} film")
    now = q.place.clock.at
    await q.queue.start()
    row = await q.until(lambda row: row.film_tries == 1)
    assert (row.film_state, row.film_detail, row.film_due_at) == ("failed", detail, now + 100.0)
    q.queue.wake()
    q.place.clock.at = now + 100.0
    q.queue.wake()
    row = await q.until(lambda row: row.film_tries == 2)
    assert row.film_due_at == now + 100.0 + 400.0
    q.place.clock.at = row.film_due_at
    q.queue.wake()
    assert (await q.until(lambda row: row.film_state == "ready")).film_detail == ""


async def test_after_the_last_try_only_somebodys_wish_begins_it_again(q: Queue) -> None:
    folder = await q.record("fail fail fail film")
    await q.queue.start()
    for tries in (1, 2, 3):
        q.queue.wake()
        row = await q.until(lambda row, tries=tries: row.film_tries == tries)  # type: ignore[misc]  # a default binds it
        q.place.clock.at = row.film_due_at
    q.queue.wake()
    await asyncio.sleep(0.1)
    assert (await q.row()).film_state == "failed"
    await q.place.archive.workshop.render(q.place.visitor, RID)
    q.queue.wake()
    await q.until(lambda row: row.film_state == "ready")
    assert (folder / "calls.txt").read_text() == "\n\n\n\n"


async def test_a_film_that_is_there_is_made_anew_when_asked(q: Queue) -> None:
    folder = await q.record("film")
    await q.queue.start()
    await q.until(lambda row: row.film_state == "ready")
    status = await q.place.archive.workshop.render(q.place.visitor, RID)
    assert status.state == "waiting"
    await q.catalogue.refresh(RID)
    assert (await q.row()).film_state == "waiting", "the old film does not answer the wish"
    q.queue.wake()
    await q.until(lambda row: row.film_state == "ready")
    assert (folder / "calls.txt").read_text() == "\n--again\n"
    assert not (await q.row()).film_again


async def test_a_frozen_worker_is_killed(q: Queue) -> None:
    await q.record("freeze film")
    q.queue = q.build(RenderLimits(stall_s=0.5, retry_s=0.0))
    await q.queue.start()
    row = await q.until(lambda row: row.film_tries == 1 or row.film_state == "ready")
    assert row.film_detail in ("the worker said nothing for 0 s", "")
    q.queue.wake()
    await q.until(lambda row: row.film_state == "ready")


async def test_what_a_stopped_server_was_rendering_goes_on_after_its_start(q: Queue) -> None:
    folder = await q.record("wait film")
    await q.queue.start()
    await until((folder / "waiting").exists)
    await q.queue.stop()
    assert (await q.row()).film_state == "waiting"
    assert (await q.row()).film_tries == 0
    q.queue = q.build(QUICK)
    await q.queue.start()
    await q.until(lambda row: row.film_state == "ready")


async def test_what_a_killed_server_was_rendering_goes_on_after_its_start(q: Queue) -> None:
    await q.record("film")
    async with q.place.house.store.write() as session:
        row = await session.scalar(select(RecordingRow))
        assert row is not None
        row.film_state = "rendering"
    await q.queue.start()
    await q.until(lambda row: row.film_state == "ready")


async def test_a_worker_that_cannot_be_started(q: Queue) -> None:
    await q.record("film")
    q.queue = RenderQueue(q.place.house.store, q.catalogue, q.place.clock, lambda *_: ("/nowhere/at/all",), QUICK)
    await q.queue.start()
    row = await q.until(lambda row: row.film_state == "failed")
    assert row.film_detail == "no worker could be started: No such file or directory"


async def test_it_waits_while_something_is_recorded_where_that_is_configured(q: Queue) -> None:
    await q.record("film")
    q.queue = q.build(RenderLimits(while_recording=False))
    await q.catalogue.opened("rec_running", "mtg_1", STARTS_AT)
    await q.queue.start()
    await asyncio.sleep(0.1)
    assert (await q.row()).film_state == "waiting"
    q.catalogue.running.clear()
    q.queue.wake()
    await q.until(lambda row: row.film_state == "ready")


async def test_a_destruction_ends_the_worker(q: Queue) -> None:
    folder = await q.record("wait")
    await q.queue.start()
    await until((folder / "waiting").exists)
    await q.queue.cancel(RID)
    assert (await q.row()).film_state == "waiting"
    await q.queue.cancel(RID)  # which is none any more


async def test_a_store_that_fails_stops_no_queue(q: Queue, caplog: pytest.LogCaptureFixture) -> None:
    q.queue = q.build(RenderLimits(look_again_s=0.05))
    await q.queue.start()
    await q.place.house.store.close()
    q.queue.wake()
    await until(lambda: "rendering waits: the database is not open" in caplog.text)
    await q.place.house.store.open()
    await q.record("film")
    await q.until(lambda row: row.film_state == "ready")


def test_the_worker_of_the_house_is_the_command_line(place: Place) -> None:
    made = _render_by_cli(place.data_dir)(place.recordings_dir / RID, True)
    assert made[1:5] == ("-m", "server", "recordings", "render")
    assert made[-4:] == ("--data", str(place.data_dir), "--progress", "--again")
