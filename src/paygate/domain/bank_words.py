"""The words of a bank line's text that may be the key of something.

People type a key as they like: in any case, with or without its punctuation. Banks cut a text into
lines of a fixed length, so a key may have a line end inside it. A key never touches another letter
or digit. So each run of letters and digits, and each few consecutive runs, is one candidate, with
the lines joined by a space and then without one.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paygate.domain.creditor_reference import looks_like_reference, read_reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RUNS_MAX: Final = 6
"""The most consecutive runs that are one candidate."""
TEXT_MAX: Final = 2_000
"""The most characters of a text that are read."""
SURE_LENGTH: Final = 5
SURE_DIGITS: Final = 3
"""A key is sure with at least this many characters and digits; see `is_sure`."""
_PLAIN_LENGTH: Final = 6
_LENGTH_MAX: Final = 64
_GAP_MAX: Final = 3
_RUN: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Word:
    """A candidate: how it is *written*, and whether a line end may have cut it."""

    written: str
    may_be_cut: bool


@dataclass(frozen=True, slots=True)
class Words:
    """
    The candidates of a text by their plain form, and its structured references.

    *references* have the right check digits, *typos* only the shape.
    """

    plain: Mapping[str, Word]
    references: tuple[str, ...]
    typos: tuple[str, ...]


def folded(text: str) -> str:
    """Return *text* as keys are compared: composed, in one case."""
    return unicodedata.normalize("NFC", text).casefold()


def plain(key: str) -> str:
    """Return a key without its punctuation."""
    return "".join(_RUN.findall(folded(key)))


def is_sure(key: str) -> bool:
    """Return whether a key is so long that it is in a text by chance only rarely."""
    found = plain(key)
    return len(found) >= SURE_LENGTH and sum(map(str.isdigit, found)) >= SURE_DIGITS


def is_written_so(key: str, word: Word) -> bool:
    """Return whether *word* is *key*; the punctuation of a short key counts."""
    if len(plain(key)) >= _PLAIN_LENGTH:
        return True
    return folded(key).strip() == word.written


def words_of(text: str) -> Words:
    """Return the candidates of *text*, whose lines are those of the bank."""
    found: dict[str, Word] = {}
    text = folded(text[:TEXT_MAX])
    for key, word in _candidates(text):
        known = found.get(key)
        if known is None or (known.may_be_cut and not word.may_be_cut):
            found[key] = word
    shaped = [each for each in found if each[:2] == "rf" and looks_like_reference(each)]
    right = [reference for each in shaped if (reference := read_reference(each)) is not None]
    # A reference in prose may be followed by a word; the shorter reading has the digits.
    wrong = [each.upper() for each in shaped if read_reference(each) is None]
    return Words(found, tuple(dict.fromkeys(right)), () if right else tuple(wrong))


def _candidates(text: str) -> Iterator[tuple[str, Word]]:
    breaks = {at for at, each in enumerate(text) if each == "\n"}
    yield from _joined(text.replace("\n", " "), breaks)
    if breaks:
        yield from _joined(text.replace("\n", ""), set())


def _joined(text: str, breaks: set[int]) -> Iterator[tuple[str, Word]]:
    runs = [(each.group(), each.start(), each.end()) for each in _RUN.finditer(text)]
    for first, (key, start, until) in enumerate(runs):
        end = until
        yield key, _word(text, start, end, breaks)
        for more, begin, stop in runs[first + 1 : first + RUNS_MAX]:
            if begin - end > _GAP_MAX or len(key) + len(more) > _LENGTH_MAX:
                break
            key += more  # noqa: PLW2901  (the candidate grows by one run)
            end = stop
            yield key, _word(text, start, end, breaks)


def _word(text: str, start: int, end: int, breaks: set[int]) -> Word:
    after = text[end + 1 : end + 2]
    before = text[start - 2 : start - 1] if start > 1 else ""
    cut_after = end in breaks and after.isdigit() and text[end - 1].isdigit()
    cut_before = start - 1 in breaks and before.isdigit() and text[start].isdigit()
    return Word(text[start:end], cut_after or cut_before)
