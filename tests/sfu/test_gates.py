"""The gate is the law (DESIGN idea 2): closed, nothing passes, nothing is kept, nothing is heard."""

from server.rtp import rtcp
from server.sfu.outputs import SlotFed
from tests.sfu.hall import Hall, assert_unbroken
from tests.sfu.packets import (
    OPUS,
    VP8,
    Camera,
    Microphone,
    audio_slot,
    camera,
    mic,
    video_slot,
)

MIC, CAMERA = (1, "0"), (1, "1")


def hall_with_viewer() -> Hall:
    hall = Hall()
    hall.join(1, [mic(), camera()])
    hall.join(2, slots=[audio_slot(), video_slot()])
    hall.assign(2, "a0", MIC)
    hall.assign(2, "v0", CAMERA)
    return hall


def test_every_gate_starts_closed() -> None:
    hall = hall_with_viewer()
    source = Microphone()
    hall.send(1, [source.packet() for _ in range(3)])
    hall.send(1, Camera().frame(hall.now, key=True))
    hall.advance(5.0)
    assert hall.received[2] == []
    assert hall.router.flows.by_stream == {}
    assert hall.keyframe_requests(1, 200) == []
    assert hall.speakers == []
    assert not hall.router.drops
    assert [(fed.mid, fed.track, fed.reason) for fed in hall.fed] == [
        ("a0", None, "gate_closed"),
        ("v0", None, "gate_closed"),
    ]


def test_opening_lets_sound_through_at_once_and_asks_for_a_key_frame() -> None:
    hall = hall_with_viewer()
    source, picture = Microphone(), Camera()
    hall.send(1, source.packet())
    hall.send(1, picture.frame(hall.now, key=True))
    hall.open(MIC, CAMERA)
    assert len(hall.keyframe_requests(1, 200)) == 1
    hall.send(1, source.packet(payload=b"hello"))
    hall.send(1, picture.frame(hall.now))
    assert [packet.payload for packet in hall.received[2]] == [b"hello"]
    hall.send(1, picture.frame(hall.now, key=True))
    assert len(hall.received[2]) == 4
    assert hall.fed[2:] == [SlotFed(2, "a0", MIC), SlotFed(2, "v0", CAMERA)]


def test_closing_stops_at_once_and_opening_goes_on_without_a_gap() -> None:
    hall = hall_with_viewer()
    source = Microphone()
    hall.open(MIC)
    hall.send(1, [source.packet() for _ in range(3)])
    hall.close(MIC)
    hall.send(1, [source.packet() for _ in range(50)])
    assert len(hall.received[2]) == 3
    assert hall.fed[-1] == SlotFed(2, "a0", None, "gate_closed")
    hall.advance(1.0)
    hall.open(MIC)
    hall.open(MIC)
    hall.send(1, [source.packet() for _ in range(3)])
    assert len(hall.received[2]) == 6
    assert_unbroken(hall.received[2])
    assert hall.received[2][3].timestamp - hall.received[2][2].timestamp == 48_000


def test_nothing_from_before_is_sent_again() -> None:
    hall = hall_with_viewer()
    picture = Camera()
    hall.open(CAMERA)
    hall.send(1, picture.frame(hall.now, key=True))
    sent = [packet.sequence for packet in hall.received[2]]
    hall.close(CAMERA)
    hall.report(2, rtcp.nack(1, 9_000, [number + 0x10000 for number in sent]))
    assert hall.resent[2] == []
    hall.open(CAMERA)
    hall.send(1, picture.frame(hall.now, key=True))
    hall.advance(0.1)
    hall.report(2, rtcp.nack(1, 9_000, [number + 0x10000 for number in sent]))
    assert hall.resent[2] == []
    hall.report(2, rtcp.nack(1, 9_000, [sent[-1] + 1 + 0x10000]))
    assert len(hall.resent[2]) == 1


