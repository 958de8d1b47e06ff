"""A package comes in whole and verified, or leaves no trace."""

import errno
import io
import random
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from server.errors import Conflict, Unavailable
from server.recording.importing import PackageRefused, import_package
from server.recording.keys import SigningKey
from server.recording.package import Package
from server.recording.tar import end_of_archive, file_header, padded
from server.recording.verify import verify_recording
from tests.support.failing_files import FailingFiles
from tests.support.recordings import make_recording

KEY = SigningKey.generate()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_recording(tmp_path / "from" / "rec_a", KEY)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def packed(folder: Path) -> bytes:
    package = Package(folder)
    return package.read(0, package.size)


def nothing_in(place: Path) -> bool:
    return not place.exists() or not list(place.iterdir())


def test_it_comes_in_as_it_was_and_only_once(folder: Path, place: Path, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(packed(folder))
    imported = import_package(tmp_path / "a.tar", place)
    assert (imported.recording_id, imported.folder, imported.already) == ("rec_a", place / "rec_a", False)
    assert contents(place / "rec_a") == contents(folder)
    assert [path.name for path in place.iterdir()] == ["rec_a"]
    assert import_package(io.BytesIO(packed(folder)), place).already
    assert import_package(folder, place).already
    assert Package(place / "rec_a").etag == Package(folder).etag


def test_a_folder_comes_in_too(folder: Path, place: Path) -> None:
    (folder / "reserve").write_bytes(b"x")
    assert not import_package(folder, place, KEY.public_base64).already
    assert verify_recording(place / "rec_a").ok
    assert not (place / "rec_a" / "reserve").exists()


def test_another_recording_of_that_name_stays(folder: Path, place: Path) -> None:
    theirs = make_recording(place / "rec_a", SigningKey.generate())
    before = contents(theirs)
    with pytest.raises(Conflict, match="not the same"):
        import_package(folder, place)
    (theirs / "events.jsonl").unlink()
    with pytest.raises(Conflict, match="not the same"):
        import_package(folder, place)
    (theirs / "events.jsonl").write_bytes(before["events.jsonl"])
    assert contents(theirs) == before


def test_one_that_is_damaged_here_is_not_called_the_same(folder: Path, place: Path) -> None:
    import_package(folder, place)
    segment = place / "rec_a/tracks/seat_main-mic-0001.mkv"
    segment.write_bytes(b"\0" * segment.stat().st_size)
    with pytest.raises(Conflict, match="not the same"):
        import_package(folder, place)


def test_what_verify_finds_is_refused(folder: Path, place: Path, tmp_path: Path) -> None:
    with pytest.raises(PackageRefused, match="untrusted_key"):
        import_package(folder, place, SigningKey.generate().public_base64)
    segment = folder / "tracks/seat_main-mic-0001.mkv"
    segment.write_bytes(b"\0" * segment.stat().st_size)
    with pytest.raises(PackageRefused, match=r"seat_main-mic-0001\.mkv is not what the manifest says"):
        import_package(folder, place)
    with pytest.raises(PackageRefused, match="not_closed"):
        import_package(make_recording(tmp_path / "rec_b", KEY, closed=False), place)
    stranger = make_recording(tmp_path / "rec_c", KEY)
    (stranger / "tracks/x.mkv").write_bytes(b"x")
    with pytest.raises(PackageRefused, match=r"tracks/x\.mkv: segment_unlogged"):
        import_package(stranger, place)
    assert nothing_in(place)


def _with_member(folder: Path, info: tarfile.TarInfo) -> bytes:
    """The package with one more member before its end, as an attacker's tar would have it."""
    octets = packed(folder).rstrip(b"\0")
    return padded(octets) + info.tobuf() + bytes(20_480)


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    "info",
    [
        _member("../../evil"),
        _member("/etc/evil"),
        _member("rec_a/events.jsonl"),
        _member("rec_a/x", tarfile.SYMTYPE, "/etc/passwd"),
        _member("rec_a/x", tarfile.LNKTYPE, "rec_a/events.jsonl"),
        _member("rec_a/x", tarfile.CHRTYPE),
        _member("rec_a/x", tarfile.FIFOTYPE),
        _member("rec_a/x", tarfile.DIRTYPE),
        _member("rec_a/x"),
    ],
    ids=lambda info: f"{info.name} {info.type.decode()}",
)
def test_path_tricks_are_refused(folder: Path, place: Path, info: tarfile.TarInfo) -> None:
    with pytest.raises(PackageRefused, match="its end"):
        import_package(io.BytesIO(_with_member(folder, info)), place)
    assert nothing_in(place)


