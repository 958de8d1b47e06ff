from hypothesis import given
from hypothesis import strategies as st

from server.hub.feeds import choose_feeds, order_voices
from server.sfu.ports import Extensions, Kind, SlotSpec
from server.sfu.router import TrackId


def make_slots(video: int, audio: int) -> list[SlotSpec]:
    kinds = [Kind.AUDIO] * audio + [Kind.VIDEO] * video
    return [
        SlotSpec(f"{kind.value[0]}{i}", kind, i, 1000 + i, 2000 + i, (), Extensions())
        for kind in dict.fromkeys(kinds)
        for i in range(kinds.count(kind))
    ]


def camera(peer: int) -> TrackId:
    return (peer, "1")


def mic(peer: int) -> TrackId:
    return (peer, "0")


def test_first_picture_is_in_slot_zero_and_the_rest_follow_in_order() -> None:
    wanted = choose_feeds(make_slots(3, 2), {}, [camera(1), camera(2)], [mic(1)], {})

    assert wanted == {"v0": camera(1), "v1": camera(2), "v2": None, "a0": mic(1), "a1": None}


def test_pictures_that_stay_keep_their_slot_when_another_leaves() -> None:
    slots = make_slots(4, 0)
    before = choose_feeds(slots, {}, [camera(1), camera(2), camera(3), camera(4)], [], {})

    after = choose_feeds(slots, before, [camera(1), camera(4), camera(3), camera(5)], [], {})

    assert after == {"v0": camera(1), "v1": camera(5), "v2": camera(3), "v3": camera(4)}


def test_the_first_slot_follows_the_first_picture() -> None:
    slots = make_slots(2, 0)
    before = choose_feeds(slots, {}, [camera(1), camera(2)], [], {})

    after = choose_feeds(slots, before, [camera(2), camera(1)], [], {})

    assert after == {"v0": camera(2), "v1": camera(1)}


def test_a_preview_takes_its_slot_from_the_stage() -> None:
    wanted = choose_feeds(make_slots(3, 0), {}, [camera(1), camera(2), camera(3)], [], {"v2": camera(9)})

    assert wanted == {"v0": camera(1), "v1": camera(2), "v2": camera(9)}


def test_more_voices_than_slots_give_way_to_the_latest_speakers() -> None:
    voices = order_voices([mic(1), mic(2), mic(3), mic(4)], {mic(4): 30.0, mic(2): 20.0})

    wanted = choose_feeds(make_slots(0, 3), {"a0": mic(1), "a1": mic(2), "a2": mic(3)}, [], voices, {})

    assert wanted == {"a0": mic(1), "a1": mic(2), "a2": mic(4)}


@given(
    video=st.integers(0, 6),
    audio=st.integers(0, 4),
    rounds=st.lists(st.tuples(st.permutations(range(8)), st.integers(0, 8), st.integers(0, 8)), max_size=5),
)
def test_no_track_is_in_two_slots_and_none_that_fits_is_left_out(
    video: int, audio: int, rounds: list[tuple[list[int], int, int]]
) -> None:
    slots = make_slots(video, audio)
    wanted: dict[str, TrackId | None] = {}
    for order, pictured, heard in rounds:
        pictures = [camera(peer) for peer in order[:pictured]]
        voices = [mic(peer) for peer in order[:heard]]
        wanted = choose_feeds(slots, wanted, pictures, voices, {})
        fed = [track for track in wanted.values() if track is not None]
        assert set(wanted) == {slot.mid for slot in slots}
        assert len(fed) == len(set(fed))
        assert set(fed) == set(pictures[:video]) | set(voices[:audio])
