"""Files: unbuffered, and failing when told to."""

import errno
from pathlib import Path

import pytest

from server.recording.files import RealFiles
from tests.support.failing_files import FailingFiles


def test_writes_reads_cuts_and_appends(tmp_path: Path) -> None:
    files = RealFiles()
    files.make_folder(tmp_path / "a" / "b")
    path = tmp_path / "a" / "b" / "file"
    file = files.open_new(path)
    file.write(b"hello ")
    file.write(b"world")
    assert files.read(path) == b"hello world"
    file.write_at(0, b"J")
    file.truncate(5)
    file.write(b"!")
    files.fsync(file)
    assert file.size() == 6
    assert file.read_at(1, 100) == b"ello!"
    file.close()
    file.close()
    again = files.open_append(path)
    again.write(b"?")
    again.close()
    assert files.read(path) == b"Jello!?"
    with pytest.raises(FileExistsError):
        files.open_new(path)


def test_names_renames_and_removes(tmp_path: Path) -> None:
    files = RealFiles()
    files.open_new(tmp_path / "b").close()
    files.open_new(tmp_path / "a").close()
    assert files.names(tmp_path) == ["a", "b"]
    files.rename(tmp_path / "a", tmp_path / "b")
    files.fsync_folder(tmp_path)
    assert files.names(tmp_path) == ["b"]
    files.unlink(tmp_path / "b")
    files.unlink(tmp_path / "b")
    assert not files.exists(tmp_path / "b")
    assert files.free_octets(tmp_path) > 0


def test_the_double_fails_where_told_and_leaves_half(tmp_path: Path) -> None:
    files = FailingFiles(at_operation=2, error=errno.EIO)
    file = files.open_new(tmp_path / "f")
    with pytest.raises(OSError, match="operation 2: write f") as caught:
        file.write(b"12345678")
    assert caught.value.errno == errno.EIO
    assert files.failed
    assert (tmp_path / "f").read_bytes() == b"1234"
    file.write(b"9")
    file.close()


def test_the_double_runs_out_of_room_and_gets_it_back(tmp_path: Path) -> None:
    files = FailingFiles(room=10)
    file = files.open_new(tmp_path / "f")
    file.write(b"1234567")
    with pytest.raises(OSError, match="No space"):
        file.write(b"1234567")
    assert files.free_octets(tmp_path) == 0
    file.truncate(7)
    assert files.free_octets(tmp_path) == 3
    file.close()
    files.unlink(tmp_path / "f")
    assert files.free_octets(tmp_path) == 10