def test_a_late_packet_from_before_the_opening_stays_unheard() -> None:
    hall = hall_with_viewer()
    source = Microphone()
    early, late, last = (source.packet() for _ in range(3))
    hall.send(1, [early, last])
    hall.open(MIC)
    assert hall.send(1, late) == [None]
    assert hall.fed[-1] == SlotFed(2, "a0", MIC)
    hall.send(1, source.packet(payload=b"hello"))
    assert [packet.payload for packet in hall.received[2]] == [b"hello"]


def test_no_key_frame_is_asked_of_a_closed_gate_and_a_pending_one_is_dropped() -> None:
    hall = hall_with_viewer()
    picture = Camera()
    hall.open(CAMERA)
    hall.send(1, picture.frame(hall.now, key=True))
    hall.report(2, rtcp.pli(1, 9_000))
    asked = len(hall.keyframe_requests(1, 200))
    hall.close(CAMERA)
    hall.report(2, rtcp.pli(1, 9_000))
    hall.send(1, picture.frame(hall.now))
    hall.advance(3.0)
    assert len(hall.keyframe_requests(1, 200)) == asked


def test_nothing_is_asked_for_again_while_the_gate_is_closed() -> None:
    hall = hall_with_viewer()
    picture = Camera()
    hall.open(CAMERA)
    hall.send(1, picture.frame(hall.now, key=True))
    picture.sequence += 2
    hall.send(1, picture.frame(hall.now))
    hall.close(CAMERA)
    hall.advance(1.0)
    assert hall.nacked(1) == []


def test_other_payload_types_and_other_ssrcs_do_not_pass_either() -> None:
    """ISSUE 3: a client that never gets the floor and tries every way to be heard."""
    hall = Hall()
    hall.join(1, [mic(ssrcs=(100, 101)), camera()])
    hall.join(2, slots=[audio_slot(), audio_slot(1), video_slot()])
    for mid in ("a0", "a1"):
        hall.assign(2, mid, MIC)
    hall.assign(2, "v0", CAMERA)
    hall.open(CAMERA)
    for ssrc in (100, 101, 102, 200):
        for payload_type in (0, 8, 96, 97, 102, 111, 120):
            for mid in ("0", "1", "2", ""):
                hall.advance(0.3)
                source = Microphone(ssrc, mid, payload_type=payload_type)
                hall.send(1, [source.packet(payload=b"sound " * 10) for _ in range(3)])
    assert not [packet for packet in hall.received[2] if packet.payload_type == OPUS.payload_type]
    assert not [packet for packet in hall.received[2] if packet.ssrc in (8_000, 8_001)]
    assert hall.speakers == []


def test_only_open_gates_are_heard_speaking() -> None:
    hall = Hall()
    for peer in (1, 2, 3):
        hall.join(peer, [mic()])
    hall.open((1, "0"), (2, "0"))
    sources = {peer: Microphone(ssrc=peer) for peer in (1, 2, 3)}
    levels = {1: 40, 2: 15, 3: 5}
    for _ in range(50):
        for peer, source in sources.items():
            hall.send(peer, source.packet(dbov=levels[peer]))
        hall.advance(0.02)
    hall.close((2, "0"))
    hall.router.remove_peer(1, hall.now)
    hall.collect()
    assert hall.speakers[-3:] == [((2, "0"), (1, "0")), ((1, "0"),), ()]
    hall.advance(1.0)
    assert hall.router.next_deadline() is not None


def test_a_gate_closed_within_the_window_is_not_heard_and_silence_ends_it() -> None:
    hall = Hall()
    hall.join(1, [mic()])
    hall.open(MIC)
    source = Microphone()
    hall.send(1, source.packet(dbov=5))
    hall.close(MIC)
    hall.advance(1.0)
    assert hall.speakers == []
    hall.open(MIC)
    hall.send(1, source.packet(dbov=None))
    hall.send(1, source.packet(dbov=5))
    hall.advance(0.3)
    assert hall.speakers == [(MIC,)]
    hall.advance(3.0)
    assert hall.speakers == [(MIC,), ()]


