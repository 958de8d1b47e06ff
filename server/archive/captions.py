"""Captions as an archivist brings them: WebVTT (https://www.w3.org/TR/webvtt1/), looked at before it is kept. Pure."""

import re

from server.errors import InvalidInput

MAX_OCTETS = 2 << 20

_HEAD = re.compile(r"WEBVTT(?:[ \t][^\n]*)?(?:\n|\Z)")
_TIME = r"(?:(\d{2,}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
_TIMING = re.compile(rf"{_TIME}[ \t]+-->[ \t]+{_TIME}(?:[ \t][^\n]*)?")


def check_captions(octets: bytes) -> bytes:
    """The file as it is kept: UTF-8 without a byte order mark, lines ended by ``\\n``.

    Raises InvalidInput("bad_captions") naming the line at which it is no WebVTT.
    """
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput("bad_captions", f"not UTF-8 at octet {error.start}") from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not _HEAD.match(text):
        raise InvalidInput("bad_captions", "line 1: a WebVTT file begins with WEBVTT")
    if "\0" in text:
        raise InvalidInput("bad_captions", "has NUL characters")
    for number, line in enumerate(text.split("\n"), 1):
        if "-->" in line:
            _check_timing(number, line)
    return text.encode()


def _check_timing(number: int, line: str) -> None:
    found = _TIMING.fullmatch(line.strip())
    if found is None:
        raise InvalidInput("bad_captions", f"line {number}: a cue is HH:MM:SS.mmm --> HH:MM:SS.mmm")
    hours, minutes, seconds, milliseconds, *end = (int(part or 0) for part in found.groups())
    if (hours, minutes, seconds, milliseconds) >= tuple(end):
        raise InvalidInput("bad_captions", f"line {number}: a cue ends after it begins")
