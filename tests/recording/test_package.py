"""A package is an ordinary tar, the same octets each time, from any octet on."""

import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from server.errors import Conflict, InvalidInput
from server.recording.keys import SigningKey
from server.recording.package import Manifest, Package, PackedFile, export_package
from tests.support.recordings import STARTED_AT, make_recording

KEY = SigningKey.generate()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = make_recording(tmp_path / "rec_a", KEY)
    (folder / "captions.vi.vtt").write_text("WEBVTT\n")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_is_an_ordinary_tar_with_the_manifest_first(folder: Path, tmp_path: Path) -> None:
    before = contents(folder)
    (folder / "film").mkdir()
    for name in ("film/0001.mp4", "reserve", "events.jsonl.new", "film.mp4.part", ".DS_Store", "manifest.json", "tên"):
        (folder / name).write_bytes(b"not taken")
    (folder / "link").symlink_to("events.jsonl")
    octets = Package(folder).read(0, 1 << 30)
    with tarfile.open(fileobj=io.BytesIO(octets), mode="r:") as tar:
        members = tar.getmembers()
        assert members[0].name == "rec_a/manifest.json"
        assert [member.name for member in members[1:]] == sorted(f"rec_a/{name}" for name in before)
        assert all(
            (member.isreg(), member.mode, member.uid, member.mtime) == (True, 0o644, 0, STARTED_AT)
            for member in members
        )
        manifest = json.load(tar.extractfile(members[0]) or io.BytesIO())
    assert manifest["files"] == [
        {"name": name, "octets": len(before[name]), "sha256": hashlib.sha256(before[name]).hexdigest()}
        for name in sorted(before)
    ]
    (tmp_path / "p.tar").write_bytes(octets)
    (tmp_path / "out").mkdir()
    ran = subprocess.run(["tar", "xf", tmp_path / "p.tar", "-C", tmp_path / "out"], capture_output=True, check=True)
    assert ran.stderr == b""
    unpacked = contents(tmp_path / "out" / "rec_a")
    del unpacked["manifest.json"]
    assert unpacked == before


def test_the_same_content_gives_the_same_octets_wherever_it_lies(folder: Path, tmp_path: Path) -> None:
    package = Package(folder)
    elsewhere = Package(shutil.copytree(folder, tmp_path / "elsewhere"))
    assert (elsewhere.size, elsewhere.etag) == (package.size, package.etag)
    assert elsewhere.read(0, package.size) == package.read(0, package.size)
    (folder / "captions.vi.vtt").write_text("WEBVTT!")
    assert Package(folder).etag != package.etag


def test_any_range_is_that_part_of_the_whole(folder: Path) -> None:
    package = Package(folder)
    whole = package.read(0, package.size)
    assert len(whole) == package.size
    assert package.size % 10_240 == 0
    chance = random.Random(7)  # noqa: S311 - repeatable on purpose
    edges = [*range(0, package.size, 512), package.size]
    for _ in range(400):
        start = chance.choice(edges) + chance.randint(-1, 1)
        end = start + chance.choice([0, 1, 511, 512, 513, 5_000, package.size])
        if start >= 0:
            assert package.read(start, end - start) == whole[start:end]
            assert b"".join(package.iterate(start, end)) == whole[start:end]
    assert package.read(package.size, 10) == package.read(package.size + 10, 10) == b""


def test_pieces_are_small(folder: Path) -> None:
    with (folder / "captions.vi.vtt").open("r+b") as captions:
        captions.truncate(5 << 20)
    pieces = [len(piece) for piece in Package(folder).iterate()]
    assert max(pieces) <= 1 << 20
    assert len(pieces) > 5


