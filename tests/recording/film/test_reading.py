"""Segments as the recorder writes them, whole and cut, give the same pictures and sound wherever reading begins."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from av import CodecContext, VideoFrame
from av.video.codeccontext import VideoCodecContext

from server.recording.film.reading import Reel, Reels, opus_packets
from server.recording.frames import StreamFormat
from server.recording.matroska import Block, Head, RtpPosition, cluster
from server.recording.payload_opus import FORMAT
from tests.recording.film.making import tone, write_opus
from tests.support.pictures import pattern, recognise

HERE = RtpPosition(1, 96, 0, 1, 1, 1, 0)
FPS = 10


def write_segment(path: Path, stream: StreamFormat, blocks: list[Block]) -> None:
    """As a killed writer leaves it: a head and whole clusters, no index."""
    head = Head(stream, 1_790_000_000.0, "camera")
    clusters = [cluster(blocks[start : start + 8], HERE) for start in range(0, len(blocks), 8)]
    path.write_bytes(head.octets + b"".join(clusters))


def encoded(codec: str, sizes: list[tuple[int, int]], keys: set[int]) -> list[tuple[bytes, bool]]:
    """One picture of pattern 0, 1, 2, ... at each size; (octets, is it a key frame)."""
    found: list[tuple[bytes, bool]] = []
    encoder: VideoCodecContext | None = None
    for number, (width, height) in enumerate(sizes):
        if encoder is None or (encoder.width, encoder.height) != (width, height) or number in keys:
            made = CodecContext.create(codec, "w")
            assert isinstance(made, VideoCodecContext)
            encoder = made
            encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
            encoder.time_base, encoder.framerate, encoder.bit_rate = Fraction(1, FPS), Fraction(FPS), 500_000
            zero_latency = {"tune": "zerolatency", "preset": "ultrafast"}
            encoder.options = zero_latency if codec == "libx264" else {"deadline": "realtime", "lag-in-frames": "0"}
        frame = VideoFrame.from_ndarray(pattern(number, width, height), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        [packet] = encoder.encode(frame)
        found.append((bytes(packet), packet.is_keyframe))
    return found


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 pictures of VP8, 100 ms apart, key frames at 0 and 17, of another size from there on."""
    path = tmp_path_factory.mktemp("reading") / "camera.mkv"
    pictures = encoded("libvpx", [(160, 90)] * 17 + [(320, 180)] * 13, {0, 17})
    blocks = [Block(100 * number, is_key, data) for number, (data, is_key) in enumerate(pictures)]
    write_segment(path, StreamFormat("vp8", "V_VP8", b"", 160, 90), blocks)
    return path


def seen(reels: Reels, path: Path, at_s: float) -> int | None:
    shot = reels.at(path, at_s)
    return None if shot is None else recognise(np.asarray(shot.frame.to_ndarray(format="rgb24"), np.uint8))


def test_each_picture_is_found_forwards_and_back(camera: Path) -> None:
    reels = Reels()
    for number in (*range(30), 3, 29, 16, 17, 18, 0):
        assert seen(reels, camera, number / 10 + 0.01) == number
    assert seen(reels, camera, 99) == 29, "the last stays"
    reels.close()


def test_a_picture_does_not_depend_on_where_reading_began(camera: Path) -> None:
    onwards = Reel(camera, 0)
    for number in range(30):
        alone = Reel(camera, number / 10)
        first, second = onwards.at(number / 10), alone.at(number / 10)
        assert first is not None
        assert second is not None
        assert np.array_equal(first.frame.to_ndarray(), second.frame.to_ndarray())
        alone.close()
    onwards.close()


def test_before_the_first_picture_there_is_none(tmp_path: Path) -> None:
    [(data, _)] = encoded("libvpx", [(160, 90)], {0})
    write_segment(tmp_path / "late.mkv", StreamFormat("vp8", "V_VP8", b"", 160, 90), [Block(500, True, data)])
    reels = Reels()
    assert reels.at(tmp_path / "late.mkv", 0.4) is None
    assert reels.at(tmp_path / "late.mkv", 0.5) is not None
    assert reels.at(tmp_path / "none.mkv", 0.5) is None
    reels.close()


def test_damaged_pictures_are_passed_over(camera: Path, tmp_path: Path) -> None:
    octets = bytearray(camera.read_bytes())
    for place in range(2_000, len(octets), 700):
        octets[place] ^= 0xFF
    (tmp_path / "damaged.mkv").write_bytes(octets)
    (tmp_path / "cut.mkv").write_bytes(camera.read_bytes()[: len(octets) // 2])
    reels = Reels()
    for at_s in np.arange(0, 3, 0.1):
        reels.at(tmp_path / "damaged.mkv", float(at_s))
    assert seen(reels, tmp_path / "cut.mkv", 0.35) == 3
    reels.close()


def test_only_a_few_files_are_open_at_a_time(tmp_path: Path) -> None:
    [(data, _)] = encoded("libvpx", [(160, 90)], {0})
    reels = Reels()
    for number in range(20):
        path = tmp_path / f"{number}.mkv"
        write_segment(path, StreamFormat("vp8", "V_VP8", b"", 160, 90), [Block(0, True, data)])
        assert seen(reels, path, 0) == 0
    reels.close()


def test_the_recorders_own_opus_is_counted_from_its_first_sample(tmp_path: Path) -> None:
    write_opus(tmp_path / "muxed.mkv", 0, 1, tone(440))
    packets = [packet.data for packet in opus_packets(tmp_path / "muxed.mkv")]
    times_ms = [20 * number + (500 if number >= 20 else 0) for number in range(40)]
    blocks = [Block(time_ms, True, data) for time_ms, data in zip(times_ms, packets, strict=False)]
    write_segment(tmp_path / "own.mkv", FORMAT, blocks)
    found = opus_packets(tmp_path / "own.mkv")
    pre_skip = int.from_bytes(FORMAT.private[10:12], "little")
    assert [packet.position for packet in found] == [48 * time_ms - pre_skip for time_ms in times_ms]
    assert [packet.data for packet in found] == packets[:40]
    octets = (tmp_path / "own.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(octets[: len(octets) * 2 // 3])
    assert 20 <= len(opus_packets(tmp_path / "cut.mkv")) < 40
