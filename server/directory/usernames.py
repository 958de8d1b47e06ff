"""User names: how they are written, and how they are compared."""

import unicodedata

from server.errors import InvalidInput
from server.store.lines import clean_line


def fold_username(username: str) -> str:
    """The form in which user names are compared: NFKC, case-folded, trimmed. Takes anything; the result is bounded
    and can be stored (NUL and lone surrogates, which are in nobody's name, cannot)."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).strip().casefold())
    return folded.replace("\0", "\ufffd").encode("utf-8", "replace").decode()[:300]


def clean_username(username: str) -> str:
    """1 to 100 characters without spaces, as typed. Raises InvalidInput("bad_text")."""
    line = clean_line(unicodedata.normalize("NFKC", username), "username", 100)
    if any(letter.isspace() for letter in line):
        raise InvalidInput("bad_text", "username: no spaces")
    return line
