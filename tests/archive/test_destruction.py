"""A recording is destroyed once, by certificate; a kill at any step ends in the same result."""

import asyncio
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from server.archive import destruction
from server.archive.access import Right
from server.archive.views import Certificate
from server.errors import Conflict, DiemcauError, Forbidden, InvalidInput, NotFound, Unavailable
from server.recording.keys import PublicKey, verify_document
from server.recording.log import LOG_FILE
from server.store.audit import AuditLog
from server.store.records import Role
from tests.archive.conftest import Place
from tests.archive.recorded import STARTS_AT, write_recording

RID = "rec_abcdefgh23456789"


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
async def kept(place: Place) -> Place:
    write_recording(place.recordings_dir, place.key, film=True)
    await place.archive._catalogue.reconcile()
    return place


async def is_gone(place: Place) -> None:
    """What there is in the end, however it went."""
    assert list(place.recordings_dir.iterdir()) == []
    detail = await place.archive.finder.show(place.visitor, RID)
    assert detail.state == "destroyed"
    assert detail.destroyed is not None
    assert (detail.chapters, detail.chat, detail.tracks, detail.may, detail.octets) == ((), (), (), (), 0)
    assert (detail.title, detail.host_agency) == ("Họp giao ban tháng 9", "Ủy ban nhân dân tỉnh Điện Sơn")
    assert await destruction.list_undone(place.house.store) == []


async def destroy_wholly(place: Place) -> Certificate:
    certificate = await place.archive.keeper.destroy(place.visitor, RID, "Hết thời hạn bảo quản")
    await place.archive.keeper.settled()
    return certificate


async def test_it_is_certified_and_gone(kept: Place) -> None:
    folder = kept.recordings_dir / RID
    files = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
    certificate = await destroy_wholly(kept)

    await is_gone(kept)
    assert (certificate.recording_id, certificate.reason) == (RID, "Hết thời hạn bảo quản")
    assert (certificate.destroyed_at, certificate.destroyed_by_name) == (kept.clock.at, "Archivist")
    assert certificate.destroyed_by == kept.archivist.account_id
    assert {one.file: one.sha256 for one in certificate.files} == files
    assert certificate.log_sha256 == files[LOG_FILE]
    document = await kept.archive.keeper.certificate(kept.visitor, RID)
    assert msgspec.json.decode(document, type=Certificate) == certificate
    key = PublicKey.from_text(kept.archive.public_key)
    assert verify_document(document, key)
    assert not verify_document(document.replace(b"mtg_elsewhere", b"mtg_elsewherf"), key)
    assert ("recording_destroyed", RID) in await kept.audited()


async def test_what_was_said_is_not_found_any_more(kept: Place) -> None:
    assert await kept.found(text="giai ngan") == [RID]
    await kept.archive.keeper.destroy(kept.visitor, RID, "hết hạn")
    await kept.archive.keeper.settled()
    assert await kept.found(text="giai ngan") == []
    assert await kept.found(text="thanh yen") == []
    assert await kept.found(text="giao ban") == [RID]
    assert await kept.found(state="destroyed") == [RID]
    await kept.archive._catalogue.reconcile()
    await kept.archive.look_again()
    await is_gone(kept)


async def test_nobody_is_given_anything_of_it(kept: Place) -> None:
    await kept.archive.keeper.destroy(kept.visitor, RID, "hết hạn")
    lending, workshop = kept.archive.lending, kept.archive.workshop
    asked: list[Callable[[], object]] = [
        lambda: lending.open_film(kept.visitor, RID, taken=True).__aenter__(),
        lambda: lending.open_log(kept.visitor, RID).__aenter__(),
        lambda: lending.open_package(kept.visitor, RID).__aenter__(),
        lambda: lending.open_track(kept.visitor, RID, "ep_main-mic-0000.mkv").__aenter__(),
        lambda: lending.playlist(kept.visitor, RID),
        lambda: workshop.verify(kept.visitor, RID),
        lambda: workshop.render(kept.visitor, RID),
        lambda: kept.archive.keeper.keep(kept.visitor, RID, "permanent", False, ""),
    ]
    for ask in asked:
        with pytest.raises(Conflict) as refused:
            await ask()  # type: ignore[misc]  # each is awaitable, of another type
        assert refused.value.code == "recording_destroyed"


