"""How output looks: consoles, tables, amounts, and the JSON that programs read.

rich is imported only by functions that draw with it: most commands print a line or JSON.
"""

from __future__ import annotations

import json
import sys
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, cast

from paygate.domain.money import Money
from paygate.domain.payment import PaymentStatus
from paygate.printing import printable, printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

WIDTH_MAX: Final = 100
"""Wider than this, lines are hard to read."""

STYLES: Final = {
    PaymentStatus.SUCCEEDED: "green",
    PaymentStatus.DECLINED: "red",
    PaymentStatus.FAILED: "red",
    PaymentStatus.UNKNOWN: "bold yellow",
}
"""The colours of the statuses that matter most."""


_WHOLE: Final = (
    *("Invoice", "Customer", "Currency", "Payment", "Due", "Date"),
    *("When", "Since", "What", "What, and about what"),
    *("Method", "Change", "Receipt", "State", "Expires"),
)
"""The columns that are never broken: ids, types and times are copied and searched for."""


_INDENT: Final = "  "
_HARD_SPACE: Final = "\x00"


def console(*, stderr: bool = False) -> Console:
    """Return a console on the current stdout (or stderr); to a pipe it writes plain text."""
    from paygate.cli.terminal import EscapingConsole

    made = EscapingConsole(stderr=stderr, highlight=False, markup=False)
    made.width = min(made.width, WIDTH_MAX)
    return made


def table(*columns: str, title: str = "") -> Table:
    """Return a table; a column whose name begins with ``>`` is aligned to the right."""
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
            no_wrap=right or column in ("", *_WHOLE),
            overflow="fold",
        )
    return made


def below(id_: str, *about: str) -> str:
    """Return an id, which stays whole, and details in lines below that are no longer than it.

    A longer word, such as a Bitcoin address, is shortened: it would take its width
    from all other columns. The command that shows one record shows it whole.
    """
    width = len(id_) - len(_INDENT)
    shown = (each if len(each) <= width else f"{each[:14]}…{each[-8:]}" for each in about if each)
    # A line is not broken inside a word that has spaces, only between two of them.
    joined = " · ".join(each.replace(" ", _HARD_SPACE) for each in shown)
    folded = folding(joined, width).replace(_HARD_SPACE, " ")
    return "\n".join([id_, *(f"{_INDENT}{line}" for line in folded.split("\n") if line)])


def add(to: Table, *cells: object, style: str = "") -> None:
    """Add a row of plain text: text from a ledger is never read as markup."""
    from rich.text import Text

    to.add_row(
        *(cell if isinstance(cell, Text) else Text(printable_lines(_text(cell))) for cell in cells),
        style=style,
    )


def write_sheet(rows: Mapping[str, object], title: str = "") -> None:
    """
    Write one record: a name and a value on each line; None is left out.

    A value with a word that does not fit, such as a link, has lines of its own, and is never
    broken: what the terminal wraps can still be copied.
    """
    from rich.text import Text

    out = console()
    if title:
        out.print(Text(title, style="bold"), soft_wrap=True)
    shown = {name: value for name, value in rows.items() if value is not None}
    indent = max(map(len, shown), default=0) + 2
    for name, value in shown.items():
        text = printable_lines(str(value) if isinstance(value, Text) else _text(value))
        style = value.style if isinstance(value, Text) else ""
        label = Text(f"{name:{indent}}", style="dim")
        if max(map(len, text.split()), default=0) > out.width - indent:
            out.print(label, soft_wrap=True)
            out.print(Text(text, style=style), soft_wrap=True)
        else:
            folded = folding(text, out.width - indent).replace("\n", "\n" + " " * indent)
            out.print(label + Text(folded, style=style), soft_wrap=True)


def folding(text: str, width: int) -> str:
    """Return *text* in lines of *width* characters; a longer word keeps a line of its own."""
    from textwrap import fill

    return "\n".join(
        fill(line, max(width, 1), break_long_words=False, break_on_hyphens=False)
        for line in text.split("\n")
    )


def status(of: PaymentStatus) -> Text:
    """Return a payment's status in its colour."""
    from rich.text import Text

    return Text(words(of), style=STYLES.get(of, ""))


def words(name: str) -> str:
    """Return a name of the code as words: ``requires_action`` is "requires action"."""
    return str(name).replace("_", " ")


def amount(money: Money) -> str:
    """Return an amount as text, with all digits of its currency: ``1,250.00 USD``."""
    return f"{money.decimal:,f} {money.currency}"


def plain(value: object) -> Any:
    """Return a value as JSON can hold it; a secret becomes dots."""
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
    """Return *value* as JSON in which everything that a terminal would act on is escaped."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(
        each if each == "\n" or printable(each) == each else json.dumps(each)[1:-1] for each in text
    )


def _text(cell: object) -> str:
    match cell:
        case Money():
            return amount(cell)
        case None:
            return ""
        case _:
            return str(cell)
