"""Printing: how values and foreign text appear in messages, log lines and terminals."""

from __future__ import annotations

import unicodedata
from typing import Final

_SHOWN_MAX: Final = 80
_NUMBER_SHOWN_MAX: Final = 10**20
# Some scripts, and joined emoji, need these two.
_HARMLESS: Final = frozenset("\u200c\u200d")


def shown(text: str) -> str:
    """Return the beginning of *text*, quoted and escaped, for a message."""
    return repr(text[:_SHOWN_MAX]) + ("…" if len(text) > _SHOWN_MAX else "")


def counted(number: int, one: str, several: str = "") -> str:
    """Return *number* with its noun: ``1 payment``, ``2 payments``, ``2 inquiries``."""
    return f"{number} {one if number == 1 else several or one + 's'}"


def shown_value(value: object) -> str:
    """Return how a message shows a *value* that was given: text as it is, anything else by type.

    A foreign object may hold a secret, or fail when it is printed.
    """
    match value:
        case None | bool() | float():
            return repr(value)
        case int():
            return repr(value) if abs(value) <= _NUMBER_SHOWN_MAX else "a larger number"
        case str():
            return shown(value)
        case _:
            return type(value).__name__[:_SHOWN_MAX]


def place_of(bug: BaseException) -> str:
    """Return that something failed with *bug*, and where; its text may hold a secret."""
    trace = bug.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "an unknown place"
    if trace is not None:
        where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    return f"it failed with {type(bug).__name__} at {where}"


def printable(text: str) -> str:
    """
    Return *text* with every character escaped that would control a terminal or a log.

    Those are control characters (escape sequences begin with one), line ends, and marks
    that change the writing direction.
    """
    if text.isprintable():
        return text
    return "".join(map(_escaped, text))


def printable_lines(text: str) -> str:
    """Return *text* with its line ends, and every other control character escaped."""
    return "\n".join(map(printable, text.split("\n")))


def _escaped(character: str) -> str:
    if character.isprintable() or character in _HARMLESS or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode("ascii")
