"""How output looks: consoles, tables, amounts, and the JSON that programs read.

rich is imported only by functions that draw with it: most commands print a line or JSON.
"""

from __future__ import annotations

import json
import sys
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, cast

from paygate.cli.width import room
from paygate.domain.money import Money
from paygate.domain.payment import PaymentStatus
from paygate.printing import printable, printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.console import Console
    from rich.text import Text

    from paygate.cli.grid import Grid

WIDTH_MAX: Final = 100
"""Wider than this, lines are hard to read."""

STYLES: Final = {
    PaymentStatus.SUCCEEDED: "green",
    PaymentStatus.DECLINED: "red",
    PaymentStatus.FAILED: "red",
    PaymentStatus.UNKNOWN: "bold yellow",
}
"""The colors of the statuses that matter most."""


_WHOLE: Final = (
    *("Invoice", "Customer", "Currency", "Payment", "Due", "Date"),
    *("When", "Since", "What", "What, and about what"),
    *("Method", "Change", "Receipt", "State", "Expires"),
)
"""The columns that are never broken: ids, types and times are copied and searched for."""


_HYPHENATED: Final = {"e_check": "e-check"}
_INDENT: Final = "  "
_HARD_SPACE: Final = "\x00"


def console(*, stderr: bool = False) -> Console:
    """Return a console on the current stdout (or stderr); to a pipe it writes plain text."""
    from paygate.cli.terminal import EscapingConsole

    return EscapingConsole(stderr=stderr)


def prose_width(indent: int = 0, *, stderr: bool = False) -> int | None:
    """Return the columns that text may take to the right of *indent*; None if all it needs."""
    columns = room(stderr=stderr)
    return None if columns is None else max(min(columns, WIDTH_MAX) - indent, 1)


def table(*columns: str, indent: int = 0) -> Grid:
    """Return a table; a column whose name begins with ``>`` is aligned to the right."""
    from paygate.cli.grid import Column, Grid

    made = [
        Column(heading, right=column.startswith(">"), whole=heading in ("", *_WHOLE))
        for column in columns
        for heading in [column.removeprefix(">")]
    ]
    return Grid(made, room=room(), indent=indent)


def below(id_: str, *about: str) -> str:
    """Return an id, and details in lines below that are no longer than it if their words allow."""
    # A line is not broken inside a value that has spaces, only between two of them.
    joined = " · ".join(each.replace(" ", _HARD_SPACE) for each in about if each)
    folded = folding(joined, len(id_) - len(_INDENT)).replace(_HARD_SPACE, " ")
    return "\n".join([id_, *(f"{_INDENT}{line}" for line in folded.split("\n") if line)])


def add(to: Grid, *cells: object, style: str = "") -> None:
    """Add a row of plain text: text from a ledger is never read as markup."""
    from rich.text import Text

    texts = (
        cell if isinstance(cell, Text) else Text(printable_lines(_text(cell))) for cell in cells
    )
    to.add(*texts, style=style)


def write_sheet(rows: Mapping[str, object]) -> None:
    """
    Write one record: a name and a value on each line; None is left out.

    A value with a word that does not fit, such as a link, has lines of its own, and is never
    broken: what the terminal wraps can still be copied.
    """
    from rich.text import Text

    out = console()
    shown = {name: value for name, value in rows.items() if value is not None}
    indent = max(map(len, shown), default=0) + 2
    width = prose_width(indent)
    for name, value in shown.items():
        text = printable_lines(str(value) if isinstance(value, Text) else _text(value))
        style = value.style if isinstance(value, Text) else ""
        label = Text(f"{name:{indent}}", style="dim")
        if width is not None and max(map(len, text.split()), default=0) > width:
            out.print(label)
            out.print(Text(text, style=style))
        else:
            folded = folding(text, width).replace("\n", "\n" + " " * indent)
            out.print(label + Text(folded, style=style))


def say(text: str, *, style: str = "", stderr: bool = False) -> None:
    """Write a line of text, which is folded between words if there is a terminal."""
    from rich.text import Text

    folded = folding(text, prose_width(stderr=stderr))
    console(stderr=stderr).print(Text(folded, style=style))


def folding(text: str, width: int | None) -> str:
    """
    Return *text* in lines of *width* characters; a longer word keeps a line of its own.

    Without a width the text stays as it is.
    """
    from textwrap import fill

    if width is None:
        return text
    return "\n".join(
        fill(line, max(width, 1), break_long_words=False, break_on_hyphens=False)
        for line in text.split("\n")
    )


def status(of: PaymentStatus) -> Text:
    """Return a payment's status in its color."""
    from rich.text import Text

    return Text(words(of), style=STYLES.get(of, ""))


def words(name: str) -> str:
    """Return a name of the code as words: ``requires_action`` is "requires action"."""
    return _HYPHENATED.get(name, str(name).replace("_", " "))


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


def write_line(value: object) -> None:
    """Write one JSON document on a line of its own, at once."""
    sys.stdout.write(as_json(plain(value)) + "\n")
    sys.stdout.flush()


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
