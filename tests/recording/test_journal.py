"""Recordings in virtual time: codecs, bad lines, jumps of clocks and sizes, kills. Decoded, and the times are right."""

import random
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from server.recording import matroska
from server.recording.events import Chatted, Repaired, Resumed
from server.recording.track import TrackDescription
from server.recording.verify import verify_recording
from server.sfu.ports import Codec
from tests.recording.rig import SMALL, START_AT, Rig, closed_segments, decode, events, gaps
from tests.recording.sources import ALL, AV1, H264, VIDEO, VP8, VP9, Camera, Microphone

SHORT = msgspec.structs.replace(SMALL, segment_s=4.0, keyframe_ahead_s=0.5)


def is_sound_whole(rig: Rig, tone: float = 400.0) -> None:
    for closed in closed_segments(rig.folder, "mic"):
        assert set(decode(rig.folder, closed).tones) <= {tone}


@pytest.mark.parametrize("codec", VIDEO.values(), ids=VIDEO.keys())
def test_every_codec_is_written_whole_and_decodes(tmp_path: Path, codec: Codec) -> None:
    rig = Rig(tmp_path, limits=SHORT)
    camera = Camera(codec)
    rig.open(1, "seat_a", "mic", Microphone(700))
    rig.open(2, "seat_a", "camera", camera)
    rig.run(5)
    camera.brightness = 180
    rig.run(5)
    rig.finish()
    segments = [decode(rig.folder, closed) for closed in closed_segments(rig.folder, "camera")]
    assert [segment.closed.codec for segment in segments] == [codec.name] * 3
    assert sum(len(segment.brightness) for segment in segments) == camera.count
    shown = [value for segment in segments for value in segment.brightness]
    assert all(abs(value - 60) < 12 for value in shown[:74])
    assert all(abs(value - 180) < 12 for value in shown[78:])
    for before, after in pairwise(segments):
        assert abs(after.closed.starts_at - before.closed.ends_at) < 0.02
        assert before.closed.ends_at - before.closed.starts_at <= SHORT.segment_s
    is_sound_whole(rig, 700.0)
    sound = closed_segments(rig.folder, "mic")
    assert all(closed.ends_at - closed.starts_at <= SHORT.segment_s + 1e-6 for closed in sound)
    assert abs(sum(closed.ends_at - closed.starts_at for closed in sound) - 10) < 0.05
    assert verify_recording(rig.folder).findings == ()
    assert gaps(rig.folder) == []


def test_key_frames_are_asked_for_before_a_segment_is_full(tmp_path: Path) -> None:
    rig = Rig(tmp_path, limits=SHORT)
    rig.open(2, "seat_a", "camera", Camera(VP8, 64, 64))
    rig.run(9)
    rig.finish()
    assert [round(at - START_AT, 1) for at, _ in rig.wishes] == [3.5, 7.1]


def test_a_source_that_is_late_with_its_key_frame_loses_nothing(tmp_path: Path) -> None:
    """It is asked again every second; its segment goes on, longer than it should be."""
    rig = Rig(tmp_path, limits=SHORT)
    rig.answers_wishes = False
    camera = Camera(VP8, 64, 64)
    rig.open(2, "seat_a", "camera", camera)
    rig.run(6.5)
    rig.finish()
    (closed,) = closed_segments(rig.folder)
    assert len(decode(rig.folder, closed).brightness) == camera.count
    assert len(rig.wishes) == 3


def test_a_source_without_key_frames_leaves_a_gap_at_last(tmp_path: Path) -> None:
    rig = Rig(tmp_path, limits=SHORT)
    rig.answers_wishes = False
    rig.open(2, "seat_a", "camera", Camera(VP8, 64, 64))
    rig.run(9)
    rig.answers_wishes = True
    rig.run(3)
    rig.finish()
    first, second = closed_segments(rig.folder)
    assert first.ends_at - first.starts_at == pytest.approx(7.2, abs=0.1)
    (gap,) = gaps(rig.folder)
    assert gap.starts_at == pytest.approx(first.ends_at, abs=0.01)
    assert gap.ends_at == second.starts_at