def test_path_tricks_in_the_manifest_are_refused(folder: Path, place: Path) -> None:
    manifest = Package(folder).manifest.encoded()
    for old, new in (
        (b'"film.json"', b'"../film.json"'),
        (b'"film.json"', b'"/film.json"'),
        (b'"rec_a"', b'"../a"'),
        (b'"film.json"', b'"film.mp4"'),
        (b'"started_at"', b'"x": 1, "started_at"'),
    ):
        assert old in manifest
        forged = manifest.replace(old, new, 1)
        octets = file_header("rec_a", "manifest.json", len(forged), 1_790_000_000) + padded(forged)
        with pytest.raises(PackageRefused, match="manifest"):
            import_package(io.BytesIO(octets + bytes(10_240)), place)
    assert nothing_in(place)


def test_a_tar_made_by_hand_is_refused_in_words(folder: Path, place: Path, tmp_path: Path) -> None:
    subprocess.run(["tar", "cf", tmp_path / "hand.tar", "-C", folder.parent, "rec_a"], check=True)
    with pytest.raises(PackageRefused, match="does not begin with the manifest"):
        import_package(tmp_path / "hand.tar", place)


@pytest.mark.parametrize("octets", [b"", b"x", b"\0" * 10_240, b"\xff" * 5_000, b"7" * 5_000], ids=repr)
def test_garbage_is_refused(place: Path, octets: bytes) -> None:
    with pytest.raises(PackageRefused):
        import_package(io.BytesIO(octets), place)
    assert nothing_in(place)


def _flip(octets: bytes, chance: random.Random) -> bytes:
    changed = bytearray(octets)
    changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(octets: bytes, chance: random.Random) -> bytes:
    return octets[: chance.randrange(len(octets))]


def _lengthen(octets: bytes, chance: random.Random) -> bytes:
    return octets + chance.randbytes(1)


@pytest.mark.parametrize("change", [_flip, _cut, _lengthen])
def test_any_changed_octet_is_refused(
    folder: Path, place: Path, change: Callable[[bytes, random.Random], bytes]
) -> None:
    whole, chance = packed(folder), random.Random(11)  # noqa: S311 - repeatable on purpose
    for _ in range(40):
        with pytest.raises(PackageRefused):
            import_package(io.BytesIO(change(whole, chance)), place)
    assert nothing_in(place)


def test_one_recording_in_the_clothes_of_another_is_refused(folder: Path, place: Path) -> None:
    clothes = msgspec.structs.replace(Package(folder).manifest, recording_id="rec_b")
    octets = clothes.header("manifest.json", len(clothes.encoded())) + padded(clothes.encoded())
    for file in clothes.files:
        octets += clothes.header(file.name, file.octets) + padded((folder / file.name).read_bytes())
    octets += bytes(end_of_archive(len(octets)))
    with pytest.raises(PackageRefused, match="log is that of another recording"):
        import_package(io.BytesIO(octets), place)
    assert nothing_in(place)


def test_a_disk_without_room_is_said_before_anything_is_written(folder: Path, place: Path) -> None:
    with pytest.raises(Unavailable, match="not free"):
        import_package(folder, place, files=FailingFiles(room=1_000))
    assert nothing_in(place)


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_an_error_at_any_operation_leaves_all_or_nothing(folder: Path, place: Path, error: int) -> None:
    for operation in range(1, 200):
        shutil.rmtree(place, ignore_errors=True)
        files = FailingFiles(at_operation=operation, error=error)
        try:
            import_package(folder, place, files=files)
        except OSError:
            assert files.failed
        if not nothing_in(place):
            assert [path.name for path in place.iterdir()] == ["rec_a"]
            assert verify_recording(place / "rec_a").ok
        if not files.failed:
            assert operation > 20
            return
    pytest.fail("no clean run in 200 operations")


def test_what_a_killed_import_left_is_cleared_away_but_not_one_at_work(folder: Path, place: Path) -> None:
    shutil.copytree(folder, place / ".import-killed")

    def slowly() -> Callable[[int], bytes]:
        octets = io.BytesIO(packed(folder))

        def read(size: int) -> bytes:
            if octets.tell() == 0:
                import_package(make_recording(folder.parent / "rec_b", KEY), place)  # another one, meanwhile
            return octets.read(size)

        return read

    class Slow(io.BytesIO):
        read = staticmethod(slowly())  # type: ignore[assignment]  # only read(size) is asked of it

    import_package(Slow(), place)
    assert sorted(path.name for path in place.iterdir()) == ["rec_a", "rec_b"]
