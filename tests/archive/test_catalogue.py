"""A row from the first second, folders without rows, rows without folders."""

import fcntl
import os
import shutil

import pytest

from server.archive.abandoned import close_abandoned
from server.archive.reading import RecordingUnreadable
from server.archive.views import RecordingDetail
from server.recording.events import Closed, Granted, Paused, Resumed
from server.recording.files import RealFiles
from server.recording.keys import SIGNING_KEY_FILE, SigningKey
from server.recording.log import LOG_FILE, EventLog, read_log
from server.recording.verify import verify_recording
from tests.archive.conftest import Place
from tests.archive.recorded import MAIN, STARTS_AT, USUAL, write_recording

RID = "rec_abcdefgh23456789"


async def show(place: Place) -> RecordingDetail:
    return await place.archive.finder.show(place.visitor, RID)


async def test_a_recording_is_in_the_list_from_its_first_second(place: Place) -> None:
    meeting_id, _ = await place.meeting("Họp đột xuất")
    await place.archive.opened(RID, meeting_id, STARTS_AT)

    (found,) = (await place.find()).recordings

    assert (found.recording_id, found.meeting_id, found.state) == (RID, meeting_id, "recording")
    assert (found.title, found.host_agency) == ("Họp đột xuất", "Văn phòng UBND tỉnh")
    assert (found.started_at, found.ended_at, found.duration_s) == (STARTS_AT, None, 3_600.0)
    assert (found.film.state, found.retention.keep_until) == ("none", None)


async def test_what_was_recorded_is_shown_when_it_is_closed(place: Place) -> None:
    meeting_id, _ = await place.meeting()
    await place.archive.opened(RID, meeting_id, STARTS_AT)
    folder = write_recording(place.recordings_dir, place.key, meeting_id=meeting_id)
    await place.archive.closed(RID, "stopped")

    detail = await show(place)

    assert (detail.state, detail.damage, detail.title) == ("closed", "", "Họp giao ban tháng 9")
    assert (detail.ended_at, detail.duration_s) == (STARTS_AT + 60.0, 60.0)
    assert (detail.chair, detail.endpoints) == ("Nguyễn Văn Hạnh", 3)
    assert [one.role for one in detail.endpoints_list] == ["main", "branch", "branch"]
    assert [(one.starts_s, one.ends_s, one.name, one.subject, one.by_right) for one in detail.chapters] == [
        (0.0, 10.0, MAIN.name, "", True),
        (10.0, 40.0, "Điểm cầu xã Thanh Yên", "Tiến độ giải ngân vốn đầu tư công", False),
        (40.0, 60.0, MAIN.name, "", True),
    ]
    assert [(one.seat_id, one.starts_s, one.ends_s) for one in detail.speaking] == [
        ("ep_main", 0.0, 60.0),
        ("ep_north", 10.0, 40.0),
    ]
    assert [(one.starts_s, one.ends_s, one.reason, one.name) for one in detail.gaps] == [
        (48.0, 50.0, "server_stopped", "")
    ]
    assert [(one.at_s, one.name, one.text) for one in detail.chat] == [(12.5, "Văn thư", "Đã gửi báo cáo quý III")]
    assert [one.file for one in detail.tracks] == ["tracks/ep_main-mic-0000.mkv", "tracks/ep_north-mic-0001.mkv"]
    assert detail.tracks[1].name == "Điểm cầu xã Thanh Yên"
    assert detail.octets == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert detail.may == ("play", "download", "render", "verify", "keep", "hold", "destroy", "captions")
    assert not detail.captions


async def test_a_running_recording_shows_what_has_been_said_so_far(place: Place) -> None:
    await place.archive.opened(RID, "mtg_elsewhere", STARTS_AT)
    folder = write_recording(place.recordings_dir, place.key, closed=False, happened=USUAL[:1])
    assert [one.name for one in (await show(place)).chapters] == [MAIN.name]

    log = EventLog.resume(folder, RealFiles(), STARTS_AT + 100.0)
    log.append(Granted("ep_south", subject="Phòng chống thiên tai"), STARTS_AT + 100.0)
    log.append(Paused("disk_full"), STARTS_AT + 101.0)
    detail = await show(place)
    assert [one.subject for one in detail.chapters] == ["", "Phòng chống thiên tai"]
    assert detail.state == "paused"

    log.append(Resumed("disk_full"), STARTS_AT + 102.0)
    log.release()
    await place.archive.look_again()
    assert (await place.found(text="thien tai"), (await show(place)).state) == ([RID], "recording")


async def test_folders_without_a_row_are_taken_in_and_changes_are_seen(place: Place) -> None:
    write_recording(place.recordings_dir, place.key)
    (place.recordings_dir / "rec_empty").mkdir()
    (place.recordings_dir / ".import-1234").mkdir()
    (place.recordings_dir / "notes.txt").write_text("no recording")
    await place.archive.start()
    await place.archive.stop()
    await place.archive._catalogue.reconcile()
    assert await place.found() == [RID]
    assert await place.found(text="giai ngan") == [RID]


async def test_a_folder_that_came_meanwhile_is_taken_in_without_a_restart(place: Place) -> None:
    await place.archive.look_again()
    write_recording(place.recordings_dir, place.key, film=True)
    await place.archive.look_again()
    (found,) = (await place.find()).recordings
    assert (found.state, found.film.state, found.film.progress) == ("ready", "ready", 1.0)


