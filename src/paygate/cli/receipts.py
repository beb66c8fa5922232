"""Receipts: list them, and write them all as CSV for an accountant."""

from __future__ import annotations

import csv
import io
import re
import sys
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Final

import typer

from paygate.cli import facts, options, pages, show
from paygate.cli.opening import Where, with_ledger
from paygate.printing import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from paygate.cashier.sync import Cashier
    from paygate.domain.money import Money
    from paygate.domain.receipt import ReceiptLine

COLUMNS: Final = (
    *("receipt", "booked_at", "effective", "kind", "amount", "currency"),
    *("account", "driver", "payment", "customer", "invoices", "reference", "movement"),
    *("settled_on", "settled_amount", "settled_currency", "fee", "fee_currency"),
    *("quantity_minor", "quantity_currency", "rate", "address", "address_number", "transaction"),
)
"""The header of the CSV. Its columns stay; new ones are added at the end."""

_PAGE: Final = 1_000
# What a spreadsheet reads as the beginning of a formula, including the full-width forms.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")


@with_ledger
def list_(
    where: Where,
    via: pages.ViaOption = None,
    since: pages.SinceOption = None,
    until: pages.UntilOption = None,
    oldest_first: pages.OldestFirstOption = False,
    after: Annotated[str, typer.Option(help="Continue after the receipt with this id.")] = "",
    limit: options.LimitOption = 100,
) -> None:
    """List receipts by booking time, the newest first, a page at a time."""
    with where.open() as cashier:

        def list_receipts(behind: str, most: int) -> list[ReceiptLine]:
            return cashier.receipt_lines(
                account=via,
                since=since,
                until=until,
                oldest_first=oldest_first,
                after=behind,
                limit=most,
            )

        page, following = pages.read(list_receipts, after, limit)
    if where.as_json:
        written = [facts.receipt_line(one) for one in page]
        show.write_json({"receipts": written, "next": following})
        return
    table = show.table("Receipt", "Booked", "Kind", ">Amount")
    for one in page:
        made = one.receipt
        booked = f"{made.booked_at:%Y-%m-%d %H:%M}"
        kind = show.words(made.kind)
        label = show.below(made.id, one.customer, *one.invoices)
        show.add(table, label, booked, kind, _signed(one))
    show.console().print(table)
    pages.tell_more(following)


@with_ledger
def export(
    where: Where,
    via: pages.ViaOption = None,
    since: pages.SinceOption = None,
    until: pages.UntilOption = None,
) -> None:
    """Write all receipts as CSV in UTF-8, the oldest first; with --json, one object per line.

    Amounts of money that went out are negative.
    """
    with where.open() as cashier:
        out = sys.stdout.buffer
        lines = _each(cashier, via, since, until)
        for text in map(_json, lines) if where.as_json else _csv(lines):
            out.write(text.encode())
        out.flush()


def _each(
    cashier: Cashier, via: str | None, since: str | None, until: str | None
) -> Iterator[ReceiptLine]:
    """Yield the receipts, the oldest first; at most one page of them is in memory."""
    after = ""
    while True:
        page = cashier.receipt_lines(
            account=via, since=since, until=until, oldest_first=True, after=after, limit=_PAGE
        )
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].id


def _json(one: ReceiptLine) -> str:
    return show.as_json(show.plain(facts.receipt_line(one))) + "\n"


def _csv(lines: Iterator[ReceiptLine]) -> Iterator[str]:
    """Yield the header, and then a line for each receipt, as in RFC 4180."""
    first = next(lines, None)  # so that an error is raised before anything is written
    yield _line(COLUMNS)
    for one in lines if first is None else chain((first,), lines):
        yield _line(tuple(map(cell, _row(one))))


def _line(cells: tuple[str, ...]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def cell(value: str) -> str:
    """
    Return *value* as it can be put into a cell of a spreadsheet.

    What would be read as a formula gets an apostrophe in front, unless it is a number; control
    characters are escaped.
    """
    text = printable(value)
    if value.startswith(_FORMULA) and not _NUMBER.fullmatch(value):
        return f"'{text}"
    return text


def _row(one: ReceiptLine) -> tuple[str, ...]:
    made = one.receipt
    quantity = made.quantity
    if quantity is None and made.amount.currency == "BTC":
        quantity = made.amount
    return (
        *(made.id, made.booked_at.isoformat(), made.effective.isoformat(), str(made.kind)),
        *_amount(_signed(one)),
        *(made.account, one.driver, made.payment or "", one.customer, ", ".join(one.invoices)),
        *(one.reference, made.movement_id, _date(made.settled_on)),
        *_amount(None if made.settled is None else _towards(one, made.settled)),
        *_amount(made.fee),
        "" if quantity is None else str(_towards(one, quantity).minor),
        "" if quantity is None else quantity.currency,
        *(
            made.rate,
            one.address,
            "" if one.address_index is None else str(one.address_index),
            one.transaction,
        ),
    )


def _signed(one: ReceiptLine) -> Money:
    return _towards(one, one.receipt.amount)


def _towards(one: ReceiptLine, amount: Money) -> Money:
    """Return *amount* as it counts for us: negative if it went out."""
    return amount if one.receipt.kind.inward else -amount


def _amount(money: Money | None) -> tuple[str, str]:
    return ("", "") if money is None else (f"{money.decimal:f}", money.currency)


def _date(on: date | None) -> str:
    return "" if on is None else on.isoformat()


@with_ledger
def number(
    where: Where,
    receipt: Annotated[str, typer.Argument(help="Id of the receipt, such as rcp_….")],
    number: Annotated[str, typer.Argument(help="Its number in a series of yours.")],
) -> None:
    """Give a receipt its number in a series of yours, such as one that the law asks for."""
    with where.open() as cashier:
        made = cashier.number_receipt(receipt, number)
    if where.as_json:
        show.write_json({"receipt": made})
    else:
        facts = {"Receipt": made.id, "Number": made.number, "Your number": made.host_number}
        show.write_sheet({**facts, "Amount": made.amount})
