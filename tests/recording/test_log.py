"""The log: canonical, chained, mended after a crash, and never broken by a disk that fails."""

import errno
import hashlib
from pathlib import Path

import pytest

from server.errors import Conflict
from server.recording.events import Chatted, Closed, Gap, Granted, Line, Opened, Repaired, SegmentClosed
from server.recording.files import RealFiles
from server.recording.keys import PublicKey, SigningKey, verify_document
from server.recording.log import AlreadyClosed, EventLog, LogDamaged, read_log
from tests.support.failing_files import FailingFiles

AT = 1_790_000_000.0
KEY = SigningKey.generate()


def opened(**changes: object) -> Opened:
    fields: dict[str, object] = {
        "format": 1,
        "recording_id": "rec_a",
        "meeting_id": "mtg_a",
        "title": "Giao ban tháng 11",
        "host_agency": "Sở Y tế",
        "chair": "Bà Hà",
        "started_by": "Bà Hà",
        "endpoints": (),
        "public_key": KEY.public_base64,
        **changes,
    }
    return Opened(**fields)  # type: ignore[arg-type]  # a table of any fields


def a_log(folder: Path) -> EventLog:
    return EventLog.create(folder, opened(), AT, RealFiles())


def lines_of(folder: Path) -> list[bytes]:
    return (folder / "events.jsonl").read_bytes().splitlines()


def segment(name: str) -> SegmentClosed:
    return SegmentClosed(
        file=name,
        sha256="0" * 64,
        octets=1,
        seat_id="s1",
        track="mic",
        codec="opus",
        starts_at=AT,
        ends_at=AT + 1,
    )


def test_lines_are_canonical_and_chained(tmp_path: Path) -> None:
    log = a_log(tmp_path)
    log.append(Granted("s2", subject="Mục 3"), AT + 1.5)
    log.append(Chatted("Xã Đông", "Nghe rõ\nạ"), AT + 2)
    log.sync()
    log.release()
    first, second, third = lines_of(tmp_path)
    assert second == (
        b'{"n":2,"at":1790000001.5,"prev":"%s","event":{"type":"granted","seat_id":"s2","subject":"%s"}}'
        % (hashlib.sha256(first).hexdigest().encode(), "Mục 3".encode())
    )
    assert b'"prev":"%s"' % hashlib.sha256(second).hexdigest().encode() in third
    assert read_log(tmp_path) == [
        Line(1, AT, "0" * 64, opened()),
        Line(2, AT + 1.5, hashlib.sha256(first).hexdigest(), Granted("s2", subject="Mục 3")),
        Line(3, AT + 2, hashlib.sha256(second).hexdigest(), Chatted("Xã Đông", "Nghe rõ\nạ")),
    ]
    assert PublicKey.from_text((tmp_path / "signing-key.pub").read_text()).base64 == KEY.public_base64


