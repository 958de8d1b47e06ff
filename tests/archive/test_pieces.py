"""Pieces of a film, made in a process that may die."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from server.archive import pieces
from server.archive.pieces import PieceServer
from server.errors import NotFound, TooMany, Unavailable
from tests.archive.conftest import Place
from tests.archive.recorded import write_recording

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


async def test_pieces_are_made_and_a_broken_worker_is_replaced(place: Place, tmp_path: Path) -> None:
    folder = write_recording(place.recordings_dir, place.key, length_s=20.0, happened=())
    server = PieceServer()
    try:
        playlist = await server.playlist(folder)
        assert [line for line in playlist.splitlines() if line.endswith(".m4s")] == [
            "00000.m4s",
            "00001.m4s",
            "00002.m4s",
        ]
        assert (await server.init(folder)).read_bytes()[4:8] == b"ftyp"
        assert (await server.piece(folder, 2)).is_file()
        with pytest.raises(NotFound) as missing:
            await server.piece(folder, 3)
        assert missing.value.code == "no_such_piece"
        with pytest.raises(NotFound):
            await server.playlist(tmp_path / "nothing")

        assert server._pool is not None
        (worker,) = server._pool._processes.values()
        asked = asyncio.create_task(server.piece(folder, 1))
        await asyncio.sleep(0)
        os.kill(worker.pid or 0, signal.SIGKILL)
        with pytest.raises(Unavailable) as broken:
            await asked
        assert broken.value.code == "film_failed"
        assert (await server.piece(folder, 1)).is_file()
    finally:
        server.stop()
    server.stop()


async def test_too_many_players_are_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "MOST_WAITING", 0)
    with pytest.raises(TooMany):
        await PieceServer().playlist(place.recordings_dir)
