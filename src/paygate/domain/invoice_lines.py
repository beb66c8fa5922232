"""Lines and tax of an invoice, and the rule that they add up to its total.

Everything is exact: a quantity and a unit price are decimals of any length, an amount is in minor
units, and the only rounding is the one that is named. Amounts are net; what a price that includes
tax contains is for the host to compute. The model is that of EN 16931, without its allowances: a
discount is a line with a negative amount.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self, cast

from paygate.domain.currency import SCALES
from paygate.domain.money import Money
from paygate.errors import CurrencyMismatch, InvalidAmount, InvalidValue, InvoiceDoesNotAddUp
from paygate.printing import shown, shown_value

if TYPE_CHECKING:
    from collections.abc import Sequence

LINES_MAX: Final = 1_000
"""How many lines an invoice has at most."""

TAXES_MAX: Final = 50
"""How many lines of tax an invoice has at most."""

DIGITS_MAX: Final = 18
"""How many digits a quantity, a unit price or a rate has at most."""

_DESCRIPTION_MAX: Final = 1_000
_SHORT_MAX: Final = 100
_BREAKS: Final = "\n\t"


class Rounding(StrEnum):
    """How a product is rounded to the minor unit of its currency."""

    HALF_UP = "half_up"
    """A half is rounded away from zero, as by hand: 0.125 is 0.13, and -0.125 is -0.13."""
    HALF_EVEN = "half_even"
    """A half is rounded to the even digit, as in statistics: 0.125 is 0.12, and 0.135 is 0.14."""

    def minor(self, amount: Decimal, currency: str) -> int:
        """Return *amount*, in major units of *currency*, as minor units."""
        rule = ROUND_HALF_UP if self is Rounding.HALF_UP else ROUND_HALF_EVEN
        return int(amount.scaleb(SCALES[currency]).to_integral_value(rule))

    def product(self, currency: str, one: Decimal, other: Decimal) -> Money:
        """Return the product of two decimals as money."""
        return Money(currency, self.minor(one * other, currency))


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """
    One line of an invoice: what is charged, how much of it, and for how much.

    `amount` is net of tax. With a `unit_price` it must be quantity times unit price, rounded; leave
    the unit price out for a flat amount. `tax_category` says which `TaxLine` it counts for.
    `period` is the first and the last day of what is charged.
    """

    description: str
    amount: Money
    quantity: Decimal = Decimal(1)
    unit_price: Decimal | None = None
    unit: str = ""
    tax_category: str = ""
    period: tuple[date, date] | None = None

    def __post_init__(self) -> None:
        _text(self.description, "description", _DESCRIPTION_MAX, lines=True)
        if not self.description.strip():
            raise InvalidValue("a line needs a description", argument="lines")
        _money(self.amount, "amount")
        _decimal(self.quantity, "quantity")
        if self.unit_price is not None:
            _decimal(self.unit_price, "unit_price")
        _text(self.unit, "unit", _SHORT_MAX)
        _text(self.tax_category, "tax_category", _SHORT_MAX)
        if self.period is not None:
            _check_period(self.period)

    @classmethod
    def of(
        cls,
        description: str,
        unit_price: Decimal | int | str,
        currency: str,
        *,
        quantity: Decimal | int | str = 1,
        unit: str = "",
        tax_category: str = "",
        period: tuple[date, date] | None = None,
        rounding: Rounding = Rounding.HALF_UP,
    ) -> Self:
        """Return a line whose amount is *quantity* times *unit_price*, rounded by *rounding*."""
        many, price = exact(quantity, "quantity"), exact(unit_price, "unit_price")
        Money.zero(currency)
        return cls(
            description=description,
            amount=rounding.product(currency, many, price),
            quantity=many,
            unit_price=price,
            unit=unit,
            tax_category=tax_category,
            period=period,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxLine:
    """
    One tax of an invoice: its name, its rate in percent, what it is of, and how much it is.

    `base` is the sum of the lines with the same `category`; with an empty category, of all lines.
    """

    name: str
    rate: Decimal
    base: Money
    amount: Money
    category: str = ""

    def __post_init__(self) -> None:
        _text(self.name, "name", _SHORT_MAX)
        if not self.name.strip():
            raise InvalidValue("a tax needs a name, such as VAT", argument="tax")
        _decimal(self.rate, "rate")
        _money(self.base, "base")
        _money(self.amount, "amount")
        _text(self.category, "category", _SHORT_MAX)

    @classmethod
    def of(
        cls,
        name: str,
        rate: Decimal | int | str,
        lines: Sequence[InvoiceLine],
        *,
        category: str = "",
        rounding: Rounding = Rounding.HALF_UP,
    ) -> Self:
        """
        Return the tax on those of *lines* that have *category*, or on all if it is empty.

        *rate* is in percent: ``"20"`` or ``"7.75"``. The tax is computed once, on their sum.
        """
        if not lines:
            raise InvalidValue("a tax is on lines; pass at least one", argument="lines")
        percent = exact(rate, "rate")
        base = base_of(lines, category)
        amount = rounding.product(base.currency, base.decimal, percent / 100)
        return cls(name=name, rate=percent, base=base, amount=amount, category=category)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceText:
    """
    What an invoice says about its total: lines, tax, and the rule by which they were rounded.

    Building one checks it: `InvoiceDoesNotAddUp` says which line or sum is wrong, and by how much.
    """

    lines: tuple[InvoiceLine, ...] = ()
    tax: tuple[TaxLine, ...] = ()
    rounding: Rounding = Rounding.HALF_UP

    def __post_init__(self) -> None:
        if len(self.lines) > LINES_MAX or len(self.tax) > TAXES_MAX:
            raise InvalidValue(
                f"an invoice has at most {LINES_MAX:,} lines and {TAXES_MAX} taxes",
                argument="lines",
            )
        if self.tax and not self.lines:
            raise InvalidValue(
                "tax is on lines: pass lines= as well, at least one", argument="lines"
            )
        if self.lines:
            self._check()

    def __bool__(self) -> bool:
        return bool(self.lines)

    @property
    def currency(self) -> str:
        """The currency of all amounts."""
        return self.lines[0].amount.currency

    @property
    def net(self) -> Money:
        """The sum of the lines."""
        return Money.sum(self.currency, (each.amount for each in self.lines))

    @property
    def taxes(self) -> Money:
        """The sum of the taxes."""
        return Money.sum(self.currency, (each.amount for each in self.tax))

    @property
    def total(self) -> Money:
        """The sum of lines and taxes."""
        return self.net + self.taxes

    def check_total(self, total: Money) -> None:
        """Raise unless lines and taxes add up to *total*, to the minor unit."""
        if total.currency != self.currency:
            raise CurrencyMismatch(
                f"the total is in {total.currency}, and the lines are in {self.currency}",
                argument="total",
            )
        if total != self.total:
            parts = f"the lines are {self.net} and the tax is {self.taxes}"
            raise does_not_add_up("total", total, self.total, parts)

    def _check(self) -> None:
        currency = self.currency
        for number, line in enumerate(self.lines, 1):
            where = f"line {number}"
            _check_currency(where, line.amount, currency)
            if line.unit_price is not None:
                expected = self.rounding.product(currency, line.quantity, line.unit_price)
                rule = f"{line.quantity:f} times {line.unit_price:f}, rounded {self.rounding.value}"
                if expected != line.amount:
                    raise does_not_add_up(where, line.amount, expected, rule)
        for number, tax in enumerate(self.tax, 1):
            self._check_tax(f"tax {number} ({tax.name})", tax)
        if len({(each.name, each.category, each.rate) for each in self.tax}) < len(self.tax):
            raise InvalidValue(
                "two taxes have the same name, category and rate: add them up", argument="tax"
            )

    def _check_tax(self, where: str, tax: TaxLine) -> None:
        _check_currency(where, tax.amount, self.currency)
        _check_currency(where, tax.base, self.currency)
        if tax.category and not any(each.tax_category == tax.category for each in self.lines):
            raise InvalidValue(
                f"{where}: no line has the tax category {shown(tax.category)}", argument="tax"
            )
        base = base_of(self.lines, tax.category)
        if tax.base != base:
            of = f"of category {shown(tax.category)}" if tax.category else "of all lines"
            raise does_not_add_up(f"base of {where}", tax.base, base, f"the sum {of}")
        amount = self.rounding.product(self.currency, base.decimal, tax.rate / 100)
        if tax.amount != amount:
            rule = f"{tax.rate:f} % of {base}, rounded {self.rounding.value}"
            raise does_not_add_up(where, tax.amount, amount, rule)


NO_TEXT: Final = InvoiceText()
"""The text of an invoice that has only a total."""


def does_not_add_up(where: str, given: Money, expected: Money, rule: str) -> InvoiceDoesNotAddUp:
    """Return the error that *where* says *given*, and by the *rule* it must say *expected*."""
    difference = given - expected
    much = f"{abs(difference)} too {'much' if difference.minor > 0 else 'little'}"
    return InvoiceDoesNotAddUp(
        f"{where} is {given}, but {rule}, which makes {expected}: {much}",
        argument="total" if where == "total" else "lines" if where.startswith("line") else "tax",
        where=where,
        given=given,
        expected=expected,
        difference=difference,
    )


def base_of(lines: Sequence[InvoiceLine], category: str) -> Money:
    """Return the sum of the lines with a tax category; with an empty one, of all lines."""
    chosen = [each.amount for each in lines if not category or each.tax_category == category]
    return Money.sum(lines[0].amount.currency, chosen)


def exact(value: Decimal | int | str, argument: str) -> Decimal:
    """Return a decimal as it was written; a float is refused, because it is not exact."""
    given = cast("object", value)
    if isinstance(given, bool) or not isinstance(given, Decimal | int | str):
        raise InvalidValue(
            f"{argument} must be a Decimal, an int or text such as '1.5', not {shown_value(given)}",
            argument=argument,
        )
    if isinstance(given, str):
        text = given.strip()
        plain = text.lstrip("-").replace(".", "", 1)
        if not (plain.isascii() and plain.isdigit() and text.count("-") <= 1):
            raise InvalidValue(
                f"{argument} {shown(given)} is not a plain decimal number", argument=argument
            )
        given = text
    made = Decimal(given)
    _decimal(made, argument)
    return made


def _decimal(value: Decimal, argument: str) -> None:
    given = cast("object", value)
    if not isinstance(given, Decimal):
        raise InvalidValue(
            f"{argument} must be a Decimal, not {shown_value(given)}", argument=argument
        )
    if not given.is_finite():
        raise InvalidValue(f"{argument} must be a number, not {given}", argument=argument)
    _, digits, exponent = given.as_tuple()
    places = max(len(digits), -int(exponent), len(digits) + int(exponent))
    if places > DIGITS_MAX:
        raise InvalidValue(
            f"{argument} has at most {DIGITS_MAX} digits, not {places}", argument=argument
        )


def _money(value: Money, argument: str) -> None:
    given = cast("object", value)
    if not isinstance(given, Money):
        raise InvalidAmount(
            f"{argument} must be Money, not {shown_value(given)}", argument=argument
        )


def _check_currency(where: str, amount: Money, currency: str) -> None:
    if amount.currency != currency:
        raise CurrencyMismatch(
            f"{where} is in {amount.currency}, and line 1 is in {currency}", argument="lines"
        )


def _text(value: str, argument: str, length_max: int, *, lines: bool = False) -> None:
    given = cast("object", value)
    if not isinstance(given, str):
        raise InvalidValue(f"{argument} must be text, not {shown_value(given)}", argument=argument)
    if len(given) > length_max:
        raise InvalidValue(f"{argument} has at most {length_max:,} characters", argument=argument)
    kept = given.translate(dict.fromkeys(map(ord, _BREAKS))) if lines else given
    if not kept.isprintable():
        raise InvalidValue(f"{argument} must be printable text", argument=argument)


def _check_period(period: tuple[date, date]) -> None:
    given = cast("object", period)
    days = list(cast("tuple[object, ...]", given)) if isinstance(given, tuple) else []
    if len(days) != 2 or not all(type(each) is date for each in days):
        raise InvalidValue(
            "period is two dates: the first and the last day of what is charged", argument="period"
        )
    if period[0] > period[1]:
        raise InvalidValue(
            f"the period ends on {period[1]}, before it begins on {period[0]}", argument="period"
        )


# --- As text ---------------------------------------------------------------------------------

# Created once, because json.dumps with options creates an encoder for every call.
_write = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def write_lines(text: InvoiceText) -> str:
    """Return the lines of an invoice as JSON, without their currency; empty fields are left out."""
    return _write(
        [
            _filled(
                {
                    "description": each.description,
                    "amount_minor": each.amount.minor,
                    "quantity": None if each.quantity == 1 else str(each.quantity),
                    "unit_price": None if each.unit_price is None else str(each.unit_price),
                    "unit": each.unit,
                    "tax_category": each.tax_category,
                    "period": None
                    if each.period is None
                    else [day.isoformat() for day in each.period],
                }
            )
            for each in text.lines
        ]
    )


def write_tax(text: InvoiceText) -> str:
    """Return the taxes of an invoice as JSON, without their currency."""
    return _write(
        [
            _filled(
                {
                    "name": each.name,
                    "rate": str(each.rate),
                    "base_minor": each.base.minor,
                    "amount_minor": each.amount.minor,
                    "category": each.category,
                }
            )
            for each in text.tax
        ]
    )


def read_text(currency: str, lines: str, tax: str, rounding: str) -> InvoiceText:
    """Return what `write_lines` and `write_tax` wrote."""
    return InvoiceText(
        lines=tuple(_line(currency, each) for each in json.loads(lines)),
        tax=tuple(
            TaxLine(
                name=each["name"],
                rate=Decimal(each["rate"]),
                base=Money(currency, each["base_minor"]),
                amount=Money(currency, each["amount_minor"]),
                category=each.get("category", ""),
            )
            for each in json.loads(tax)
        ),
        rounding=Rounding(rounding),
    )


def _line(currency: str, facts: Mapping[str, Any]) -> InvoiceLine:
    price, period = facts.get("unit_price"), facts.get("period")
    first_and_last = None
    if period is not None:
        first_and_last = (date.fromisoformat(period[0]), date.fromisoformat(period[1]))
    return InvoiceLine(
        description=facts["description"],
        amount=Money(currency, facts["amount_minor"]),
        quantity=Decimal(facts.get("quantity", 1)),
        unit_price=None if price is None else Decimal(price),
        unit=facts.get("unit", ""),
        tax_category=facts.get("tax_category", ""),
        period=first_and_last,
    )


def _filled(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value not in (None, "")}
