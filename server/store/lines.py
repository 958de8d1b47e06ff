"""One line of text as people type it: names, titles, labels."""

import unicodedata

from server.errors import InvalidInput


def clean_line(text: str, field: str, longest: int = 300) -> str:
    """NFC (Vietnamese keyboards differ in how they compose), trimmed, 1 to ``longest`` characters, no control or
    line-breaking characters and no bidirectional overrides, which would let a name rewrite its neighbours.
    Everything else is kept: it is shown as text, never as markup. Raises InvalidInput("bad_text")."""
    line = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(line) <= longest:
        raise InvalidInput("bad_text", f"{field}: 1 to {longest} characters")
    if any(unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for letter in line):
        raise InvalidInput("bad_text", f"{field}: control characters")
    return line
