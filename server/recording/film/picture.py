"""The pictures of one piece: for each its scene, the decoded picture that belongs there, what is written over it."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from server.recording.film import labels
from server.recording.film.labels import Planes
from server.recording.film.plan import PiecePlan
from server.recording.film.reading import Reels, Shot
from server.recording.film.scenes import Scene, SceneKind
from server.recording.film.settings import HEIGHT, PICTURES_PER_S, WIDTH
from server.recording.film.spans import Source
from server.recording.film.timeline import Chapter

LOWER_THIRD_S: Final = 6.0
_STALE_S: Final = {"camera": 3.0, "screen": 75.0}
"""A camera that sends nothing for this long is off; a screen may simply not change."""
_FRESH_S: Final = 1.5
"""Of a lost endpoint, or in a gap, the last picture stays this long before the slate."""
_HALF_PICTURE_S: Final = 0.5 / PICTURES_PER_S
_EXACTLY: Final = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT


class Box(msgspec.Struct, frozen=True):
    """A place on the canvas; all even."""

    left: int
    top: int
    width: int
    height: int


WHOLE: Final = Box(0, 0, WIDTH, HEIGHT)
SCREEN_BOX: Final = Box(24, 98, 928, 522)
SPEAKER_BOX: Final = Box(968, 98, 288, 162)


class _Look(msgspec.Struct, frozen=True):
    """What one picture of the film consists of. Equal looks are the same picture. Shots are known by their times."""

    scene: Scene
    card: tuple[str, str] | None
    shots: tuple[tuple[str, str, float], ...]
    lower_third: tuple[str, str] | None


class Painter:
    """Makes pictures of one recording's pieces. Keeps files open from piece to piece."""

    def __init__(self, folder: Path, reels: Reels) -> None:
        self._folder = folder
        self._reels = reels
        self._reformatter = VideoReformatter()

    def pictures(self, plan: PiecePlan) -> Iterator[VideoFrame]:
        """``plan.pictures`` frames, yuv420p, ``WIDTH`` x ``HEIGHT``, with pts in pictures of the film."""
        piece = _Piece(plan, self._folder, self._reels)
        canvas = np.empty((HEIGHT * 3 // 2, WIDTH), np.uint8)
        painted: _Look | None = None
        for number in range(plan.first_picture, plan.first_picture + plan.pictures):
            look, shots = piece.look(number / PICTURES_PER_S)
            if look != painted:
                self._paint(_planes_in(canvas), look, shots, piece)
                painted = look
            frame = VideoFrame.from_ndarray(canvas, format="yuv420p")
            frame.pts = number
            yield frame

    def _paint(self, canvas: Planes, look: _Look, shots: list[Shot], piece: "_Piece") -> None:
        if look.card is not None and not shots:
            _copy(labels.card(*look.card), canvas, WHOLE)
        else:
            _fill(canvas)
            self._paint_shots(canvas, look, shots, piece)
        if look.lower_third is not None:
            labels.lay(labels.lower_third(*look.lower_third), canvas)

    def _paint_shots(self, canvas: Planes, look: _Look, shots: list[Shot], piece: "_Piece") -> None:
        if not piece.shows_screen(look):
            self._paint_shot(canvas, shots[0], WHOLE)
            return
        self._paint_shot(canvas, shots[0], SCREEN_BOX)
        if len(shots) > 1:
            self._paint_shot(canvas, shots[1], SPEAKER_BOX)
        elif look.card is not None:
            _copy(labels.card(*look.card, SPEAKER_BOX.width, SPEAKER_BOX.height), canvas, SPEAKER_BOX)
        if look.scene.seat_id is not None:
            below = SPEAKER_BOX.top + SPEAKER_BOX.height + 8
            name = piece.plan.names[look.scene.seat_id]
            labels.lay(labels.caption(name, SPEAKER_BOX.left, below, SPEAKER_BOX.width), canvas)

    def _paint_shot(self, canvas: Planes, shot: Shot, box: Box) -> None:
        """Into the middle of ``box``, as large as it fits without being stretched or turned."""
        frame = shot.frame
        scale = min(box.width / frame.width, box.height / frame.height)
        width, height = _even(frame.width * scale), _even(frame.height * scale)
        scaled = self._reformatter.reformat(
            frame,
            width,
            height,
            "yuv420p",
            dst_colorspace=Colorspace.ITU601,
            dst_color_range=ColorRange.MPEG,
            interpolation=_EXACTLY,
            threads=1,
        )
        left, top = box.left + _even((box.width - width) / 2), box.top + _even((box.height - height) / 2)
        _copy(labels.planes_of(scaled), canvas, Box(left, top, width, height))


class _Piece:
    """What is seen when, within one piece."""

    def __init__(self, plan: PiecePlan, folder: Path, reels: Reels) -> None:
        self.plan = plan
        self._folder = folder
        self._reels = reels
        self._sources: dict[tuple[str, str], list[Source]] = defaultdict(list)
        for source in plan.sources:
            self._sources[source.seat_id, source.track].append(source)

    def shows_screen(self, look: _Look) -> bool:
        return bool(look.shots) and look.shots[0][1] == "screen"

    def look(self, at_s: float) -> tuple[_Look, list[Shot]]:
        """What the picture at ``at_s`` consists of, and its shots: the screen's first."""
        scene = next((scene for scene in self.plan.scenes if at_s < scene.ends_s), self.plan.scenes[-1])
        found: list[tuple[tuple[str, str, float], Shot]] = []
        if scene.screen is not None:
            found += self._shot(scene.screen, "screen", at_s, _STALE_S["screen"])
        camera: list[tuple[tuple[str, str, float], Shot]] = []
        if scene.seat_id is not None and scene.kind is not SceneKind.CARD:
            stale_s = _STALE_S["camera"] if scene.kind is SceneKind.PICTURE else _FRESH_S
            camera = self._shot(scene.seat_id, "camera", at_s, stale_s)
        found += camera
        chapter = next((each for each in self.plan.chapters if each.starts_s <= at_s < each.ends_s), None)
        card = None if camera else self._card(scene, chapter)
        lower_third = self._lower_third(scene, chapter, at_s) if found and chapter is not None else None
        look = _Look(scene, card, tuple(key for key, _ in found), lower_third)
        return look, [shot for _, shot in found]

    def _shot(self, seat_id: str, track: str, at_s: float, stale_s: float) -> list[tuple[tuple[str, str, float], Shot]]:
        at_s += _HALF_PICTURE_S
        begun = [source for source in self._sources[seat_id, track] if source.starts_s <= at_s]
        for source in reversed(begun[-2:]):
            shot = self._reels.at(self._folder / source.file, min(at_s, source.ends_s) - source.zero_s)
            if shot is not None:
                taken_s = source.zero_s + shot.at_s
                return [((seat_id, track, taken_s), shot)] if at_s - taken_s <= stale_s else []
        return []

    def _card(self, scene: Scene, chapter: Chapter | None) -> tuple[str, str]:
        name = self.plan.names[scene.seat_id] if scene.seat_id is not None else ""
        match scene.kind:
            case SceneKind.LOST:
                if not scene.why_from_s:
                    return name, "Chưa kết nối"
                return name, f"Mất kết nối từ {self._clock(scene.why_from_s)}"
            case SceneKind.GAP:
                times = f"từ {self._clock(scene.why_from_s)}"
                if scene.why_until_s is not None:
                    times += f" đến {self._clock(scene.why_until_s)}"
                reason = labels.GAP_REASONS.get(scene.reason, scene.reason)
                return name or "Gián đoạn bản ghi", f"{reason} {times}"
            case _:
                is_speaking = chapter is not None and chapter.seat_id == scene.seat_id
                return name or self.plan.title, chapter.subject if chapter is not None and is_speaking else ""

    def _lower_third(self, scene: Scene, chapter: Chapter, at_s: float) -> tuple[str, str] | None:
        """The chapter's speaker at its beginning, and all through it where somebody else's camera is seen."""
        is_another = scene.kind is SceneKind.PICTURE and scene.seat_id != chapter.seat_id and not chapter.by_right
        return (chapter.name, chapter.subject) if at_s < chapter.starts_s + LOWER_THIRD_S or is_another else None

    def _clock(self, at_s: float) -> str:
        return labels.time_of_day(self.plan.opened_at + at_s)


def _planes_in(canvas: NDArray[np.uint8]) -> Planes:
    """Views on the planes of an I420 array as PyAV lays it out."""
    quarter = HEIGHT // 4
    blue, red = canvas[HEIGHT : HEIGHT + quarter], canvas[HEIGHT + quarter :]
    return Planes(canvas[:HEIGHT], blue.reshape(HEIGHT // 2, WIDTH // 2), red.reshape(HEIGHT // 2, WIDTH // 2))


def _fill(canvas: Planes) -> None:
    _copy(labels.card("", ""), canvas, WHOLE)


def _copy(planes: Planes, canvas: Planes, box: Box) -> None:
    bottom, right = box.top + box.height, box.left + box.width
    half = (slice(box.top // 2, bottom // 2), slice(box.left // 2, right // 2))
    canvas.luma[box.top : bottom, box.left : right] = planes.luma
    canvas.blue[half], canvas.red[half] = planes.blue, planes.red


def _even(length: float) -> int:
    return max(2, int(length / 2) * 2) if length >= 2 else 0
