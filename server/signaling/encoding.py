"""Views to bytes, once for everybody (pure): a change is told to hundreds of clients, and encoded one time."""

from collections import OrderedDict
from collections.abc import Callable, Hashable

import msgspec

from server.hub.ports import Section
from server.room.views import ChatView, FloorView, MeetingView, SeatView, StageView
from server.signaling.messages import (
    Chat,
    FloorChanged,
    FromServer,
    MeetingChanged,
    SeatChanged,
    Speaking,
    StageChanged,
)

_KEPT = 64

_encoder = msgspec.json.Encoder()


def encode(message: FromServer) -> bytes:
    """One message as a JSON text frame."""
    return _encoder.encode(message)


class SharedEncoder:
    """Remembers the bytes of the last few objects, by identity: the hub hands every listener the same one."""

    def __init__(self) -> None:
        self._bytes: OrderedDict[int, tuple[object, bytes]] = OrderedDict()

    def section(self, section: Section) -> bytes:
        return self._remembered(section, lambda: as_message(section))

    def speaking(self, seat_ids: tuple[str, ...]) -> bytes:
        return self._remembered(seat_ids, lambda: Speaking(seat_ids))

    def _remembered(self, subject: object, make: Callable[[], FromServer]) -> bytes:
        # The subject is kept beside its bytes, so its id() cannot be given to another object meanwhile.
        known = self._bytes.get(id(subject))
        if known is not None:
            return known[1]
        data = encode(make())
        self._bytes[id(subject)] = (subject, data)
        if len(self._bytes) > _KEPT:
            self._bytes.popitem(last=False)
        return data


def as_message(section: Section) -> FromServer:
    """The message that carries a section."""
    match section:
        case SeatView():
            return SeatChanged(section)
        case FloorView():
            return FloorChanged(section)
        case StageView():
            return StageChanged(section)
        case MeetingView():
            return MeetingChanged(section)
        case _:
            return Chat(section)


def section_key(section: Section) -> Hashable | None:
    """What a newer state replaces: None for chat lines, which are all kept."""
    match section:
        case ChatView():
            return None
        case SeatView():
            return ("seat", section.seat_id)
        case _:
            return type(section).__name__
