"""200 single damages at random places: verify finds each of them. The undamaged recording is clean."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from server.recording.keys import SigningKey
from server.recording.log import LOG_FILE
from server.recording.verify import verify_recording
from tests.support.recordings import a_meeting, make_recording

KEY = SigningKey.generate()
OTHER = SigningKey.generate()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_recording(tmp_path_factory.mktemp("whole") / "rec_a", KEY)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _segments(folder: Path) -> list[Path]:
    return sorted((folder / "tracks").iterdir())


def flip_a_bit(folder: Path, chance: random.Random) -> None:
    path = chance.choice(_files(folder))
    octets = bytearray(path.read_bytes())
    octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
    path.write_bytes(octets)


def change_an_octet(folder: Path, chance: random.Random) -> None:
    path = chance.choice(_files(folder))
    octets = bytearray(path.read_bytes())
    place = chance.randrange(len(octets))
    octets[place] = chance.choice([value for value in range(256) if value != octets[place]])
    path.write_bytes(octets)


def cut_an_end(folder: Path, chance: random.Random) -> None:
    path = chance.choice(_files(folder))
    octets = path.read_bytes()
    path.write_bytes(octets[: chance.randrange(len(octets))])


def lengthen(folder: Path, chance: random.Random) -> None:
    with chance.choice(_files(folder)).open("ab") as file:
        file.write(chance.randbytes(chance.randint(1, 20)))


def remove_a_file(folder: Path, chance: random.Random) -> None:
    chance.choice(_files(folder)).unlink()


def rename_a_file(folder: Path, chance: random.Random) -> None:
    path = chance.choice(_files(folder))
    path.rename(path.with_name(f"x{path.name}"))


def _change_lines(folder: Path, change: Callable[[list[bytes]], object]) -> None:
    lines = (folder / LOG_FILE).read_bytes().splitlines(keepends=True)
    change(lines)
    (folder / LOG_FILE).write_bytes(b"".join(lines))


def cut_a_line(folder: Path, chance: random.Random) -> None:
    _change_lines(folder, lambda lines: lines.pop(chance.randrange(len(lines))))


def cut_the_last_lines(folder: Path, chance: random.Random) -> None:
    _change_lines(folder, lambda lines: lines.__delitem__(slice(chance.randrange(len(lines)), None)))


def swap_two_lines(folder: Path, chance: random.Random) -> None:
    def swap(lines: list[bytes]) -> None:
        one, two = chance.sample(range(len(lines)), 2)
        lines[one], lines[two] = lines[two], lines[one]

    _change_lines(folder, swap)


def double_a_line(folder: Path, chance: random.Random) -> None:
    _change_lines(folder, lambda lines: lines.insert(chance.randrange(len(lines) + 1), chance.choice(lines)))


def insert_a_line(folder: Path, chance: random.Random) -> None:
    line = b'{"n":%d,"at":1790000003.0,"prev":"%064x","event":{"type":"granted","seat_id":"seat_main"}}\n'
    new = line % (chance.randint(1, 20), chance.getrandbits(256))
    _change_lines(folder, lambda lines: lines.insert(chance.randrange(len(lines) + 1), new))


def swap_two_segments(folder: Path, chance: random.Random) -> None:
    one, two = chance.sample(_segments(folder), 2)
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def double_a_segment(folder: Path, chance: random.Random) -> None:
    path = chance.choice(_segments(folder))
    shutil.copyfile(path, path.with_name(f"{path.stem[:-1]}9.mkv"))


def replace_a_segment(folder: Path, chance: random.Random) -> None:
    one, two = chance.sample(_segments(folder), 2)
    shutil.copyfile(one, two)


def sign_again_with_another_key(folder: Path, chance: random.Random) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
    make_recording(folder, OTHER, a_meeting(folder, seed=chance.randrange(3)))


_DAMAGES = [
    flip_a_bit,
    flip_a_bit,
    flip_a_bit,
    flip_a_bit,
    change_an_octet,
    change_an_octet,
    cut_an_end,
    lengthen,
    remove_a_file,
    rename_a_file,
    cut_a_line,
    cut_the_last_lines,
    swap_two_lines,
    double_a_line,
    insert_a_line,
    swap_two_segments,
    double_a_segment,
    replace_a_segment,
    sign_again_with_another_key,
]


@pytest.mark.parametrize("seed", range(200))
def test_a_single_damage_is_found(whole: Path, tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "rec_a"
    shutil.copytree(whole, folder)
    damage = _DAMAGES[seed % len(_DAMAGES)]
    damage(folder, random.Random(seed))  # noqa: S311 - repeatable on purpose
    report = verify_recording(folder, KEY.public_base64)
    assert not report.ok, damage.__name__


def test_the_undamaged_copy_is_clean(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "rec_a")
    assert verify_recording(tmp_path / "rec_a", KEY.public_base64).findings == ()


@pytest.mark.parametrize("name", ["events.jsonl", "signing-key.pub", "film.json"])
def test_every_single_octet_of_what_is_small_counts(whole: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "rec_a"
    shutil.copytree(whole, folder)
    octets = (folder / name).read_bytes()
    chance = random.Random(5)  # noqa: S311 - repeatable on purpose
    for place in range(0, len(octets), 1 if len(octets) < 1_000 else 7):
        changed = bytearray(octets)
        changed[place] ^= 1 << chance.randrange(8)
        (folder / name).write_bytes(changed)
        assert not verify_recording(folder).ok, place
