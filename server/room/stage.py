"""Who is on the stage, best first. The same pictures for every layout; a layout only says how many.

1. what is pinned, in the given order, also while the seat is absent;
2. shared screens, in the order of the invitation;
3. the main endpoint, always, so that picture 0 is the main endpoint where nothing is pinned or shared;
4. the chair's desk, 5. the granted holders in the order of their grants;
6. the queue in its order, 7. branches that had the floor, last first, 8. the rest in the order of the invitation.

From 4 on a seat is shown while it is present or suspended (so a short loss moves nobody's picture). Nobody is
shown from the lobby or after removal. A seat that shares its screen is there with both pictures.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Final

from server.room.commands import LayoutName
from server.room.floor import Floor
from server.room.seats import IN, Seat
from server.room.views import PictureView, Presence, SeatRole, StageView

CAPACITY: Final[Mapping[LayoutName, int]] = {
    LayoutName.AUTO: 16,
    LayoutName.SINGLE: 1,
    LayoutName.SIDE_BY_SIDE: 2,
    LayoutName.GRID_4: 4,
    LayoutName.GRID_9: 9,
    LayoutName.GRID_16: 16,
    LayoutName.MAIN_STRIP: 8,
}
CAMERA: Final = "camera"
SCREEN: Final = "screen"

_BARRED = frozenset({Presence.LOBBY, Presence.REMOVED})


def arrange(layout: LayoutName, pinned: tuple[str, ...], seats: Mapping[str, Seat], floor: Floor) -> StageView:
    """Return the stage; ``seats`` in the order of the invitation. Every picture is there once."""
    pictures: dict[PictureView, None] = {}
    for picture in _pictures_in_order(pinned, seats, floor):
        pictures[picture] = None
        if len(pictures) == CAPACITY[layout]:
            break
    return StageView(layout, pinned, tuple(pictures))


def _pictures_in_order(pinned: tuple[str, ...], seats: Mapping[str, Seat], floor: Floor) -> Iterator[PictureView]:
    everybody = seats.values()
    screens = (PictureView(seat.seat_id, SCREEN) for seat in everybody if seat.shows_screen)
    standing = chain(
        (seats[seat_id] for seat_id in pinned),
        (seat for seat in everybody if seat.role is SeatRole.MAIN),
    )
    speaking = chain(
        (seat for seat in everybody if seat.role is SeatRole.CHAIR),
        (seats[seat_id] for seat_id in floor.granted),
        (seats[request.seat_id] for request in floor.queue),
        (seats[seat_id] for seat_id in floor.past),
        everybody,
    )
    shown = [seat for seat in standing if seat.presence not in _BARRED]
    yield from (_camera(seat) for seat in shown if seat.seat_id in pinned)
    yield from screens
    yield from (_camera(seat) for seat in shown)
    yield from (_camera(seat) for seat in speaking if seat.presence in IN)


def _camera(seat: Seat) -> PictureView:
    return PictureView(seat.seat_id, CAMERA)
