"""Handing out what a recording is made of, and taking captions in."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from server.archive.access import Right
from server.archive.captions import check_captions
from server.archive.catalogue import UNDER_WAY, Catalogue, load_outline
from server.archive.desk import Desk, Entry, Visitor
from server.archive.downloads import Octets, OpenFile, Readers
from server.archive.reading import CAPTIONS_FILE
from server.errors import Conflict, NotFound, Unavailable
from server.recording.film.piece_server import PieceServer
from server.recording.film_check import FILM_FILE, FILM_MANIFEST_FILE
from server.recording.log import LOG_FILE
from server.recording.package import Package
from server.store.store import Store

Loan = tuple[Entry, Octets]
"""A recording, and octets of it."""


class Packed:
    """A package as octets to send. Blocking."""

    def __init__(self, folder: Path) -> None:
        self._package = Package(folder)
        self.size = self._package.size
        self.etag = f'"{self._package.etag}"'

    def read(self, offset: int, length: int) -> bytes:
        return self._package.read(offset, length)


class Lending:
    """Every ``open_...`` is a context: what it gives can be read until its end, whatever is destroyed meanwhile.

    All raise NotFound("recording_unknown" | "no_such_file"), Forbidden("not_allowed"),
    Conflict("recording_destroyed") and TooMany("too_many_downloads"). Each is written into the audit log.
    """

    def __init__(self, store: Store, catalogue: Catalogue, readers: Readers, pieces: PieceServer, desk: Desk) -> None:
        self._store = store
        self._catalogue = catalogue
        self._readers = readers
        self._pieces = pieces
        self._desk = desk

    @asynccontextmanager
    async def open_film(self, visitor: Visitor, recording_id: str, *, taken: bool) -> AsyncIterator[Loan]:
        """``taken``: as a file to keep. Raises Conflict("not_rendered")."""
        action = "recording_downloaded" if taken else "recording_played"
        async with self._reading(visitor, recording_id, Right.PLAY) as (entry, folder):
            if not await asyncio.to_thread((folder / FILM_MANIFEST_FILE).is_file):
                raise Conflict("not_rendered", "The film has not been rendered yet.")
            try:
                file = await asyncio.to_thread(OpenFile, folder, FILM_FILE)
            except NotFound as error:
                raise Conflict("not_rendered", "The film has not been rendered yet.") from error
            with file:
                await self._desk.note_once(visitor, action, recording_id, FILM_FILE)
                yield entry, file

    @asynccontextmanager
    async def open_track(self, visitor: Visitor, recording_id: str, name: str) -> AsyncIterator[Loan]:
        """A file of ``tracks/`` that the recording's log names; any other name is no file."""
        async with self._reading(visitor, recording_id, Right.DOWNLOAD) as (entry, folder):
            async with self._store.read() as session:
                outline = await load_outline(session, entry.row.number)
            file_name = f"tracks/{name}"
            if all(track.file != file_name for track in outline.tracks):
                raise NotFound("no_such_file", "The recording has no such file.")
            with await asyncio.to_thread(OpenFile, folder, file_name) as file:
                await self._desk.note_once(visitor, "recording_downloaded", recording_id, file_name)
                yield entry, file

    @asynccontextmanager
    async def open_log(self, visitor: Visitor, recording_id: str) -> AsyncIterator[Loan]:
        async with self._reading(visitor, recording_id, Right.DOWNLOAD) as (entry, folder):
            with await asyncio.to_thread(OpenFile, folder, LOG_FILE) as file:
                await self._desk.note_once(visitor, "recording_downloaded", recording_id, LOG_FILE)
                yield entry, file

    @asynccontextmanager
    async def open_package(self, visitor: Visitor, recording_id: str) -> AsyncIterator[Loan]:
        """Everything as one tar. Raises Conflict("still_recording"), Unavailable("disk_error")."""
        async with self._reading(visitor, recording_id, Right.DOWNLOAD) as (entry, folder):
            check_closed(entry)
            try:
                package = await asyncio.to_thread(Packed, folder)
            except OSError as error:
                raise Unavailable("disk_error", f"the recording cannot be read: {error.strerror}") from error
            await self._desk.note_once(visitor, "recording_downloaded", recording_id, "package.tar")
            yield entry, package

    @asynccontextmanager
    async def open_piece(self, visitor: Visitor, recording_id: str, number: int | None) -> AsyncIterator[Loan]:
        """A piece of the film (None: what comes before the first), made where it is missing. Raises
        NotFound("no_such_piece"), TooMany("too_many_pieces"), Unavailable("film_failed"), Conflict("log_damaged")."""
        async with self._reading(visitor, recording_id, Right.PLAY) as (entry, folder):
            making = self._pieces.init(folder) if number is None else self._pieces.piece(folder, number)
            path = await making
            with await asyncio.to_thread(OpenFile, path.parent, path.name) as file:
                await self._desk.note_once(visitor, "recording_played", recording_id, "hls")
                yield entry, file

    async def playlist(self, visitor: Visitor, recording_id: str) -> str:
        """HLS (RFC 8216), growing while the recording runs. Raises as ``open_piece``."""
        async with self._reading(visitor, recording_id, Right.PLAY) as (_, folder):
            await self._desk.note_once(visitor, "recording_played", recording_id, "hls")
            return await self._pieces.playlist(folder)

    @asynccontextmanager
    async def open_captions(self, visitor: Visitor, recording_id: str) -> AsyncIterator[Loan]:
        async with self._reading(visitor, recording_id, Right.PLAY) as (entry, folder):
            with await asyncio.to_thread(OpenFile, folder, CAPTIONS_FILE) as file:
                yield entry, file

    async def set_captions(self, visitor: Visitor, recording_id: str, octets: bytes) -> None:
        """Keep a WebVTT file as the recording's captions. Raises InvalidInput("bad_captions"),
        Conflict("still_recording"), Unavailable("disk_error")."""
        entry = await self._desk.look_up(visitor, recording_id, Right.CAPTIONS)
        check_closed(entry)
        checked = await asyncio.to_thread(check_captions, octets)
        try:
            await asyncio.to_thread(_replace, self._catalogue.folder(recording_id) / CAPTIONS_FILE, checked)
        except OSError as error:
            raise Unavailable("disk_error", f"the captions were not kept: {error.strerror}") from error
        await self._desk.note(visitor, "recording_captions_set", recording_id)

    async def remove_captions(self, visitor: Visitor, recording_id: str) -> None:
        """There being none is as good."""
        await self._desk.look_up(visitor, recording_id, Right.CAPTIONS)
        path = self._catalogue.folder(recording_id) / CAPTIONS_FILE
        await asyncio.to_thread(path.unlink, missing_ok=True)
        await self._desk.note(visitor, "recording_captions_removed", recording_id)

    @asynccontextmanager
    async def _reading(self, visitor: Visitor, recording_id: str, right: Right) -> AsyncIterator[tuple[Entry, Path]]:
        await self._desk.look_up(visitor, recording_id, right)
        with self._readers.reading(recording_id, visitor.account.account_id):
            # Looked up again: from here on a destruction waits.
            entry = await self._desk.look_up(visitor, recording_id, right)
            yield entry, self._catalogue.folder(recording_id)


def check_closed(entry: Entry) -> None:
    """Raises Conflict("still_recording")."""
    if entry.row.state in UNDER_WAY:
        raise Conflict("still_recording", "The recording is still running.")


def _replace(path: Path, octets: bytes) -> None:
    """The new file or the old one, whole, whatever happens in between. Blocking."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("xb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
