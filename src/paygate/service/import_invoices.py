"""Import invoices from a CSV file: every row is checked before any is issued.

`read_sheet` is pure: bytes in, good rows and problems by line out. The separators of columns and
decimals are never guessed: ``1,234`` may be one or a thousand. What only the ledger knows (a number
that has other facts) is checked in the transaction that issues the rows, so a file is imported
completely or not at all.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, fields
from datetime import date
from typing import TYPE_CHECKING, Final, TypeVar

from paygate.domain.currency import SCALES
from paygate.domain.customer import PostalAddress
from paygate.domain.money import Money, written
from paygate.domain.prepayment import assignment_key
from paygate.domain.text import IDS, identifier
from paygate.errors import (
    AssignmentConflict,
    ImportRejected,
    InvalidAmount,
    InvalidCurrency,
    InvalidValue,
    NumberReused,
    UsageError,
)
from paygate.ledger import customers, prepayments
from paygate.service import assignment, finding, issue
from paygate.service.flow import Flow, look, transact
from paygate.service.issue import Bill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from paygate.domain.invoice import Invoice
    from paygate.ledger.tx import Tx

NEEDED: Final = ("number", "customer", "currency", "total", "due")
"""The columns that every file has, in any order."""

IN_ADDRESS: Final = tuple(field.name for field in fields(PostalAddress))
CONTACT: Final = ("name", "email", "phone", *IN_ADDRESS)
"""The columns with contact facts of the customer, which apply also on known invoices.

