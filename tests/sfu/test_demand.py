"""Senders hear which of their layers anybody takes; viewers hear what their line costs them."""

import pytest

from server.rtp import rtcp
from server.sfu.demand import LOWER_AFTER_S
from server.sfu.outputs import LayersWanted, Shortage, Starved
from server.sfu.uplink import RESUME_S
from tests.sfu.hall import Hall, assert_unbroken
from tests.sfu.packets import VP8, Camera, camera, video_slot
from tests.sfu.test_simulcast import RIDS, TRACK, Simulcast, hall_with_simulcast, remb, shown


class Obedient(Simulcast):
    """A sender that switches its layers as it is told."""

    heard = 0
    is_deaf = False

    def frame(self, voice: object = None) -> None:
        for _, wanted in self.hall.wanted[self.heard :]:
            if not self.is_deaf:
                self.sending = set(wanted.rids)
        self.heard = len(self.hall.wanted)
        super().frame()


def obedient() -> tuple[Hall, Obedient]:
    hall, source = hall_with_simulcast()
    return hall, Obedient(source.hall)


def told(hall: Hall) -> list[tuple[str, ...]]:
    return [wanted.rids for _, wanted in hall.wanted]


def test_nobody_watches_so_all_is_switched_off_and_comes_back_with_one_key_frame() -> None:
    hall, source = obedient()
    source.play(2.0)
    hall.assign(2, "v0", TRACK)
    source.play(1.0)
    hall.assign(2, "v0", None)
    source.play(LOWER_AFTER_S + 0.2)
    assert told(hall)[-1] == ()
    source.play(20.0)
    assert source.sending == set()
    count = len(hall.wanted)
    hall.assign(2, "v0", TRACK)
    assert told(hall)[count:] == [("f",)], "at once"
    source.play(0.2)
    assert shown(hall) == "f"
    assert_unbroken(hall.received[2])


def test_small_is_small_at_the_source_too() -> None:
    hall, source = obedient()
    hall.assign(2, "v0", TRACK)
    source.play(1.0)
    assert told(hall) == []
    hall.show(2, "v0", 180)
    source.play(LOWER_AFTER_S + 1.5)
    assert told(hall)[-1] == ("q",)
    assert source.sending == {"q"}
    count = len(hall.wanted)
    hall.show(2, "v0", 720)
    assert told(hall)[count:] == [("q", "f")], "the small one shows until the large one is there"
    source.play(0.5)
    assert shown(hall) == "f"
    source.play(LOWER_AFTER_S + 1.0)
    assert told(hall)[-1] == ("f",)
    assert_unbroken(hall.received[2])


def test_a_short_change_is_not_worth_a_word() -> None:
    hall, source = hall_with_simulcast()
    hall.assign(2, "v0", TRACK)
    source.play(LOWER_AFTER_S + 2.0)
    count = len(hall.wanted)
    hall.show(2, "v0", 180)
    source.play(LOWER_AFTER_S / 2)
    hall.show(2, "v0", 2_000)
    source.play(LOWER_AFTER_S + 2.0)
    assert [rids for rids in told(hall)[count:] if "f" not in rids] == []


def test_layers_never_seen_are_not_switched_off() -> None:
    hall, source = hall_with_simulcast()
    source.sending = {"q"}
    source.play(LOWER_AFTER_S + 1.0)
    hall.assign(2, "v0", TRACK)
    source.play(LOWER_AFTER_S + 1.0)
    hall.assign(2, "v0", None)
    source.play(LOWER_AFTER_S + 1.0)
    assert told(hall) == [("h", "f")]


def test_a_sender_that_cannot_switch_on_again_is_not_waited_for() -> None:
    hall, source = obedient()
    hall.assign(2, "v0", TRACK)
    source.play(1.0)
    hall.show(2, "v0", 180)
    source.play(LOWER_AFTER_S + 1.5)
    source.is_deaf = True
    hall.show(2, "v0", 720)
    source.play(1.0)
    assert shown(hall) == "q"
    source.play(2 * RESUME_S + 2.0)
    assert shown(hall) == "q"
    slot = hall.router._peers[2].slots["v0"]
    assert slot.waiting is None


def test_a_camera_that_is_off_is_asked_for_all_while_somebody_would_watch() -> None:
    hall, source = obedient()
    hall.assign(2, "v0", TRACK)
    source.play(1.0)
    source.is_deaf = True
    source.sending = set()
    source.play(25.0)
    assert told(hall)[-1] == RIDS
    source.sending = set(RIDS)
    source.play(0.5)
    assert shown(hall) == "f"


def test_one_layer_and_a_viewer_that_leaves() -> None:
    hall = Hall()
    hall.join(1, [camera(codecs=(VP8,))])
    hall.join(2, slots=[video_slot()])
    hall.open(TRACK)
    hall.assign(2, "v0", TRACK)
    hall.send(1, Camera().frame(hall.now, key=True))
    hall.router.remove_peer(2, hall.now)
    hall.advance(LOWER_AFTER_S + 0.1)
    assert [wanted for _, wanted in hall.wanted] == [LayersWanted(TRACK, ())]
    assert hall.wanted[0][0] == pytest.approx(hall.now - 0.1)
    hall.join(3, slots=[video_slot(ssrc=5_000)])
    hall.assign(3, "v0", TRACK)
    assert told(hall) == [(), ("",)]


def test_a_publisher_that_leaves_is_told_nothing() -> None:
    hall, source = hall_with_simulcast()
    source.play(1.0)
    hall.assign(2, "v0", TRACK)
    hall.show(2, "v0", 180)
    source.play(0.5)
    hall.router.remove_peer(1, hall.now)
    hall.advance(10.0)
    assert hall.wanted == []


def test_viewers_hear_of_shortage_and_of_its_end() -> None:
    hall, source = hall_with_simulcast()
    hall.assign(2, "v0", TRACK)
    source.play(3.0)
    assert hall.shortages == []
    remb(hall, 150_000)
    source.play(0.5)
    assert hall.shortages == [Starved(2, Shortage.PICTURES)]
    remb(hall, 50_000)
    assert hall.shortages[1:] == [Starved(2, Shortage.ALL_PICTURES)]
    hall.received[2].clear()
    source.play(0.5)
    assert hall.received[2] == []
    hall.report(2, rtcp.remb(1, 5_000_000, [9_000]))
    assert hall.shortages[2:] == [Starved(2, Shortage.NONE)]
    source.play(0.5)
    assert shown(hall) == "f"


def test_it_comes_back_by_itself() -> None:
    hall, source = hall_with_simulcast()
    hall.assign(2, "v0", TRACK)
    source.play(3.0)
    remb(hall, 50_000)
    source.play(5.0)
    hall.received[2].clear()
    source.play(1.0)
    assert hall.received[2], "after a while the least is tried"
    assert hall.shortages[-1] == Starved(2, Shortage.PICTURES)
