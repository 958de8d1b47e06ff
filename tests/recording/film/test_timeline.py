"""The log's lines become chapters, spans, sources and gaps; also those of a log that broke off or was mended."""

import pytest

from server.errors import InvalidInput
from server.recording import events
from server.recording.events import EndpointEntry, Event, FloorEnded, Granted, Line, Opened, Resumed, SegmentClosed
from server.recording.film.spans import Gap, Interval
from server.recording.film.timeline import Span, Timeline, build

AT = 1_790_000_000.0
MAIN = EndpointEntry("main", "Điểm cầu chính", ("Tỉnh",), "main")
CHAIR = EndpointEntry("chair", "Chủ tọa", ("Tỉnh",), "chair")
A = EndpointEntry("a", "Xã An", ("Tỉnh", "Xã An"), "branch")
B = EndpointEntry("b", "Xã Bình", ("Tỉnh", "Xã Bình"), "branch")


def opened(*endpoints: EndpointEntry) -> Opened:
    return Opened(1, "rec_1", "mtg_1", "Họp", "Uỷ ban", "Bà Hoà", "Bà Hoà", endpoints or (MAIN, A, B), "key")


def lines(*happened: tuple[float, Event], first: Opened | None = None) -> list[Line]:
    every = [(0.0, first or opened()), *happened]
    return [Line(number + 1, AT + at_s, "", event) for number, (at_s, event) in enumerate(every)]


def told(*happened: tuple[float, Event], first: Opened | None = None) -> Timeline:
    return build(lines(*happened, first=first))


def segment(
    file: str, starts_s: float, ends_s: float, seat: str = "a", track: str = "camera", *, recovered: bool = False
) -> SegmentClosed:
    name, zero, end = f"tracks/{file}.mkv", AT + starts_s, AT + ends_s
    return SegmentClosed(name, f"hash {file}", 10, seat, track, "vp8", zero, end, recovered=recovered)


END = events.Closed("stopped", 0)
SERVER = "server_stopped"


def chapters(timeline: Timeline) -> list[tuple[float, float, str, str]]:
    return [(round(each.starts_s, 5), round(each.ends_s, 5), each.seat_id, each.subject) for each in timeline.chapters]


@pytest.mark.parametrize(
    ("happened", "expected"),
    [
        pytest.param([(60, END)], [(0, 60, "main", "")], id="nobody"),
        pytest.param(
            [(0, Granted("main", True)), (5, Granted("a", subject="Mục 1")), (20, FloorEnded("a")), (60, END)],
            [(0, 5, "main", ""), (5, 20, "a", "Mục 1"), (20, 60, "main", "")],
            id="a branch and back",
        ),
        pytest.param(
            [
                (5, Granted("a")),
                (9, Granted("b", subject="Ý")),
                (12, FloorEnded("b")),
                (15, FloorEnded("a")),
                (16, END),
            ],
            [(0, 5, "main", ""), (5, 9, "a", ""), (9, 12, "b", "Ý"), (12, 15, "a", ""), (15, 16, "main", "")],
            id="two at once: the latest, then the one before",
        ),
        pytest.param(
            [(5, Granted("a")), (9, Granted("b")), (12, FloorEnded("a")), (16, END)],
            [(0, 5, "main", ""), (5, 9, "a", ""), (9, 16, "b", "")],
            id="the earlier one ends: no new chapter",
        ),
        pytest.param(
            [(5, FloorEnded("a")), (5, Granted("b")), (8, FloorEnded("b")), (8.01, Granted("a")), (10, END)],
            [(0, 5, "main", ""), (5, 8, "b", ""), (8, 10, "a", "")],
            id="withdrawn by the next grant: nothing between",
        ),
        pytest.param(
            [(0.01, Granted("a", subject="Mục 1")), (4, FloorEnded("a")), (10, END)],
            [(0, 4, "a", "Mục 1"), (4, 10, "main", "")],
            id="granted while it began",
        ),
        pytest.param(
            [(5, Granted("a", subject="1")), (9, Resumed(SERVER)), (9, Granted("a", subject="1")), (20, END)],
            [(0, 5, "main", ""), (5, 20, "a", "1")],
            id="said again after a restart",
        ),
        pytest.param(
            [(5, Granted("a", subject="Mục 1")), (9, Granted("a", subject="Mục 2")), (20, END)],
            [(0, 5, "main", ""), (5, 9, "a", "Mục 1"), (9, 20, "a", "Mục 2")],
            id="another subject",
        ),
        pytest.param([(5, Granted("a")), (7, FloorEnded("a"))], [(0, 5, "main", ""), (5, 7, "a", "")], id="broken off"),
    ],
)
def test_chapters(happened: list[tuple[float, Event]], expected: list[tuple[float, float, str, str]]) -> None:
    assert chapters(told(*happened)) == expected


