import msgspec
import pytest

from server.hub.ports import Section
from server.room.commands import FloorMode, LayoutName
from server.room.views import ChatView, FloorView, MeetingView, Presence, SeatRole, SeatView, StageView
from server.signaling import encoding
from server.signaling.encoding import SharedEncoder, as_message, section_key
from server.signaling.messages import FromServer

SEAT = SeatView("ep_1", "Xã Thanh Yên", ("Tỉnh",), SeatRole.BRANCH, Presence.PRESENT, True, False, False, 1.0)
FLOOR = FloorView(FloorMode.LECTURE, 3, False, (), ())
STAGE = StageView(LayoutName.AUTO, (), ())
MEETING = MeetingView("mtg_1", "Họp", "UBND", False, False, False, None, (), None)
CHAT = ChatView(1, 2.0, None, "Kỹ thuật", "<script>alert(1)</script>")


@pytest.mark.parametrize(
    ("section", "tag", "field", "key"),
    [
        (SEAT, "seat", "seat", ("seat", "ep_1")),
        (FLOOR, "floor", "floor", "FloorView"),
        (STAGE, "stage", "stage", "StageView"),
        (MEETING, "meeting", "meeting", "MeetingView"),
        (CHAT, "chat", "line", None),
    ],
)
def test_every_section_travels_in_its_message(section: Section, tag: str, field: str, key: object) -> None:
    data = SharedEncoder().section(section)
    message = msgspec.json.decode(data, type=FromServer)
    assert message == as_message(section)
    assert getattr(message, field) == section
    assert msgspec.json.decode(data)["type"] == tag
    assert section_key(section) == key


def test_the_same_object_is_encoded_once() -> None:
    encoder = SharedEncoder()
    assert encoder.section(SEAT) is encoder.section(SEAT)
    seats = ("ep_1", "ep_2")
    assert encoder.speaking(seats) is encoder.speaking(seats)


def test_an_equal_object_is_not_mistaken_for_another() -> None:
    encoder = SharedEncoder()
    other = msgspec.structs.replace(SEAT, presence=Presence.ABSENT)
    assert encoder.section(SEAT) != encoder.section(other)


def test_memory_stays_small_and_ids_are_not_reused_wrongly() -> None:
    """Freed objects' ids are given out again; the remembered object is kept alive, so that cannot happen here."""
    encoder = SharedEncoder()
    for number in range(1_000):
        line = ChatView(number, 0.0, None, "x", "y")
        assert f'"seq":{number},'.encode() in encoder.section(line)
    assert len(encoder._bytes) <= encoding._KEPT
