from server.hub.people import same_place
from server.hub.publishing import MediaPeer, choose_publishers
from server.room.commands import Actor, MeetingRole
from server.sfu.ports import Extensions, Kind, TrackLabel, UplinkSpec
from server.transport.sdp import Purpose

MIC = UplinkSpec("0", Kind.AUDIO, TrackLabel.MIC, (), Extensions())


def seated(seat_id: str | None, account_id: str = "a_1") -> Actor:
    return Actor(account_id, "Xã", MeetingRole.ENDPOINT, seat_id)


def make_peer(key: int, purpose: Purpose, seat_id: str | None = "e_1", connected: bool = True) -> MediaPeer:
    uplinks = () if purpose is Purpose.VIEW else (MIC,)
    return MediaPeer(key, seated(seat_id), purpose, f"s_{key}", uplinks, (), connected)


def test_newest_connected_whip_publisher_wins_over_the_session() -> None:
    browser, old, new = make_peer(3, Purpose.SESSION), make_peer(1, Purpose.PUBLISH), make_peer(2, Purpose.PUBLISH)

    assert choose_publishers([old, browser, new]) == {"e_1": new}


def test_a_publisher_that_is_not_connected_yet_takes_nothing_away() -> None:
    browser, joining = make_peer(1, Purpose.SESSION), make_peer(2, Purpose.PUBLISH, connected=False)

    assert choose_publishers([browser, joining]) == {"e_1": browser}


def test_viewers_and_people_without_a_seat_publish_nothing() -> None:
    assert choose_publishers([make_peer(1, Purpose.VIEW), make_peer(2, Purpose.SESSION, seat_id=None)]) == {}


def test_tracks_are_found_by_label() -> None:
    peer = make_peer(7, Purpose.SESSION)

    assert peer.track(TrackLabel.MIC) == (7, "0")
    assert peer.track(TrackLabel.SCREEN) is None
    assert peer.label_of("0") is TrackLabel.MIC


def test_people_who_moderate_are_only_ever_themselves() -> None:
    chair = Actor("a_chair", "Chủ tọa", MeetingRole.CHAIR, "e_1")

    assert not same_place(chair, seated("e_1", "a_2"))
    assert same_place(chair, Actor("a_chair", "Chủ tọa", MeetingRole.CHAIR, None))


def test_presence_counts_by_seat_and_without_seats_by_account() -> None:
    assert same_place(seated("e_1", "a_1"), seated("e_1", "a_2"))
    assert same_place(seated(None, "a_1"), seated(None, "a_1"))
    assert not same_place(seated(None, "a_1"), seated(None, "a_2"))