def test_a_chapter_has_a_title_and_says_whose_part_it_is() -> None:
    first, second = told((5, Granted("a", subject="Mục 1")), (9, END)).chapters
    assert (first.title, first.by_right) == ("Điểm cầu chính", True)
    assert (second.title, second.by_right) == ("Xã An – Mục 1", False)


def test_without_a_main_endpoint_the_chair_has_what_lies_between() -> None:
    assert chapters(told((5, Granted("a")), (9, END), first=opened(A, CHAIR)))[0] == (0, 5, "chair", "")
    nobody = told((5, Granted("a")), (7, FloorEnded("a")), (9, END), first=opened(A))
    assert chapters(nobody) == [(0, 5, "", ""), (5, 7, "a", ""), (7, 9, "", "")]
    assert nobody.home is None


def test_who_was_invited_later_has_a_name_too() -> None:
    timeline = told((2, events.EndpointAdded(B)), (5, Granted("b")), (9, END), first=opened(MAIN))
    assert timeline.chapters[1].name == "Xã Bình"
    assert [entry.seat_id for entry in timeline.endpoints] == ["main", "b"]
    assert timeline.name_of("stranger") == "stranger"


def test_speaking_is_from_grant_to_end() -> None:
    timeline = told(
        (0, Granted("main", True)),
        (5, Granted("a", subject="Mục 1")),
        (6, Granted("a", subject="Mục 1")),
        (7, Granted("a", subject="Mục 2")),
        (8, FloorEnded("a")),
        (8, FloorEnded("stranger")),
        (9, Granted("b")),
        (12, END),
    )
    assert timeline.speaking == (
        Span("main", 0, 12, by_right=True),
        Span("a", 5, 7, subject="Mục 1"),
        Span("a", 7, 8, subject="Mục 2"),
        Span("b", 9, 12),
    )


def test_segments_are_placed_by_seat_track_and_time() -> None:
    timeline = told(
        (61, segment("2", 60, 61)),
        (61, segment("1", -0.5, 60)),
        (62, segment("3", 0, 70, track="mic")),
        (65, END),
    )
    assert [(each.file, each.zero_s, each.starts_s, each.ends_s) for each in timeline.sources] == [
        ("tracks/1.mkv", -0.5, 0, 60),
        ("tracks/2.mkv", 60, 60, 61),
        ("tracks/3.mkv", 0, 0, 65),
    ]


def test_what_two_segments_have_is_there_once() -> None:
    """After a crash the new writer is sent again what the old one had not said to be on the disk."""
    timeline = told(
        (10, segment("old", 0, 10, recovered=True)),
        (12, segment("in the old one", 4, 9)),
        (20, segment("new", 8, 20)),
        (20, segment("of another", 8, 20, seat="b")),
        (30, END),
    )
    placed = [(each.file, each.zero_s, each.starts_s, each.ends_s) for each in timeline.sources if each.seat_id == "a"]
    assert placed == [("tracks/old.mkv", 0, 0, 10), ("tracks/new.mkv", 8, 10, 20)]