def test_late_and_double_packets_do_no_harm(tmp_path: Path) -> None:
    dice = random.Random(5)  # noqa: S311  the same line every time
    delays: dict[tuple[int, int], float] = {}
    rig = Rig(tmp_path)
    rig.delay = lambda track, number: delays.setdefault((track, number), dice.choice((0.0, 0.0, 0.03, 0.12, 0.25)))
    camera, microphone = Camera(VP8, 640, 360), Microphone(400)
    rig.open(1, "seat_a", "mic", microphone)
    rig.open(2, "seat_a", "camera", camera)
    rig.run(6)
    rig.finish()
    (picture,) = closed_segments(rig.folder, "camera")
    assert picture.lost == 0
    assert len(decode(rig.folder, picture).brightness) >= camera.count - 4
    is_sound_whole(rig)
    assert gaps(rig.folder) == []


def test_duplicates_are_written_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    microphone = Microphone(400)
    rig.journal.open_track(track(1), 1)
    for number in range(200):
        packet = microphone.packet(START_AT + number * 0.02)
        for _ in range(3):
            rig.journal.rtp(1, packet.data, packet.at, number + 2)
    rig.now += 4
    rig.finish()
    (closed,) = closed_segments(rig.folder)
    assert len(decode(rig.folder, closed).times) == 200


