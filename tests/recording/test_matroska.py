"""The files themselves: ffprobe reads them, finished or cut at any octet, and another writer goes on with them."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.recording import matroska
from server.recording.files import RealFiles
from server.recording.frames import StreamFormat
from server.recording.matroska import Block, CuePoint, RtpPosition
from server.recording.payload_opus import FORMAT as OPUS
from server.recording.segments import Segment
from tests.support.failing_files import FailingFiles

VP8 = StreamFormat("vp8", "V_VP8", b"", 320, 240)
FILES = RealFiles()
STARTS_AT = 1_700_000_000.125


def position(number: int) -> RtpPosition:
    return RtpPosition(0xFFFFFFFF, 96, 4_000_000_000, number & 0xFFFF, number * 3_000, number, 2)


def write(path: Path, stream: StreamFormat, frames: int, *, finish: bool) -> Segment:
    segment = Segment.create(FILES, path, stream, STARTS_AT, "seat_a-mic")
    for number in range(frames):
        segment.add(
            Block(40 * number, stream is OPUS or number % 25 == 0, b"\xfc" + bytes((number & 0xFF,)) * 49),
            position(number),
        )
        if number % 5 == 4:
            segment.flush()
    segment.flush()
    if finish:
        segment.finish(40 * frames)
    return segment


def probe(path: Path, *entries: str) -> str:
    command = ["ffprobe", "-v", "error", "-of", "csv=p=0", "-show_entries", *entries, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()


@pytest.mark.parametrize("stream", [OPUS, VP8])
def test_ffprobe_reads_a_finished_file(tmp_path: Path, stream: StreamFormat) -> None:
    path = tmp_path / "a.mkv"
    write(path, stream, 100, finish=True)
    assert probe(path, "format=duration:format_tags=creation_time").startswith("4.0")
    assert "2023-11-14T22:13:20.12" in probe(path, "format_tags=creation_time")
    assert probe(path, "stream=codec_name") == stream.codec
    assert len(probe(path, "packet=pts_time").splitlines()) == 100
    if stream is VP8:
        assert probe(path, "stream=width,height") == "320,240"


def test_ffprobe_seeks_by_the_index(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    write(path, VP8, 500, finish=True)
    seen = probe(path, "packet=pts_time", "-read_intervals", "12%+#1")
    assert seen.splitlines()[0].startswith("12.0")


def test_a_file_is_readable_while_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    segment = write(path, OPUS, 53, finish=False)
    assert len(probe(path, "packet=pts_time").splitlines()) == 53
    segment.add(Block(53 * 40, True, b"\xfc" * 50), position(53))
    assert len(probe(path, "packet=pts_time").splitlines()) == 53
    segment.sync()
    assert len(probe(path, "packet=pts_time").splitlines()) == 54
    segment.abandon()


def test_a_scan_says_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    write(path, StreamFormat("h264", "V_MPEG4/ISO/AVC", b"avcC", 640, 480), 51, finish=True)
    found = matroska.scan(path.read_bytes())
    assert found is not None
    assert found.finished
    assert abs(found.starts_at - STARTS_AT) < 1e-6
    assert (found.codec_id, found.private, found.width, found.height) == ("V_MPEG4/ISO/AVC", b"avcC", 640, 480)
    assert found.position == position(50)
    assert (found.last_ms, found.frames) == (2_000, 51)
    assert [cue.time_ms for cue in found.cue_points] == [0, 1_000, 2_000]


def test_cut_at_any_octet_it_is_good_up_to_its_last_whole_cluster(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    write(path, VP8, 30, finish=True)
    whole = path.read_bytes()
    frames = set()
    for end in range(len(whole)):
        found = matroska.scan(whole[:end])
        if found is None:
            assert end < 300
            continue
        assert found.end <= end
        assert not found.finished
        again = matroska.scan(whole[: found.end])
        assert again is not None
        assert (again.frames, again.position) == (found.frames, found.position)
        frames.add(found.frames)
    assert frames == {0, 5, 10, 15, 20, 25, 30}


@pytest.mark.parametrize("end", [400, 700, 1_100, 1_400, 2_000])
def test_what_is_left_of_a_file_is_finished_and_gone_on_with(tmp_path: Path, end: int) -> None:
    path = tmp_path / "a.mkv"
    write(path, VP8, 30, finish=True)
    whole = path.read_bytes()
    path.write_bytes(whole[:end])
    found = matroska.scan(whole[:end])
    assert found is not None
    segment = Segment.reopen(FILES, path, found, "vp8", "seat_a-mic")
    before = found.frames
    for number in range(before, 30):
        segment.add(Block(40 * number, number % 25 == 0, b"\xfc" + bytes((number,)) * 49), position(number))
        if number % 5 == 4:
            segment.flush()
    segment.finish(1_200)
    assert path.read_bytes() == whole


def test_the_head_of_another_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    write(path, OPUS, 10, finish=False).abandon()
    found = matroska.scan(path.read_bytes())
    assert found is not None
    before = path.read_bytes()
    segment = Segment.reopen(FILES, path, found, "opus", "another name")
    _, octets = segment.finish(400)
    assert path.read_bytes() == before
    assert octets == len(before)


@given(st.binary(max_size=200), st.integers(0, 400))
@settings(max_examples=300, deadline=None)
def test_noise_is_no_file_and_no_error(noise: bytes, start: int) -> None:
    head = matroska.Head(OPUS, STARTS_AT, "t").octets
    cluster = matroska.cluster([Block(0, True, b"frame")], position(1))
    for data in (noise, head + noise, head + cluster + noise, (head + cluster)[:start] + noise):
        found = matroska.scan(data)
        assert found is None or found.end <= len(data)


def test_elements_nested_without_end_are_not_followed() -> None:
    nested = b""
    for _ in range(1_300):
        nested = b"\xae" + (0x4000 | len(nested)).to_bytes(2, "big") + nested
    head = matroska.element(matroska.EBML) + matroska.SEGMENT.to_bytes(4, "big") + b"\x01" + b"\xff" * 7
    found = matroska.scan(head + matroska.element(matroska.TRACKS, nested))
    assert found is not None
    assert (found.codec_id, found.frames) == ("", 0)


def test_an_index_has_one_point_each_two_seconds() -> None:
    points = [CuePoint(time_ms, 1_000 + time_ms) for time_ms in range(0, 10_000, 250)]
    index = matroska.cues(points, 100)
    assert index.count(b"\xbb") >= 5
    assert len(index) < 110
    assert len(matroska.cues(points[:1], 100)) > 10


def test_a_failed_write_is_cut_before_the_next(tmp_path: Path) -> None:
    files = FailingFiles(at_operation=3)
    segment = Segment.create(files, tmp_path / "a.mkv", OPUS, STARTS_AT, "n")
    segment.add(Block(0, True, b"a" * 100), position(1))
    with pytest.raises(OSError, match="operation 3: write"):
        segment.flush()
    found = matroska.scan((tmp_path / "a.mkv").read_bytes())
    assert found is not None
    assert found.frames == 0
    segment.add(Block(20, True, b"b" * 100), position(2))
    segment.flush()
    found = matroska.scan((tmp_path / "a.mkv").read_bytes())
    assert found is not None
    assert found.frames == 2
    segment.abandon()


def test_a_failed_sync_writes_again(tmp_path: Path) -> None:
    """After a failed fsync the kernel forgets the pages: what was not on the disk must be written once more."""
    files = FailingFiles(at_operation=4)
    segment = Segment.create(files, tmp_path / "a.mkv", OPUS, STARTS_AT, "n")
    segment.add(Block(0, True, b"a" * 100), position(1))
    with pytest.raises(OSError, match="operation 4: fsync"):
        segment.sync()
    good = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "a.mkv").write_bytes(bytes(len(good)))
    segment.sync()
    assert (tmp_path / "a.mkv").read_bytes() == good
    segment.abandon()


def test_a_file_that_cannot_be_begun_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="operation 2: write"):
        Segment.create(FailingFiles(at_operation=2), tmp_path / "a.mkv", OPUS, STARTS_AT, "n")
    assert not (tmp_path / "a.mkv").exists()


@pytest.mark.parametrize("operation", range(6, 16))
def test_finishing_may_be_tried_again(tmp_path: Path, operation: int) -> None:
    path = tmp_path / "a.mkv"
    files = FailingFiles(at_operation=operation)
    segment = Segment.create(files, path, OPUS, STARTS_AT, "n")
    for number in range(30):
        segment.add(Block(20 * number, True, b"\xfc" * 80), position(number))
        if number == 15:
            segment.flush()
    try:
        segment.sync()
        first = segment.finish(600)
    except OSError:
        first = segment.finish(600)
    found = matroska.scan(path.read_bytes())
    assert found is not None
    assert found.finished
    assert found.frames == 30
    assert first[1] == path.stat().st_size
    assert len(probe(path, "packet=pts_time").splitlines()) == 30
