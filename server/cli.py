"""argv -> what to run: ``diemcau serve | demo | bots | recordings``.

Each command imports what it needs when it runs: a render worker is one of these, and needs no server.
"""

import argparse
import logging
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server.errors import DiemcauError
from server.recording.commands import add_recordings_parser

if TYPE_CHECKING:
    from server.demo.result import DemoResult

_DEMO_FILE = "demo.json"
_Coroutine = Callable[[argparse.Namespace], Coroutine[Any, Any, int]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand. Returns 0, or 1 after one plain line on stderr saying what is wrong."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=arguments.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        status: int = arguments.run(arguments)
        return status
    except DiemcauError as error:
        print(f"diemcau: {error.detail} ({error.code})", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="diemcau", description="A floor-controlled conferencing server.")
    parser.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="run the server")
    serve.add_argument("--data", type=Path, required=True, help="folder for everything that is kept")
    serve.add_argument("--http", type=_address, default=("127.0.0.1", 8080), metavar="HOST:PORT")
    serve.add_argument("--media", type=_address, default=("0.0.0.0", 5004), metavar="HOST:PORT")  # noqa: S104 - media comes from every network the province has
    serve.add_argument("--announce", action="append", default=[], metavar="ADDRESS", help="public address behind NAT")
    serve.add_argument("--config", type=Path, metavar="FILE", help="TOML, see README")
    serve.set_defaults(run=_on_loop(_serve))

    demo = commands.add_parser("demo", help="fill a data folder with a sample province and an open meeting")
    demo.add_argument("--data", type=Path, required=True)
    demo.add_argument("--endpoints", type=_count, default=12, help="how many endpoints, the main one included")
    demo.add_argument("--json", action="store_true", help="print the sign-ins as JSON")
    demo.add_argument("--again", action="store_true", help="new sign-ins for a sample province that is there already")
    demo.add_argument("--config", type=Path, metavar="FILE")
    demo.set_defaults(run=_on_loop(_demo))

    bots = commands.add_parser("bots", help="fill a meeting with moving virtual endpoints")
    bots.add_argument("--endpoints", type=_count, required=True, help="how many; the first ones stay free for people")
    bots.add_argument("--url", default="http://localhost:8080", help="the running server")
    bots.add_argument("--data", type=Path, default=Path("data"), help="the folder that `diemcau demo` filled")
    bots.add_argument("--tokens", type=Path, metavar="FILE", help="sign-ins from here; else --data's demo.json")
    bots.set_defaults(run=_on_loop(_bots))

    add_recordings_parser(commands)
    return parser


def _on_loop(command: _Coroutine) -> Callable[[argparse.Namespace], int]:
    def run(arguments: argparse.Namespace) -> int:
        import asyncio

        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(command(arguments))

    return run


async def _serve(arguments: argparse.Namespace) -> int:
    import msgspec

    from server.app import Address, Server, run_until_told
    from server.config import load_config

    http, media = Address(*arguments.http), Address(*arguments.media)
    config = load_config(arguments.config)
    if arguments.announce:
        announced = (*config.media.announce, *arguments.announce)
        config = msgspec.structs.replace(config, media=msgspec.structs.replace(config.media, announce=announced))
    server = Server(arguments.data, http, media, config)
    first = await server.start()
    if first is not None:
        print(f"First sign-in (shown once): {first.username} / {first.password}")
    print(f"Diemcau serves http://{_shown(http.host)}:{server.http_port}, media on UDP {server.media.port}")
    sys.stdout.flush()
    await run_until_told(server)
    return 0


async def _demo(arguments: argparse.Namespace) -> int:
    import msgspec

    from server.app import store_for
    from server.clock import SystemClock
    from server.config import load_config
    from server.demo.fill import fill_demo

    store = store_for(arguments.data, load_config(arguments.config))
    await store.open()
    try:
        result = await fill_demo(store, arguments.endpoints, SystemClock().now(), again=arguments.again)
    finally:
        await store.close()
    encoded = msgspec.json.encode(result)
    keep = arguments.data / _DEMO_FILE
    keep.touch(mode=0o600)
    keep.write_bytes(encoded)
    print(encoded.decode() if arguments.json else _table(result))
    return 0


async def _bots(arguments: argparse.Namespace) -> int:
    import asyncio
    import signal

    from server.bots.roster import choose_endpoints, read_roster
    from server.bots.run import BotOptions, run_bots

    roster = read_roster(arguments.tokens or arguments.data / _DEMO_FILE)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    endpoints = choose_endpoints(roster, arguments.endpoints)
    options = BotOptions(
        url=arguments.url, meeting_id=roster.meeting, endpoints=endpoints, cache=arguments.data / "bots"
    )
    await run_bots(options, stop, _tell)
    return 0


def _tell(line: str) -> None:
    print(line, flush=True)


def _table(demo: "DemoResult") -> str:
    people = [("chair", demo.chair), ("operator", demo.operator), ("archivist", demo.archivist)]
    rows = [f"{role:<10} {person.username:<22} {person.password}" for role, person in people]
    rows += [
        f"{endpoint.role:<10} {endpoint.username:<22} {endpoint.password}  {endpoint.name}"
        for endpoint in demo.endpoints
    ]
    return "\n".join([f"Meeting {demo.meeting}", f"{'role':<10} {'username':<22} password", *rows])


def _address(text: str) -> tuple[str, int]:
    """HOST:PORT, with [brackets] round an IPv6 host."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host, int(port)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1000")
    return int(text)


def _shown(host: str) -> str:
    return "localhost" if host in ("127.0.0.1", "0.0.0.0", "::", "::1") else host  # noqa: S104 - compared, not bound