def test_lost_packets_are_counted_and_a_key_frame_is_asked_for(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.lose = lambda track, number: number in (100, 160)
    rig.open(1, "seat_a", "mic", Microphone(400))
    camera = Camera(VP8)
    rig.open(2, "seat_a", "camera", camera)
    rig.run(12)
    rig.finish()
    assert [closed.lost for closed in closed_segments(rig.folder)] == [2, 2]
    assert {number for _, number in rig.wishes} == {2}
    assert gaps(rig.folder) == []
    for closed in closed_segments(rig.folder, "camera"):
        segment = decode(rig.folder, closed)
        assert len(segment.brightness) == camera.count - 2
        assert all(abs(value - 60) < 12 for value in segment.brightness)


@pytest.mark.parametrize(("lost", "is_gap"), [(5, False), (14, True), (75, True)])
def test_a_hole_of_a_fifth_of_a_second_is_a_gap(tmp_path: Path, lost: int, is_gap: bool) -> None:
    rig = Rig(tmp_path)
    rig.lose = lambda track, number: 100 < number <= 100 + lost
    rig.open(1, "seat_a", "mic", Microphone(400))
    rig.run(6)
    rig.finish()
    if not is_gap:
        assert gaps(rig.folder) == []
        return
    (gap,) = gaps(rig.folder)
    assert (gap.reason, gap.seat_id, gap.track) == ("packets_lost", "seat_a", "mic")
    assert abs(gap.starts_at - START_AT - 2.0) < 0.01
    assert abs(gap.ends_at - START_AT - 2.0 - lost * 0.02) < 0.01


def test_a_camera_that_is_off_for_a_while_is_no_gap(tmp_path: Path) -> None:
    rig = Rig(tmp_path, limits=SHORT)
    camera = Camera(VP8, 64, 64)
    rig.open(2, "seat_a", "camera", camera)
    rig.run(2)
    del rig.sources[2]
    rig.run(6)
    assert len(closed_segments(rig.folder)) == 1
    camera.timestamp += 6 * 90_000
    rig.sources[2] = camera
    rig.next_frame[2] = rig.now
    rig.run(2)
    rig.finish()
    assert gaps(rig.folder) == []
    first, second = closed_segments(rig.folder)
    assert abs(first.ends_at - START_AT - 2) < 0.1
    assert abs(second.starts_at - START_AT - 8) < 0.2


def test_sound_after_silence_begins_a_segment(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    microphone = Microphone(400)
    rig.open(1, "seat_a", "mic", microphone)
    rig.run(2)
    del rig.sources[1]
    rig.run(5)
    microphone.timestamp += 5 * 48_000
    rig.sources[1] = microphone
    rig.next_frame[1] = rig.now
    rig.run(2)
    rig.finish()
    first, second = closed_segments(rig.folder)
    assert abs(first.ends_at - START_AT - 2) < 0.1
    assert abs(second.starts_at - START_AT - 7) < 0.1
    assert gaps(rig.folder) == []


@pytest.mark.parametrize("sends_reports", [True, False])
@pytest.mark.parametrize("jump_s", [-30, -1.5, 1.5, 3_600])
def test_a_jump_of_the_rtp_time_begins_a_segment_at_the_right_time(
    tmp_path: Path, jump_s: float, sends_reports: bool
) -> None:
    rig = Rig(tmp_path)
    rig.sends_reports = sends_reports
    microphone = Microphone(400)
    rig.open(1, "seat_a", "mic", microphone)
    rig.run(3)
    microphone.timestamp += round(jump_s * 48_000)
    rig.run(4)
    rig.finish()
    segments = closed_segments(rig.folder)
    assert len(segments) >= 2
    assert abs(segments[-1].ends_at - START_AT - 7) < 0.1
    assert abs(sum(closed.ends_at - closed.starts_at for closed in segments) - 7) < 0.15
    assert gaps(rig.folder) == []


def test_a_burst_after_a_standstill_of_the_network_is_no_jump(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.sends_reports = False
    rig.delay = lambda track, number: max(0.0, 2.5 - (number - 100) * 0.02) if 100 <= number < 225 else 0.0
    rig.open(1, "seat_a", "mic", Microphone(400))
    rig.run(8)
    rig.finish()
    (closed,) = closed_segments(rig.folder)
    assert len(decode(rig.folder, closed).times) in (400, 401)
    assert abs(closed.starts_at - START_AT) < 0.05


def test_sizes_from_16_to_4k_each_begin_a_segment(tmp_path: Path) -> None:
    for codec in (VP8, H264, VP9):
        folder = tmp_path / codec.name
        folder.mkdir()
        rig = Rig(folder)
        camera = Camera(codec, 16, 16, 5)
        rig.open(2, "seat_a", "camera", camera)
        for size in ((16, 16), (3_840, 2_160), (64, 48), (1_280, 720)):
            camera.resize(*size)
            rig.run(0.8)
        rig.finish()
        sizes = []
        for closed in closed_segments(rig.folder):
            found = matroska.scan((rig.folder / closed.file).read_bytes())
            assert found is not None
            sizes.append((found.width, found.height))
            assert all(abs(value - 60) < 12 for value in decode(rig.folder, closed).brightness)
        assert sizes == [(16, 16), (3_840, 2_160), (64, 48), (1_280, 720)]
        assert gaps(rig.folder) == []


def test_flipped_bits_break_nothing(tmp_path: Path) -> None:
    """Row 27: every tenth packet has octets flipped anywhere behind its header; the files stay readable."""
    dice = random.Random(11)  # noqa: S311  the same noise every time
    for codec in VIDEO.values():
        folder = tmp_path / codec.name
        folder.mkdir()
        rig = Rig(folder)
        camera = Camera(codec, 160, 120)
        rig.journal.open_track(track(2, "camera"), 1)
        for number in range(150):
            at = START_AT + number / 15
            for packet in camera.frame(at, key=number % 40 == 0):
                data = bytearray(packet.data)
                if dice.random() < 0.1:
                    for _ in range(dice.randint(1, 30)):
                        data[dice.randrange(12, len(data))] ^= 1 << dice.randrange(8)
                    data = data[: dice.randint(12, len(data))]
                rig.journal.rtp(2, bytes(data), at, number + 2)
            rig.journal.tick(at)
        rig.now = START_AT + 11
        rig.finish()
        assert verify_recording(rig.folder).findings == ()
        frames = 0
        for closed in closed_segments(rig.folder):
            found = matroska.scan((rig.folder / closed.file).read_bytes())
            assert found is not None
            assert found.finished
            frames += found.frames
        assert frames > 100


@pytest.mark.parametrize("shift_s", [0.5, -0.5])
def test_sound_and_picture_stay_together_when_the_reports_move(tmp_path: Path, shift_s: float) -> None:
    """A way that becomes half a second longer: cut at different times, both go on as they were, and follow slowly."""
    rig = Rig(tmp_path)
    rig.open(1, "seat_a", "mic", Microphone(400))
    rig.run(1.5)
    rig.open(2, "seat_a", "camera", Camera(VP8))
    rig.run(28.0)
    rig.reports_ahead_s = shift_s
    rig.run(160.0)
    rig.finish()
    closed = closed_segments(rig.folder)
    for track in ("mic", "camera"):
        segments = [event for event in closed if event.track == track]
        assert len(segments) >= 3
        for before, after in pairwise(segments):
            moved_s = after.starts_at - before.ends_at
            assert abs(moved_s) < 0.02
            assert before is segments[0] or moved_s * shift_s > 0


def test_an_hour_of_a_clock_that_drifts(tmp_path: Path) -> None:
    """100 ppm are 0.36 s in an hour; every segment is anchored anew, so that no frame is off by more than 10 ms."""
    rig = Rig(tmp_path)
    microphone = Microphone(400)
    rig.journal.open_track(track(1), 1)
    index = 1
    for number in range(3_600 * 50):
        at = START_AT + number * 0.02 / 1.0001
        index += 1
        if number % 50 == 0:
            rig.journal.rtcp(1, microphone.report(at), index)
        rig.journal.rtp(1, microphone.packet(at).data, at + 0.01, index)
        if number % 50 == 0:
            rig.journal.tick(at)
    rig.now = START_AT + 3_600
    rig.finish()
    segments = closed_segments(rig.folder)
    assert len(segments) == 60
    assert segments[-1].ends_at - START_AT == pytest.approx(3_600 / 1.0001, abs=0.01)
    for before, after in pairwise(segments):
        assert abs(after.starts_at - before.ends_at) < 0.01


def test_two_sources_after_another_on_one_track(tmp_path: Path) -> None:
    """A new SSRC (the endpoint came back) is a new stream: a segment of its own, no loss."""
    rig = Rig(tmp_path)
    rig.open(1, "seat_a", "mic", Microphone(400))
    rig.run(2)
    rig.sources[1] = Microphone(400, ssrc=0x9999, sequence=3, timestamp=5)
    rig.run(2)
    rig.finish()
    assert [closed.lost for closed in closed_segments(rig.folder)] == [0, 0]
    is_sound_whole(rig)


def test_codecs_may_change_on_a_track(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    first = Camera(VP8, 64, 64)
    rig.open(2, "seat_a", "camera", first)
    rig.run(2)
    second = Camera(H264, 64, 64, sequence=first.sequence, timestamp=first.timestamp)
    rig.sources[2] = second
    rig.answers_wishes = True
    rig.run(2)
    rig.finish()
    assert [closed.codec for closed in closed_segments(rig.folder)] == ["vp8", "h264"]
    assert gaps(rig.folder) == []


def test_a_killed_recording_goes_on_with_what_was_there(tmp_path: Path) -> None:
    """Both died (a power cut): orphans are adopted, a torn line is cut, and the gap says from when to when."""
    killed = Rig(tmp_path, limits=SHORT)
    killed.open(1, "seat_a", "mic", Microphone(400))
    killed.open(2, "seat_a", "camera", Camera(AV1, 64, 64))
    killed.event(Chatted("A", "before"))
    killed.run(6.5)
    with (killed.folder / "events.jsonl").open("ab") as log:
        log.write(b'{"n":9,"at":17')
    rig = Rig(tmp_path, limits=SHORT, now=START_AT + 20, again=True)
    rig.open(1, "seat_a", "mic", Microphone(700, ssrc=5))
    rig.run(2)
    rig.finish()
    assert verify_recording(rig.folder).findings == ()
    told = events(rig.folder)
    assert Repaired(14) in told
    assert Resumed("server_stopped") in told
    (gap,) = gaps(rig.folder)
    assert gap.reason == "server_stopped"
    assert gap.ends_at == START_AT + 20
    assert START_AT + 6.2 <= gap.starts_at <= START_AT + 6.6
    recovered = [closed for closed in closed_segments(rig.folder) if closed.recovered]
    assert {closed.track for closed in recovered} == {"mic", "camera"}
    assert all(closed.ends_at > START_AT + 6.2 for closed in recovered)
    assert [set(decode(rig.folder, closed).tones) for closed in closed_segments(rig.folder, "mic")] == [
        {400.0},
        {400.0},
        {700.0},
    ]


@pytest.mark.parametrize(("ssrc", "timestamp"), [(77, 0), (0x1111, 1_000_000_000)])
def test_a_stream_that_does_not_fit_is_not_gone_on_with(tmp_path: Path, ssrc: int, timestamp: int) -> None:
    """The file of a killed writer is closed as it was: another SSRC, or the same one of another start of the server."""
    killed = Rig(tmp_path)
    killed.open(1, "seat_a", "mic", Microphone(400))
    killed.run(2.0)
    rig = Rig(tmp_path, now=START_AT + 4, again=True, replaying=True)
    rig.open(1, "seat_a", "mic", Microphone(400, ssrc=ssrc, timestamp=timestamp))
    rig.run(2)
    rig.finish()
    assert Resumed("writer_stopped") in events(rig.folder)
    assert [closed.recovered for closed in closed_segments(rig.folder)] == [True, False]
    assert sum(len(decode(rig.folder, closed).times) for closed in closed_segments(rig.folder)) >= 185


def test_a_replay_goes_on_at_the_very_packet(tmp_path: Path) -> None:
    """What the killed writer had, and more, comes again: nothing is missing or twice, no key frame is needed."""
    for cut_octets in (0, 900):
        folder = tmp_path / str(cut_octets)
        folder.mkdir()
        killed = Rig(folder)
        camera = Camera(VP8, 160, 120)
        sent = []
        killed.journal.open_track(track(2, "camera"), 1)
        for number in range(60):
            for packet in camera.frame(START_AT + number / 15, key=not number):
                sent.append((packet.data, packet.at))
                if number < 40:
                    killed.journal.rtp(2, packet.data, packet.at, len(sent) + 1)
            killed.journal.tick(START_AT + number / 15)
        path = killed.folder / "tracks" / "seat_a-camera-0001.mkv"
        if cut_octets:
            path.write_bytes(path.read_bytes()[:-cut_octets])
        rig = Rig(folder, now=START_AT + 1, again=True, replaying=True)
        rig.journal.open_track(track(2, "camera"), 0)
        for index, (data, at) in enumerate(sent[10:], 1):
            rig.journal.rtp(2, data, at, index)
            rig.journal.tick(at)
        rig.now = START_AT + 4
        rig.finish()
        (closed,) = closed_segments(rig.folder)
        segment = decode(rig.folder, closed)
        assert len(segment.times) == len(segment.brightness) == 60
        assert all(abs(value - 60) < 12 for value in segment.brightness)
        assert gaps(rig.folder) == []


def test_what_an_earlier_writer_left_of_closed_tracks_is_adopted(tmp_path: Path) -> None:
    killed = Rig(tmp_path)
    killed.open(1, "seat_a", "mic", Microphone(400))
    killed.run(2.0)
    rig = Rig(tmp_path, now=START_AT + 4, again=True, replaying=True)
    rig.run(2)
    rig.finish()
    (closed,) = closed_segments(rig.folder)
    assert closed.recovered
    assert verify_recording(rig.folder).findings == ()


def test_replayed_lines_are_written_once(tmp_path: Path) -> None:
    killed = Rig(tmp_path)
    killed.event(Chatted("A", "1"))
    at = killed.now
    killed.run(1.5)
    rig = Rig(tmp_path, now=START_AT + 2, again=True, replaying=True)
    rig.journal.event(Chatted("A", "1"), at, 1)
    rig.journal.event(Chatted("A", "2"), at, 2)
    rig.journal.event(Chatted("A", "1"), at + 1, 3)
    rig.finish()
    assert [event.text for event in events(rig.folder) if isinstance(event, Chatted)] == ["1", "2", "1"]


def test_strange_packets_and_tracks_are_passed_over(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.journal.open_track(track(1), 1)
    microphone = Microphone(400)
    for index, data in enumerate((b"", b"\0" * 40, bytes((0x80, 77)) + bytes(30), b"\x80\x6f" + bytes(5)), 2):
        rig.journal.rtp(1, data, START_AT, index)
    rig.journal.rtp(9, microphone.packet(START_AT).data, START_AT, 9)
    rig.journal.rtcp(9, b"", 10)
    rig.journal.rtcp(1, b"\x80\xc8\0\x06nonsense", 11)
    rig.journal.close_track(9, 12, START_AT)
    rig.finish()
    assert rig.journal.ack().malformed_packets == 4
    assert rig.journal.ack().acked == 12
    assert closed_segments(rig.folder) == []


def track(number: int, label: str = "mic") -> TrackDescription:
    return TrackDescription(number, "seat_a", label, ALL)
