"""Who is fed into which slot of one viewer. Pure: values in, assignment out.

Rules: video slot 0 is the stage's first picture; the other pictures keep the slot they are in, so that a change
of the stage moves as little as possible; a viewer that publishes is not sent its own picture; audio slots carry
the open gates, the latest speakers where there are more gates than slots; nobody hears itself. A preview
(``watching``) takes its slot from the stage.
"""

from collections.abc import Iterable, Mapping, Sequence

from server.sfu.ports import Kind, SlotSpec
from server.sfu.router import TrackId

Wanted = dict[str, TrackId | None]


def choose_feeds(
    slots: Sequence[SlotSpec],
    current: Mapping[str, TrackId | None],
    pictures: Sequence[TrackId],
    voices: Sequence[TrackId],
    watched: Mapping[str, TrackId | None],
) -> Wanted:
    """Return the track for every slot's mid. ``pictures`` and ``voices`` are in order, best first."""
    wanted: Wanted = dict(watched)
    video = [slot.mid for slot in slots if slot.kind is Kind.VIDEO and slot.mid not in watched]
    audio = [slot.mid for slot in slots if slot.kind is Kind.AUDIO]
    if video and pictures:
        wanted[video[0]] = pictures[0]
        wanted |= _keep_places(video[1:], current, pictures[1 : len(video)])
    else:
        wanted |= dict.fromkeys(video)
    wanted |= _keep_places(audio, current, voices[: len(audio)])
    return wanted


def order_voices(voices: Iterable[TrackId], last_spoken: Mapping[TrackId, float]) -> list[TrackId]:
    """Latest speakers first; who never spoke keeps the given order behind them."""
    return sorted(voices, key=lambda track: -last_spoken.get(track, 0.0))


def _keep_places(
    mids: Sequence[str], current: Mapping[str, TrackId | None], tracks: Sequence[TrackId]
) -> dict[str, TrackId | None]:
    kept = {mid: current.get(mid) for mid in mids if current.get(mid) in tracks}
    placed = set(kept.values())
    waiting = iter([track for track in tracks if track not in placed])
    return {mid: kept[mid] if mid in kept else next(waiting, None) for mid in mids}
