"""How every film is made. What changes what a film looks or sounds like changes VERSION too."""

from typing import Final

VERSION: Final = 1
"""Part of each piece's name: pieces of another version are made again."""

WIDTH: Final = 1_280
HEIGHT: Final = 720
PICTURES_PER_S: Final = 25
SAMPLE_RATE: Final = 48_000

PIECE_S: Final = 8
"""The shortest time that is a whole number of pictures (200) and of AAC frames (375) and gives a player pieces of a
usual length."""
PIECE_PICTURES: Final = PIECE_S * PICTURES_PER_S
AAC_SAMPLES: Final = 1_024
"""In one AAC-LC frame."""
PIECE_FRAMES: Final = PIECE_S * SAMPLE_RATE // AAC_SAMPLES

X264_PRESET: Final = "veryfast"
X264_CRF: Final = "23"
AUDIO_BPS: Final = 96_000
"""Mono: who speaks has no place in the room."""


def describe() -> dict[str, str | int]:
    """For the film's manifest and the pieces' names."""
    return {
        "version": VERSION,
        "width": WIDTH,
        "height": HEIGHT,
        "pictures_per_s": PICTURES_PER_S,
        "video": f"h264 {X264_PRESET} crf {X264_CRF}",
        "audio": f"aac {SAMPLE_RATE} Hz mono {AUDIO_BPS} bit/s",
        "piece_s": PIECE_S,
    }
