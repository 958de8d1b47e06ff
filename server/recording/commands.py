"""``diemcau recordings list | verify | render | export | import | key``: on folders, be the server running or not.

Each command returns its exit status: 0, or 1 where a recording is not what it must be. What goes wrong otherwise raises
a DiemcauError, which ``cli`` prints in one line.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from server.config import load_config
from server.errors import InvalidInput, NotFound, Unavailable
from server.recording import wording
from server.recording.importing import import_package
from server.recording.keys import SIGNING_KEY_FILE, PublicKey, SigningKey
from server.recording.package import Package, export_package
from server.recording.report import Report
from server.recording.shelf import look_over
from server.recording.verify import verify_recording

if TYPE_CHECKING:
    from server.recording.film.film import Progress

RECORDINGS_FOLDER: Final = "recordings"
"""Below the data folder."""

_Command = Callable[[argparse.Namespace], int]
_NICENESS: Final = 10
_STDIO: Final = "-"


def add_recordings_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``recordings`` and its commands; each sets ``run``, which returns the exit status."""
    recordings = commands.add_parser("recordings", help="list, check, render, take away and bring back recordings")
    below = recordings.add_subparsers(required=True, metavar="COMMAND")

    listing = below.add_parser("list", help="what lies in the data folder, told from the folders alone")
    _add_data(listing, required=True)
    _add_json(listing)
    listing.set_defaults(run=_runner(_list))

    verify = below.add_parser("verify", help="check every hash, the chain and the signature; no server, no network")
    _add_folders(verify, "*")
    verify.add_argument("--all", action="store_true", help="every recording in --data")
    verify.add_argument("--running", action="store_true", help="an open end is no finding")
    _add_data(verify, "also trusts this server's own key")
    _add_keys(verify)
    _add_json(verify)
    verify.set_defaults(run=_runner(_verify))

    render = below.add_parser("render", help="make film.mp4; goes on where an earlier one was broken off")
    _add_folders(render, None)
    _add_data(render, "whose key signs the film", required=True)
    render.add_argument("--again", action="store_true", help="also where the film is there already")
    render.add_argument("--progress", action="store_true", help="a JSON object a line on standard output")
    render.set_defaults(run=_runner(_render))

    export = below.add_parser("export", help="one tar with manifest.json first")
    _add_folders(export, None)
    _add_data(export)
    export.add_argument("--output", metavar="FILE", help="- for standard output; RID.tar by default")
    export.set_defaults(run=_runner(_export))

    bring = below.add_parser("import", help="verify a package and put it among the recordings of --data")
    bring.add_argument("source", metavar="SOURCE", help="a package, - for standard input, or a recording's folder")
    _add_data(bring, required=True)
    _add_keys(bring)
    bring.set_defaults(run=_runner(_import))

    key = below.add_parser("key", help="this server's public key, to be kept elsewhere: verify --key FILE")
    _add_data(key, required=True)
    key.add_argument("--base64", action="store_true", help="the 32 octets as base64 instead of PEM")
    key.set_defaults(run=_runner(_key))


def _list(arguments: argparse.Namespace) -> int:
    found = look_over(_recordings_dir(arguments))
    if arguments.json:
        _say_json({"recordings": found})
    else:
        _say(wording.table(found))
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    folders = [_folder(name, arguments) for name in arguments.folders]
    if arguments.all:
        if arguments.data is None:
            raise InvalidInput("no_data", "--all wants --data DIR")
        folders += [found.folder for found in look_over(_recordings_dir(arguments))]
    elif not folders:
        raise InvalidInput("no_folder", "say which folder, or --data DIR --all")
    keys = [_read_key(given) for given in arguments.key]
    own = arguments.data / SIGNING_KEY_FILE if arguments.data is not None else None
    if own is not None and own.exists():
        keys.append(SigningKey.load(own).public_base64)
    status = 0
    for folder in folders:
        report = verify_recording(folder, next(iter(keys), None), also_trusted=keys[1:], running=arguments.running)
        status = status if report.ok else 1
        _tell_report(folder, report, as_json=arguments.json)
    return status


