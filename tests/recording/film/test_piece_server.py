"""Pieces on demand: one making for all who ask, workers that die or stop are replaced, the server waits for nobody."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from server.errors import Conflict, NotFound, TooMany, Unavailable
from server.recording.film.film import WORK_FOLDER, Film
from server.recording.film.piece_server import PieceServer
from server.recording.log import LOG_FILE
from tests.recording.film.making import MAIN, RecordingMaker, moving, tone

FAKE = """
import os, signal, sys
for line in sys.stdin:
    tries = sum(1 for _ in open(sys.argv[1])) if os.path.exists(sys.argv[1]) else 0
    open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
    if tries < int(sys.argv[2]):
        os.kill(os.getpid(), getattr(signal, sys.argv[3]))
    print('{"busy": true}')
    print('{"file": "/piece"}', flush=True)
"""
"""A worker that notes its number for each order and kills (or stops) itself over the first so many."""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> RecordingMaker:
    maker = RecordingMaker(tmp_path_factory.mktemp("pieces") / "rec_1", (MAIN,))
    maker.camera(MAIN, 0, 9, moving(7), fps=5)
    maker.mic(MAIN, 0, 9, tone(500))
    maker.close(9)
    return maker


@pytest.fixture
async def make_server() -> AsyncIterator[Callable[..., PieceServer]]:
    made: list[PieceServer] = []

    def make(*fake: object, **settings: float) -> PieceServer:
        command = (sys.executable, "-c", FAKE, *map(str, fake)) if fake else ()
        made.append(PieceServer(command=command, **settings))  # type: ignore[arg-type]  # counts are whole
        return made[-1]

    yield make
    for server in made:
        await server.close()


async def test_a_player_gets_playlist_init_and_pieces(
    recording: RecordingMaker, make_server: Callable[..., PieceServer]
) -> None:
    server = make_server()
    assert (await server.playlist(recording.folder)).count(".m4s") == 2
    first, same, init = await asyncio.gather(
        server.piece(recording.folder, 0), server.piece(recording.folder, 0), server.init(recording.folder)
    )
    assert first == same
    assert first.read_bytes()[4:8] == b"moof"
    assert init.read_bytes()[4:8] == b"ftyp"
    with pytest.raises(NotFound):
        await server.piece(recording.folder, 2)
    with pytest.raises(Unavailable):
        await server.piece(recording.folder.with_name("rec_none"), 0)
    assert server.restarts == 0


async def test_a_damaged_log_is_told(tmp_path: Path, make_server: Callable[..., PieceServer]) -> None:
    (tmp_path / LOG_FILE).write_bytes(b"no log\n")
    with pytest.raises(Conflict) as told:
        await make_server().piece(tmp_path, 0)
    assert told.value.code == "log_damaged"


async def test_pieces_of_a_film_that_is_done_do_not_stay(
    tmp_path: Path, make_server: Callable[..., PieceServer]
) -> None:
    maker = RecordingMaker(tmp_path / "rec_1", (MAIN,))
    maker.camera(MAIN, 0, 1, moving(7), fps=5)
    folder = maker.close(1)
    film = Film(folder, maker.key)
    film.render()
    film.close()
    server = make_server()
    assert (await server.piece(folder, 0)).exists()
    await server.close()
    assert not (folder / WORK_FOLDER).exists()
    with pytest.raises(Unavailable):
        await server.piece(folder, 0)


@pytest.mark.parametrize("how", ["SIGKILL", "SIGSTOP"])
async def test_a_worker_that_dies_or_stops_is_replaced(
    tmp_path: Path, make_server: Callable[..., PieceServer], how: str
) -> None:
    server = make_server(tmp_path / "tries", 1, how, silent_s=1.0)
    assert await server.piece(tmp_path, 0) == Path("/piece")
    assert server.restarts == 1
    first, second = (int(number) for number in (tmp_path / "tries").read_text().split())
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    assert await server.piece(tmp_path, 1) == Path("/piece")
    assert (tmp_path / "tries").read_text().split()[2] == str(second), "a worker is kept for the next order"


async def test_after_some_tries_the_player_is_told(tmp_path: Path, make_server: Callable[..., PieceServer]) -> None:
    server = make_server(tmp_path / "tries", 99, "SIGKILL", attempts=2)
    with pytest.raises(Unavailable, match="no worker"):
        await server.piece(tmp_path, 0)
    assert server.restarts == 2


async def test_a_worker_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    server = PieceServer(command=(str(tmp_path / "no-python"),))
    with pytest.raises(Unavailable, match="no worker"):
        await server.piece(tmp_path, 0)
    await server.close()


async def test_orders_are_bounded_and_end_with_the_server(
    tmp_path: Path, make_server: Callable[..., PieceServer]
) -> None:
    server = make_server(tmp_path / "tries", 99, "SIGSTOP", waiting=2)
    asked = [asyncio.create_task(server.piece(tmp_path, number)) for number in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(TooMany):
        await server.piece(tmp_path, 2)
    asked[0].cancel()
    await server.close()
    gone, told = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(gone, asyncio.CancelledError)
    assert isinstance(told, Unavailable)


async def test_an_idle_worker_goes(tmp_path: Path, make_server: Callable[..., PieceServer]) -> None:
    server = make_server(tmp_path / "tries", 0, "SIGKILL", idle_s=0.01)
    await server.piece(tmp_path, 0)
    pid = int((tmp_path / "tries").read_text())
    exited = asyncio.Event()
    asyncio.get_running_loop().add_reader(descriptor := os.pidfd_open(pid), exited.set)
    await asyncio.wait_for(exited.wait(), 10)
    asyncio.get_running_loop().remove_reader(descriptor)
    os.close(descriptor)
    assert await server.piece(tmp_path, 1) == Path("/piece"), "and another one comes"


@pytest.mark.e2e
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_the_real_worker_is_replaced_too(
    tmp_path: Path, make_server: Callable[..., PieceServer], how: signal.Signals
) -> None:
    maker = RecordingMaker(tmp_path / "rec_1", (MAIN,))
    maker.camera(MAIN, 0, 17, moving(7, 640, 360), fps=25)
    folder = maker.close(17)
    server = make_server(silent_s=3.0)
    await server.playlist(folder)
    [worker] = children()
    asked = asyncio.create_task(server.piece(folder, 0))
    await asyncio.sleep(0)
    os.kill(worker, how)
    assert (await asked).exists()
    assert server.restarts == 1


def children() -> list[int]:
    """Process numbers of ours that run."""
    return [int(each) for each in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
