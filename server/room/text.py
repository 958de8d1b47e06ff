"""Text that people type, made harmless to show. It stays text: whoever shows it must not read it as markup."""

import unicodedata
from typing import Final

# Cc control, Cs lone surrogates (no UTF-8 for them), Zl/Zp line separators. Of Cf only what reorders text
# (Trojan Source, CVE-2021-42574) goes; joiners stay, emoji need them.
_DROPPED: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_REORDERING: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean_text(text: str) -> str:
    """Without control characters but the line feed (a tab is a space), and without white space around."""
    return "".join(char for char in text.replace("\t", " ") if char == "\n" or _is_plain(char)).strip()


def clean_line(text: str) -> str:
    """On one line: any run of white space is one space."""
    return " ".join(clean_text(" ".join(text.split())).split())


def _is_plain(char: str) -> bool:
    return unicodedata.category(char) not in _DROPPED and char not in _REORDERING
