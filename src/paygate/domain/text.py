"""Text of others: the names by which records are found, and notes."""

from __future__ import annotations

import unicodedata
from typing import Final, cast

from paygate.errors import InvalidValue
from paygate.printing import printable, shown, told

LENGTH_MAX: Final = 255
"""How long an identifier or a reference may be."""

NOTE_LENGTH_MAX: Final = 2_000
"""How long a reason or a piece of evidence may be."""


def identifier(text: str, argument: str, *, length_max: int = LENGTH_MAX) -> str:
    """
    Return *text* in the one spelling in which it is stored and looked up.

    It is normalised (NFC), so that one name in two encodings is one name, and without
    spaces around it. Raises `InvalidValue`, naming *argument*, for what is empty, too
    long, or holds characters that are not printable.
    """
    spelled = _checked(text, argument)
    if not spelled or len(spelled) > length_max or not spelled.isprintable():
        raise InvalidValue(
            f"{argument} is 1 to {length_max} printable characters, not {shown(text)}",
            argument=argument,
        )
    return spelled


def optional(text: str, argument: str, *, length_max: int = LENGTH_MAX) -> str:
    """Return *text* as `identifier` does; it may be empty."""
    spelled = _checked(text, argument)
    return identifier(spelled, argument, length_max=length_max) if spelled else ""


def note(text: str, argument: str) -> str:
    """Return a *text* for people, such as a reason: it may have lines, and may be empty."""
    spelled = _checked(text, argument).replace("\r\n", "\n")
    printable_ = all(each.isprintable() or each in "\n\t\xa0" for each in spelled)
    if len(spelled) > NOTE_LENGTH_MAX or not printable_:
        raise InvalidValue(
            f"{argument} is at most {NOTE_LENGTH_MAX} characters without control characters, "
            f"not {shown(text)}",
            argument=argument,
        )
    return spelled


def _checked(text: str, argument: str) -> str:
    given = cast("object", text)
    if not isinstance(given, str):
        raise InvalidValue(f"{argument} is text, not {told(given)}", argument=argument)
    return spelled_alike(given)


def spelled_alike(text: str) -> str:
    """Return *text* in the spelling in which names are stored, to look one up by it."""
    return unicodedata.normalize("NFC", text.strip())


def encodable(text: str) -> bool:
    """Return whether *text* can be stored and sent: half a character cannot (a surrogate)."""
    return text.isascii() or not any("\ud800" <= each <= "\udfff" for each in text)


def line(text: str) -> bool:
    """Return whether *text* can be printed on one line, in whatever script it is written."""
    return encodable(text) and printable(text) == text
