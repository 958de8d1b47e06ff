"""A piece's sound: where it lies, how pieces meet, who is in it."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from av import CodecContext, Packet
from av.audio.codeccontext import AudioCodecContext

from server.recording.film.reading import opus_packets, opus_samples
from server.recording.film.sound import AacPiece, Pcm, encode, limit, mix
from server.recording.film.spans import Source
from tests.recording.film.making import SOUND_RATE, tone, write_opus
from tests.support.tones import level_dbfs

FRAMES = 375
AMPLITUDE = 0.25


def sounding(folder: Path, name: str, starts_s: float, ends_s: float, hz: float, seat: str = "a") -> Source:
    """A segment whose tone is in phase with film time."""
    write_opus(folder / name, starts_s, ends_s, tone(hz, AMPLITUDE))
    return Source(name, seat, "mic", "opus", starts_s, starts_s, ends_s, 1, "")


def heard(pieces: list[AacPiece]) -> Pcm:
    """What a player makes of all pieces in a row."""
    decoder = CodecContext.create("aac", "r")
    assert isinstance(decoder, AudioCodecContext)
    decoder.extradata, decoder.sample_rate, decoder.layout = pieces[0].config, SOUND_RATE, "mono"
    frames = [frame for piece in pieces for data in piece.frames for frame in decoder.decode(Packet(data))]
    return np.concatenate([np.asarray(frame.to_ndarray(), np.float32).reshape(-1) for frame in frames])


def difference(samples: Pcm, from_s: float, hz: float) -> Pcm:
    """What is not the tone of ``hz`` that was put there."""
    times = from_s + np.arange(len(samples)) / SOUND_RATE
    return np.asarray(samples - AMPLITUDE * np.sin(2 * np.pi * hz * times), np.float32)


def part(samples: Pcm, from_s: float, to_s: float) -> Pcm:
    return samples[round(from_s * SOUND_RATE) : round(to_s * SOUND_RATE)]


def test_a_tone_goes_on_across_pieces_as_if_there_were_none(tmp_path: Path) -> None:
    source = sounding(tmp_path, "1.mkv", 0, 24.5, 440.5)
    sound = heard([encode(tmp_path, [source], FRAMES * number, FRAMES) for number in range(3)])
    assert len(sound) == 24 * SOUND_RATE
    wrong = np.abs(difference(sound, 0, 440.5))
    elsewhere = max(part(wrong, 2, 7).max(), part(wrong, 10, 15).max())
    for seam_s in (8, 16):
        assert part(wrong, seam_s - 0.05, seam_s + 0.05).max() < max(1.5 * elsewhere, 0.02)


def test_decoding_does_not_depend_on_the_piece(tmp_path: Path) -> None:
    """Neighbouring pieces decode their common neighbourhood to the same samples, down to rounding."""
    source = sounding(tmp_path, "1.mkv", 0.37, 12, 700)
    seam = 8 * SOUND_RATE
    before = mix(tmp_path, [source], seam - 9_600, 9_600 + 4_800)[9_600:]
    after = mix(tmp_path, [source], seam, 4_800)
    assert np.abs(before - after).max() < 0.002
    assert np.abs(difference(after, 8, 700)).max() < 0.03


@pytest.mark.parametrize("starts_s", [1.0, 1.2345, 2.000011])
def test_sound_lies_where_the_server_heard_it(tmp_path: Path, starts_s: float) -> None:
    source = sounding(tmp_path, "1.mkv", starts_s, starts_s + 2, 500)
    sound = mix(tmp_path, [source], 0, 5 * SOUND_RATE)
    assert np.abs(part(sound, 0, starts_s - 0.01)).max() == 0
    within = round((starts_s + 0.1) * SOUND_RATE)
    assert np.abs(difference(sound[within : within + SOUND_RATE], within / SOUND_RATE, 500)).max() < 0.06
    assert np.abs(part(sound, starts_s + 2.05, 5)).max() == 0


def in_two_files(folder: Path, late_s: float = 0.0) -> list[Source]:
    """One stream of 440 Hz, cut at 3 s; what the second file has is said to be ``late_s`` later."""
    write_opus(folder / "1.mkv", 0, 6, tone(440, AMPLITUDE), (folder / "2.mkv", 3))
    later, ends_s = 3 + late_s, 6 + late_s
    return [
        Source("1.mkv", "a", "mic", "opus", 0, 0, 3, 1, ""),
        Source("2.mkv", "a", "mic", "opus", later, max(3, later), ends_s, 1, ""),
    ]


def test_consecutive_segments_are_one_sound(tmp_path: Path) -> None:
    sound = mix(tmp_path, in_two_files(tmp_path), 0, 6 * SOUND_RATE)
    assert np.abs(difference(part(sound, 1, 5), 1, 440)).max() < 0.03


@pytest.mark.parametrize("late_s", [0.004, -0.004])
def test_drifting_clocks_make_no_click(tmp_path: Path, late_s: float) -> None:
    sound = mix(tmp_path, in_two_files(tmp_path, late_s), 0, 6 * SOUND_RATE)
    steepest = 2 * np.pi * 440 / SOUND_RATE * AMPLITUDE
    assert np.abs(np.diff(part(sound, 1, 5))).max() < 1.3 * steepest
    assert np.abs(difference(part(sound, 1, 2.5), 1, 440)).max() < 0.03
    assert np.abs(difference(part(sound, 3.5, 5), 3.5 - late_s, 440)).max() < 0.03


def test_what_two_segments_have_is_heard_once(tmp_path: Path) -> None:
    old = sounding(tmp_path, "old.mkv", 0, 4, 440)
    write_opus(tmp_path / "new.mkv", 3, 6, tone(440, AMPLITUDE))
    new = Source("new.mkv", "a", "mic", "opus", 3, 4, 6, 1, "")
    sound = mix(tmp_path, [old, new], 0, 6 * SOUND_RATE)
    assert np.abs(part(sound, 0.5, 5.5)).max() < 1.2 * AMPLITUDE
    assert level_dbfs(part(sound, 2.5, 4.5), SOUND_RATE, 440) == pytest.approx(-12, abs=0.5)


def test_all_who_hold_the_floor_are_heard_and_never_too_loud(tmp_path: Path) -> None:
    tones = [300, 500, 700, 900, 1_100]
    sources = [sounding(tmp_path, f"{hz}.mkv", 0, 2, hz, seat=f"seat {hz}") for hz in tones]
    sound = mix(tmp_path, sources, 0, 2 * SOUND_RATE)
    assert np.abs(sound).max() < 1
    for hz in tones:
        assert level_dbfs(part(sound, 0.5, 1.5), SOUND_RATE, hz) > -16
    assert level_dbfs(part(sound, 0.5, 1.5), SOUND_RATE, 1_300) < -40


def test_a_hole_is_silence(tmp_path: Path) -> None:
    sources = [sounding(tmp_path, "1.mkv", 0, 2, 440), sounding(tmp_path, "2.mkv", 3, 5, 440)]
    sound = mix(tmp_path, sources, 0, 5 * SOUND_RATE)
    assert np.abs(part(sound, 2.05, 2.95)).max() == 0
    steepest = 2 * np.pi * 440 / SOUND_RATE * AMPLITUDE
    assert np.abs(np.diff(sound)).max() < 3 * steepest  # faded, not cut


def test_what_cannot_be_read_is_silence(tmp_path: Path) -> None:
    (tmp_path / "bad.mkv").write_bytes(b"no Matroska")
    bad = Source("bad.mkv", "a", "mic", "opus", 0, 0, 2, 1, "")
    missing = Source("missing.mkv", "a", "mic", "opus", 0, 0, 2, 1, "")
    camera = Source("bad.mkv", "a", "camera", "vp8", 0, 0, 2, 1, "")
    assert not mix(tmp_path, [bad, missing, camera], 0, SOUND_RATE).any()


def test_the_limiter_leaves_what_is_not_loud() -> None:
    quiet = np.linspace(-0.7, 0.7, 100, dtype=np.float32)
    assert np.array_equal(limit(quiet.copy()), quiet)
    loud = limit(np.linspace(-5, 5, 1_001, dtype=np.float32))
    assert np.abs(loud).max() <= 1
    assert np.all(np.diff(loud) >= 0)


@pytest.mark.parametrize(
    ("head", "samples"),
    [
        pytest.param(bytes((31 << 3,)), 960, id="CELT 20 ms"),
        pytest.param(bytes((28 << 3,)), 120, id="CELT 2.5 ms"),
        pytest.param(bytes((3 << 3,)), 2_880, id="SILK 60 ms"),
        pytest.param(bytes((12 << 3,)), 480, id="hybrid 10 ms"),
        pytest.param(bytes((31 << 3 | 1,)), 1_920, id="two frames of one size"),
        pytest.param(bytes((31 << 3 | 2,)), 1_920, id="two frames"),
        pytest.param(bytes((31 << 3 | 3, 3)), 2_880, id="three frames"),
        pytest.param(bytes((31 << 3 | 3,)), 0, id="frames without their number"),
    ],
)
def test_how_long_a_packet_is(head: bytes, samples: int) -> None:
    assert opus_samples(head) == samples


def test_packets_are_counted_not_rounded(tmp_path: Path) -> None:
    source = sounding(tmp_path, "1.mkv", 0, 3, 440)
    packets = opus_packets(tmp_path / source.file)
    assert {after.position - before.position for before, after in itertools.pairwise(packets)} == {960}
    assert len(packets) in range(149, 153)
