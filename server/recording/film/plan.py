"""What one piece is made of: everything that its octets depend on, and nothing else. Pure.

A piece's name has the hash of its plan, so that a piece is never taken for another: of a log that went on, of a file
that was damaged since, of another version of the renderer.
"""

import hashlib
import math
from typing import Final

import msgspec

from server.recording.film.scenes import Scene, SceneKind
from server.recording.film.settings import (
    AAC_SAMPLES,
    PICTURES_PER_S,
    PIECE_FRAMES,
    PIECE_PICTURES,
    PIECE_S,
    SAMPLE_RATE,
    describe,
)
from server.recording.film.spans import Source
from server.recording.film.timeline import Chapter, Timeline

_LONGEST_BRIDGE_S: Final = 80.0
"""Sources that ended this long before may still be seen: a screen that does not change."""
_SOUND_AROUND_S: Final = 1.0


class PiecePlan(msgspec.Struct, frozen=True):
    """``names``: of the seats that occur. ``settings``: see ``settings.describe``."""

    number: int
    first_picture: int
    pictures: int
    first_frame: int
    frames: int
    opened_at: float
    title: str
    names: dict[str, str]
    chapters: tuple[Chapter, ...]
    scenes: tuple[Scene, ...]
    sources: tuple[Source, ...]
    settings: dict[str, str | int]

    @property
    def file_name(self) -> str:
        """Like 00012-0123456789abcdef.m4s."""
        fingerprint = hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:16]
        return f"{self.number:05d}-{fingerprint}.m4s"


def count_pictures(length_s: float) -> int:
    """Pictures of a film of ``length_s``: at least one."""
    return max(1, math.ceil(length_s * PICTURES_PER_S - 1e-6))


def count_pieces(length_s: float) -> int:
    return math.ceil(count_pictures(length_s) / PIECE_PICTURES)


def plan_piece(number: int, timeline: Timeline, all_scenes: tuple[Scene, ...]) -> PiecePlan:
    """Piece ``number`` (from 0) of ``count_pieces``. All have 8 s but the last, whose sound lasts at least as long as
    its pictures."""
    first_picture, first_frame = number * PIECE_PICTURES, number * PIECE_FRAMES
    pictures = min(PIECE_PICTURES, count_pictures(timeline.length_s) - first_picture)
    assert pictures > 0
    frames = math.ceil(pictures * SAMPLE_RATE / PICTURES_PER_S / AAC_SAMPLES)
    starts_s = float(number * PIECE_S)
    ends_s = starts_s + pictures / PICTURES_PER_S
    scenes = tuple(
        msgspec.structs.replace(scene, starts_s=max(scene.starts_s, starts_s), ends_s=min(scene.ends_s, ends_s))
        for scene in all_scenes
        if scene.starts_s < ends_s and scene.ends_s > starts_s
    )
    chapters = tuple(
        msgspec.structs.replace(each, ends_s=min(each.ends_s, ends_s))
        for each in timeline.chapters
        if each.starts_s < ends_s and each.ends_s > starts_s
    )
    seen = {scene.seat_id for scene in scenes} | {scene.screen for scene in scenes}
    return PiecePlan(
        number=number,
        first_picture=first_picture,
        pictures=pictures,
        first_frame=first_frame,
        frames=frames,
        opened_at=timeline.opened_at,
        title=timeline.opened.title,
        names={seat_id: timeline.name_of(seat_id) for seat_id in sorted(filter(None, seen))},
        chapters=chapters,
        scenes=scenes or (Scene(starts_s, ends_s, SceneKind.CARD, None),),
        sources=tuple(
            source
            for source in timeline.sources
            if (_is_heard(source, starts_s, ends_s) if source.track == "mic" else source.seat_id in seen)
            and source.starts_s <= ends_s + _SOUND_AROUND_S
            and source.ends_s >= starts_s - _LONGEST_BRIDGE_S
        ),
        settings=describe(),
    )


def _is_heard(source: Source, starts_s: float, ends_s: float) -> bool:
    return source.starts_s <= ends_s + _SOUND_AROUND_S and source.ends_s >= starts_s - _SOUND_AROUND_S
