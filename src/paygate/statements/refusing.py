"""Refusing a file that cannot be read: as a whole, with the line and the reason."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, BinaryIO, Final

from paygate.domain.currency import SCALES
from paygate.domain.money import MINOR_MAX
from paygate.errors import ImportRejected
from paygate.printing import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

UNIT_BYTES_MAX: Final = 16_000_000
"""The most bytes of one entry, with what stands between it and the entry before."""

_AMOUNT: Final = re.compile(r"([0-9]{1,18})(?:\.([0-9]*))?", re.ASCII)


def unreadable(line: int, reason: str) -> ImportRejected:
    """Return the error for a file that cannot be read at *line*, for a *reason*."""
    return ImportRejected(
        f"the statement cannot be read: line {line}: {reason}; nothing of it was imported",
        problems=[(line, reason)],
    )


class Unreadable(Exception):
    """Why an entry cannot be read; its reader knows the line."""


def minor_of(text: str, currency: str) -> int:
    """Return a plain decimal amount, not negative, in minor units; raise `Unreadable`."""
    found = _AMOUNT.fullmatch(text)
    scale = SCALES.get(currency)
    if scale is None:
        raise Unreadable(f"{shown(currency)} is not a currency of ISO 4217")
    if found is None:
        raise Unreadable(f"{shown(text)} is not an amount")
    digits = (found[2] or "").rstrip("0")
    if len(digits) > scale:
        raise Unreadable(f"{shown(text)} has more digits than {currency} allows")
    minor = int(found[1] + digits.ljust(scale, "0"))
    if minor > MINOR_MAX:
        raise Unreadable(f"{shown(text)} is more than a ledger can store")
    return minor


def day_of(text: str) -> date:
    """Return the day at the beginning of an ISO 8601 date or time; raise `Unreadable`."""
    try:
        return date.fromisoformat(text[:10]) if text[4:5] == "-" else _not_a_day(text)
    except ValueError:
        return _not_a_day(text)


def _not_a_day(text: str) -> date:
    raise Unreadable(f"{shown(text)} is not a date")


def lines_of(source: BinaryIO, encoding: str) -> Iterator[tuple[int, str]]:
    """Yield each line with its number, without its end; raise if one is not *encoding* text."""
    number = 0
    while raw := source.readline(UNIT_BYTES_MAX):
        number += 1
        if len(raw) == UNIT_BYTES_MAX:
            raise unreadable(number, f"the line is longer than {UNIT_BYTES_MAX:,} bytes")
        try:
            text = raw.decode(encoding)
        except UnicodeError:
            raise unreadable(
                number, f"this is not {encoding.upper()} text; name the encoding of the file"
            ) from None
        if number == 1:
            text = text.removeprefix("\ufeff")
        yield number, text.rstrip("\r\n")
