"""``diemcau recordings`` from outside: argv in; standard output, standard error and the exit status out."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from server.cli import main
from server.recording.events import SegmentClosed
from server.recording.keys import SigningKey
from server.recording.verify import verify_recording
from tests.support.recordings import STARTED_AT, make_recording

KEY = SigningKey.generate()

pytestmark = pytest.mark.timeout(120)


class Ran(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Ran]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """The command line, without the second that a new process takes to start."""
    monkeypatch.setenv("TZ", "Asia/Ho_Chi_Minh")
    time.tzset()

    def run(*arguments: str | Path) -> Ran:
        status = main(["recordings", *map(str, arguments)])
        return Ran(status, *capfd.readouterr())

    yield run
    monkeypatch.undo()
    time.tzset()


def process(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "server", "recordings", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, check=False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with its key and two recordings, the younger one open."""
    path = tmp_path / "data" / "keys" / "recordings-ed25519.pem"
    path.parent.mkdir(parents=True)
    path.write_bytes(KEY.pem)
    make_recording(tmp_path / "data" / "recordings" / "rec_a", KEY)
    make_recording(tmp_path / "data" / "recordings" / "rec_b", KEY, closed=False, title="Họp \x1b[31mđỏ")
    return tmp_path / "data"


def test_list_tells_what_lies_there(run: Run, data: Path, tmp_path: Path) -> None:
    (data / "recordings" / "rec_0").mkdir()
    (data / "recordings" / ".import-x").mkdir()
    shown = run("list", "--data", data)
    assert shown.returncode == 0
    head, first, second, third = shown.stdout.splitlines()
    assert head.split() == ["recording", "begin", "length", "size", "state", "agency", "title"]
    assert first.startswith("rec_a      2026-09-21 21:13  0:01:31  ")
    assert first.endswith("  ready    Sở Y tế  Giao ban tháng 11")
    assert " open " in second
    assert "\x1b" not in second
    assert " damaged " in third

    entries = json.loads(run("list", "--data", data, "--json").stdout)["recordings"]
    assert [(entry["recording_id"], entry["state"]) for entry in entries] == [
        ("rec_a", "ready"),
        ("rec_b", "open"),
        ("rec_0", "damaged"),
    ]
    folder = data / "recordings" / "rec_a"
    assert entries[0] == {
        "recording_id": "rec_a",
        "folder": str(folder),
        "state": "ready",
        "title": "Giao ban tháng 11",
        "host_agency": "Sở Y tế",
        "meeting_id": "mtg_22222222",
        "started_at": STARTED_AT,
        "duration_s": 91.0,
        "octets": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
    }
    assert run("list", "--data", tmp_path / "nowhere").stdout == "no recordings\n"


def test_list_looks_where_the_configuration_says(run: Run, data: Path, tmp_path: Path) -> None:
    (data / "recordings").rename(tmp_path / "elsewhere")
    config = tmp_path / "diemcau.toml"
    config.write_text(f'recordings_dir = "{tmp_path / "elsewhere"}"\n')
    assert "rec_a" in run("list", "--data", data, "--config", config).stdout


def test_verify_says_ok_and_exits_0(run: Run, data: Path) -> None:
    shown = run("verify", data / "recordings" / "rec_a")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines() == [
        f"{data / 'recordings' / 'rec_a'}  Giao ban tháng 11",
        "  ok: 17 lines, 9 segments, 11.2 kB, 0:01:31, closed and signed by the key that came with it"
        " (give --key to be sure whose), with a film",
        "  gap at 0:01:27 for 2.0 s, packets_lost, seat_dong mic",
    ]
    by_name = run("verify", "rec_a", "--data", data)
    assert by_name.returncode == 0
    assert "signed by a trusted key" in by_name.stdout


def test_verify_names_what_it_finds_and_exits_1(run: Run, data: Path, tmp_path: Path) -> None:
    folder = data / "recordings" / "rec_a"
    (folder / "tracks/seat_main-mic-0001.mkv").unlink()
    (tmp_path / "other.pub").write_bytes(SigningKey.generate().public.pem)
    shown = run("verify", folder, "--key", tmp_path / "other.pub")
    assert shown.returncode == 1
    assert "NOT OK, 2 findings" in shown.stdout
    assert "FOUND segment_missing tracks/seat_main-mic-0001.mkv: is not there" in shown.stdout
    assert "FOUND untrusted_key events.jsonl line 1: " in shown.stdout


