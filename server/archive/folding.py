"""Words without case and diacritics (pure): ``Điện Biên`` is found by ``dien bien``, typed either way."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

LONGEST_WORD = 40
"""Of a longer one its beginning is indexed and searched."""

_WORD = re.compile(r"[^\W_]+")


class Word(NamedTuple):
    """A folded word and where it is in the text, [starts, ends) in code points."""

    folded: str
    starts: int
    ends: int


def fold(text: str) -> str:
    """NFD without its marks, đ as d, case folded."""
    return "".join(map(_fold_letter, text))


def split_words(text: str) -> Iterator[Word]:
    """The words of a text in order: letters and digits, whatever is between them."""
    letters = [_fold_letter(letter) for letter in text]
    origins = [place for place, letter in enumerate(letters) for _ in letter]
    for found in _WORD.finditer("".join(letters)):
        ends = origins[found.end() - 1] + 1
        while ends < len(letters) and not letters[ends]:
            ends += 1  # marks that the last letter is written with
        yield Word(found[0][:LONGEST_WORD], origins[found.start()], ends)


class Term(NamedTuple):
    """A folded word that is searched: the whole word, or any that ``begins`` with it."""

    folded: str
    begins: bool = False

    def matches(self, word: str) -> bool:
        return word.startswith(self.folded) if self.begins else word == self.folded


def fold_line(text: str) -> str:
    """As ``RecordingLineRow.folded`` keeps it: each word between blanks."""
    return f" {' '.join(word.folded for word in split_words(text))} "


def mark(text: str, terms: Sequence[Term]) -> tuple[tuple[int, int], ...]:
    """Where words that one of ``terms`` matches are in ``text``; of each as much as is alike."""
    found = []
    for word in split_words(text):
        longest = max((len(term.folded) for term in terms if term.matches(word.folded)), default=0)
        if longest:
            found.append((word.starts, word.ends if longest == len(word.folded) else _cut(text, word, longest)))
    return tuple(found)


def _cut(text: str, word: Word, folded_letters: int) -> int:
    """Where the first ``folded_letters`` of a word end in the text."""
    seen = 0
    for place in range(word.starts, word.ends):
        seen += len(_fold_letter(text[place]))
        if seen >= folded_letters:
            while place + 1 < word.ends and not _fold_letter(text[place + 1]):
                place += 1
            return place + 1
    return word.ends


def _fold_letter(letter: str) -> str:
    if letter.isascii():
        return letter.lower()
    plain = "".join(part for part in unicodedata.normalize("NFD", letter) if not unicodedata.combining(part))
    return plain.replace("đ", "d").replace("Đ", "d").casefold()
