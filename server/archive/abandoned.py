"""Recordings that nobody will end: the server was killed when its meeting had told the recording to stop already.

They get what a writer leaves: lines for files that have none, and the signed closing line. Blocking.
"""

import fcntl
import logging
import os
from collections.abc import Collection
from pathlib import Path

from server.errors import DiemcauError
from server.recording.events import Closed, Line, Opened
from server.recording.files import RealFiles
from server.recording.inside import plain_files
from server.recording.journal import Journal
from server.recording.keys import SigningKey
from server.recording.log import read_log
from server.recording.settings import WriterLimits
from server.recording.wire import Hello

logger = logging.getLogger(__name__)


def close_abandoned(folder: Path, key_path: Path, recorded_meetings: Collection[str], now: float) -> bool:
    """Close a log of our own that is open and of no meeting in ``recorded_meetings``; whether that was done.

    It ends when it was last written to, not today. One that a writer still holds is left to it.
    """
    try:
        lines = read_log(folder, tolerant=True)
        if not _is_ours_and_open(lines, key_path, recorded_meetings):
            return False
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ended_at = min(now, max(lines[-1].at, _last_written(folder)))
            hello = Hello(folder=str(folder), key_path=str(key_path), opened=None, limits=WriterLimits())
            closed = Journal(hello, RealFiles(), ended_at).finish("abandoned", ended_at)
        finally:
            os.close(descriptor)
    except (OSError, DiemcauError) as error:
        logger.warning("the recording %s could not be closed: %s", folder.name, error)
        return False
    if closed:
        logger.warning("the recording %s was never ended: it is closed as abandoned", folder.name)
    return closed


def _is_ours_and_open(lines: list[Line], key_path: Path, recorded_meetings: Collection[str]) -> bool:
    """Another server's log is not signed by us: our key is not the one in its first line."""
    if not lines or isinstance(lines[-1].event, Closed):
        return False
    opened = lines[0].event
    assert isinstance(opened, Opened), "read_log gives no others"
    own = opened.public_key == SigningKey.load(key_path).public_base64
    return own and opened.meeting_id not in recorded_meetings


def _last_written(folder: Path) -> float:
    return max((status.st_mtime for _, status in plain_files(folder) if status is not None), default=0.0)
