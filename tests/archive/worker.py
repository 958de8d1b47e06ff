"""Stands for the render worker: does what its folder's ``orders.txt`` says, a word a run, and leaves the usual traces.

``python worker.py FOLDER [--again]``; what it was called with goes into ``calls.txt``.
"""

import os
import signal
import sys
import time
from pathlib import Path


def main(folder: Path, rest: list[str]) -> int:
    with (folder / "calls.txt").open("a") as calls:
        calls.write(f"{' '.join(rest)}\n")
    orders = (folder / "orders.txt").read_text().split()
    done = len((folder / "calls.txt").read_text().splitlines())
    order = orders[min(done, len(orders)) - 1]
    say('{"progress": 0.25, "stage": "pieces"}')
    say("not a line of ours")
    if order == "fail":
        sys.stderr.write("the disk is full\n")
        return 1
    if order == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if order == "freeze":
        os.kill(os.getpid(), signal.SIGSTOP)
    if order == "wait":
        (folder / "waiting").touch()
        while not (folder / "go").exists():
            time.sleep(0.01)
    if order != "nothing":
        (folder / "film.mp4").write_bytes(b"film")
        (folder / "film.json").write_bytes(b"{}")
    say('{"progress": 1.0, "stage": "done"}')
    return 0


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