def _render(arguments: argparse.Namespace) -> int:
    from server.recording.film.film import Film  # here, so that the others need not load FFmpeg first

    os.setpriority(os.PRIO_PROCESS, 0, max(_NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
    folder = _folder(arguments.folder, arguments)
    film = Film(folder, SigningKey.load_or_make(arguments.data / SIGNING_KEY_FILE))
    try:
        made = film.render(_say_progress if arguments.progress else lambda _: None, again=arguments.again)
    finally:
        film.close()
    if not arguments.progress:
        _say(f"{made}: {wording.size(made.stat().st_size)}")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    folder = _folder(arguments.folder, arguments)
    if arguments.output == _STDIO:
        for piece in Package(folder).iterate():
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return 0
    target = export_package(folder, Path(arguments.output) if arguments.output else None)
    _say(f"{target}: {target.stat().st_size} octets")
    return 0


def _import(arguments: argparse.Namespace) -> int:
    source = sys.stdin.buffer if arguments.source == _STDIO else Path(arguments.source)
    keys = [_read_key(given) for given in arguments.key]
    imported = import_package(source, _recordings_dir(arguments), next(iter(keys), None), also_trusted=keys[1:])
    _say(f"{imported.folder}{' was there already, the same' if imported.already else ''}")
    return 0


def _key(arguments: argparse.Namespace) -> int:
    public = SigningKey.load_or_make(arguments.data / SIGNING_KEY_FILE).public
    _say(public.base64 if arguments.base64 else public.pem.decode().rstrip())
    return 0


# --- arguments --------------------------------------------------------------------------------------------------------


def _add_folders(parser: argparse.ArgumentParser, nargs: str | None) -> None:
    parser.add_argument(
        "folders" if nargs else "folder", nargs=nargs, metavar="FOLDER", help="or a recording's identifier, with --data"
    )


def _add_data(parser: argparse.ArgumentParser, use: str = "", *, required: bool = False) -> None:
    said = f"the server's data folder{f'; {use}' if use else ''}"
    parser.add_argument("--data", type=Path, required=required, metavar="DIR", help=said)
    parser.add_argument("--config", type=Path, metavar="FILE", help="the server's, if it has one")


def _add_keys(parser: argparse.ArgumentParser) -> None:
    said = "a public key to be trusted: a file, or base64; may be given several times"
    parser.add_argument("--key", action="append", default=[], metavar="KEY", help=said)


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def _recordings_dir(arguments: argparse.Namespace) -> Path:
    configured = load_config(arguments.config).recordings_dir
    return Path(configured) if configured else Path(arguments.data / RECORDINGS_FOLDER)


def _folder(name: str, arguments: argparse.Namespace) -> Path:
    """A folder by its path, or by its name among the recordings of ``--data``."""
    folder = Path(name)
    if not folder.exists() and arguments.data is not None and folder.name == name:
        folder = _recordings_dir(arguments) / name
    if not folder.is_dir():
        raise NotFound("no_recording", f"{name} is no folder of a recording")
    return folder


def _read_key(given: str) -> str:
    """The base64 of a key that was given as a file or as itself."""
    text = Path(given).read_text("utf-8", "replace") if Path(given).is_file() else given
    return PublicKey.from_text(text).base64


# --- running and telling ----------------------------------------------------------------------------------------------


def _runner(command: _Command) -> _Command:
    """``command``, with what goes wrong with files put into words."""

    def run(arguments: argparse.Namespace) -> int:
        try:
            status = command(arguments)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what reads us has seen enough
            return 1
        except OSError as error:
            raise Unavailable("disk_error", str(error)) from error
        return status

    return run


def _tell_report(folder: Path, report: Report, *, as_json: bool) -> None:
    if as_json:
        _say_json({"folder": str(folder), **msgspec.to_builtins(report)})
    else:
        _say(wording.verdict(folder, report))


def _say_progress(now: "Progress") -> None:
    _say_json({"progress": now.share, "stage": now.stage, "done": now.done, "total": now.total})


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _say_json(thing: object) -> None:
    _say(msgspec.json.encode(thing, enc_hook=str).decode())
