"""Files of orders, read one order at a time: CSV, JSON, or JSON Lines.

A file of orders may be larger than memory, so it is read as a stream, and each order comes with the
line on which it begins. What cannot be read as an order is one problem of that line; what makes
the rest of the file unreadable ends the reading.

In CSV an order is a row, or several rows in a row with the same id: the first row is the parent,
with the facts of the order, and each row may have the facts of a line. A parent without a line of
its own, followed by children, is the same.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

from paygate.errors import ImportRejected, InvalidValue
from paygate.printing import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

OF_ORDER: Final = (
    *("order", "customer", "currency", "due", "on", "number", "assignment_key", "total"),
    "rounding",
)
"""The columns with facts of an order."""

OF_LINE: Final = (
    *("description", "quantity", "unit", "unit_price", "amount", "tax_category", "from", "until"),
)
"""The columns with facts of a line of an order."""

OF_TAX: Final = ("tax_name", "tax_rate", "tax_amount")
"""The columns of the tax on the lines with the category of a row."""

_CHUNK: Final = 64 * 1024
_ORDER_MAX: Final = 4 * 1024 * 1024
_BLANK: Final = " \t\r\n"


@dataclass(frozen=True, slots=True)
class SourcedOrder:
    """An order as it was read, and where; *problem* says why it could not be read."""

    source: str
    facts: Mapping[str, Any]
    problem: str = ""


def read_orders(
    file: Path | str, *, kind: str | None = None, delimiter: str = ",", encoding: str = "utf-8"
) -> Iterator[SourcedOrder]:
    """
    Yield the orders in a file, for `Cashier.invoice_run`; only one is in memory at a time.

    *kind* is ``"csv"`` or ``"json"`` (also JSON Lines); by default the end of the name says it.
    Raises `ImportRejected`, with the line, if the file as a whole cannot be read.
    """
    path = Path(file)
    kind = kind or path.suffix.lower().lstrip(".")
    if kind not in ("csv", "json", "jsonl", "ndjson"):
        raise InvalidValue(
            f"{shown(path.name)} does not say how to read it: pass kind='csv' or kind='json'",
            argument="kind",
        )
    with path.open(encoding=encoding, newline="" if kind == "csv" else None) as opened:
        yield from read_csv(opened, delimiter=delimiter) if kind == "csv" else read_json(opened)


# --- CSV --------------------------------------------------------------------------------------


def read_csv(lines: Iterable[str], *, delimiter: str = ",") -> Iterator[SourcedOrder]:
    """Yield the orders in a CSV file; rows in a row with the same id are one order."""
    reader = csv.reader(lines, strict=True, delimiter=delimiter)
    names = _header(reader)
    current: list[tuple[int, dict[str, str]]] = []
    for line, row in _rows(reader, names):
        if isinstance(row, str):
            if current:
                yield _order_of(current)
                current = []
            yield SourcedOrder(f"line {line}", {}, row)
            continue
        if current and row["order"] not in ("", current[0][1]["order"]):
            yield _order_of(current)
            current = []
        current.append((line, row))
    if current:
        yield _order_of(current)


def _header(reader: Iterator[list[str]]) -> list[str]:
    try:
        first = next(reader, list[str]())
    except csv.Error as error:
        raise _unreadable(1, f"the first line is not CSV: {error}") from None
    names = [each.strip().removeprefix("\ufeff").lower() for each in first]
    known = (*OF_ORDER, *OF_LINE, *OF_TAX)
    missing = [name for name in ("order", "customer", "currency", "due") if name not in names]
    strange = [name for name in names if name not in known]
    if missing:
        raise _unreadable(1, f"the first line does not name {', '.join(missing)}")
    if strange:
        raise _unreadable(
            1, f"there is no column {shown(strange[0])}; the columns are {', '.join(known)}"
        )
    if len(set(names)) < len(names):
        raise _unreadable(1, "the first line names a column twice")
    return names


def _unreadable(line: int, reason: str) -> ImportRejected:
    return ImportRejected(
        f"the file of orders cannot be read: line {line}: {reason}", problems=[(line, reason)]
    )


def _rows(reader: Any, names: Sequence[str]) -> Iterator[tuple[int, dict[str, str] | str]]:
    while True:
        line = reader.line_num + 1
        try:
            record = [each.strip() for each in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            yield line, f"the row is not CSV: {error}"
            continue
        if not any(record):
            continue
        if len(record) != len(names):
            yield line, f"the row has {len(record)} fields, the first line names {len(names)}"
            continue
        yield line, dict(zip(names, record, strict=True))


def _order_of(rows: Sequence[tuple[int, dict[str, str]]]) -> SourcedOrder:
    """Return the order of some rows: the parent, and the lines of it and of its children."""
    first, parent = rows[0]
    source = f"line {first}"
    for line, row in rows[1:]:
        differs = [name for name in OF_ORDER if row.get(name, "") not in ("", parent.get(name, ""))]
        if differs:
            problem = f"line {line} has another {differs[0]} than line {first}, the first of it"
            return SourcedOrder(source, parent, problem)
    facts: dict[str, Any] = {name: parent[name] for name in OF_ORDER if parent.get(name)}
    lines = [
        {name: row[name] for name in OF_LINE if row.get(name)}
        for _, row in rows
        if any(row.get(name) for name in OF_LINE)
    ]
    taxes: dict[tuple[str, str, str], dict[str, str]] = {}
    for _, row in rows:
        if row.get("tax_name") or row.get("tax_rate"):
            named = (row.get("tax_name", ""), row.get("tax_rate", ""), row.get("tax_category", ""))
            tax = taxes.setdefault(
                named, {"name": named[0], "rate": named[1], "category": named[2]}
            )
            if row.get("tax_amount"):
                tax["amount"] = row["tax_amount"]
    if lines:
        facts |= {"lines": lines, "tax": list(taxes.values())}
    return SourcedOrder(source, facts)


# --- JSON -------------------------------------------------------------------------------------


def read_json(file: TextIO) -> Iterator[SourcedOrder]:
    """
    Yield the orders in a JSON file: one array of objects, or one object after the other.

    An object is an order with its lines. It may have ``children``: objects with the facts of a
    line each, or with ``lines`` of their own.
    """
    text = _Text(file)
    listed = text.peek() == "["
    if listed:
        text.take()
    while True:
        char = text.peek()
        if char == "" or (listed and char == "]"):
            if listed and char == "":
                raise text.unreadable("the file ends inside its list of orders")
            return
        line = text.line
        value = text.value()
        if text.peek() == ",":
            text.take()
        yield _sourced(f"line {line}", value)


def _sourced(source: str, value: object) -> SourcedOrder:
    if not isinstance(value, Mapping):
        return SourcedOrder(source, {}, f"an order is an object, not {shown(str(value))}")
    facts = dict(cast("Mapping[str, Any]", value))
    children = facts.pop("children", None)
    if children is None:
        return SourcedOrder(source, facts)
    if not isinstance(children, list):
        return SourcedOrder(source, facts, "children must be a list of objects")
    lines: list[object] = _listed(facts, "lines")
    tax: list[object] = _listed(facts, "tax")
    for child in cast("Sequence[Any]", children):
        if isinstance(child, dict) and "lines" in child:
            lines += _listed(cast("dict[str, Any]", child), "lines")
            tax += [
                each for each in _listed(cast("dict[str, Any]", child), "tax") if each not in tax
            ]
        else:
            lines.append(cast("object", child))
    return SourcedOrder(source, {**facts, "lines": lines, "tax": tax})


def _listed(facts: Mapping[str, Any], name: str) -> list[object]:
    """Return a list in *facts*; what is no list is one element, which the reader refuses."""
    found: object = facts.get(name)
    if found is None:
        return []
    return list(cast("Sequence[object]", found)) if isinstance(found, list) else [found]


class _Text:
    """A stream of JSON values, of which only the current one is in memory."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._buffer = ""
        self._ended = False
        self._decoder = json.JSONDecoder(parse_float=_NotExact)
        self.line = 1

    def peek(self) -> str:
        """Return the next character that is not blank; empty at the end."""
        while True:
            rest = self._buffer.lstrip(_BLANK + "\ufeff")
            self.line += self._buffer.count("\n", 0, len(self._buffer) - len(rest))
            self._buffer = rest
            if rest or not self._more():
                return rest[:1]

    def take(self) -> None:
        """Pass over the next character."""
        self._buffer = self._buffer[1:]

    def value(self) -> object:
        """Return the next value."""
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer)
            except ValueError as error:
                if len(self._buffer) <= _ORDER_MAX and self._more():
                    continue
                raise self.unreadable(f"this is not JSON: {error}") from None
            if end == len(self._buffer) and self._more():
                continue  # a number may go on
            self.line += self._buffer.count("\n", 0, end)
            self._buffer = self._buffer[end:]
            return value

    def unreadable(self, reason: str) -> ImportRejected:
        """Return the error that the rest of the file cannot be read."""
        return _unreadable(self.line, reason)

    def _more(self) -> bool:
        if self._ended:
            return False
        chunk = self._file.read(max(_CHUNK, len(self._buffer)))
        self._ended = not chunk
        self._buffer += chunk
        return not self._ended


class _NotExact(float):
    """A number with a point, which the reader of an order refuses: it is not exact."""
