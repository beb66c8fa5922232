"""Card numbers, e-mail addresses and credentials, in whatever spelling others repeat them."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from paygate.domain.secret import DOTS

_CARD_DIGITS: Final = range(13, 20)
"""How many digits a card number has (ISO/IEC 7812), except those of a shop's own card."""

# A card number has 12 to 19 digits (ISO/IEC 7812), and some people write it in groups.
CARD_NUMBER: Final = re.compile(r"\d(?:[ -]?\d){11,}")

# Digits in a row, or in groups: groups of any length may be separated by a space or a dash; longer
# groups than in a date or an amount may be separated by any other marks.
_RUN: Final = re.compile(r"[0-9]+(?:[ -][0-9]+|[\W_]{1,6}[0-9]{3,})*")
# In what a driver quotes, these replace characters that are not printable.
_ESCAPE: Final = re.compile(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|[nrtfv])")
_GROUP: Final = re.compile(r"[0-9]+")
_EMAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
# A signed token (RFC 7519), and the credentials after the name of their scheme (RFC 9110, 11.4).
# A word without digits is one of the sentence, as in "basic authentication".
_TOKEN: Final = re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)*")
_SCHEME: Final = re.compile(
    r"\b(bearer|basic)(\s+|:\s*|%20|\+)(?=\S*[0-9=])[\w.~+/%-]{8,}=*", re.IGNORECASE
)


def without_private(text: str) -> str:
    """Return *text* with dots for e-mail addresses, credentials and possible card numbers."""
    if "eyJ" in text:
        text = _TOKEN.sub(DOTS, text)
    if _SCHEME.search(text):
        text = _SCHEME.sub(rf"\1\2{DOTS}", text)
    if "@" in text or "%40" in text:
        text = _EMAIL.sub(DOTS, text)
    if len(text) < _CARD_DIGITS.start:
        return text
    plain = _ESCAPE.sub(lambda found: " " * len(found[0]), in_ascii_digits(text))
    written, at = "", 0
    for run in _RUN.finditer(plain):
        for start, end in _cards_in(run):
            if start >= at:
                written += text[at:start] + DOTS
            at = max(at, end)
    return written + text[at:]


def in_ascii_digits(text: str) -> str:
    """Return *text*, of the same length, with the digits of all scripts as 0 to 9."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(each)) if each.isdecimal() else each for each in text)


def _cards_in(run: re.Match[str]) -> list[tuple[int, int]]:
    """Return the positions of card numbers in a *run* of groups of digits, in order."""
    groups = [(each.group(), each.start(), each.end()) for each in _GROUP.finditer(run.group())]
    if sum(len(digits) for digits, _, _ in groups) < _CARD_DIGITS.start:
        return []
    found: list[tuple[int, int]] = []
    for index, (_, start, _) in enumerate(groups):
        together = ""
        for digits, _, end in groups[index:]:
            together += digits
            if len(together) >= _CARD_DIGITS.stop:
                break
            if _is_card(together):
                found.append((run.start() + start, run.start() + end))
    return found


def _is_card(digits: str) -> bool:
    """Return whether *digits* are as many as a card has, with a valid check digit (Luhn)."""
    if len(digits) not in _CARD_DIGITS:
        return False
    doubled = [int(each) * (1 + index % 2) for index, each in enumerate(reversed(digits))]
    return sum(each // 10 + each % 10 for each in doubled) % 10 == 0
