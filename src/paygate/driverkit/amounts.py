"""Amounts as a processor writes them: whole numbers or decimals, with its own number of digits."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from paygate.domain.currency import SCALES
from paygate.domain.money import MINOR_MAX, Money
from paygate.errors import BadResponse, Unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.driverkit.fields import Fields


class Amounts:
    """The currencies of the processor *by*, with their number of decimal places there.

    Processors differ from ISO 4217: Stripe gives the Icelandic krona two decimal places, PayPal the
    forint none. *steps* are values that a whole amount must be a multiple of, for currencies whose
    last digits are always 0.
    """

    def __init__(
        self, by: str, digits: Mapping[str, int], steps: Mapping[str, int] | None = None
    ) -> None:
        self.by = by
        self.digits, self.steps = digits, steps or {}
        self.currencies = frozenset(digits)

    def whole(self, money: Money) -> int:
        """Return *money* as a whole number, or raise `Unsupported` rather than round it."""
        digits = self.digits.get(money.currency)
        if digits is None:
            raise Unsupported(
                f"the {self.by} driver does not charge {money.currency}; its traits list its "
                "currencies",
                currency=money.currency,
            )
        shift = digits - SCALES[money.currency]
        amount, rest = _shifted(money.minor, shift)
        if rest or amount % self.steps.get(money.currency, 1):
            raise Unsupported(
                f"{self.by} does not charge {money}: it has fewer digits in {money.currency}; "
                "round the amount first",
                currency=money.currency,
            )
        return amount

    def decimal(self, money: Money) -> str:
        """Return *money* with a point, ``"12.50"``, or raise `Unsupported` rather than round it."""
        amount = self.whole(money)
        return f"{Decimal(amount).scaleb(-self.digits[money.currency]):f}"

    def of_whole(self, currency: str, amount: int) -> Money:
        """Return *amount* as Money, or raise `BadResponse` if the currency cannot express it."""
        if currency not in self.digits:
            raise BadResponse(f"{self.by} names a currency that it is not known to use")
        shift = SCALES[currency] - self.digits[currency]
        minor, rest = _shifted(amount, shift)
        if rest or not 0 <= minor <= MINOR_MAX:
            raise BadResponse(f"{self.by} names an amount that {currency} does not have")
        return Money(currency, minor)

    def read_whole(self, fields: Fields, path: str, currency: str) -> Money:
        """Return the amount at *path*, written as `whole` writes one."""
        return self.of_whole(currency, fields.whole(path))

    def read_decimal(self, fields: Fields, path: str, currency: str) -> Money:
        """Return the amount at *path*, written as `decimal` writes one."""
        if currency not in self.digits:
            raise BadResponse(f"{self.by} names a currency that it is not known to use")
        return fields.money(path, currency)

    def read_grouped(self, fields: Fields, path: str, currency: str) -> Money:
        """Return the amount at *path*, as a number or a text that may group digits: ``1,250.00``.

        A comma only separates groups of three digits before the point; anything else is refused.
        """
        found = fields.value(path)
        if not isinstance(found, str) or "," not in found:
            return self.read_decimal(fields, path, currency)
        if not _GROUPED.fullmatch(found):
            raise fields.wrong(path, "is not an amount")
        name = path.rpartition(".")[2]
        plain = type(fields)({name: found.replace(",", "")}, self.by)
        return self.read_decimal(plain, name, currency)


_GROUPED: Final = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]{1,3})?")


def _shifted(number: int, digits: int) -> tuple[int, int]:
    """Return *number* times ten to the power of *digits*, and the remainder if that is negative."""
    if digits >= 0:
        return number * int(10**digits), 0
    return divmod(number, int(10**-digits))
