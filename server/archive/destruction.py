"""Destroying a recording, so that a kill at any step ends in the same result.

1. The certificate is made (who, when, why; the log's hash; every file's) and written in one transaction with the row's
   new state: from here on the recording is destroyed, and nobody is given anything of it any more.
2. Downloads that have begun are waited for, for a while.
3. The folder is renamed to its trash name, in one step.
4. The trash is deleted, and then the certificate says done.

Whatever is found undone at the start goes on with step 3. A kill before the certificate is written changes nothing.
"""

import os
import shutil
from pathlib import Path

import msgspec
from sqlalchemy import select

from server.archive.catalogue import forget_content
from server.archive.keeping import check_not_held
from server.archive.views import Certificate, DestroyedFile
from server.errors import Conflict
from server.recording.inside import hash_of, open_inside, plain_files
from server.recording.keys import SigningKey, sign_document
from server.recording.log import LOG_FILE
from server.store.audit import AuditLine, write_line
from server.store.records import Account
from server.store.store import Store
from server.store.tables import DestructionRow, RecordingRow

FORMAT = 1
TRASH_PREFIX = ".trash-"


def list_files(folder: Path) -> tuple[DestroyedFile, ...]:
    """Every file below a folder with its hash, in order of names; none for a folder that is gone. Blocking.

    Raises OSError for a file that cannot be read: what is destroyed is known first.
    """
    return tuple(_describe(folder, name) for name, status in _names(folder) if status is not None)


def certify(
    row: RecordingRow, files: tuple[DestroyedFile, ...], by: Account, reason: str, now: float, key: SigningKey
) -> bytes:
    """The signed certificate as JSON."""
    log_sha256 = next((file.sha256 for file in files if file.file == LOG_FILE), "")
    unsigned = Certificate(
        format=FORMAT,
        recording_id=row.recording_id,
        meeting_id=row.meeting_id,
        title=row.title,
        host_agency=row.host_agency,
        started_at=row.started_at,
        ended_at=row.ended_at,
        retention_class=row.retention_class,
        destroyed_at=now,
        destroyed_by=by.account_id,
        destroyed_by_name=by.name,
        reason=reason,
        log_sha256=log_sha256,
        files=files,
        public_key=key.public_base64,
        signature="",
    )
    return sign_document(msgspec.json.encode(unsigned), key)


async def order_destruction(
    store: Store, recording_id: str, certificate: bytes, line: AuditLine, under_way: tuple[str, ...]
) -> bytes:
    """Step 1. Returns the certificate that counts: an earlier one, where two ordered it at once.

    Raises Conflict("legal_hold" | "still_recording").
    """
    async with store.write() as session:
        locked = select(RecordingRow).where(RecordingRow.recording_id == recording_id).with_for_update()
        row = await session.scalar(locked)
        assert row is not None, "rows of recordings are never deleted"
        earlier = await session.get(DestructionRow, row.number)
        if earlier is not None:
            return earlier.certificate.encode()
        check_not_held(row)
        if row.state in under_way:
            raise Conflict("still_recording", "The recording is still running.")
        row.state, row.damage, row.octets = "destroyed", "", 0
        row.film_state, row.film_progress, row.film_detail = "none", 0.0, ""
        session.add(
            DestructionRow(number=row.number, recording_id=recording_id, certificate=certificate.decode(), done_at=None)
        )
        await forget_content(session, row.number)
        await write_line(session, line)
    return certificate


async def list_undone(store: Store) -> list[str]:
    """Ids of recordings that are destroyed by certificate and perhaps not yet in fact."""
    undone = select(DestructionRow.recording_id).where(DestructionRow.done_at.is_(None))
    async with store.read() as session:
        return list(await session.scalars(undone.order_by(DestructionRow.number)))


def remove(recordings_dir: Path, recording_id: str) -> None:
    """Steps 3 and 4, from wherever they stopped. Blocking. Raises OSError."""
    folder, trash = recordings_dir / recording_id, recordings_dir / f"{TRASH_PREFIX}{recording_id}"
    if folder.exists():
        if trash.exists():  # a folder put back from a backup after its first rename
            shutil.rmtree(trash)
        folder.rename(trash)
        _sync_folder(recordings_dir)
    if trash.exists():
        shutil.rmtree(trash)
        _sync_folder(recordings_dir)


async def mark_done(store: Store, recording_id: str, now: float) -> None:
    async with store.write() as session:
        row = await session.scalar(select(DestructionRow).where(DestructionRow.recording_id == recording_id))
        assert row is not None
        row.done_at = now


def _names(folder: Path) -> list[tuple[str, os.stat_result | None]]:
    try:
        return list(plain_files(folder))
    except FileNotFoundError:
        return []


def _describe(folder: Path, name: str) -> DestroyedFile:
    with open_inside(folder, name) as file:
        sha256, octets = hash_of(file)
    return DestroyedFile(name.encode("utf-8", "backslashreplace").decode(), octets, sha256)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
