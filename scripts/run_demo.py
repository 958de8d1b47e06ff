"""`make run`: fill the data folder once, show the sign-ins, serve until Ctrl-C, with moving endpoints if asked for."""

import argparse
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from scripts.debian import SetupFailed

DIEMCAU = [sys.executable, "-m", "server"]
READY_WITHIN_S = 30.0
STOP_WITHIN_S = 15.0
SHOWN_ENDPOINTS = 8
ROLES = ("administrator", "chair", "deputy", "operator", "archivist", "observer")


def main() -> int:
    arguments = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `kill` stops it just as Ctrl-C does
    try:
        _ensure_port_free(arguments.http, socket.SOCK_STREAM, "HTTP")
        _ensure_port_free(arguments.media, socket.SOCK_DGRAM, "MEDIA")
        demo = _ensure_demo(arguments.data, arguments.endpoints)
        return _serve(arguments, demo)
    except SetupFailed as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m scripts.run_demo", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--http", default="127.0.0.1:8080", metavar="HOST:PORT")
    parser.add_argument("--media", default="0.0.0.0:5004", metavar="HOST:PORT")
    parser.add_argument("--endpoints", type=int, default=24, help="endpoints of the sample province, at first")
    parser.add_argument("--bots", type=int, default=0, help="how many of them are moving virtual endpoints")
    return parser.parse_args()


def _ensure_port_free(address: str, kind: socket.SocketKind, variable: str) -> None:
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if kind is socket.SOCK_STREAM:  # the server takes a port whose last connections are still closing, so do we
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), int(port)))
        except (OSError, ValueError, OverflowError) as error:
            other = f"{host}:{int(port) + 1}" if port.isdecimal() else "HOST:PORT"
            raise SetupFailed(
                f"{address} cannot be used: {error}.\n"
                f"Perhaps Diemcau is running already. Another one: make run {variable}={other}"
            ) from error


def _ensure_demo(data: Path, endpoints: int) -> dict[str, Any]:
    """The sample province's sign-ins; the province is made where the data folder has none."""
    kept = data / "demo.json"
    if not kept.is_file():
        command = [*DIEMCAU, "demo", "--data", str(data), "--endpoints", str(endpoints), "--json"]
        if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode != 0:
            raise SetupFailed(f"The sample province could not be put into {data}/; what was said is above.")
    demo: dict[str, Any] = json.loads(kept.read_text("utf-8"))
    return demo


def _serve(arguments: argparse.Namespace, demo: dict[str, Any]) -> int:
    data = str(arguments.data)
    command = [*DIEMCAU, "serve", "--data", data, "--http", arguments.http, "--media", arguments.media]
    server = subprocess.Popen([*command])
    bots: subprocess.Popen[bytes] | None = None
    try:
        url = f"http://localhost:{arguments.http.rpartition(':')[2]}"
        _wait_until_ready(server, url)
        print(_sign_ins(demo), flush=True)
        if arguments.bots > 0:
            bots = subprocess.Popen(
                [*DIEMCAU, "bots", "--data", data, "--url", url, "--endpoints", str(arguments.bots)]
            )
        more = [url.replace("localhost", f"{name}.localhost") for name in "ab"]
        print(f"\nOpen {url} in a browser. For further people in the same browser: {', '.join(more)}", flush=True)
        print("(each name has a sign-in of its own). Ctrl-C stops.\n", flush=True)
        return server.wait()
    except KeyboardInterrupt:  # the terminal told the server and the bots as well: let them finish
        return 0
    finally:
        for child in (bots, server):
            _stop(child)


def _wait_until_ready(server: subprocess.Popen[bytes], url: str) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise SetupFailed("The server did not start; what it said is above.")
        try:
            with direct.open(f"{url}/healthz", timeout=1.0):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SetupFailed(f"The server did not answer at {url} within {READY_WITHIN_S:.0f} s.")


def _stop(child: subprocess.Popen[bytes] | None) -> None:
    if child is None:
        return
    child.terminate()
    try:
        child.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        child.kill()


def _sign_ins(demo: dict[str, Any]) -> str:
    """A table of who may sign in; of the endpoints the first ones, which moving endpoints leave to people."""
    people = [(role, demo[role]) for role in ROLES if role in demo]
    people += [(f"{endpoint['role']} endpoint", endpoint) for endpoint in demo["endpoints"][:SHOWN_ENDPOINTS]]
    rows = [("sign in as", "username", "password", "who")]
    rows += [(role, person["username"], person["password"], person.get("name", "")) for role, person in people]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)) for row in rows]
    more = max(0, len(demo["endpoints"]) - SHOWN_ENDPOINTS)
    note = f"{more} more endpoints, and these, are in demo.json of the data folder (readable by you only)."
    return "\n".join(["", *lines, "", note])


if __name__ == "__main__":
    sys.exit(main())