def test_a_second_log_is_refused_and_a_half_made_one_replaced(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl.new").write_bytes(b'{"n":1')
    a_log(tmp_path).release()
    with pytest.raises(Conflict, match="has a log"):
        a_log(tmp_path)
    assert len(read_log(tmp_path)) == 1


def test_the_closing_line_is_signed_and_the_last(tmp_path: Path) -> None:
    log = a_log(tmp_path)
    log.append(segment("tracks/a.mkv"), AT + 1)
    log.close("stopped", KEY, AT + 2)
    closed = read_log(tmp_path)[-1].event
    assert isinstance(closed, Closed)
    assert (closed.reason, closed.segments) == ("stopped", 1)
    assert verify_document(lines_of(tmp_path)[-1], KEY.public)
    assert not verify_document(lines_of(tmp_path)[-1].replace(b"stopped", b"Stopped"), KEY.public)
    with pytest.raises(AlreadyClosed):
        log.append(Granted("s1"), AT + 3)
    with pytest.raises(AlreadyClosed):
        EventLog.resume(tmp_path, RealFiles(), AT + 3)


def test_a_torn_line_is_cut_and_said(tmp_path: Path) -> None:
    log = a_log(tmp_path)
    log.append(segment("tracks/a.mkv"), AT + 3)
    log.append(Granted("s2"), AT + 1)
    log.release()
    whole = (tmp_path / "events.jsonl").read_bytes()
    (tmp_path / "events.jsonl").write_bytes(whole[:-20])
    (tmp_path / "signing-key.pub").unlink()
    with pytest.raises(LogDamaged, match=r"line 3 of events\.jsonl: is torn"):
        read_log(tmp_path)
    assert len(read_log(tmp_path, tolerant=True)) == 2
    log = EventLog.resume(tmp_path, RealFiles(), AT + 9)
    torn = len(whole.splitlines()[2]) + 1 - 20
    assert read_log(tmp_path)[-1].event == Repaired(cut_octets=torn)
    assert (log.count, log.last_at, log.segment_files, log.closed) == (3, AT + 9, {"tracks/a.mkv"}, False)
    log.append(Granted("s3"), AT + 10)
    log.release()
    assert [line.n for line in read_log(tmp_path)] == [1, 2, 3, 4]
    assert (tmp_path / "signing-key.pub").read_bytes() == KEY.public.pem


def test_a_whole_log_is_gone_on_with_as_it_is(tmp_path: Path) -> None:
    a_log(tmp_path).release()
    before = (tmp_path / "events.jsonl").read_bytes()
    EventLog.resume(tmp_path, RealFiles(), AT + 9).release()
    assert (tmp_path / "events.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("line", "old", "new", "found_in", "why"),
    [
        (1, b"s2", b"s3", 3, "does not follow"),
        (1, b'"n":2', b'"n":3', 2, "numbered 3"),
        (1, b"{", b"[", 2, "not a line of a log"),
        (1, b"granted", b"grantex", 2, "not a line of a log"),
        (1, "Mục".encode(), b"M\xffc", 2, "not a line of a log"),
        (1, b"}}", b"}," + b'"x":' + b"[" * 2_000 + b"]" * 2_000 + b"}", 2, "not a line of a log"),
        (0, b'"format":1', b'"format":2', 1, "reads up to 1"),
        (0, b'"type":"opened"', b'"type":"paused"', 1, "not a line of a log"),
        (1, b'"prev":"', b'"event":{"type":"paused","reason":""},"x":"', 2, "not a line of a log"),
        (2, b"tracks", b"x" * (1 << 20), 3, "longer than"),
    ],
)
def test_damage_is_named(tmp_path: Path, line: int, old: bytes, new: bytes, found_in: int, why: str) -> None:
    log = a_log(tmp_path)
    log.append(Granted("s2", subject="Mục"), AT)
    log.append(segment("tracks/a.mkv"), AT)
    log.release()
    lines = lines_of(tmp_path)
    assert old in lines[line]
    lines[line] = lines[line].replace(old, new, 1)
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(LogDamaged, match=why) as caught:
        read_log(tmp_path)
    assert caught.value.line == found_in
    assert len(read_log(tmp_path, tolerant=True)) == found_in - 1
    with pytest.raises(LogDamaged):
        EventLog.resume(tmp_path, RealFiles(), AT)


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: [],
        lambda lines: [lines[0], lines[2]],
        lambda lines: [lines[0], lines[2], lines[1]],
        lambda lines: [lines[0], lines[1], lines[1], lines[2]],
        lambda lines: lines[1:],
        lambda lines: [*lines, lines[0]],
    ],
)
def test_lines_cut_swapped_and_inserted_are_damage(tmp_path: Path, change: object) -> None:
    log = a_log(tmp_path)
    log.append(Granted("s2"), AT)
    log.close("stopped", KEY, AT)
    assert callable(change)
    (tmp_path / "events.jsonl").write_bytes(b"".join(line + b"\n" for line in change(lines_of(tmp_path))))
    with pytest.raises(LogDamaged):
        read_log(tmp_path)