def test_verify_of_all_as_json_has_a_line_each(run: Run, data: Path) -> None:
    shown = run("verify", "--data", data, "--all", "--json")
    assert shown.returncode == 1
    first, second = map(json.loads, shown.stdout.splitlines())
    assert (first["ok"], first["recording_id"], first["trusted"], first["findings"]) == (True, "rec_a", True, [])
    assert (second["ok"], [finding["code"] for finding in second["findings"]]) == (False, ["not_closed"])
    assert run("verify", "--data", data, "--all", "--running").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["verify"], "no_folder"),
        (["verify", "--all"], "no_data"),
        (["verify", "/nowhere"], "no_recording"),
        (["verify", ".", "--key", "x"], "bad_public_key"),
        (["export", "/nowhere"], "no_recording"),
        (["import", "/nowhere", "--data", "DATA"], "disk_error"),
        (["render", "/nowhere", "--data", "DATA"], "no_recording"),
    ],
)
def test_a_mistake_is_one_line(run: Run, arguments: list[str], code: str, tmp_path: Path) -> None:
    if "--data" in arguments:
        (tmp_path / "file").touch()
        arguments = [*arguments[: arguments.index("--data")], "--data", str(tmp_path / "file")]
    shown = run(*arguments)
    assert shown.returncode == 1
    (line,) = shown.stderr.splitlines()
    assert line.startswith("diemcau: ")
    assert line.endswith(f"({code})")


def test_a_recording_goes_out_and_comes_back(run: Run, data: Path, tmp_path: Path) -> None:
    package = tmp_path / "a.tar"
    assert run("export", data / "recordings" / "rec_a", "--output", package).returncode == 0
    assert run("export", "rec_a", "--data", data, "--output", package).returncode == 1
    streamed = process("export", "rec_a", "--data", data, "--output", "-").stdout
    assert streamed == package.read_bytes()

    archive = tmp_path / "archive"
    assert run("import", package, "--data", archive, "--key", KEY.public_base64).returncode == 0
    assert verify_recording(archive / "recordings" / "rec_a", KEY.public_base64).ok
    again = run("import", package, "--data", archive)
    assert again.stdout == f"{archive / 'recordings' / 'rec_a'} was there already, the same\n"
    shutil.rmtree(archive)
    package.write_bytes(streamed[:-1])
    refused = run("import", package, "--data", archive)
    assert (refused.returncode, refused.stderr) == (1, "diemcau: not imported: it ends too early (bad_package)\n")
    assert process("import", "-", "--data", archive, stdin=streamed).returncode == 0


def test_a_package_is_named_after_its_recording(
    run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = (data / "recordings" / "rec_a").rename(tmp_path / "another name")
    monkeypatch.chdir(tmp_path)
    assert run("export", folder).returncode == 0
    assert (tmp_path / "rec_a.tar").is_file()


def test_key_prints_what_verify_takes(run: Run, data: Path, tmp_path: Path) -> None:
    shown = run("key", "--data", data).stdout
    assert shown == KEY.public.pem.decode()
    (tmp_path / "k.pub").write_text(shown)
    assert run("verify", data / "recordings" / "rec_a", "--key", tmp_path / "k.pub").returncode == 0
    assert run("key", "--data", data, "--base64").stdout.strip() == KEY.public_base64
    assert run("key", "--data", tmp_path / "new").stdout.startswith("-----BEGIN PUBLIC KEY-----")


def test_verify_ends_at_once_when_interrupted(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "rec_huge"
    (folder / "tracks").mkdir(parents=True)
    with (folder / "tracks/a.mkv").open("wb") as file:
        file.truncate(1 << 40)  # a hole that takes an hour to read
    segment = SegmentClosed("tracks/a.mkv", "0" * 64, 1 << 40, "s", "mic", "opus", STARTED_AT, STARTED_AT + 1)
    make_recording(folder, KEY, [(segment, STARTED_AT + 1)], film=False)
    command = [sys.executable, "-m", "server", "recordings", "verify", str(data / "recordings" / "rec_a"), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as verify:
        assert verify.stdout is not None
        assert verify.stdout.readline()  # the first one is told, the second begins
        verify.send_signal(signal.SIGINT)
        assert verify.wait(30) == 130


def test_a_reader_that_has_seen_enough_is_no_error(data: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "server",
        "recordings",
        "export",
        str(data / "recordings" / "rec_a"),
        "--output",
        "-",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as export:
        assert export.stdout is not None
        assert export.stderr is not None
        export.stdout.close()
        assert export.stderr.read() == b""
        assert export.wait(30) == 1


def test_no_server_is_loaded_for_a_folder(data: Path) -> None:
    """Each film's worker is such a command: it starts in a seventh of a second, and does so beside meetings."""
    told = "import sys; from server.cli import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    command = [sys.executable, "-c", told, "recordings", "list", "--data", str(data)]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stderr.split()
    assert "server.recording.shelf" in loaded
    assert not {"server.app", "aiohttp", "sqlalchemy", "asyncio", "av", "numpy"} & set(loaded)
