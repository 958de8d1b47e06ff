"""Who is seen when: tables of what happened, and of who must be in the picture."""

import itertools

import pytest

from server.recording import events
from server.recording.events import Event, FloorEnded, Granted, Resumed
from server.recording.film.scenes import Scene, SceneKind, scenes
from tests.recording.film.test_timeline import AT, CHAIR, END, MAIN, A, B, opened, segment, told

CARD, GAP, LOST, PICTURE = SceneKind.CARD, SceneKind.GAP, SceneKind.LOST, SceneKind.PICTURE
MAIN_CAMERA = (99, segment("main", 0, 100, "main"))
Seen = tuple[float, float, SceneKind, str | None, str | None]


def seen(*happened: tuple[float, Event]) -> list[Seen]:
    every = scenes(told(*happened, (100, END), first=opened(MAIN, CHAIR, A, B)))
    assert every[0].starts_s == 0
    assert all(one.ends_s == other.starts_s for one, other in itertools.pairwise(every))
    assert every[-1].ends_s == 100
    return [(round(each.starts_s, 3), round(each.ends_s, 3), each.kind, each.seat_id, each.screen) for each in every]


@pytest.mark.parametrize(
    ("happened", "expected"),
    [
        pytest.param([], [(0, 100, CARD, "main", None)], id="no picture at all"),
        pytest.param([MAIN_CAMERA], [(0, 100, PICTURE, "main", None)], id="the main endpoint between grants"),
        pytest.param(
            [(99, segment("chair", 0, 100, "chair"))], [(0, 100, PICTURE, "chair", None)], id="else the chair's desk"
        ),
        pytest.param(
            [MAIN_CAMERA, (10, Granted("a")), (50, segment("a", 10.4, 50)), (50, FloorEnded("a"))],
            [
                (0, 10, PICTURE, "main", None),
                (10, 10.4, CARD, "a", None),
                (10.4, 50, PICTURE, "a", None),
                (50, 100, PICTURE, "main", None),
            ],
            id="a branch: its card until its first picture",
        ),
        pytest.param(
            [MAIN_CAMERA, (10, Granted("a")), (50, FloorEnded("a"))],
            [(0, 100, PICTURE, "main", None)],
            id="a branch without camera: the main endpoint",
        ),
        pytest.param(
            [MAIN_CAMERA, (10, Granted("a")), (50, segment("a", 30, 50)), (50, FloorEnded("a"))],
            [
                (0, 27, PICTURE, "main", None),
                (27, 30, CARD, "a", None),
                (30, 50, PICTURE, "a", None),
                (50, 100, PICTURE, "main", None),
            ],
            id="a camera that comes late",
        ),
        pytest.param(
            [
                *((10, Granted("a")), (60, segment("a", 10, 60))),
                *((20, Granted("b")), (40, segment("b", 20, 40, "b")), (40, FloorEnded("b")), (60, FloorEnded("a"))),
            ],
            [
                (0, 10, CARD, "main", None),
                (10, 20, PICTURE, "a", None),
                (20, 40, PICTURE, "b", None),
                (40, 60, PICTURE, "a", None),
                (60, 100, CARD, "main", None),
            ],
            id="two hold the floor: the latest",
        ),
        pytest.param(
            [(10, Granted("a")), (60, segment("a", 10, 60)), (20, Granted("b")), (40, FloorEnded("b"))],
            [(0, 10, CARD, "main", None), (10, 60, PICTURE, "a", None), (60, 100, CARD, "a", None)],
            id="the latest has no camera: the one before",
        ),
        pytest.param(
            [(50, segment("1", 0, 50, "main")), (100, segment("2", 51.5, 100, "main"))],
            [(0, 100, PICTURE, "main", None)],
            id="between two segments the last picture stays",
        ),
        pytest.param(
            [
                MAIN_CAMERA,
                (10, events.Screen("main", True)),
                (30, events.Screen("main", False)),
                (99, segment("screen", 11, 99, "main", "screen")),
            ],
            [(0, 11, PICTURE, "main", None), (11, 30, PICTURE, "main", "main"), (30, 100, PICTURE, "main", None)],
            id="a screen while it is shared",
        ),
        pytest.param(
            [(10, Granted("a")), (30, segment("screen", 10, 30, "a", "screen")), (30, FloorEnded("a")), MAIN_CAMERA],
            [(0, 10, PICTURE, "main", None), (10, 30, CARD, "a", "a"), (30, 100, PICTURE, "main", None)],
            id="a screen without camera: its owner's name beside it",
        ),
        pytest.param(
            [
                (10, Granted("a")),
                (60, segment("a", 10, 60)),
                (30, events.Presence("a", "suspended")),
                (50, events.Presence("a", "present")),
                (60, FloorEnded("a")),
            ],
            [
                (0, 10, CARD, "main", None),
                (10, 30, PICTURE, "a", None),
                (30, 50, LOST, "a", None),
                (50, 60, PICTURE, "a", None),
                (60, 100, CARD, "main", None),
            ],
            id="a lost endpoint",
        ),
        pytest.param(
            [(30, events.Presence("main", "suspended")), (99, segment("chair", 0, 100, "chair"))],
            [(0, 100, PICTURE, "chair", None)],
            id="the main endpoint is gone, the chair's desk is not",
        ),
        pytest.param(
            [(30, events.Presence("main", "suspended"))],
            [(0, 30, CARD, "main", None), (30, 100, LOST, "main", None)],
            id="the main endpoint is gone, and nobody else",
        ),
        pytest.param(
            [
                MAIN_CAMERA,
                (30, events.Gap(AT + 20, AT + 30, "packets_lost", "main", "camera")),
                (40, events.Gap(AT + 35, AT + 40, "packets_lost", "main", "mic")),
                (50, events.Gap(AT + 45, AT + 45.5, "packets_lost", "main", "camera")),
            ],
            [(0, 20, PICTURE, "main", None), (20, 30, GAP, "main", None), (30, 100, PICTURE, "main", None)],
            id="a gap of its camera, not of its sound, and no blink",
        ),
        pytest.param(
            [MAIN_CAMERA, (30, Resumed("server_stopped")), (20, Granted("a"))],
            [(0, 20, PICTURE, "main", None), (20, 30, GAP, None, None), (30, 100, PICTURE, "main", None)],
            id="a gap of everybody",
        ),
    ],
)
def test_scenes(happened: list[tuple[float, Event]], expected: list[Seen]) -> None:
    assert seen(*sorted(happened, key=lambda each: each[0])) == expected


def test_a_slate_says_why_and_since_when() -> None:
    lost, back = (30, events.Presence("main", "suspended")), (50, events.Presence("main", "present"))
    assert scenes(told(lost, back, (100, END)))[1] == Scene(30, 50, LOST, "main", None, "", 30, 50)
    assert scenes(told(lost, (100, END)))[1] == Scene(30, 100, LOST, "main", None, "", 30, None)
    gap = (9, events.Gap(AT + 2, AT + 8, "disk_full"))
    assert scenes(told(gap, (100, END)))[1] == Scene(2, 8, GAP, None, None, "disk_full", 2, 8)


def test_without_main_endpoint_and_chair_there_is_nobody_to_see() -> None:
    assert scenes(told((9, END), first=opened(A))) == (Scene(0, 9, CARD, None),)
    assert scenes(told(first=opened(A))) == ()
