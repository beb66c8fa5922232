"""The invoice run: one invoice for each order of a source, in groups of one transaction each.

A run remembers nothing of its own. Each order takes its id as a key in the transaction that issues
its invoice, and the key stores a digest of what was ordered. So a run can end at any moment, and
the next one finds every order in one of three states: not issued yet; issued with the same facts,
which changes nothing; or issued with other facts, which is refused. Where a run stopped is only a
hint that saves reading.

A group locks its customers first, all of them, and takes numbers of the series last. An order that
is refused is left out of its group; everything that can refuse it is read before anything of the
group is written. A dry run does the same reading, and keeps what the orders before would have
written in a temporary file, so that it gives the same answers.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from paygate.domain.money import Money
from paygate.domain.prepayment import KEY_LENGTH_MAX, assignment_key
from paygate.errors import (
    AssignmentConflict,
    ImportRejected,
    KeyReused,
    NumberReused,
    OrderSourceFailed,
    PaygateError,
    UsageError,
)
from paygate.ledger import items, keys, prepayments
from paygate.printing import shown
from paygate.service import assignment, finding, issue, orders
from paygate.service.flow import Flow, look, repeatable
from paygate.service.issue import Bill
from paygate.service.order_files import SourcedOrder
from paygate.service.orders import InvoiceOrder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from paygate.domain.number_series import NumberSeries
    from paygate.ledger.tx import Tx

OrderSource: TypeAlias = "Iterable[InvoiceOrder | Mapping[str, Any] | SourcedOrder]"
"""What a run reads: orders, mappings with the fields of orders, or what a file reader yields."""

GROUP: Final = 200
"""How many orders are issued in one transaction, unless the caller says otherwise."""

REFUSALS_MAX: Final = 1_000
"""How many refusals a report lists; the others are counted, and passed to *on_refusal*."""

OPERATION: Final = "order"
"""The operation of the keys that orders take."""


@dataclass(frozen=True, slots=True)
class OrderRefusal:
    """An order that got no invoice: where it is in its source, its id if it has one, and why."""

    source: str
    order: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceRun:
    """
    What a run did: invoices issued, orders that had one already, and refusals.

    `read` is how many orders of the source were read, those passed over included; to go on after
    an interruption, pass it as *skip*. `totals` are the sums of what was issued, by currency. A dry
    run issues nothing, and counts what it would issue.
    """

    read: int = 0
    issued: int = 0
    known: int = 0
    refused: int = 0
    totals: Mapping[str, Money] = field(default_factory=dict[str, Money])
    refusals: Sequence[OrderRefusal] = ()
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """How a run is to be made."""

    source: OrderSource
    series: NumberSeries | None = None
    group: int = GROUP
    skip: int = 0
    dry_run: bool = False
    progress: Callable[[InvoiceRun], object] | None = None
    on_refusal: Callable[[OrderRefusal], object] | None = None


@dataclass(frozen=True, slots=True)
class _Read:
    """An order that was read, or why it could not be."""

    source: str
    order: InvoiceOrder | None
    problem: str = ""
    id: str = ""


def run(wanted: RunOrder) -> Flow[InvoiceRun]:
    """Issue an invoice for each order of a source."""
    report = _Report(wanted)
    reading = _each(wanted)
    with closing(_Rehearsal()) as rehearsal:
        while True:
            try:
                group = _take(reading, wanted.group)
            except _Broken as broken:
                # What was read before the source failed is issued; then the failure is reported.
                yield from _issue(wanted, broken.read, report, rehearsal)
                raise _source_failed(broken.cause, report.now()) from broken.cause
            if not group:
                return report.now()
            yield from _issue(wanted, group, report, rehearsal)


def _issue(
    wanted: RunOrder, group: Sequence[_Read], report: _Report, rehearsal: _Rehearsal
) -> Flow[None]:
    if not group:
        return
    if wanted.dry_run:
        done = yield from look(partial(_rehearse_in, group=group, wanted=wanted, told=rehearsal))
        rehearsal.add(done.notes)
    else:
        done = yield from repeatable(partial(issue_in, group=group, series=wanted.series))
    report.add(group, done)


# --- Reading the source -----------------------------------------------------------------------


class _Broken(Exception):
    """Raised when the source fails, with the orders that were read since the last group."""

    def __init__(self, read: list[_Read], cause: Exception) -> None:
        super().__init__()
        self.read, self.cause = read, cause


def _each(wanted: RunOrder) -> Iterator[_Read]:
    for place, each in enumerate(wanted.source, 1):
        if place > wanted.skip:
            yield _read(place, each)


def _take(reading: Iterator[_Read], count: int) -> list[_Read]:
    """Return up to *count* orders, none at the end; raise `_Broken` if the source fails."""
    found: list[_Read] = []
    try:
        for each in reading:
            found.append(each)
            if len(found) == count:
                break
    except Exception as error:
        raise _Broken(found, error) from error
    return found


def _read(place: int, given: object) -> _Read:
    source = f"order {place}"
    if isinstance(given, InvoiceOrder):
        return _Read(source, given, id=given.id)
    facts = given
    if isinstance(given, SourcedOrder):
        source, facts = given.source, given.facts
    named = cast("Mapping[str, Any]", facts).get("order") if hasattr(facts, "get") else ""
    id_ = named if isinstance(named, str) else ""
    if isinstance(given, SourcedOrder) and given.problem:
        return _Read(source, None, given.problem, id_)
    try:
        return _Read(source, orders.read_order(cast("Mapping[str, Any]", facts)), id=id_)
    except UsageError as error:
        return _Read(source, None, error.message, id_)


def _source_failed(error: Exception, report: InvoiceRun) -> PaygateError:
    if isinstance(error, ImportRejected):
        what = error.message
    else:
        what = f"{type(error).__name__}: {shown(str(error))}"
    return OrderSourceFailed(
        f"the source of the orders failed after {report.read:,} of them ({what}); those before it "
        f"are done: repair the source and run it again, from the beginning or with "
        f"skip={report.read}",
        report=report,
        read=report.read,
    )


# --- Issuing a group --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Done:
    """What became of the orders of a group: issued, known, or the reason of a refusal."""

    states: Sequence[str]
    """By order: ``issued``, ``known``, or the reason."""
    notes: Mapping[str, str] = field(default_factory=dict[str, str])
    """What a dry run would have written."""


_ISSUED: Final = "issued"
_KNOWN: Final = "known"


def bill_of(order: InvoiceOrder, series: NumberSeries | None) -> Bill:
    """Return the invoice that an order becomes."""
    return Bill(
        number=order.number,
        customer=order.customer,
        total=order.total,
        due=order.due,
        on=order.on,
        assignment_key=order.assignment_key or _key_of(order.id),
        text=order.text,
        series=None if order.number else series,
        key=order.id,
        operation=OPERATION,
    )


def _key_of(id_: str) -> str | None:
    """Return the id of an order as an assignment key, if it can be one."""
    return assignment_key(id_) if len(id_) <= KEY_LENGTH_MAX else None


def issue_in(tx: Tx, *, group: Sequence[_Read], series: NumberSeries | None) -> _Done:
    """Issue the invoices of a group of orders in this transaction."""
    finding.hold(tx, (), *(each.order.customer for each in group if each.order is not None))
    seen = _Ledger(tx)
    states: list[str] = []
    for each in group:
        state, bill = _decided(each, series, seen)
        if bill is not None and each.order is not None:
            issue.issue_in(tx, bill)
        states.append(state)
    for error in seen.conflicts:
        assignment.emit_conflict(tx, error)
    return _Done(states)


def _rehearse_in(tx: Tx, *, group: Sequence[_Read], wanted: RunOrder, told: _Rehearsal) -> _Done:
    """Return what `issue_in` would do, with notes for the rest of the run."""
    seen = _Ledger(tx, told)
    states: list[str] = []
    for each in group:
        state, bill = _decided(each, wanted.series, seen)
        if bill is not None:
            seen.notes |= _notes_of(bill)
        states.append(state)
    return _Done(states, seen.notes)


def _notes_of(bill: Bill) -> dict[str, str]:
    """Return what later orders would find in the ledger if an invoice had been issued."""
    notes = {f"order {bill.key}": issue.print_of(bill)}
    if bill.assignment_key is not None:
        notes[f"key {bill.total.currency}/{bill.assignment_key}"] = bill.customer_id
    if bill.number:
        notes[f"number {bill.number}"] = bill.key
    return notes


def _decided(each: _Read, series: NumberSeries | None, seen: _Ledger) -> tuple[str, Bill | None]:
    """Return what becomes of an order, and its invoice if it is to be issued."""
    order = each.order
    if order is None:
        return each.problem, None
    try:
        bill = bill_of(order, series)
        if not order.number and series is None:
            return "it has no number, and the run has no series", None
        issue.check(bill)
        print_ = seen.print_of(order.id)
        if print_ is not None:
            if print_ == issue.print_of(bill):
                return _KNOWN, None
            raise KeyReused(
                f"order {shown(order.id)} was invoiced with other facts; void that invoice, and "
                "give the corrected order an id of its own",
                key=order.id,
                operation=OPERATION,
            )
        seen.check_key(bill)
        if order.number and seen.has_number(order.number):
            raise NumberReused(
                f"another invoice has the number {order.number}",
                number=order.number,
                differs=["order"],
            )
    except UsageError as error:
        return error.message, None
    except AssignmentConflict as error:
        seen.conflicts.append(error)
        return error.message, None
    return _ISSUED, bill


class _Ledger:
    """What the ledger says about orders, with what a dry run would have written."""

    def __init__(self, tx: Tx, rehearsal: _Rehearsal | None = None) -> None:
        self._tx, self._rehearsal = tx, rehearsal
        self.notes: dict[str, str] = {}
        self.conflicts: list[AssignmentConflict] = []

    def print_of(self, order: str) -> str | None:
        """Return the fingerprint of the order that was invoiced under this id."""
        return self._noted(f"order {order}") or keys.print_of(self._tx, OPERATION, order)

    def _noted(self, name: str) -> str | None:
        if self._rehearsal is None:
            return None
        return self.notes.get(name) or self._rehearsal.of(name)

    def check_key(self, bill: Bill) -> None:
        """Raise `AssignmentConflict` if the assignment key belongs to another customer."""
        key, currency = bill.assignment_key, bill.total.currency
        if key is None:
            return
        owner = prepayments.owner_of_key(self._tx, currency, key)
        if owner is None:
            owner = self._noted(f"key {currency}/{key}")
        if owner not in (None, bill.customer_id):
            raise assignment.conflict(currency, key, bill.customer_id, owner)

    def has_number(self, number: str) -> bool:
        """Return whether an invoice has this number."""
        if self._noted(f"number {number}") is not None:
            return True
        return items.by_number(self._tx, number) is not None


class _Rehearsal:
    """What a dry run would have written, in a temporary file that SQLite keeps on disk."""

    def __init__(self) -> None:
        self._file: sqlite3.Connection | None = None

    def of(self, name: str) -> str | None:
        """Return what was noted under a name, or None."""
        if self._file is None:
            return None
        found = self._file.execute("SELECT value FROM note WHERE name = ?", [name]).fetchone()
        return None if found is None else str(found[0])

    def add(self, notes: Mapping[str, str]) -> None:
        """Note what the orders of a group would have written."""
        if self._file is None:
            self._file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._file.execute("CREATE TABLE note (name TEXT PRIMARY KEY, value) WITHOUT ROWID")
        rows = list(notes.items())
        self._file.execute("BEGIN")
        self._file.executemany("INSERT OR IGNORE INTO note VALUES (?, ?)", rows)
        self._file.execute("COMMIT")

    def close(self) -> None:
        """Remove the file."""
        if self._file is not None:
            self._file.close()


# --- The report -------------------------------------------------------------------------------


class _Report:
    """Counts what a run does, with little memory, and reports the progress after each group."""

    def __init__(self, wanted: RunOrder) -> None:
        self._wanted = wanted
        self._read = wanted.skip
        self._issued = self._known = self._refused = 0
        self._totals: dict[str, int] = {}
        self._refusals: list[OrderRefusal] = []

    def add(self, group: Sequence[_Read], done: _Done) -> None:
        """Count a group."""
        for each, state in zip(group, done.states, strict=True):
            self._read += 1
            if state == _ISSUED and each.order is not None:
                self._issued += 1
                total = each.order.total
                self._totals[total.currency] = self._totals.get(total.currency, 0) + total.minor
            elif state == _KNOWN:
                self._known += 1
            else:
                self._refuse(OrderRefusal(each.source, each.id, state))
        if self._wanted.progress is not None:
            self._wanted.progress(self.now())

    def _refuse(self, refusal: OrderRefusal) -> None:
        self._refused += 1
        if len(self._refusals) < REFUSALS_MAX:
            self._refusals.append(refusal)
        if self._wanted.on_refusal is not None:
            self._wanted.on_refusal(refusal)

    def now(self) -> InvoiceRun:
        """Return the report so far."""
        return InvoiceRun(
            read=self._read,
            issued=self._issued,
            known=self._known,
            refused=self._refused,
            totals={name: Money(name, minor) for name, minor in sorted(self._totals.items())},
            refusals=tuple(self._refusals),
            dry_run=self._wanted.dry_run,
        )