def test_an_empty_log_cannot_be_resumed(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(b'{"n":1')
    with pytest.raises(LogDamaged, match="there is none"):
        EventLog.resume(tmp_path, RealFiles(), AT)


def test_a_second_opened_line_is_damage(tmp_path: Path) -> None:
    log = a_log(tmp_path)
    log.append(opened(), AT)
    log.release()
    with pytest.raises(LogDamaged, match="the first line, and no other"):
        read_log(tmp_path)


@pytest.mark.parametrize("torn", [0, 5])
def test_an_error_while_resuming_passes_through_and_may_be_tried_again(tmp_path: Path, torn: int) -> None:
    a_log(tmp_path).release()
    (tmp_path / "events.jsonl").write_bytes((tmp_path / "events.jsonl").read_bytes() + b"x" * torn)
    for operation in range(1, 20):
        files = FailingFiles(at_operation=operation)
        try:
            EventLog.resume(tmp_path, files, AT).release()
        except OSError:
            assert files.failed
        if not files.failed:
            break
    assert operation > 2
    EventLog.resume(tmp_path, RealFiles(), AT).release()
    assert all(line.n == number for number, line in enumerate(read_log(tmp_path), 1))


def test_nothing_may_follow_the_closing_line(tmp_path: Path) -> None:
    log = a_log(tmp_path)
    log.close("stopped", KEY, AT)
    prev = hashlib.sha256(lines_of(tmp_path)[-1]).hexdigest()
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(b'{"n":3,"at":1790000000.0,"prev":"%s","event":{"type":"paused","reason":"x"}}\n' % prev.encode())
    with pytest.raises(LogDamaged, match="behind the closing line"):
        read_log(tmp_path)


# --- a disk that fails ------------------------------------------------------------------------------------------------


def _write_with_patience(folder: Path, files: FailingFiles) -> None:
    """Create, append, close, each again until it works: what the writer does."""

    def until_it_works(step: object) -> object:
        assert callable(step)
        for _ in range(3):
            try:
                return step()
            except OSError:
                assert files.failed
        raise AssertionError("fails on")

    def opening() -> EventLog:
        if files.exists(folder / "events.jsonl"):
            return EventLog.resume(folder, files, AT)
        return EventLog.create(folder, opened(), AT, files)

    log = until_it_works(opening)
    assert isinstance(log, EventLog)
    until_it_works(lambda: log.append(Granted("s2", subject="a longer line than the one behind it"), AT + 1))
    until_it_works(log.sync)
    until_it_works(lambda: log.append(Gap(AT, AT + 1, "disk_error"), AT + 2))
    until_it_works(lambda: log.close("stopped", KEY, AT + 3))


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_an_error_at_any_operation_breaks_no_chain(tmp_path: Path, error: int) -> None:
    for operation in range(1, 100):
        folder = tmp_path / str(operation)
        folder.mkdir()
        files = FailingFiles(at_operation=operation, error=error)
        _write_with_patience(folder, files)
        names = [type(line.event).__name__ for line in read_log(folder)]
        assert names == ["Opened", "Granted", "Gap", "Closed"], operation
        assert verify_document(lines_of(folder)[-1], KEY.public)
        if not files.failed:
            break
    else:
        pytest.fail("no clean run in 100 operations")
    assert operation > 10


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_kill_after_an_error_leaves_a_log_that_can_be_resumed(tmp_path: Path, error: int) -> None:
    for operation in range(1, 100):
        folder = tmp_path / str(operation)
        folder.mkdir()
        files = FailingFiles(at_operation=operation, error=error)
        written = 0
        try:
            log = EventLog.create(folder, opened(), AT, files)
            for number in range(3):
                log.append(Granted(f"s{number}"), AT)
                written += 1
                log.sync()
        except OSError:
            pass
        if (folder / "events.jsonl").exists():
            EventLog.resume(folder, RealFiles(), AT).release()
            kept = [line.event for line in read_log(folder) if isinstance(line.event, Granted)]
            assert kept[:written] == [Granted(f"s{number}") for number in range(written)]
        if not files.failed:
            break
    else:
        pytest.fail("no clean run in 100 operations")


class _Forgetful(FailingFiles):
    """A disk whose fsync fails once and loses what was not on it, as the kernel does with failed pages."""

    def __init__(self, path: Path) -> None:
        super().__init__(at_operation=0)
        self.path = path
        self.lose = False

    def fsync(self, file: object) -> None:
        if self.lose:
            self.lose = False
            good = self.path.read_bytes()
            kept = good[: good.index(b"\n") + 1]
            self.path.write_bytes(kept + b"\0" * (len(good) - len(kept)))
            raise OSError(errno.EIO, "lost")


def test_what_a_failed_fsync_lost_is_written_again(tmp_path: Path) -> None:
    files = _Forgetful(tmp_path / "events.jsonl")
    log = EventLog.create(tmp_path, opened(), AT, files)
    log.append(Granted("s1"), AT)
    log.append(Granted("s2"), AT)
    files.lose = True
    with pytest.raises(OSError, match="lost"):
        log.sync()
    with pytest.raises(LogDamaged):
        read_log(tmp_path)
    log.append(Granted("s3"), AT)
    log.sync()
    log.release()
    assert [line.event for line in read_log(tmp_path)[1:]] == [Granted("s1"), Granted("s2"), Granted("s3")]