def test_a_film_of_more_than_8_gib_is_readable(folder: Path) -> None:
    with (folder / "film.mp4").open("r+b") as film:
        film.truncate(9 << 30)  # a hole

    package = Package(folder)

    class Whole(io.RawIOBase):
        place = 0

        def readable(self) -> bool:
            return True

        def seekable(self) -> bool:
            return True

        def tell(self) -> int:
            return self.place

        def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
            assert whence == os.SEEK_SET
            self.place = offset
            return offset

        def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # the stub's type is not public
            octets = package.read(self.place, len(buffer))
            buffer[: len(octets)] = octets
            self.place += len(octets)
            return len(octets)

    with tarfile.open(fileobj=Whole(), mode="r:") as tar:
        sizes = {member.name: member.size for member in tar}
    assert sizes["rec_a/film.mp4"] == 9 << 30
    assert sizes["rec_a/tracks/seat_main-mic-0001.mkv"] == (folder / "tracks/seat_main-mic-0001.mkv").stat().st_size


def test_what_changes_under_a_reader_is_said(folder: Path) -> None:
    film = folder / "film.mp4"
    package = Package(folder)
    with film.open("r+b") as file:
        file.truncate(10)
    with pytest.raises(Conflict, match="shorter"):
        package.read(0, package.size)
    package = Package(folder)
    (folder / "new").write_bytes(b"another film")
    (folder / "new").replace(film)
    with pytest.raises(Conflict, match="replaced"):
        package.read(0, package.size)
    package = Package(folder)
    film.unlink()
    with pytest.raises(Conflict, match="gone"):
        package.read(0, package.size)


def test_a_damaged_recording_can_be_taken_away_too(folder: Path) -> None:
    (folder / "events.jsonl").write_bytes(b"garbage")
    (folder / "film.json").write_bytes(b"garbage")
    package = Package(folder)
    assert package.manifest.recording_id == "rec_a"
    assert len(package.read(0, package.size)) == package.size


def test_what_has_no_identifier_is_no_recording(tmp_path: Path) -> None:
    folder = make_recording(tmp_path / "rec_a", KEY, recording_id="../../evil")
    with pytest.raises(InvalidInput, match="identifier"):
        export_package(folder)
    (folder / "events.jsonl").write_bytes(b"garbage")
    with pytest.raises(InvalidInput, match="identifier"):
        Package(folder.rename(tmp_path / "some folder"))


def test_a_growing_recording_is_taken_as_far_as_it_was(tmp_path: Path) -> None:
    folder = make_recording(tmp_path / "rec_a", KEY, closed=False)
    package = Package(folder)
    whole = package.read(0, package.size)
    with (folder / "events.jsonl").open("ab") as log:
        log.write(b"more\n")
    assert package.read(0, package.size) == whole
    assert Package(folder).etag != package.etag


def test_an_export_is_whole_or_not_there(folder: Path, tmp_path: Path) -> None:
    export_package(folder, tmp_path / "a.tar")
    assert (tmp_path / "a.tar").stat().st_size == Package(folder).size
    with pytest.raises(Conflict, match="there already"):
        export_package(folder, tmp_path / "a.tar")
    assert [path.name for path in tmp_path.glob("*.part")] == []


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../x", "a/../b", "a/b/c", ".hidden", "tracks/.x", "a\\b/", "tracks//a", "x" * 101, "ê", "a\n",
     "film/0001.mp4", "manifest.json"],
)  # fmt: skip
def test_names_that_are_no_names(name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        PackedFile(name, 1, "0" * 64)


def test_manifests_that_are_none() -> None:
    one, two = PackedFile("a", 1, "0" * 64), PackedFile("b", 1, "0" * 64)
    assert Manifest("rec_a", 0, (one, two)).files == (one, two)
    for files in ((two, one), (one, one)):
        with pytest.raises(ValueError, match="order"):
            Manifest("rec_a", 0, files)
    with pytest.raises(ValueError, match="format"):
        Manifest("rec_a", 0, (), format=2)
    with pytest.raises(ValueError, match="identifier"):
        Manifest("rec_a/../x", 0, ())
    for octets, sha256 in ((-1, "0" * 64), (1, "0" * 63)):
        with pytest.raises(ValueError, match="octets or SHA-256"):
            PackedFile("a", octets, sha256)