async def test_asked_for_twice_the_first_certificate_counts(kept: Place) -> None:
    destroy = kept.archive.keeper.destroy
    first, second = await asyncio.gather(destroy(kept.visitor, RID, "một"), destroy(kept.visitor, RID, "hai"))
    kept.clock.at += 60.0
    assert first == second == await destroy(kept.visitor, RID, "ba")
    await kept.archive.keeper.settled()
    await is_gone(kept)


# --- a kill at every step -----------------------------------------------------------------------------

STEPS = [
    "before the certificate",
    "after the certificate",
    "before the rename",
    "after the rename",
    "first file deleted",
    "all deleted",
]


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at(kept: Place, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies at ``step``; another one starts over the same data, and after it everything is as it should."""
    with monkeypatch.context() as dying:
        kill_at(step, dying)
        with pytest.raises(Killed):
            await destroy_wholly(kept)
    await kept.archive.stop()

    again = kept.archive = kept.build()
    await again.start()
    await again.keeper.go_on()
    await again.keeper.settled()
    if step == "before the certificate":
        assert (await again.finder.show(kept.visitor, RID)).state == "ready"
        await again.keeper.destroy(kept.visitor, RID, "hết hạn")
        await again.keeper.settled()
    await again.stop()
    await is_gone(kept)
    lines = [line for line in await AuditLog(kept.house.store).latest(100) if line.action == "recording_destroyed"]
    assert len(lines) == 1


def kill_at(step: str, dying: pytest.MonkeyPatch) -> None:
    """Only what a process asks of the system is replaced."""
    removed, renamed = shutil.rmtree, Path.rename

    def die(*_: object, **__: object) -> None:
        raise Killed

    def delete_one(trash: Path) -> None:
        next(path for path in trash.rglob("*") if path.is_file()).unlink()
        raise Killed

    def delete_all(trash: Path) -> None:
        removed(trash)
        raise Killed

    def rename_and_die(self: Path, target: Path) -> None:
        renamed(self, target)
        raise Killed

    match step:
        case "before the certificate":
            dying.setattr(destruction, "order_destruction", die)
        case "after the certificate":
            dying.setattr(destruction, "remove", die)
        case "before the rename":
            dying.setattr(Path, "rename", die)
        case "after the rename":
            dying.setattr(Path, "rename", rename_and_die)
        case "first file deleted":
            dying.setattr(shutil, "rmtree", delete_one)
        case "all deleted":
            dying.setattr(shutil, "rmtree", delete_all)


async def test_a_disk_that_does_not_let_go_is_tried_again(kept: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as stuck:

        def fail(*_: object) -> None:
            raise OSError(5, "Input/output error")

        stuck.setattr(destruction, "remove", fail)
        await kept.archive.keeper.destroy(kept.visitor, RID, "hết hạn")
        await kept.archive.keeper.settled()
    assert await destruction.list_undone(kept.house.store) == [RID]
    await kept.archive.look_again()
    await kept.archive.keeper.settled()
    await is_gone(kept)


async def test_a_folder_put_back_from_a_backup_is_removed_again(kept: Place, tmp_path: Path) -> None:
    shutil.copytree(kept.recordings_dir / RID, tmp_path / "backup")
    await kept.archive.keeper.destroy(kept.visitor, RID, "hết hạn")
    await kept.archive.keeper.settled()
    shutil.copytree(tmp_path / "backup", kept.recordings_dir / f".trash-{RID}")
    shutil.copytree(tmp_path / "backup", kept.recordings_dir / RID)
    destruction.remove(kept.recordings_dir, RID)
    assert list(kept.recordings_dir.iterdir()) == []


# --- downloads, holds, refusals ---------------------------------------------------------------------


async def test_a_download_that_has_begun_is_let_finish(kept: Place) -> None:
    folder = kept.recordings_dir / RID
    async with kept.archive.lending.open_package(kept.visitor, RID) as (_, package):
        begun = package.read(0, 1_000)
        await kept.archive.keeper.destroy(kept.visitor, RID, "hết hạn")
        removal = asyncio.create_task(kept.archive.keeper.settled())
        await asyncio.sleep(0)
        assert folder.exists()
        rest = package.read(1_000, package.size)
        assert len(begun + rest) == package.size
    await removal
    await is_gone(kept)


async def test_a_download_without_end_is_cut_off(kept: Place) -> None:
    again = kept.archive = kept.build(download_wait_s=0.01)
    async with again.lending.open_package(kept.visitor, RID) as (_, package):
        await again.keeper.destroy(kept.visitor, RID, "hết hạn")
        await again.keeper.settled()
        with pytest.raises((OSError, DiemcauError)):
            package.read(0, package.size)
    await is_gone(kept)


async def test_an_open_film_is_read_to_its_end_even_then(kept: Place) -> None:
    again = kept.archive = kept.build(download_wait_s=0.01)
    async with again.lending.open_film(kept.visitor, RID, taken=True) as (_, film):
        await again.keeper.destroy(kept.visitor, RID, "hết hạn")
        await again.keeper.settled()
        assert film.read(0, film.size) == bytes(range(256)) * 4_000


async def test_what_cannot_be_read_is_not_destroyed(kept: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(destruction, "list_files", fail)
    with pytest.raises(Unavailable) as refused:
        await kept.archive.keeper.destroy(kept.visitor, RID, "hết hạn")
    assert refused.value.code == "disk_error"
    assert (await kept.archive.finder.show(kept.visitor, RID)).state == "ready"


async def test_a_hold_that_comes_at_the_last_moment_counts(kept: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Placed while the files are being hashed: the transaction looks again."""
    listed = destruction.list_files
    loop = asyncio.get_running_loop()

    def list_slowly(folder: Path) -> object:
        hold = kept.archive.keeper.keep(kept.visitor, RID, "years_10", True, "thanh tra")
        asyncio.run_coroutine_threadsafe(hold, loop).result(10)
        return listed(folder)

    monkeypatch.setattr(destruction, "list_files", list_slowly)
    with pytest.raises(Conflict) as held:
        await kept.archive.keeper.destroy(kept.visitor, RID, "hết hạn")
    assert held.value.code == "legal_hold"
    assert (kept.recordings_dir / RID / LOG_FILE).exists()


async def test_what_is_refused(kept: Place) -> None:
    destroy = kept.archive.keeper.destroy
    await kept.archive.opened("rec_running", "mtg_1", STARTS_AT)
    with pytest.raises(Conflict) as running:
        await destroy(kept.visitor, "rec_running", "x")
    assert running.value.code == "still_recording"
    for reason in ("", "  ", "a\nb"):
        with pytest.raises(InvalidInput):
            await destroy(kept.visitor, RID, reason)
    with pytest.raises(NotFound):
        await destroy(kept.visitor, "rec_unknown", "x")
    with pytest.raises(NotFound):
        await destroy(kept.visitor, "../" + RID, "x")
    with pytest.raises(Conflict) as not_yet:
        await kept.archive.keeper.certificate(kept.visitor, RID)
    assert not_yet.value.code == "not_destroyed"
    operator = await kept.account("operator", Role.OPERATOR)
    with pytest.raises(Forbidden):
        await destroy(type(kept.visitor)(operator, ""), RID, "x")
    assert Right.DESTROY.value in (await kept.archive.finder.show(kept.visitor, RID)).may


async def test_what_has_expired_is_destroyed_by_itself_only_where_that_is_configured(kept: Place) -> None:
    await kept.archive.keeper.keep(kept.visitor, RID, "days_30", False, "")
    kept.clock.at = STARTS_AT + 31 * 86_400.0
    await kept.archive.look_again()
    assert (await kept.archive.finder.show(kept.visitor, RID)).state == "ready"
    kept.archive = kept.build(destroy_expired=True)
    await kept.archive.look_again()
    await kept.archive.keeper.settled()
    await is_gone(kept)
    certificate = (await kept.archive.finder.show(kept.visitor, RID)).destroyed
    assert certificate is not None
    assert (certificate.destroyed_by, certificate.reason) == ("server", "The retention class days_30 has ended.")
