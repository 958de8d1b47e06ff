"""Tones and pictures of tests/support: what tells endpoints apart must itself be right."""

import wave
from pathlib import Path

import av
import numpy as np
import pytest

from tests.support import pictures, tones


@pytest.mark.parametrize("frequency_hz", [250, 440, 4_000, 5_225])
def test_the_level_of_a_tone_is_that_of_its_amplitude(frequency_hz: int) -> None:
    samples = tones.sine(frequency_hz, 0.2, amplitude=0.5)
    assert tones.level_dbfs(samples, 48_000, frequency_hz) == pytest.approx(-6.02, abs=0.1)


def test_neighbouring_tones_are_told_apart_in_a_fifth_of_a_second() -> None:
    samples = tones.sine(tones.tone_hz(7), 0.2)
    candidates = [tones.tone_hz(index) for index in range(20)]
    assert tones.loudest(samples, 48_000, candidates) == tones.tone_hz(7)
    assert not tones.heard(samples, 48_000, tones.tone_hz(8))


def test_silence_and_nothing_hold_no_tone() -> None:
    nothing = np.zeros(0, np.float32)
    assert tones.level_dbfs(nothing, 48_000, 440) == -200.0
    assert tones.loudest(np.zeros(9_600, np.float32), 48_000, [440, 880]) is None


def test_a_tone_file_loops_without_a_click(tmp_path: Path) -> None:
    path = tones.write_tone_wav(tmp_path / "tone.wav", 440, seconds=1)
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (48_000, 1, 2)
        samples = np.frombuffer(file.readframes(48_000), "<i2").astype(np.float32) / 32_768
    twice = np.concatenate([samples, samples])
    assert tones.level_dbfs(twice, 48_000, 440) == pytest.approx(-12.04, abs=0.1)
    assert np.abs(np.diff(twice)).max() < 0.02


@pytest.mark.parametrize("index", range(0, pictures.PATTERNS, 13))
def test_a_pattern_is_recognised_scaled_and_boxed(index: int) -> None:
    pixels = pictures.pattern(index, 321, 181, phase=0.4)
    boxed = np.zeros((300, 340, 3), np.uint8)
    boxed[60:241, 10:331] = pixels
    assert pictures.recognise(pixels) == index
    assert pictures.recognise(boxed) == index
    assert pictures.recognise(pixels[::3, ::3]) == index


def test_no_two_colours_can_be_taken_for_each_other() -> None:
    colours = np.array(pictures.PALETTE, float)
    for place, colour in enumerate(colours):
        others = np.delete(colours, place, axis=0)
        assert np.linalg.norm(others - colour, axis=1).min() >= 120


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (128, 128, 128), *pictures.PALETTE])
def test_a_plain_picture_is_nobodys(colour: tuple[int, int, int]) -> None:
    assert pictures.recognise(np.full((90, 160, 3), colour, np.uint8)) is None


def test_half_of_one_and_half_of_another_is_nobodys() -> None:
    mixture = pictures.pattern(0, 160, 90)
    mixture[:, 80:] = pictures.pattern(3, 160, 90)[:, 80:]
    assert pictures.recognise(mixture) not in (0, 3)


def test_pattern_files_hold_the_pattern(tmp_path: Path) -> None:
    for path in (
        pictures.write_pattern_y4m(tmp_path / "a.y4m", 42, 320, 180, seconds=1),
        pictures.write_pattern_mjpeg(tmp_path / "a.mjpeg", 42, 320, 180, seconds=1),
    ):
        with av.open(str(path)) as container:
            seen = [
                pictures.recognise(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
                for frame in container.decode(video=0)
            ]
        assert seen == [42] * 15
