from itertools import islice

import pytest

from server.demo.catalogue import branches, main_place, to_username
from server.demo.province import DISTRICTS, LEVELS


def test_the_province_has_two_hundred_places_of_its_own() -> None:
    places = branches(212)

    assert len({place.name for place in places}) == 212
    assert len({place.username for place in places}) == 212
    assert not any("phòng 2" in place.name for place in places)


def test_beyond_the_province_there_are_more_rooms() -> None:
    places = [main_place(), *branches(999)]

    assert len({(place.units, place.name) for place in places}) == 1_000
    assert len({place.username for place in places}) == 1_000
    assert max(len(place.username) for place in places) <= 100
    assert places[213].name.endswith(" - phòng 2")


def test_a_small_meeting_has_two_communes_and_a_larger_one_all_three_tiers() -> None:
    first = branches(4)

    assert [place.units[-1][1] for place in first] == [LEVELS[2], LEVELS[2], LEVELS[1], LEVELS[0]]
    assert first[0].units[0] != first[1].units[0], "of different districts"


def test_every_district_takes_part_early() -> None:
    seen = {place.units[0][0] for place in branches(20)}

    assert set(DISTRICTS) <= seen


def test_a_longer_list_only_adds() -> None:
    assert branches(50) == list(islice(branches(400), 50))
    assert branches(0) == []


@pytest.mark.parametrize(
    ("name", "username"),
    [
        ("Sở Y tế", "so-y-te"),
        ("UBND thành phố Điện Sơn", "ubnd-thanh-pho-dien-son"),
        ("Sở Lao động - Thương binh và Xã hội", "so-lao-dong-thuong-binh-va-xa-hoi"),
        ("Xã Ẳng Nưa", "xa-ang-nua"),
        ("đường Đ", "duong-d"),
    ],
)
def test_user_names_are_typeable(name: str, username: str) -> None:
    assert to_username(name) == username