An empty cell clears a fact. If rows of one customer differ, the last row applies.
"""

OPTIONAL: Final = ("assignment_key", *CONTACT)
"""The columns that a file may have."""

T = TypeVar("T")

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_SHOWN_MAX = 40
_MARKS = {".": "point", ",": "comma"}
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True)
class ImportProblem:
    """Why the row that begins on *line* cannot be imported."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class GoodRow:
    """A good row: its bill, the line on which it begins, and the *contact* facts of the file."""

    line: int
    bill: Bill
    contact: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The content of a file: the rows that can be issued, and the problems of the others."""

    rows: tuple[GoodRow, ...]
    problems: tuple[ImportProblem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """
    The result of an import: invoices issued now, those issued before, and rows left out.

    A dry run issues nothing; *would_issue* has the bills that it would issue.
    """

    issued: tuple[Invoice, ...]
    known: tuple[Invoice, ...]
    problems: tuple[ImportProblem, ...]
    would_issue: tuple[Bill, ...] = ()


def import_sheet(sheet: Sheet, *, skip_bad: bool, dry_run: bool) -> Flow[Imported]:
    """Issue the rows of *sheet* in one transaction, or raise `ImportRejected`."""
    if dry_run:
        return (yield from look(lambda tx: rehearse_in(tx, sheet, skip_bad=skip_bad)))
    return (yield from transact(lambda tx: import_in(tx, sheet, skip_bad=skip_bad)))


def import_in(tx: Tx, sheet: Sheet, *, skip_bad: bool) -> Imported:
    """Issue the rows of *sheet* in this transaction, or raise `ImportRejected`."""
    finding.hold(tx, (), *(row.bill.customer for row in sheet.rows))
    found = _compare(tx, sheet, skip_bad=skip_bad)
    for error in found.conflicts:
        assignment.emit_conflict(tx, error)
    known = found.known
    issued = tuple(issue.issue_in(tx, row.bill) for row in found.new)
    # In the order of the file, for new and known invoices: the last row applies.
    invoices = {invoice.number: invoice for invoice in (*issued, *known)}
    for row in sheet.rows:
        invoice = invoices.get(identifier(row.bill.number, "number"))
        if invoice is not None:
            customers.amend_contact(tx, invoice.customer, row.contact)
    return Imported(issued=issued, known=known, problems=found.problems)


def rehearse_in(tx: Tx, sheet: Sheet, *, skip_bad: bool) -> Imported:
    """Compare the rows of *sheet* with the ledger, and write nothing."""
    found = _compare(tx, sheet, skip_bad=skip_bad)
    bills = tuple(row.bill for row in found.new)
    return Imported(issued=(), known=found.known, problems=found.problems, would_issue=bills)


def read_sheet(
    content: bytes | str, *, delimiter: str = ",", encoding: str = "utf-8", decimal: str = "."
) -> Sheet:
    """
    Read a CSV file and check each row.

    Raises `ImportRejected` if the file as a whole cannot be read: it is empty, in another encoding,
    or its first line does not name the columns.
    """
    records = _records(_text(content, encoding), delimiter)
    names = _header(next(records, None), delimiter)
    rows: list[GoodRow] = []
    problems: list[ImportProblem] = []
    lines: dict[str, int] = {}
    for line, record in records:
        row = record if isinstance(record, str) else _row(line, names, record, decimal)
        if isinstance(row, GoodRow) and row.bill.number in lines:
            number = row.bill.number
            row = f"invoice {number} is on line {lines[number]} already"
        if isinstance(row, str):
            problems.append(ImportProblem(line, row))
        else:
            lines[row.bill.number] = line
            rows.append(row)
    return Sheet(rows=tuple(rows), problems=tuple(problems))


# --- The ledger's view ------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """The rows that are new, the invoices that exist, and all problems by line."""

    new: tuple[GoodRow, ...]
    known: tuple[Invoice, ...]
    problems: tuple[ImportProblem, ...]
    conflicts: tuple[AssignmentConflict, ...]


def _compare(tx: Tx, sheet: Sheet, *, skip_bad: bool) -> _Compared:
    """
    Compare the rows of *sheet* with the ledger.

    Raises `ImportRejected` for problems, unless bad rows are to be skipped.
    """
    new: list[GoodRow] = []
    known: list[Invoice] = []
    owners: dict[tuple[str, str], str] = {}
    conflicts: list[AssignmentConflict] = []
    problems = list(sheet.problems)
    for row in sheet.rows:
        try:
            found = issue.already_issued(tx, row.bill)
            _check_key(tx, row.bill, owners)
        except (NumberReused, AssignmentConflict) as error:
            problems.append(ImportProblem(row.line, error.message))
            if isinstance(error, AssignmentConflict):
                conflicts.append(error)
            continue
        if found is None:
            new.append(row)
        else:
            known.append(found)
    problems.sort(key=lambda problem: problem.line)
    if problems and not skip_bad:
        raise _rejected(problems, total=len(sheet.rows) + len(sheet.problems))
    return _Compared(
        new=tuple(new), known=tuple(known), problems=tuple(problems), conflicts=tuple(conflicts)
    )


def _check_key(tx: Tx, bill: Bill, owners: dict[tuple[str, str], str]) -> None:
    """Raise `AssignmentConflict` if a key is of another customer, in the ledger or the file."""
    if bill.assignment_key is None:
        return
    named = (bill.total.currency, bill.assignment_key)
    customer = bill.customer if isinstance(bill.customer, str) else bill.customer.id
    owner = owners.get(named) or prepayments.owner_of_key(tx, *named) or customer
    if owner != customer:
        raise assignment.conflict(*named, customer, owner)
    owners[named] = customer


def _rejected(problems: Sequence[ImportProblem], total: int) -> ImportRejected:
    first = problems[0]
    return ImportRejected(
        f"{len(problems)} of {total} rows cannot be imported, so none has been; "
        f"the first is on line {first.line}: {first.reason}",
        problems=[(problem.line, problem.reason) for problem in problems],
    )


# --- The file -----------------------------------------------------------------------


def _text(content: bytes | str, encoding: str) -> str:
    if isinstance(content, str):
        return content.removeprefix("\ufeff")
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except UnicodeError as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        line = content.count(b"\n", 0, start) + 1
        name = encoding.upper()
        reason = f"this is not {name} text; save the file as CSV in {name}, or name its encoding="
        raise _unreadable(line, reason) from None


def _unreadable(line: int, reason: str) -> ImportRejected:
    return ImportRejected(
        f"the file cannot be imported: line {line}: {reason}", problems=[(line, reason)]
    )


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """
    Yield the records that are not blank, each with its first line, or the problem with it.

    Raises `ImportRejected` if an open quote joins all lines up to the end of the file.
    """
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, strict=True, delimiter=delimiter)
    while True:
        line = reader.line_num + 1
        try:
            record = [field.strip() for field in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            yield line, _unread(line, reader.line_num, error, at_end=lines.tell() == len(text))
            continue
        if any(record):
            yield line, record


def _unread(line: int, last: int, error: csv.Error, *, at_end: bool) -> str:
    """Return why a row is not CSV and which lines it joins; raise if it joins all that follow."""
    if last == line:
        return f"the row is not CSV: {error}"
    if at_end:
        raise _unreadable(
            line,
            f"a quote that opens here is not closed, so the row and the {last - line:,} lines "
            "after it, to the end of the file, would not be read; close the quote",
        )
    return f"the row is not CSV: {error}; a quote joins lines {line} to {last}, which are not read"


def _header(first: tuple[int, list[str] | str] | None, delimiter: str) -> list[str]:
    if first is None:
        raise _unreadable(1, f"the file is empty; its first line names the columns {_COLUMNS}")
    line, record = first
    if isinstance(record, str):
        raise _unreadable(line, record)
    names = [name.lower() for name in record]
    missing = [name for name in NEEDED if name not in names]
    others = [mark for mark in _DELIMITERS if mark != delimiter and mark in names[0]]
    if missing and len(names) == 1 and others:
        reason = (
            f"columns are not separated by {delimiter!r}; it looks like delimiter={others[0]!r}"
        )
        raise _unreadable(line, reason)
    if missing:
        reason = f"the first line does not name {', '.join(missing)}; the columns are {_COLUMNS}"
        raise _unreadable(line, reason)
    strange = [_shown(name) for name in names if name not in (*NEEDED, *OPTIONAL)]
    if strange:
        reason = f"there is no column {', '.join(strange)}; the columns are {_COLUMNS}"
        raise _unreadable(line, reason)
    if len(set(names)) < len(names):
        raise _unreadable(line, "the first line names a column twice")
    return names


_COLUMNS = f"{', '.join(NEEDED)} (and {', '.join(OPTIONAL)})"


def _row(line: int, names: Sequence[str], record: Sequence[str], decimal: str) -> GoodRow | str:
    """Return a row, or a text with all of its problems."""
    if len(record) != len(names):
        return f"the row has {len(record)} fields, the first line names {len(names)}"
    fields = dict(zip(names, record, strict=True))
    wrong = [f"{name} is empty" for name in NEEDED if not fields[name]]
    if fields["number"].startswith(IDS):
        wrong.append(f"number begins with {' or '.join(IDS)}, as ids of the ledger do")
    if wrong:
        return "; ".join(wrong)
    contact: dict[str, str] = {name: fields[name] for name in CONTACT if name in fields}
    customer = _noting(wrong, lambda: _customer(fields["customer"], contact))
    total = _noting(wrong, lambda: _total(fields, decimal))
    due = _noting(wrong, lambda: _due(fields))
    written_key = fields.get("assignment_key", "")
    key = _noting(wrong, lambda: assignment_key(written_key)) if written_key else None
    if wrong or customer is None or total is None or due is None:
        return "; ".join(wrong)
    bill = Bill(
        number=fields["number"], customer=customer, total=total, due=due, assignment_key=key
    )
    try:
        issue.check(bill)
    except UsageError as error:
        return error.message
    return GoodRow(line, bill, contact)


def _noting(wrong: list[str], read: Callable[[], T]) -> T | None:
    """Return a field, or None and a note in *wrong*."""
    try:
        return read()
    except UsageError as error:
        wrong.append(error.message)
        return None


def _customer(id_: str, contact: Mapping[str, str]) -> str:
    spelled = identifier(id_, "customer")
    wrong = [name for name, text in contact.items() if not text.isprintable()]
    if wrong:
        raise InvalidValue(f"{' and '.join(wrong)} must be printable text of one line")
    return spelled


def _total(fields: Mapping[str, str], decimal: str) -> Money:
    currency, total = fields["currency"], fields["total"]
    other = "," if decimal == "." else "."
    try:
        if other in total and currency in SCALES:
            raise InvalidAmount(
                f"{_shown(total)} has a {_MARKS[other]}, but the decimal separator is a "
                f"{_MARKS[decimal]}; write thousands without a separator, or pass decimal={other!r}"
            )
        return written(currency, total.replace(decimal, "."))
    except InvalidCurrency as error:
        raise InvalidValue(f"currency: {error.message}") from None
    except UsageError as error:
        raise InvalidValue(f"total: {error.message}") from None


def _due(fields: Mapping[str, str]) -> date:
    # fromisoformat alone would also read week dates, and dates without hyphens.
    if _DATE.fullmatch(fields["due"]):
        try:
            return date.fromisoformat(fields["due"])
        except ValueError:
            pass
    raise InvalidValue(f"due is a date such as 2026-12-01, not {_shown(fields['due'])}")


def _shown(text: str) -> str:
    """Return a field of the file, quoted and shortened for a message."""
    return repr(text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…")