async def test_a_row_whose_folder_is_gone_is_damaged_and_says_so(place: Place) -> None:
    folder = write_recording(place.recordings_dir, place.key)
    await place.archive._catalogue.reconcile()
    shutil.rmtree(folder)
    await place.archive._catalogue.reconcile()

    detail = await show(place)
    assert detail.state == "damaged"
    assert "No such file" in detail.damage
    assert len(detail.chapters) == 3, "what is known of it is still shown"


@pytest.mark.parametrize("how", ["cut", "missing", "shorter", "never_closed"])
async def test_damage_is_told(place: Place, how: str) -> None:
    key = SigningKey.generate() if how == "never_closed" else place.key  # another house's recording
    folder = write_recording(place.recordings_dir, key, closed=how != "never_closed")
    segment = folder / "tracks" / "ep_north-mic-0001.mkv"
    if how == "cut":
        lines = (folder / LOG_FILE).read_bytes().splitlines(keepends=True)
        (folder / LOG_FILE).write_bytes(b"".join(lines[:3] + lines[4:]))
    elif how == "missing":
        segment.unlink()
    elif how == "shorter":
        segment.write_bytes(b"short")
    await place.archive._catalogue.reconcile()
    detail = await show(place)
    assert detail.state == "damaged"
    assert {
        "cut": "line 4",
        "missing": "ep_north-mic-0001.mkv is missing",
        "shorter": "has 5 octets instead of",
        "never_closed": "no closing line",
    }[how] in detail.damage
    assert await place.found(state="damaged") == [RID]


async def test_what_the_recorder_takes_up_again_is_left_to_it(place: Place) -> None:
    """After a restart: the row says recording, the log is open, and the recorder will say ``opened``."""
    await place.archive.opened(RID, "mtg_elsewhere", STARTS_AT)
    folder = write_recording(place.recordings_dir, place.key, closed=False)
    await place.archive.look_again()
    before = (folder / LOG_FILE).read_bytes()
    again = place.build()
    await again._catalogue.reconcile({"mtg_elsewhere"})
    assert (await show(place)).state == "recording"
    assert (folder / LOG_FILE).read_bytes() == before


@pytest.mark.parametrize("known", [True, False])
async def test_what_nobody_takes_up_again_is_closed_as_abandoned_when_it_was_last_written(
    place: Place, known: bool
) -> None:
    """Killed between the room's word to stop and the closing line: a restart a day later ends it then, not today."""
    if known:
        await place.archive.opened(RID, "mtg_elsewhere", STARTS_AT)
    folder = write_recording(place.recordings_dir, place.key, closed=False)
    (folder / "tracks" / "ep_main-mic-0002.mkv").write_bytes(b"of which nothing can be read")
    for path in folder.rglob("*"):
        os.utime(path, (STARTS_AT + 58.0, STARTS_AT + 58.0))
    place.clock.at = STARTS_AT + 86_400.0
    again = place.build()
    await again._catalogue.reconcile({"mtg_other"})

    detail = await show(place)
    assert (detail.state, detail.damage, detail.duration_s) == ("closed", "", 58.0)
    last = read_log(folder)[-1].event
    assert isinstance(last, Closed)
    assert last.reason == "abandoned"
    report = verify_recording(folder, place.key.public_base64)
    assert [finding.code for finding in report.findings if finding.code != "segment_unlogged"] == []


async def test_what_a_writer_still_holds_is_left_to_it(place: Place) -> None:
    folder = write_recording(place.recordings_dir, place.key, closed=False)
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        assert not close_abandoned(folder, place.data_dir / SIGNING_KEY_FILE, (), STARTS_AT + 100.0)
    finally:
        os.close(descriptor)
    assert close_abandoned(folder, place.data_dir / SIGNING_KEY_FILE, (), STARTS_AT + 100.0)
    assert not close_abandoned(folder, place.data_dir / SIGNING_KEY_FILE, (), STARTS_AT + 100.0)


async def test_a_folder_under_anothers_name_is_not_taken_in(place: Place) -> None:
    folder = write_recording(place.recordings_dir, place.key)
    shutil.copytree(folder, place.recordings_dir / "rec_22222222anothers")
    await place.archive._catalogue.reconcile()
    assert await place.found() == [RID]
    with pytest.raises(RecordingUnreadable):
        await place.archive._catalogue.refresh("rec_22222222anothers")


async def test_indexing_again_changes_nothing(place: Place) -> None:
    write_recording(place.recordings_dir, place.key)
    await place.archive._catalogue.reconcile()
    before = await show(place)
    for _ in range(2):
        await place.archive._catalogue.refresh(RID)
    assert await show(place) == before
    assert await place.find(text="xa") == await place.find(text="xã")


async def test_a_meetings_recordings_are_kept_alike(place: Place) -> None:
    write_recording(place.recordings_dir, place.key, meeting_id="mtg_one")
    await place.archive._catalogue.reconcile()
    await place.archive.keeper.keep(place.visitor, RID, "permanent", False, "")
    await place.archive.opened("rec_second", "mtg_one", STARTS_AT + 100.0)
    await place.archive.opened("rec_of_another", "mtg_two", STARTS_AT + 100.0)
    found = (await place.find()).recordings
    assert {one.recording_id: one.retention.retention_class for one in found} == {
        RID: "permanent",
        "rec_second": "permanent",
        "rec_of_another": "years_10",
    }
