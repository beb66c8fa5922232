"""Orders of a host's billing system, each of which becomes an invoice.

An order is a mapping, as JSON or a row of CSV gives it, or an `InvoiceOrder`. What it contains is
checked here, completely: the error names the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final, cast

from paygate.domain.currency import SCALES
from paygate.domain.invoice_lines import (
    NO_TEXT,
    InvoiceLine,
    InvoiceText,
    Rounding,
    TaxLine,
    exact,
)
from paygate.domain.money import Money, written
from paygate.domain.prepayment import assignment_key
from paygate.domain.text import identifier
from paygate.errors import InvalidValue, UsageError
from paygate.printing import shown, shown_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.domain.customer import Customer

ORDER_LENGTH_MAX: Final = 200
"""The longest id of an order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceOrder:
    """
    An order that becomes one invoice: `id` is that of the host, and makes it safe to read again.

    Without a `number` the series of the run gives one. The `assignment_key` is by default the id of
    the order, if that can be one, so that money which was prepaid for it is found.
    """

    id: str
    customer: Customer | str
    total: Money
    due: date
    number: str = ""
    on: date | None = None
    assignment_key: str | None = None
    text: InvoiceText = NO_TEXT


_ORDER: Final = (
    *("order", "customer", "currency", "due", "on", "number", "assignment_key", "total"),
    *("rounding", "lines", "tax"),
)
_LINE: Final = (
    *("description", "amount", "quantity", "unit_price", "unit", "tax_category"),
    *("from", "until"),
)
_TAX: Final = ("name", "rate", "category", "base", "amount")


def read_order(facts: Mapping[str, Any]) -> InvoiceOrder:
    """Return the order in a mapping, or raise a `UsageError` that names the field."""
    _known(facts, _ORDER, "an order")
    currency = currency_of(facts)
    text = read_text(facts, currency)
    given = facts.get("total")
    if given in (None, "") and not text:
        raise InvalidValue("total is missing, and so are lines")
    total = text.total if given in (None, "") else amount(currency, given, "total")
    key = facts.get("assignment_key")
    return InvoiceOrder(
        id=identifier(_text(facts, "order"), "order", length_max=ORDER_LENGTH_MAX),
        customer=identifier(_text(facts, "customer"), "customer"),
        total=total,
        due=day(facts.get("due"), "due"),
        number=str(facts.get("number") or ""),
        on=None if facts.get("on") in (None, "") else day(facts["on"], "on"),
        assignment_key=None if key in (None, "") else assignment_key(cast("str", key)),
        text=text,
    )


def currency_of(facts: Mapping[str, Any]) -> str:
    """Return the currency of an order."""
    currency = _text(facts, "currency")
    if currency not in SCALES:
        raise InvalidValue(f"currency: {shown(currency)} is not an ISO 4217 currency code")
    return currency


def read_text(facts: Mapping[str, Any], currency: str) -> InvoiceText:
    """Return the lines and the tax of an order; amounts that are left out are computed."""
    wanted = facts.get("rounding") or "half_up"
    if wanted not in tuple(Rounding):
        raise InvalidValue(f"rounding must be one of {', '.join(Rounding)}, not {shown(wanted)}")
    rounding = Rounding(wanted)
    lines = [
        _within(f"line {number}", lambda each=each: _line(each, currency, rounding))
        for number, each in enumerate(_list(facts, "lines"), 1)
    ]
    tax = [
        _within(f"tax {number}", lambda each=each: _tax(each, currency, lines, rounding))
        for number, each in enumerate(_list(facts, "tax"), 1)
    ]
    return InvoiceText(lines=tuple(lines), tax=tuple(tax), rounding=rounding)


def _line(facts: Mapping[str, Any], currency: str, rounding: Rounding) -> InvoiceLine:
    _known(facts, _LINE, "a line")
    quantity = exact(_or(facts, "quantity", 1), "quantity")
    price = facts.get("unit_price")
    unit_price = None if price in (None, "") else exact(cast("str", price), "unit_price")
    given = facts.get("amount")
    if given not in (None, ""):
        money = amount(currency, given, "amount")
    elif unit_price is not None:
        money = rounding.product(currency, quantity, unit_price)
    else:
        raise InvalidValue("amount is missing, and so is unit_price")
    first, last = facts.get("from"), facts.get("until")
    if (first in (None, "")) is not (last in (None, "")):
        raise InvalidValue("from and until belong together: the first and the last day")
    return InvoiceLine(
        description=_text(facts, "description"),
        amount=money,
        quantity=quantity,
        unit_price=unit_price,
        unit=str(_or(facts, "unit", "")),
        tax_category=str(_or(facts, "tax_category", "")),
        period=None if first in (None, "") else (day(first, "from"), day(last, "until")),
    )


def _tax(
    facts: Mapping[str, Any], currency: str, lines: Sequence[InvoiceLine], rounding: Rounding
) -> TaxLine:
    _known(facts, _TAX, "a tax")
    name, category = _text(facts, "name"), str(_or(facts, "category", ""))
    rate = exact(cast("str", facts.get("rate")), "rate")
    made = TaxLine.of(name, rate, lines, category=category, rounding=rounding)
    base, money = facts.get("base"), facts.get("amount")
    return TaxLine(
        name=name,
        rate=rate,
        base=made.base if base in (None, "") else amount(currency, base, "base"),
        amount=made.amount if money in (None, "") else amount(currency, money, "amount"),
        category=category,
    )


def amount(currency: str, value: object, field: str) -> Money:
    """Return an amount in a file: text, or a whole number; a number with a point is not exact."""
    if isinstance(value, str):
        try:
            return written(currency, value)
        except UsageError as error:
            raise InvalidValue(f"{field}: {error.message}") from None
    if type(value) is int:
        return Money.of(currency, value)
    raise InvalidValue(f"{field} must be text such as '12.50', not {shown_value(value)}")


def day(value: object, field: str) -> date:
    """Return a date in a file."""
    if isinstance(value, str) and len(value) == len("2026-12-01"):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise InvalidValue(f"{field} must be a date such as 2026-12-01, not {shown_value(value)}")


def _within(where: str, read: Any) -> Any:
    """Return what *read* returns; its error says *where* it is."""
    try:
        return read()
    except UsageError as error:
        raise InvalidValue(f"{where}: {error.message}") from None


def _known(facts: object, names: Sequence[str], what: str) -> None:
    if not isinstance(facts, Mapping):
        raise InvalidValue(f"{what} must be an object with named fields, not {shown_value(facts)}")
    strange = [str(each) for each in cast("Mapping[object, Any]", facts) if each not in names]
    if strange:
        raise InvalidValue(
            f"{what} has no field {shown(strange[0])}; its fields are {', '.join(names)}"
        )


def _text(facts: Mapping[str, Any], name: str) -> str:
    value = facts.get(name)
    if value is None or value == "":
        raise InvalidValue(f"{name} is missing")
    if not isinstance(value, str):
        raise InvalidValue(f"{name} must be text, not {shown_value(value)}")
    return value


def _list(facts: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = facts.get(name)
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise InvalidValue(f"{name} must be a list, not {shown_value(value)}")
    return list(cast("Sequence[Mapping[str, Any]]", value))


def _or(facts: Mapping[str, Any], name: str, default: object) -> Any:
    value = facts.get(name)
    return default if value is None or value == "" else value
