"""Is the film the one that its manifest describes, made from this log, signed by a key that counts?

A renderer moves the film into place first and its manifest after it (``film.film``): in between, and where it was
killed in between, the manifest still lies in its work folder, and vouches for the film from there.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from server.recording.inside import NotPlain, hash_of, open_inside, size_of
from server.recording.keys import PublicKey, verify_document
from server.recording.log import LOG_FILE
from server.recording.report import Finding

FILM_FILE: Final = "film.mp4"
FILM_MANIFEST_FILE: Final = "film.json"
WORK_FOLDER: Final = "film"
MAX_FILM_MANIFEST_OCTETS: Final = 8 << 20
_COMING_MANIFEST: Final = f"{WORK_FOLDER}/{FILM_MANIFEST_FILE}"
_LOOKS: Final = 4

Places = tuple[tuple[int, int, int] | None, ...]


class FilmManifest(msgspec.Struct):
    """``film.json`` as far as it is needed to hold the film to it."""

    sha256: str
    octets: int
    log_sha256: str


def check_film(folder: Path, log_sha256: str, keys: Sequence[PublicKey]) -> tuple[bool, tuple[Finding, ...]]:
    """Whether there is a film, and what is wrong with it. ``keys``: who may have signed it.

    What is found while a renderer moves its film into place is looked at again. Raises nothing.
    """
    for _ in range(_LOOKS):
        before = _places(folder)
        look = _Look(folder, log_sha256, keys)
        is_there, findings = look.at_film(FILM_MANIFEST_FILE), look.findings
        if findings and before[-1] is not None:
            coming = _Look(folder, log_sha256, keys)
            if coming.at_film(_COMING_MANIFEST) and not coming.findings:
                is_there, findings = True, []
        if not findings or _places(folder) == before:
            break
    return is_there, tuple(findings)


class _Look:
    """One look at the film, held to one manifest."""

    def __init__(self, folder: Path, log_sha256: str, keys: Sequence[PublicKey]) -> None:
        self._folder = folder
        self._log_sha256 = log_sha256
        self._keys = keys
        self.findings: list[Finding] = []

    def at_film(self, manifest_file: str) -> bool:
        """Whether there is one."""
        manifest = self._read_manifest(manifest_file)
        try:
            with open_inside(self._folder, FILM_FILE) as file:
                if isinstance(manifest, FilmManifest):
                    if size_of(file) != manifest.octets or hash_of(file)[0] != manifest.sha256:
                        self._find("film_changed", f"is not the film that {FILM_MANIFEST_FILE} describes", FILM_FILE)
                    if manifest.log_sha256 != self._log_sha256:
                        self._find("film_of_another_log", f"was made from another {LOG_FILE}", manifest_file)
        except FileNotFoundError:
            if manifest is not None:
                self._find("film_missing", f"{FILM_MANIFEST_FILE} describes it", FILM_FILE)
            return False
        except OSError as error:
            self._find_error("film_missing", error, FILM_FILE)
            return False
        if manifest is None:
            self._find("film_manifest_missing", f"nothing says what {FILM_FILE} must be", FILM_MANIFEST_FILE)
        return True

    def _read_manifest(self, name: str) -> FilmManifest | bool | None:
        """None: there is none. False: it is of no use, and that was found."""
        try:
            with open_inside(self._folder, name) as file:
                octets = file.read(MAX_FILM_MANIFEST_OCTETS)
            manifest = msgspec.json.decode(octets, type=FilmManifest)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._find_error("film_manifest_missing", error, name)
            return False
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._find("film_manifest_damaged", str(error), name)
            return False
        if not any(verify_document(octets, key) for key in self._keys):
            self._find("film_signature", "the recording's key did not sign it", name)
        return manifest

    def _find(self, code: str, detail: str, file: str) -> None:
        self.findings.append(Finding(code, detail, file))

    def _find_error(self, missing: str, error: OSError, file: str) -> None:
        self._find("not_plain" if isinstance(error, NotPlain) else "unreadable", str(error), file)


def _places(folder: Path) -> Places:
    """Which files have the film's names now; the manifest that is still to be moved is the last."""
    return tuple(_identity(folder / name) for name in (FILM_FILE, FILM_MANIFEST_FILE, _COMING_MANIFEST))


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
