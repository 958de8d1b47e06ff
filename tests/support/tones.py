"""Tones as fingerprints of sound: each endpoint says a sine of its own, and a receiver's PCM is asked which it hears.

``tone_hz`` is the bots' own choice, so that tests and virtual endpoints agree.
"""

import wave
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from server.bots.loops import tone_hz

__all__ = ["SILENCE_DBFS", "heard", "level_dbfs", "loudest", "sine", "tone_hz", "write_tone_wav"]

Pcm = NDArray[np.float32]
"""Mono samples, -1..1."""

SILENCE_DBFS = -50.0
"""A tone below this is not there: coding noise of a neighbour at -12 dB, and its clicks where packets were late, stay
under it."""


def level_dbfs(samples: Pcm, rate_hz: int, frequency_hz: float) -> float:
    """The level of one frequency in ``samples`` in dB of a full-scale sine (Goertzel's sum under a Hann window).

    Use at least 0.2 s to tell tones 25 Hz apart. Empty input is -200 dB.
    """
    count = len(samples)
    if not count:
        return -200.0
    window = np.hanning(count)
    turn = np.exp(-2j * np.pi * frequency_hz / rate_hz * np.arange(count))
    amplitude = 2 * abs(np.sum(samples * window * turn)) / max(window.sum(), 1e-9)
    return float(20 * np.log10(max(amplitude, 1e-10)))


def heard(samples: Pcm, rate_hz: int, frequency_hz: float, floor_dbfs: float = -40.0) -> bool:
    """Is the tone audibly there?"""
    return level_dbfs(samples, rate_hz, frequency_hz) >= floor_dbfs


def loudest(samples: Pcm, rate_hz: int, frequencies_hz: Iterable[float], floor_dbfs: float = -40.0) -> float | None:
    """The loudest of some tones, None where none of them reaches ``floor_dbfs``."""
    level, frequency = max((level_dbfs(samples, rate_hz, each), each) for each in frequencies_hz)
    return frequency if level >= floor_dbfs else None


def sine(frequency_hz: float, seconds: float, rate_hz: int = 48_000, amplitude: float = 0.25) -> Pcm:
    """A sine from phase 0."""
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    return (amplitude * np.sin(2 * np.pi * frequency_hz * times)).astype(np.float32)


def write_tone_wav(path: Path, frequency_hz: int, seconds: int = 2, amplitude: float = 0.25) -> Path:
    """A mono 16-bit 48 kHz WAV that loops without a click (whole Hz, whole seconds): Chromium's
    ``--use-file-for-fake-audio-capture``. Returns ``path``."""
    samples = (sine(frequency_hz, seconds, amplitude=amplitude) * 32_767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(samples.tobytes())
    return path
