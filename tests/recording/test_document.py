"""docs/recordings.md is true: its tables are the code's, its example is a log, its commands find what they shall."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from server.cli import main
from server.recording import events
from server.recording.keys import PublicKey, SigningKey, verify_document
from server.recording.log import read_log
from server.recording.package import export_package
from server.recording.settings import WriterLimits
from server.recording.verify import verify_recording
from tests.support.recordings import STARTED_AT, make_recording, write_film, write_segment

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs/recordings.md").read_text("utf-8")
KEY = SigningKey.generate()


def _section(heading: str) -> str:
    """The text under a heading, up to the next one."""
    found = re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^#+ |\Z)", re.sub(r"(?m)^(?=#!)", " ", PAGE), re.M | re.S)
    assert found, heading
    return found[1]


def _blocks(heading: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", _section(heading), re.M | re.S)


# --- tables and the example -------------------------------------------------------------------------------------------


def test_every_event_is_in_the_table_with_its_fields() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", _section("Events"), re.M)
    documented = {name: re.findall(r"(\*?)`(\w+)`\*?", fields) for name, fields in rows}
    kinds: tuple[Any, ...] = get_args(events.Event)
    assert documented == {kind.__struct_config__.tag: _fields(kind) for kind in kinds}


def _fields(kind: Any) -> list[tuple[str, str]]:
    """Fields in their order; with a star those that are left out when they are empty."""
    leaves_out = kind.__struct_config__.omit_defaults
    return [
        ("*" if leaves_out and field.default is not msgspec.NODEFAULT else "", field.name)
        for field in msgspec.structs.fields(kind)
    ]


def test_every_finding_is_in_the_table() -> None:
    documented = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| ([^|]*) \|", _section("What is found"), re.M)))
    rooms = ("verify.py", "film_check.py")
    source = "".join((ROOT / "server/recording" / name).read_text("utf-8") for name in rooms)
    found = re.findall(r"_find(?:_error)?\(\s*\"(\w+)\"", source) + re.findall(r"Finding\(\"(\w+)\"", source)
    assert len(documented) == len(set(documented))
    assert set(documented) == set(found)


def test_the_example_is_a_signed_log(tmp_path: Path) -> None:
    (example,) = _blocks("An example", "json")
    (tmp_path / "events.jsonl").write_text(example, "utf-8")
    first, *_, last = read_log(tmp_path)
    assert isinstance(first.event, events.Opened)
    assert isinstance(last.event, events.Closed)
    key = PublicKey.from_base64(first.event.public_key)
    assert verify_document(example.encode().splitlines()[-1], key)


def test_the_times_are_the_writers() -> None:
    text = " ".join(_section("How much can be missing").split())
    limits = WriterLimits()
    assert f"reaches the kernel within {limits.flush_s} s" in text
    assert f"waited for, {limits.reorder_s} s at most" in text
    assert (limits.sync_s, limits.segment_s, limits.reserve_octets) == (1.0, 60.0, 1 << 20)


# --- commands ---------------------------------------------------------------------------------------------------------

CHAIN, OWN_KEY, TRUSTED_KEY, SIGNATURE, SEGMENTS, FILM, PLAYS = _blocks("Checking it in ten years", "sh")


def _runs(script: str, folder: Path, scratch: Path) -> bool:
    """Whether a block goes through, in the folder, as a careful shell runs it."""
    scratch.mkdir(exist_ok=True)
    options = ["-e", "-u", "-o", "pipefail", "-c"]
    ran = subprocess.run(
        ["bash", *options, script.replace("/tmp/", f"{scratch}/")],  # noqa: S108 - replaced, not used
        cwd=folder,
        capture_output=True,
        check=False,
    )
    return ran.returncode == 0


def _encode(path: Path, *arguments: str) -> bytes:
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", *arguments, path], check=True)
    return path.read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording that can be played: a second of sound, a second of picture, and a film."""
    place = tmp_path_factory.mktemp("whole")
    sound = _encode(place / "a.mkv", "-i", "sine=d=1", "-c:a", "libopus")
    picture = _encode(place / "v.mkv", "-i", "testsrc=d=1:s=160x90:r=10", "-c:v", "libvpx")
    film = _encode(place / "f.mp4", "-i", "testsrc=d=1:s=160x90:r=10", "-c:v", "libx264")
    folder = place / "rec_a"
    folder.mkdir()
    lines = [write_segment(folder, "seat_a", "mic", 1, sound), write_segment(folder, "seat_a", "camera", 1, picture)]
    make_recording(folder, KEY, [(line, STARTED_AT + 30) for line in lines], film=False)
    write_film(folder, KEY, film)
    (place / "archive-key.pem").write_bytes(KEY.public.pem)
    assert verify_recording(folder, KEY.public_base64).findings == ()
    return folder


