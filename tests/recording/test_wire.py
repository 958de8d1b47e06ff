"""The socket between server and writer, and what is kept for a successor."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.config import RecordingConfig
from server.recording.backlog import Backlog
from server.recording.files import RealFiles
from server.recording.space import SpaceState, WriteRate, judge, look
from server.recording.wire import HEADER, Ack, AckReader, FrameReader, Kind, encode_ack, frame


@given(st.lists(st.tuples(st.sampled_from(Kind), st.integers(0, 0xFFFF), st.binary(max_size=50))), st.integers(1, 40))
def test_frames_cut_anywhere_come_out_whole(frames: list[tuple[Kind, int, bytes]], step: int) -> None:
    data = b"".join(frame(kind, track, 1.5, payload) for kind, track, payload in frames)
    reader = FrameReader()
    out = []
    for start in range(0, len(data), step):
        out += reader.feed(data[start : start + step])
    assert [(each.kind, each.track, each.payload) for each in out] == [(int(k), t, p) for k, t, p in frames]
    assert all(each.at == 1.5 for each in out)


@pytest.mark.parametrize("head", [HEADER.pack(0, 99, 0, 0.0), HEADER.pack(1 << 31, 1, 0, 0.0)])
def test_what_is_no_frame_is_our_own_fault(head: bytes) -> None:
    with pytest.raises(ValueError, match="not a frame"):
        FrameReader().feed(head)


def test_acks_cut_anywhere_come_out_whole() -> None:
    acks = [Ack(acked=1), Ack(acked=7, state="paused", detail="disk_full", free_octets=3, wishes=(1, 2))]
    data = b"".join(map(encode_ack, acks))
    reader = AckReader()
    out = []
    for octet in data:
        out += reader.feed(bytes((octet,)))
    assert out == acks
    with pytest.raises(ValueError, match="not an ack"):
        AckReader().feed(b"\xff\xff\xff\xff")


def test_a_backlog_is_kept_until_it_is_acknowledged() -> None:
    backlog = Backlog(100, 10.0)
    assert backlog.acked == 0
    assert backlog.first_at(5.0) == 5.0
    assert backlog.age_s(5.0) == 0.0
    assert backlog.add([b"a", b"b"], 2, 1.0) == b"ab"
    backlog.add([b"c" * 50], 3, 2.0)
    assert (backlog.sent, backlog.octets, backlog.acked) == (5, 52, 0)
    backlog.ack(1)
    assert [batch.data for batch in backlog] == [b"ab", b"c" * 50]
    backlog.ack(4)
    assert [batch.first for batch in backlog] == [3]
    assert backlog.acked == 2
    assert not backlog.is_full(5.0)
    assert backlog.is_full(12.0)
    backlog.add([b"d" * 50], 1, 3.0)
    assert backlog.is_full(5.0)
    backlog.ack(6)
    assert (backlog.octets, backlog.acked) == (0, 6)


def test_space_is_told_in_hours(tmp_path: Path) -> None:
    config = RecordingConfig(usual_bps=8_000_000, low_hours=1.0, full_octets=1_000_000)
    plenty = judge(1_000_000 + 3_600 * 2_000_000, None, config)
    assert (plenty.hours_left, plenty.state) == (2.0, SpaceState.OK)
    assert judge(1_000_000 + 3_600 * 2_000_000, 4_000_000.0, config).hours_left == 0.5
    assert judge(1_000_000 + 3_600 * 2_000_000, 4_000_000.0, config).state is SpaceState.LOW
    assert judge(1_000_000, None, config).state is SpaceState.FULL
    assert judge(0, None, config).hours_left == 0


def test_the_disk_itself_is_asked(tmp_path: Path) -> None:
    assert look(tmp_path, None, RecordingConfig(), RealFiles()).free_octets > 0


def test_the_rate_is_of_the_last_minute() -> None:
    rate = WriteRate()
    assert rate.bytes_per_s() is None
    for second in range(200):
        rate.add(1_000 * second if second < 100 else 100_000, 10.0 + second)
        if second < 5:
            assert rate.bytes_per_s() is None
        if second == 99:
            assert rate.bytes_per_s() == 1_000
    assert rate.bytes_per_s() == 0
