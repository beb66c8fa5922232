"""Texts: what a page says, before a language is chosen.

A text is an English message with named values. The catalogs in `locale/` are keyed by the message,
so the English wording stands in the code once, next to the state that it belongs to. A `Language`
turns a text into HTML, or into plain text for a title.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from paygate.domain.money import Money

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """A time that is shown without its date, with the name of its zone."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Text:
    """A message with its values; with *plural* and *count*, the form depends on the count."""

    message: str
    values: Mapping[str, Value] = field(default_factory=dict[str, "Value"])
    plural: str = ""
    count: int = 0

    def __hash__(self) -> int:
        return hash((self.message, self.count, tuple(sorted(self.values))))


Value: TypeAlias = str | int | Money | date | datetime | TimeOfDay | timedelta | Text
"""What a text can contain; a `str` is foreign, such as a name, and is never translated."""


def text(message: str, **values: Value) -> Text:
    """Return *message* with its values; the catalogs are made from the calls of this function."""
    return Text(message, values)


def several(one: str, more: str, n: int) -> Text:
    """Return the form of a message that fits the number *n*, which it shows as ``{n}``."""
    return Text(one, {"n": n}, plural=more, count=n)


def message(english: str) -> str:
    """Return *english*, marked for the catalogs; its values are filled in later."""
    return english