@pytest.mark.parametrize("script", [CHAIN, OWN_KEY, TRUSTED_KEY, SIGNATURE, SEGMENTS, FILM, PLAYS])
def test_the_commands_go_through_where_nothing_is_wrong(whole: Path, tmp_path: Path, script: str) -> None:
    assert _runs(script, whole, tmp_path / "scratch")


def _replace(name: str, old: bytes, new: bytes) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        octets = (folder / name).read_bytes()
        assert old in octets
        (folder / name).write_bytes(octets.replace(old, new, 1))

    return change


def _cut_line(folder: Path) -> None:
    lines = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "events.jsonl").write_bytes(b"".join([lines[0], *lines[2:]]))


def _cut_last_line(folder: Path) -> None:
    lines = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "events.jsonl").write_bytes(b"".join(lines[:-1]))


_DAMAGES: list[tuple[str, Callable[[Path], object]]] = [
    (CHAIN, _replace("events.jsonl", b"Giao ban", b"Giao Ban")),
    (CHAIN, _cut_line),
    (OWN_KEY, lambda folder: (folder / "signing-key.pub").write_bytes(SigningKey.generate().public.pem)),
    (TRUSTED_KEY, lambda folder: (folder / "../archive-key.pem").write_bytes(SigningKey.generate().public.pem)),
    (SIGNATURE, _replace("events.jsonl", b'"reason":"stopped"', b'"reason":"meeting_ended"')),
    (SIGNATURE, _cut_last_line),
    (SEGMENTS, _replace("tracks/seat_a-mic-0001.mkv", b"O", b"o")),
    (SEGMENTS, lambda folder: (folder / "tracks/seat_a-mic-0001.mkv").unlink()),
    (SEGMENTS, lambda folder: (folder / "tracks/seat_b-mic-0001.mkv").touch()),
    (FILM, _replace("film.mp4", b"moov", b"Moov")),
    (FILM, _replace("film.json", b'"title"', b'"Title"')),
    (FILM, _replace("events.jsonl", b"Giao ban", b"Giao Ban")),
    (PLAYS, lambda folder: (folder / "tracks/seat_a-mic-0001.mkv").write_bytes(b"no film")),
]


@pytest.mark.parametrize(("script", "damage"), _DAMAGES)
def test_the_commands_find_what_is_wrong(
    whole: Path, tmp_path: Path, script: str, damage: Callable[[Path], object]
) -> None:
    subprocess.run(["cp", "-r", whole, whole.parent / "archive-key.pem", tmp_path], check=True)
    folder = tmp_path / "rec_a"
    damage(folder)
    assert not _runs(script, folder, tmp_path / "scratch")


def test_a_package_is_checked_by_its_own_manifest(whole: Path, tmp_path: Path) -> None:
    (script,) = _blocks("Taking it away and bringing it back", "sh")
    export_package(whole, tmp_path / "package.tar")
    (tmp_path / "here").mkdir()
    assert _runs(script, tmp_path / "here", tmp_path / "scratch")
    assert (tmp_path / "here/rec_a/film.mp4").is_file()
    octets = (tmp_path / "package.tar").read_bytes()
    (tmp_path / "package.tar").write_bytes(octets.replace(b"moov", b"Moov", 1))
    assert not _runs(script, tmp_path / "here", tmp_path / "scratch")


def test_every_command_on_the_page_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    named = set(re.findall(r"diemcau recordings (\w+)", PAGE))
    with pytest.raises(SystemExit):
        main(["recordings", "--help"])
    offered = set(re.findall(r"^    (\w+) ", capsys.readouterr().out, re.M))
    assert named == offered
