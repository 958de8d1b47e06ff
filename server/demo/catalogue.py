"""The sample province's endpoints, in an order that shows all three tiers early (pure)."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count, islice, zip_longest

from server.demo import province


@dataclass(frozen=True, slots=True)
class Place:
    """An endpoint to be made. ``units``: (name, level) from below the province down to its own unit."""

    name: str
    username: str
    units: tuple[tuple[str, str], ...]


def main_place() -> Place:
    """The main endpoint: the meeting room of the host agency."""
    return Place(province.MAIN_ENDPOINT, "diemcauchinh", host_units())


def host_units() -> tuple[tuple[str, str], ...]:
    """Where the host agency stands in the tree."""
    return _office_units(province.DEPARTMENTS, province.HOST_OFFICE)


def branches(number: int) -> list[Place]:
    """The first ``number`` branch endpoints: two communes, a district, a department, and again; beyond the whole
    province second and further rooms of the same places."""
    return list(islice(chain.from_iterable(_round(room) for room in count(1)), number))


def districts() -> tuple[tuple[str, str], ...]:
    """Name and level of the districts and blocks under the province, which are there however few endpoints are."""
    blocks = [(block, province.LEVELS[0]) for block in (province.LEADERSHIP, province.DEPARTMENTS)]
    return (*blocks, *((district, province.LEVELS[1]) for district in province.DISTRICTS))


def to_username(name: str) -> str:
    """``Sở Y tế`` -> ``so-y-te``: lower case, no marks, hyphens."""
    bare = unicodedata.normalize("NFD", name.replace("Đ", "D").replace("đ", "d"))
    letters = "".join(letter for letter in bare if not unicodedata.combining(letter)).lower()
    return "-".join("".join(letter if letter.isalnum() else " " for letter in letters).split())


def _round(room: int) -> Iterator[Place]:
    """Every place of the province once."""
    communes = iter(_communes())
    mixed = zip_longest(communes, communes, _districts(), _offices())
    places = (place for row in mixed for place in row if place is not None)
    if room == 1:
        return places
    return (Place(f"{p.name} - phòng {room}", f"{p.username}-p{room}", p.units) for p in places)


def _communes() -> Iterator[Place]:
    """One of each district in turn."""
    lists = [[(district, name) for name in _split(communes)] for district, communes in province.DISTRICTS.items()]
    for district, commune in chain.from_iterable(zip(*lists, strict=True)):
        units = ((district, province.LEVELS[1]), (commune, province.LEVELS[2]))
        yield Place(f"UBND {_lower_first(commune)}", to_username(commune), units)


def _districts() -> Iterator[Place]:
    for office in ("UBND", "Ban Thường vụ"):
        for district in province.DISTRICTS:
            name = f"{office} {_lower_first(district)}"
            yield Place(name, to_username(name), ((district, province.LEVELS[1]),))


def _offices() -> Iterator[Place]:
    both = zip_longest(province.DEPARTMENT_OFFICES, province.LEADERSHIP_OFFICES)
    for department, office in both:
        yield Place(department, to_username(department), _office_units(province.DEPARTMENTS, department))
        if office is not None:
            yield Place(office, to_username(office), _office_units(province.LEADERSHIP, office))


def _office_units(block: str, office: str) -> tuple[tuple[str, str], ...]:
    return ((block, province.LEVELS[0]), (office, province.LEVELS[0]))


def _split(communes: str) -> list[str]:
    return [" ".join(name.split()) for name in communes.split(",")]


def _lower_first(name: str) -> str:
    """``Xã Nậm Khao`` -> ``xã Nậm Khao``: the kind of place is a common noun inside a name."""
    return name[0].lower() + name[1:]
