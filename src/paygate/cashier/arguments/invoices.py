"""Arguments about invoices: lines, tax, numbers and documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from paygate.cashier.arguments.amounts import money
from paygate.cashier.arguments.plain import called, choice, key, refuse, url
from paygate.domain import prepayment
from paygate.domain.document import DOCUMENTS_MAX, Document, Letterhead
from paygate.domain.invoice_lines import (
    LINES_MAX,
    TAXES_MAX,
    InvoiceLine,
    InvoiceText,
    Rounding,
    TaxLine,
)
from paygate.domain.number_series import NumberSeries
from paygate.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from paygate.domain.money import Money

    T = TypeVar("T")


def assignment_key(value: str | None) -> str | None:
    """Return an assignment key in the spelling in which it is stored; None for None."""
    return None if value is None else prepayment.assignment_key(value)


def invoice_text(lines: object, tax: object, rounding: object) -> InvoiceText:
    """Return lines and tax that agree with each other."""
    return InvoiceText(
        lines=_all(InvoiceLine, lines, "lines", LINES_MAX),
        tax=_all(TaxLine, tax, "tax", TAXES_MAX),
        rounding=choice(Rounding, rounding, "rounding"),
    )


def total(value: object, text: InvoiceText) -> Money:
    """Return the total of an invoice: as given, or the sum of its lines and tax."""
    if value is None:
        if not text:
            refuse("total", "Money, or give lines=", value)
        return money(text.total, "total")
    found = money(value, "total")
    if text:
        text.check_total(found)
    return found


def numbered(number: object, series: object) -> NumberSeries | None:
    """Return the series that gives a number, or None if the host gives it; one of them must."""
    if (number is None) is (series is None):
        raise InvalidValue(
            "pass either a number= of yours, or a series= that gives the next one",
            argument="number" if number is None else "series",
        )
    if series is None or isinstance(series, NumberSeries):
        return series
    if not isinstance(series, str):
        refuse("series", "a NumberSeries, or the format of one such as INV-{year}-{n:05}", series)
    return NumberSeries(format=series)


def key_of_series(value: object, series: NumberSeries | None) -> str:
    """Return the key that an invoice of a series needs; one with a number has no other key."""
    if series is not None:
        return key(cast("str", value))
    if not isinstance(value, str) or value:
        refuse("key", "left out with number=, which identifies the invoice", value)
    return ""


def order_source(value: object, name: str) -> Iterable[Any]:
    """Return what a run reads: something to iterate, but no text."""
    if not _is_listed(value):
        refuse(name, "orders to iterate, such as a list, or read_orders('orders.csv')", value)
    return cast("Iterable[Any]", value)


def _is_listed(value: object) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, str | bytes | Mapping)


def told(value: object, name: str) -> Callable[..., Any]:
    """Return a function that is called with what happened."""
    return called(value, name, "one argument")


def web_address(value: object, name: str) -> str:
    """Return the address of a page, which may be empty."""
    found = url(value, name, live=False)
    if found and not (found.startswith(("https://", "http://")) and found.isprintable()):
        refuse(name, "a web address, such as PaymentLink.address", value)
    return found


def one_of(known: tuple[str, ...], value: object, name: str) -> str:
    """Return one of some words."""
    if not isinstance(value, str) or value not in known:
        refuse(name, f"one of {', '.join(known)}", value)
    return value


def documents(value: object, name: str) -> tuple[Document, ...]:
    """Return one document or several."""
    if isinstance(value, Document):
        return (value,)
    return _all(Document, value, name, DOCUMENTS_MAX)


def letterhead(value: object, name: str) -> Letterhead:
    """Return a letterhead."""
    if not isinstance(value, Letterhead):
        refuse(name, "a Letterhead", value)
    return value


def _all(kind: type[T], value: object, name: str, most: int) -> tuple[T, ...]:
    if not isinstance(value, list | tuple):
        refuse(name, f"a list of {kind.__name__}", value)
    found = cast("Sequence[object]", value)
    for each in found:
        if not isinstance(each, kind):
            refuse(name, f"a list of {kind.__name__}", each)
    if len(found) > most:
        refuse(name, f"a list of at most {most:,}", found)
    return cast("tuple[T, ...]", tuple(found))
