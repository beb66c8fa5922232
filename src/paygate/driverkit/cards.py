"""Cards as processors print them: masked numbers, and expiry dates of two digits each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from paygate.domain.card_checks import CardCheck, CheckResult
from paygate.domain.method import MethodFacts, brand_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_LAST4: Final = re.compile(r".*[^0-9]([0-9]{4})", re.DOTALL)
_CENTURY: Final = 2000


def last4_of(masked: str) -> str:
    """Return the last four digits of a masked number, ``411111......1111``; "" without four."""
    found = _LAST4.fullmatch(masked)
    return found.group(1) if found else ""


def expiry_of(month: str, year: str) -> tuple[int, int] | tuple[None, None]:
    """Return month and year of an expiry written ``09`` and ``33`` or ``2033``, if it is one."""
    if not re.fullmatch(r"(0?[1-9]|1[0-2])/(20)?[0-9]{2}", f"{month}/{year}"):
        return (None, None)
    return int(month), _CENTURY + int(year[-2:])


def card_facts(brand: str, masked: str, month: str = "", year: str = "") -> MethodFacts:
    """Return what can be printed about a card, from the texts of a processor."""
    in_month, in_year = expiry_of(month, year)
    return MethodFacts(
        brand=brand_of(brand),
        last4=last4_of(masked),
        expires_month=in_month,
        expires_year=in_year,
    )


def check_of(table: Mapping[str, CheckResult], code: str) -> CardCheck:
    """Return the result of a check by its *code*; an unknown code says nothing."""
    unknown = CheckResult.UNAVAILABLE if code else CheckResult.UNCHECKED
    return CardCheck(table.get(code, unknown), code)
