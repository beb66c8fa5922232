"""Amounts that payers type, read by the rules of the page's language.

``1.234`` on a German page is one thousand to some readers, and one to those who are used to a
decimal point. Such an amount is refused rather than guessed: the payer types it again, which costs
a moment, while a wrong guess costs a thousand times the amount.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from paygate.domain.currency import SCALES
from paygate.domain.money import AMOUNT_MAX, Money

if TYPE_CHECKING:
    from paygate.web.languages import Language

_LENGTH_MAX: Final = 40
# Thin and narrow spaces separate thousands in French, and people type an ordinary one.
_SPACES: Final = re.compile(r"[\s\u00a0\u2009\u202f]+")
_MARKS: Final = re.compile("[\u061c\u200e\u200f]")
_ARABIC: Final = str.maketrans({"\u066b": ".", "\u066c": ","})


def read_amount(typed: str, currency: str, language: Language) -> Money | None:
    """
    Return the amount that a payer *typed*, or None if it is not clearly one amount above zero.

    The symbol or code of *currency* may stand before or after it.
    """
    if len(typed) > _LENGTH_MAX:
        return None
    number = _without_currency(_latin(typed), currency, language)
    decimal, group = _separators(language)
    whole, point, digits = number.partition(decimal)
    if point and not 1 <= len(digits) <= SCALES[currency]:
        return None
    whole = _ungrouped(whole, group, clear=bool(point) or not SCALES[currency]) or ""
    if not (whole.isascii() and whole.isdigit()) or not (digits or "0").isdigit():
        return None
    minor = int(Decimal(f"{whole}.{digits or 0}").scaleb(SCALES[currency]))
    return Money(currency, minor) if 0 < minor <= AMOUNT_MAX else None


def amount_as_typed(amount: Money, language: Language) -> str:
    """Return *amount* as a payer would type it: without symbol and without separators."""
    from babel.numbers import format_decimal

    digits = "0" * SCALES[amount.currency]
    pattern = f"0.{digits}" if digits else "0"
    return format_decimal(amount.decimal, pattern, locale=language.locale)


def _ungrouped(whole: str, group: str, *, clear: bool) -> str | None:
    """
    Return *whole* without separators of thousands, or None if they are not in their places.

    A single separator could be a decimal point in the payer's own country; it is accepted only if
    it is *clear* that it is not.
    """
    parts = whole.split(group)
    if len(parts) == 1:
        return whole
    in_place = 1 <= len(parts[0]) <= 3 and all(len(each) == 3 for each in parts[1:])
    if not in_place or (len(parts) == 2 and group != " " and not clear):
        return None
    return "".join(parts)


def _latin(typed: str) -> str:
    """Return *typed* with Latin digits and ordinary spaces."""
    spaced = _SPACES.sub(" ", _MARKS.sub("", typed)).strip().translate(_ARABIC)
    return "".join(
        str(unicodedata.digit(each)) if unicodedata.category(each) == "Nd" else each
        for each in spaced
    )


def _without_currency(number: str, currency: str, language: Language) -> str:
    from babel.numbers import get_currency_symbol

    for name in (currency, get_currency_symbol(currency, language.locale), _symbol(currency)):
        for stripped in (number.removeprefix(name), number.removesuffix(name)):
            if stripped != number:
                return stripped.strip()
    return number


def _symbol(currency: str) -> str:
    """Return the symbol that the currency has at home, such as ``$``."""
    from babel.numbers import get_currency_symbol

    return get_currency_symbol(currency, "en_US")


def _separators(language: Language) -> tuple[str, str]:
    """Return the separator of decimals and that of thousands."""
    symbols = language.locale.number_symbols["latn"]
    decimal, group = str(symbols["decimal"]), str(symbols["group"])
    return decimal, _SPACES.sub(" ", group)