def test_an_unusable_segment_gives_way_to_others_and_leaves_a_gap() -> None:
    found = lines((10, segment("bad", 0, 10)), (12, segment("in it", 4, 6)), (20, segment("after", 8, 20)), (30, END))
    timeline = build(found, {"tracks/bad.mkv": "file_damaged"})
    assert [(each.file, each.starts_s, each.ends_s) for each in timeline.sources] == [
        ("tracks/in it.mkv", 4, 6),
        ("tracks/after.mkv", 8, 20),
    ]
    assert timeline.gaps == (
        Gap(0, 4, "file_damaged", "a", "camera", "tracks/bad.mkv"),
        Gap(6, 8, "file_damaged", "a", "camera", "tracks/bad.mkv"),
    )
    alone = build(lines((10, segment("bad", 0, 10)), (30, END)), {"tracks/bad.mkv": "file_missing"})
    assert alone.gaps == (Gap(0, 10, "file_missing", "a", "camera", "tracks/bad.mkv"),)


@pytest.mark.parametrize(
    ("happened", "expected"),
    [
        pytest.param(
            [(4, events.Gap(AT + 2, AT + 3, "packets_lost", "a", "mic")), (9, END)],
            [Gap(2, 3, "packets_lost", "a", "mic")],
            id="logged",
        ),
        pytest.param(
            [(2, events.Paused("disk_full")), (5, Resumed("disk_full")), (9, END)],
            [Gap(2, 5, "disk_full")],
            id="pause",
        ),
        pytest.param([(2, events.Paused("disk_full")), (9, END)], [Gap(2, 9, "disk_full")], id="pause to the end"),
        pytest.param(
            [(2, Granted("a")), (7, segment("1", 0, 4, recovered=True)), (7, Resumed("server_stopped")), (9, END)],
            [Gap(4, 7, "server_stopped")],
            id="an outage nobody logged, since the last that was saved",
        ),
        pytest.param(
            [(3, Granted("a")), (6.9, events.Repaired(7)), (7, Resumed("writer_stopped")), (9, END)],
            [Gap(3, 7, "writer_stopped")],
            id="an outage, since the last line",
        ),
        pytest.param(
            [(3, Granted("a")), (7, events.Gap(AT + 5, AT + 7, SERVER)), (7, Resumed(SERVER)), (9, END)],
            [Gap(5, 7, "server_stopped")],
            id="a logged outage is not counted twice",
        ),
        pytest.param(
            [(7, events.Gap(AT - 5, AT + 1, "disk_error")), (8, events.Gap(AT + 8, AT + 99, "disk_error")), (9, END)],
            [Gap(0, 1, "disk_error"), Gap(8, 9, "disk_error")],
            id="clipped to the film",
        ),
    ],
)
def test_gaps(happened: list[tuple[float, Event]], expected: list[Gap]) -> None:
    assert list(told(*happened).gaps) == expected


def test_connections_screens_and_chat() -> None:
    timeline = told(
        (1, events.Presence("a", "present")),
        (2, events.Presence("a", "suspended")),
        (3, events.Presence("a", "absent")),
        (5, events.Presence("a", "present")),
        (6, events.Presence("b", "suspended")),
        (3, events.Screen("a", True)),
        (4, events.Screen("a", False)),
        (4, events.Chatted("Ông Ba", "Xin chào", "b")),
        (9, END),
    )
    assert timeline.lost == (Interval("a", 2, 5), Interval("b", 6, 9))
    assert timeline.screens == (Interval("a", 3, 4),)
    assert [(each.at_s, each.name, each.text, each.seat_id) for each in timeline.chat] == [
        (4, "Ông Ba", "Xin chào", "b")
    ]


def test_a_running_recording_is_settled_up_to_what_may_still_come() -> None:
    running = told((200, Granted("a")))
    assert (running.is_closed, running.length_s, running.settled_s) == (False, 200, 125)
    closed = told((200, END))
    assert (closed.is_closed, closed.settled_s) == (True, 200)
    assert told((20, Granted("a"))).settled_s == 0


def test_a_log_must_begin_at_its_beginning() -> None:
    with pytest.raises(InvalidInput, match="does not begin"):
        build([])
    with pytest.raises(InvalidInput, match="does not begin"):
        build(lines((1, END))[1:])