def test_a_source_that_leaves_is_announced_and_a_viewer_that_leaves_is_forgotten() -> None:
    hall = hall_with_viewer()
    hall.join(3, slots=[video_slot(ssrc=7_000)])
    hall.assign(3, "v0", CAMERA)
    hall.open(MIC, CAMERA)
    hall.send(1, Microphone().packet())
    hall.send(1, Camera().frame(hall.now, key=True))
    hall.send(1, Camera(sequence=2_010).frame(hall.now))
    hall.router.remove_peer(3, hall.now)
    hall.router.remove_peer(3, hall.now)
    hall.advance(3.0)
    assert [flow.destination for flows in hall.router.flows.by_stream.values() for flow in flows] == [2, 2]
    hall.router.remove_peer(1, hall.now)
    hall.collect()
    assert hall.fed[-2:] == [SlotFed(2, "a0", None, "source_gone"), SlotFed(2, "v0", None, "source_gone")]
    assert hall.router.flows.by_stream == {}
    hall.assign(2, "a0", MIC)
    assert hall.fed[-1].reason == "source_gone"
    hall.advance(3.0)
    hall.router.remove_peer(2, hall.now)
    assert hall.router.next_deadline() is None


def test_a_viewer_may_watch_itself_and_leave() -> None:
    hall = Hall()
    hall.join(1, [camera()], [video_slot()])
    hall.open(CAMERA)
    hall.assign(1, "v0", CAMERA)
    hall.send(1, Camera().frame(hall.now, key=True))
    assert len(hall.received[1]) == 3
    hall.router.remove_peer(1, hall.now)
    assert hall.router.flows.by_stream == {}


def test_stats_say_whether_the_gate_is_open() -> None:
    hall = hall_with_viewer()
    hall.open(CAMERA)
    hall.send(1, Camera(width=1_280, height=720).frame(hall.now, key=True))
    stats = hall.router.track_stats(CAMERA, hall.now)
    assert (stats.gate_open, stats.kind, stats.label) == (True, "video", "camera")
    layer = stats.layers[0]
    assert (layer.width, layer.height, layer.codec, layer.packets, layer.lost) == (1_280, 720, "vp8", 3, 0)
    assert hall.router.track_stats(MIC, hall.now).layers == ()
    assert VP8.name == layer.codec


def test_hundreds_come_and_go_and_nothing_stays() -> None:
    """SCENARIOS row 17, for the router: no peer, flow, deadline or voice is left behind."""
    hall = Hall()
    hall.join(2, slots=[audio_slot(), video_slot()])
    for number in range(300):
        peer = 100 + number
        hall.join(peer, [mic(), camera()], [video_slot(ssrc=7_000)])
        hall.open((peer, "0"), (peer, "1"))
        hall.assign(2, "a0", (peer, "0"))
        hall.assign(2, "v0", (peer, "1"))
        hall.assign(peer, "v0", (peer, "1"))
        hall.send(peer, Microphone(ssrc=peer).packet(dbov=5))
        source = Camera(ssrc=5_000 + peer)
        hall.send(peer, source.frame(hall.now, key=True))
        source.sequence += 1
        hall.send(peer, source.frame(hall.now))
        hall.advance(0.25)
        hall.router.remove_peer(peer, hall.now)
    hall.collect()
    hall.advance(2.0)
    board = hall.router._board
    assert list(board.peers) == [2]
    assert hall.router.flows.by_stream == {}
    assert not hall.speakers[-1]
    assert len(board.schedule._heap) < 100
    hall.router.remove_peer(2, hall.now)
    assert board.schedule.next_deadline() is None


def test_the_gate_of_a_source_that_never_sent() -> None:
    hall = hall_with_viewer()
    hall.open(MIC)
    hall.close(MIC)
    hall.send(1, Microphone().packet())
    assert hall.received[2] == []
    hall.open(MIC)
    hall.send(1, Microphone(sequence=1_001).packet())
    assert len(hall.received[2]) == 1
