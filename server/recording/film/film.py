"""A recording's film: made piece by piece, put together, signed; resumable after a kill at any step.

``film/`` is the work folder: ``pieces/``, ``state.json`` (how far it is), then ``film.mp4`` and ``film.json``, which
are moved to the recording's folder when both are whole. Each step writes under another name and renames, and each is
done again, or found done, by the next run.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from server.errors import Conflict, InvalidInput, NotFound
from server.recording.files import Files, RealFiles
from server.recording.film.assembly import assemble
from server.recording.film.material import Material
from server.recording.film.pieces import INIT_FILE, PieceMaker, write_in_one_step
from server.recording.film.plan import count_pictures
from server.recording.film.settings import PICTURES_PER_S, PIECE_PICTURES, PIECE_S, VERSION, describe
from server.recording.film.spans import Gap
from server.recording.film.timeline import Chapter
from server.recording.film.work import try_lock
from server.recording.inside import hash_of
from server.recording.keys import PublicKey, SigningKey, sign_document, verify_document
from server.recording.report import Finding

FILM_FILE: Final = "film.mp4"
MANIFEST_FILE: Final = "film.json"
WORK_FOLDER: Final = "film"
STATE_FILE: Final = "state.json"
_LOOK_AGAIN_S: Final = 0.5


class Progress(msgspec.Struct, frozen=True):
    """``stage``: pieces, assembling, done. ``done`` of ``total`` pieces in it. ``share`` 0..1 is of the whole work."""

    stage: str
    done: int
    total: int
    share: float


class Manifest(msgspec.Struct, frozen=True):
    """``film.json``, signed. ``log_sha256``: of the whole ``events.jsonl``. ``findings``: what was wrong with the log
    or with segments; their places are among the ``gaps``."""

    recording_id: str
    sha256: str
    octets: int
    log_sha256: str
    length_s: float
    chapters: tuple[Chapter, ...]
    gaps: tuple[Gap, ...]
    findings: tuple[Finding, ...]
    settings: dict[str, str | int]
    signature: str = ""


class Film:
    """The film of the recording in ``folder``. Not for a running event loop: it decodes and encodes. Call ``close``.

    ``key`` signs the manifest; None: only pieces can be made. ``step`` is told before each step what comes (tests kill
    there). ``busy`` is called at every picture.
    """

    def __init__(
        self,
        folder: Path,
        key: SigningKey | None = None,
        *,
        files: Files | None = None,
        step: Callable[[str], None] = lambda _: None,
        busy: Callable[[], None] = lambda: None,
    ) -> None:
        """Raises LogDamaged, InvalidInput or OSError where there is no log to make a film of."""
        self._folder = folder
        self._key = key
        self._files = files or RealFiles()
        self._step = step
        self._material = Material(folder)
        self._work = folder / WORK_FOLDER
        self._pieces = self._work / "pieces"
        self._maker = PieceMaker(folder, self._pieces, self._files, busy)

    @property
    def pieces(self) -> int:
        """How many pieces the whole has."""
        return self._material.pieces

    @property
    def ready_pieces(self) -> int:
        """How many of them will not change any more; less than all while the recording runs."""
        timeline = self._material.timeline
        return self.pieces if timeline.is_closed else min(self.pieces, int(timeline.settled_s / PIECE_S))

    def piece(self, number: int) -> Path:
        """The file of piece ``number`` (from 0), made if missing. Raises NotFound (``no_such_piece``), OSError."""
        if not 0 <= number < self.pieces:
            raise NotFound("no_such_piece", f"the film has {self.pieces} pieces")
        plan = self._material.plan(number)
        try:
            return self._maker.make(plan)
        except FileNotFoundError:  # the work folder went meanwhile: another process has finished the film
            return self._maker.make(plan)

    def init(self) -> Path:
        """What players need before any piece. Raises OSError."""
        path = self._pieces / INIT_FILE
        if not path.exists():
            self.piece(0).unlink()
            self.piece(0)
        return path

    def playlist(self) -> str:
        """HLS (RFC 8216): ``init.mp4`` and ``NNNNN.m4s``, beside the playlist. An EVENT while the recording runs."""
        is_whole = self._material.timeline.is_closed
        kind = "VOD" if is_whole else "EVENT"
        lines = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{PIECE_S}", f"#EXT-X-PLAYLIST-TYPE:{kind}"]
        lines += ["#EXT-X-INDEPENDENT-SEGMENTS", "#EXT-X-MEDIA-SEQUENCE:0", f'#EXT-X-MAP:URI="{INIT_FILE}"']
        pictures = count_pictures(self._material.timeline.length_s)
        for number in range(self.ready_pieces):
            here = min(PIECE_PICTURES, pictures - number * PIECE_PICTURES)
            lines += [f"#EXTINF:{here / PICTURES_PER_S:.3f},", f"{number:05d}.m4s"]
        return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if is_whole else []), ""])

    def render(
        self, progress: Callable[[Progress], None] = lambda _: None, *, again: bool = False, wait_s: float = 3_600.0
    ) -> Path:
        """Make the film, or what is missing of it, and return its file. ``again``: also if it is there already.

        Where another process makes it, its end is waited for (at most ``wait_s``). Raises Conflict (``not_closed``,
        ``render_running``), OSError where it cannot be written: what is done stays.
        """
        assert self._key is not None, "the manifest needs a key"
        timeline = self._material.timeline
        if not timeline.is_closed and self._material.log_finding is None:
            raise Conflict("not_closed", "the recording has no closing line yet")
        with self._alone(progress, wait_s):
            if not self._is_pending() and (again or not self._is_there()):
                self._make(self._key, progress, again=again)
            if self._is_pending():
                self._publish()
            self._step("tidy")
            shutil.rmtree(self._work, ignore_errors=True)
        progress(Progress("done", self.pieces, self.pieces, 1.0))
        return self._folder / FILM_FILE

    def close(self) -> None:
        self._maker.close()

    def _make(self, key: SigningKey, progress: Callable[[Progress], None], *, again: bool) -> None:
        """Everything up to a whole film with its signed manifest in the work folder."""
        total = self.pieces
        if again:
            self._step("forget pieces")
            shutil.rmtree(self._pieces, ignore_errors=True)

        def tell(stage: str, done: int) -> None:
            share = 0.97 * done / total if stage == "pieces" else 0.97 + 0.03 * done / total
            now = Progress(stage, done, total, round(share, 4))
            write_in_one_step(self._files, self._work / STATE_FILE, msgspec.json.encode(now))
            progress(now)

        paths: list[Path] = []
        tell("pieces", 0)
        for number in range(total):
            self._step(f"piece {number}")
            paths.append(self.piece(number))
            tell("pieces", number + 1)
        self._step("assemble")
        draft = self._work / f"{FILM_FILE}.part"
        timeline = self._material.timeline
        init = self.init().read_bytes()
        assemble(draft, init, paths, timeline.chapters, timeline.opened.title, lambda _: None)
        draft.chmod(0o640)
        tell("assembling", total)
        self._step("sync film")
        _sync(draft)
        self._step("name film")
        self._files.rename(draft, self._work / FILM_FILE)
        self._step("manifest")
        manifest = sign_document(msgspec.json.encode(self._manifest()), key)
        write_in_one_step(self._files, self._work / MANIFEST_FILE, manifest)

    def _publish(self) -> None:
        """Move both out of the work folder: the film first, so that a manifest there means that it is not done."""
        self._step("publish film")
        if (self._work / FILM_FILE).exists():
            self._files.rename(self._work / FILM_FILE, self._folder / FILM_FILE)
            self._files.fsync_folder(self._folder)
        self._step("publish manifest")
        self._files.rename(self._work / MANIFEST_FILE, self._folder / MANIFEST_FILE)
        self._files.fsync_folder(self._folder)

    def _is_pending(self) -> bool:
        """Is a whole film waiting to be moved, or half moved?"""
        film = self._work / FILM_FILE
        return self._fits(self._work / MANIFEST_FILE, film if film.exists() else self._folder / FILM_FILE)

    def _is_there(self) -> bool:
        return self._fits(self._folder / MANIFEST_FILE, self._folder / FILM_FILE)

    def _fits(self, manifest_file: Path, film: Path) -> bool:
        """Is this the manifest of this film, made from this log in today's manner, and signed by us or the recorder?"""
        assert self._key is not None
        try:
            octets = manifest_file.read_bytes()
            manifest = msgspec.json.decode(octets, type=Manifest)
            if manifest.log_sha256 != self._material.log_sha256 or manifest.settings.get("version") != VERSION:
                return False
            with film.open("rb") as file:
                is_same = hash_of(file) == (manifest.sha256, manifest.octets)
            keys = (self._key.public, PublicKey.from_base64(self._material.timeline.opened.public_key))
        except (OSError, msgspec.DecodeError, InvalidInput):
            return False
        return is_same and any(verify_document(octets, key) for key in keys)

    def _manifest(self) -> Manifest:
        with (self._work / FILM_FILE).open("rb") as file:
            sha256, octets = hash_of(file)
        timeline = self._material.timeline
        return Manifest(
            recording_id=timeline.opened.recording_id,
            sha256=sha256,
            octets=octets,
            log_sha256=self._material.log_sha256,
            length_s=timeline.length_s,
            chapters=timeline.chapters,
            gaps=self._material.gaps(),
            findings=self._material.findings(),
            settings=describe(),
        )

    @contextmanager
    def _alone(self, progress: Callable[[Progress], None], wait_s: float) -> Iterator[None]:
        """One renderer a recording. Who waits tells how far the other one is."""
        told = b""
        until = time.monotonic() + wait_s
        while (descriptor := try_lock(self._work)) is None:
            if time.monotonic() >= until:
                raise Conflict("render_running", "this film is being made already")
            with contextlib.suppress(OSError, msgspec.DecodeError):
                state = (self._work / STATE_FILE).read_bytes()
                if state != told:
                    progress(msgspec.json.decode(state, type=Progress))
                    told = state
            time.sleep(_LOOK_AGAIN_S)
        try:
            yield
        finally:
            os.close(descriptor)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
