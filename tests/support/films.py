"""Looks at and listens to a finished media file: the picture at a second, the sound between two."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tests.support.tones import Pcm

RATE_HZ = 48_000


class MediaFile:
    """Opened anew for every question: a test asks few, and each of its own part."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def duration_s(self) -> float:
        with av.open(str(self.path)) as container:
            assert container.duration is not None
            return container.duration / av.time_base

    def chapters(self) -> list[tuple[float, float, str]]:
        """(start, end, title) in seconds."""
        with av.open(str(self.path)) as container:
            return [
                (
                    float(chapter["start"] * Fraction(chapter["time_base"] or 1)),
                    float(chapter["end"] * Fraction(chapter["time_base"] or 1)),
                    chapter["metadata"].get("title", ""),
                )
                for chapter in container.chapters()
            ]

    def picture(self, at_s: float) -> NDArray[np.uint8]:
        """The first picture shown at or after ``at_s``: height x width x 3, RGB."""
        with av.open(str(self.path)) as container:
            stream = container.streams.video[0]
            container.seek(max(0, int(at_s * av.time_base)))
            for frame in container.decode(stream):
                if frame.time is not None and frame.time >= at_s - 0.001:
                    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
        raise AssertionError(f"{self.path.name} has no picture at {at_s} s")

    def sound(self, from_s: float, to_s: float) -> Pcm:
        """Mono samples at RATE_HZ between two seconds; what is missing is silence."""
        samples = np.zeros(max(0, round((to_s - from_s) * RATE_HZ)), np.float32)
        with av.open(str(self.path)) as container:
            stream = container.streams.audio[0]
            container.seek(max(0, int((from_s - 0.2) * av.time_base)))
            resampler = av.AudioResampler("fltp", "mono", RATE_HZ)
            for decoded in container.decode(stream):
                if decoded.time is not None and decoded.time >= to_s:
                    break
                for frame in resampler.resample(decoded):
                    assert frame.time is not None
                    _place(samples, frame.to_ndarray()[0], round((frame.time - from_s) * RATE_HZ))
        return samples


def _place(samples: Pcm, part: Pcm, start: int) -> None:
    first, last = max(0, start), min(len(samples), start + len(part))
    if last > first:
        samples[first:last] = part[first - start : last - start]
