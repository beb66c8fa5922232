"""Foreign text: the names by which records are found, and notes."""

from __future__ import annotations

import unicodedata
from typing import Final, cast

from paygate.errors import InvalidValue
from paygate.printing import printable, shown, shown_value

LENGTH_MAX: Final = 255
"""The longest identifier or reference."""

NOTE_LENGTH_MAX: Final = 2_000
"""The longest reason or piece of evidence."""


IDS: Final = ("inv_", "ppy_")
"""How the ids of invoices and prepayments begin; no number of a host's may begin so."""


def identifier(text: str, argument: str, *, length_max: int = LENGTH_MAX) -> str:
    """
    Return *text* in the one spelling in which it is stored and looked up.

    It is normalized (NFC), so that one name in two encodings is one name, and stripped of
    surrounding spaces. Raises `InvalidValue`, naming *argument*, if it is empty, too
    long, or has characters that are not printable.
    """
    spelled = _checked(text, argument)
    if not spelled or len(spelled) > length_max or not spelled.isprintable():
        raise InvalidValue(
            f"{argument} must be 1 to {length_max} printable characters, not {shown(text)}",
            argument=argument,
        )
    return spelled


def optional(text: str, argument: str, *, length_max: int = LENGTH_MAX) -> str:
    """Return *text* as `identifier` does; it may be empty."""
    spelled = _checked(text, argument)
    return identifier(spelled, argument, length_max=length_max) if spelled else ""


def note(text: str, argument: str) -> str:
    """Return *text* for people, such as a reason; it may have several lines, and may be empty."""
    spelled = _checked(text, argument).replace("\r\n", "\n")
    printable_ = all(each.isprintable() or each in "\n\t\xa0" for each in spelled)
    if len(spelled) > NOTE_LENGTH_MAX or not printable_:
        raise InvalidValue(
            f"{argument} can have at most {NOTE_LENGTH_MAX} characters and no control characters, "
            f"not {shown(text)}",
            argument=argument,
        )
    return spelled


def _checked(text: str, argument: str) -> str:
    given = cast("object", text)
    if not isinstance(given, str):
        raise InvalidValue(f"{argument} must be text, not {shown_value(given)}", argument=argument)
    return spelled_alike(given)


def spelled_alike(text: str) -> str:
    """Return *text* in the spelling in which names are stored, to look up a record by it."""
    return unicodedata.normalize("NFC", text.strip())


def encodable(text: str) -> bool:
    """Return whether *text* can be stored and sent: a lone surrogate cannot."""
    return text.isascii() or not any("\ud800" <= each <= "\udfff" for each in text)


def line(text: str) -> bool:
    """Return whether *text* can be printed on one line, in whatever script it is written."""
    return encodable(text) and printable(text) == text
