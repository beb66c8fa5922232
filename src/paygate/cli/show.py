"""How things look: consoles, tables, amounts, and the JSON that programs read.

rich is imported by what draws with it: most commands print a line or JSON.
"""

from __future__ import annotations

import json
import sys
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, cast

from paygate.domain.money import Money
from paygate.domain.outcome import (
    ApproveElsewhere,
    PayToAddress,
    PostForm,
    Redirect,
    ScriptStep,
    ShowCode,
    ShowVoucher,
)
from paygate.domain.payment import PaymentStatus
from paygate.domain.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from paygate.domain.outcome import Action

WIDTH_MAX: Final = 100
"""Wider than this, lines are hard to read."""

STYLES: Final = {
    PaymentStatus.SUCCEEDED: "green",
    PaymentStatus.DECLINED: "red",
    PaymentStatus.FAILED: "red",
    PaymentStatus.UNKNOWN: "bold yellow",
}
"""The colours of what matters about a payment."""


_SHORT: Final = ("Invoice", "Customer", "Currency", "Payment", "Due", "Date")


def console(*, stderr: bool = False) -> Console:
    """Make a console on what stdout (or stderr) is now; piped, it writes plain text."""
    from paygate.cli.terminal import EscapingConsole

    made = EscapingConsole(stderr=stderr, highlight=False, markup=False)
    made.width = min(made.width, WIDTH_MAX)
    return made


def table(*columns: str, title: str = "") -> Table:
    """Make a table; a column whose name begins with ``>`` is aligned to the right."""
    from rich import box
    from rich.table import Table

    made = Table(
        box=box.SIMPLE_HEAD,
        title=title or None,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        pad_edge=False,
        show_edge=False,
    )
    for column in columns:
        right = column.startswith(">")
        made.add_column(
            column.removeprefix(">"),
            justify="right" if right else "left",
            no_wrap=right or column in ("", *_SHORT),
            overflow="fold",
        )
    return made


def add(to: Table, *cells: object, style: str = "") -> None:
    """Add a row of plain text: what comes from a ledger is never read as markup."""
    from rich.text import Text

    to.add_row(
        *(cell if isinstance(cell, Text) else Text(lines(_text(cell))) for cell in cells),
        style=style,
    )


def sheet(rows: Mapping[str, object]) -> Table:
    """Make a sheet of one thing: a name and a value on each line; None is left out."""
    from rich.table import Table

    made = Table.grid(padding=(0, 2))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows.items():
        if value is not None:
            add(made, name, value)
    return made


def status(of: PaymentStatus) -> Text:
    """Write a payment's status in its colour."""
    from rich.text import Text

    return Text(words(of), style=STYLES.get(of, ""))


def words(name: str) -> str:
    """Write a name of the code for people: ``requires_action`` is "requires action"."""
    return str(name).replace("_", " ")


def step(of: Action) -> str:
    """Say for people what the payer is to do next."""
    match of:
        case Redirect():
            return f"the payer goes to {of.url}"
        case PostForm():
            return f"the payer's browser posts the form of your page to {of.url}"
        case ScriptStep():
            return f"the payer goes on in your page, in the script {of.script_url}"
        case ShowVoucher():
            return f"the payer shows {of.reference} at a counter"
        case ShowCode():
            return f"the payer scans a code of {of.payload}"
        case ApproveElsewhere():
            return f"the payer approves on {of.where}" + (f", code {of.code}" if of.code else "")
        case PayToAddress():
            return f"the payer sends {of.amount} to {of.address}"


def amount(money: Money) -> str:
    """Write an amount for people, with all digits of its currency: ``1,250.00 USD``."""
    return f"{money.decimal:,f} {money.currency}"


def plain(value: object) -> Any:
    """Turn a value into what JSON can carry; what is secret prints as dots by itself."""
    match value:
        case Money():
            return {"currency": value.currency, "minor": value.minor, "text": str(value)}
        case datetime() | date():
            return value.isoformat()
        case dict():
            pairs = cast("dict[object, object]", value)
            return {str(key): plain(each) for key, each in pairs.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(each) for each in cast("Iterable[object]", value)]
        case None | bool() | int():
            return value
        case _ if is_dataclass(value):
            return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        case _:
            return str(value)


def write_json(value: object) -> None:
    """Write one JSON document to stdout."""
    sys.stdout.write(as_json(plain(value), indent=2) + "\n")


def as_json(value: object, *, indent: int | None = None) -> str:
    """Write *value* as JSON that a terminal shows as it is: what it would act on is escaped."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(
        each if each == "\n" or printable(each) == each else json.dumps(each)[1:-1] for each in text
    )


def lines(text: str) -> str:
    """Return *text* with its lines as they are, and escaped what else a terminal would act on."""
    return "\n".join(map(printable, text.split("\n")))


def _text(cell: object) -> str:
    match cell:
        case Money():
            return amount(cell)
        case None:
            return ""
        case _:
            return str(cell)
