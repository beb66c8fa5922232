"""Roots: what a unit of work locks first, so that two of them cannot both find room for one thing.

The rules of the books read before they write: is the payment still whole, is the invoice open, is
there a default method? On PostgreSQL two transactions side by side could both read the state
before either has written. So a unit that writes first locks the *roots* of what it will read and
change, and holds them until it is durable. Units with no root in common run side by side.

- *Customer*: everything about a customer's money: invoices, payments with their attempts, claims,
  receipts, allocations and postings; credit, reversals, chargebacks, methods, mandates, numbers to
  pay to, contact facts. A payment has two of them if somebody else pays. The row of the customer is
  locked; for a customer who is not known yet, their share of those who are not.
- *Payment*: a payment of which nobody knows whose it is. Its own row is locked.
- *Events*: the positions of events, which the publisher gives (see `outbox`).
- *Sink*: how far a sink has read, and the events that were set aside for it.
- *Feed*: the cursor of an account's feed, and what its gateway remembers beside it.
- *Notice*: what was told under one id of an event, so that two versions of it are compared.
- *Ledger*: all of the above at once; no other unit writes meanwhile. It is for what concerns every
  row: stopping and resuming, marking a ledger as live or test, putting secrets under another key.

The rest needs no root (`ROOTLESS`): one statement decides, by a unique constraint or a condition.

A unit that finds out late what it touches asks for the root then. Because it has already read, it
is undone and done again with that root locked before anything is read (`HoldFirst`). Roots are
always locked in the order of the list from below to above, and of their names, so units never wait
for each other in a circle.

On SQLite one unit writes at a time, so there nothing is locked, and nothing is asked here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from paygate.ledger.tx import Tx


class RootKind(IntEnum):
    """What kind of thing a root is, in the order in which they are locked."""

    LEDGER = 0
    """Everything."""
    NOTICE = 1
    """What was told under the ids of some events."""
    FEED = 2
    """The feed of an account."""
    EVENTS = 3
    """The positions of events."""
    SINK = 4
    """A reader of events."""
    PAYMENT = 5
    """A payment of which nobody knows whose it is."""
    CUSTOMER = 6
    """Everything about the money of a customer."""


@dataclass(frozen=True, slots=True, order=True)
class Root:
    """One thing to be locked, by its kind, tenant and name."""

    kind: RootKind
    tenant: str = ""
    name: str = ""

    @property
    def share(self) -> str:
        """The name of the share that this root is in; a transaction holds only so many locks."""
        return f"{self.kind.name}/{self.tenant}/{crc32(self.name.encode()) % _SHARES}"

    def __str__(self) -> str:
        return f"{self.kind.name}/{self.tenant}/{self.name}"


LEDGER: Final = Root(RootKind.LEDGER)
"""The whole ledger."""

EVENTS: Final = Root(RootKind.EVENTS)
"""The positions of all events, of whatever tenant."""

_SHARES: Final = 64

_MONEY: Final = frozenset({RootKind.CUSTOMER, RootKind.PAYMENT})

ROOTS: Final[Mapping[str, frozenset[RootKind]]] = {
    **dict.fromkeys(
        (
            "paygate_allocation",
            "paygate_arrival",
            "paygate_attempt",
            "paygate_attempt_request",
            "paygate_attempt_try",
            "paygate_chargeback",
            "paygate_chargeback_item",
            "paygate_claim",
            "paygate_contact",
            "paygate_credit",
            "paygate_customer",
            "paygate_customer_reference",
            "paygate_early_return",
            "paygate_hold",
            "paygate_item",
            "paygate_mandate",
            "paygate_method",
            "paygate_payer_number",
            "paygate_payment",
            "paygate_posting",
            "paygate_quote",
            "paygate_receipt",
            "paygate_refund_item",
            "paygate_reversal",
            "paygate_review",
            "paygate_taken",
            "paygate_write_off",
        ),
        _MONEY,
    ),
    "paygate_inbox": frozenset({RootKind.NOTICE}),
    "paygate_feed": frozenset({RootKind.FEED}),
    "paygate_feed_memory": frozenset({RootKind.FEED}),
    "paygate_sink": frozenset({RootKind.SINK}),
    "paygate_delivery": frozenset({RootKind.SINK}),
    "paygate_meta": frozenset(),
}
"""Which roots a table's rows may be under: one of them, or the ledger, is held to write it."""

ROOTLESS: Final[Mapping[str, str]] = {
    "paygate_key": "A key is unique; who comes second waits, and then reads what the first did.",
    "paygate_sequence": "One statement counts on, and keeps the row until it is durable.",
    "paygate_account": "Each statement writes one fact of one row, and the last one counts.",
    "paygate_refused_callback": "One statement counts on.",
    "paygate_address_count": "One statement counts on, and keeps the row until it is durable.",
    "paygate_address": "The number comes from that count, and each number and owner is unique.",
    "paygate_report_line": "A line of a report is unique.",
    "paygate_outbox": (
        "An event is about what its unit holds; units that store events about anything else queue "
        "for that at their end (Tx.queue_at_end)."
    ),
}
"""The tables that are written without a root, and why that is right."""


class HoldFirst(BaseException):
    """
    Raised when a unit of work needs *roots* after it has read something.

    The store undoes the unit and does it again with those locked first. No unit may catch it, so
    it is no `Exception`.
    """

    def __init__(self, roots: Iterable[Root]) -> None:
        self.roots = frozenset(roots)
        super().__init__(", ".join(map(str, sorted(self.roots))))


HOLDS_MAX: Final = 8
"""How often a unit may need another root before it locks the whole ledger."""


class Holding:
    """Which roots a transaction holds, and whether it has read anything yet."""

    __slots__ = ("has_read", "held")

    def __init__(self) -> None:
        self.held: set[Root] = set()
        self.has_read = False

    def missing(self, wanted: Iterable[Root]) -> list[Root]:
        """Return what of *wanted* is to be locked now, in order; raise `HoldFirst` if too late."""
        if LEDGER in self.held:
            return []
        more = sorted(set(wanted) - self.held)
        late = self.has_read or (self.held and more and more[0].kind <= max(self.held).kind)
        if more and late:
            raise HoldFirst(self.held.union(more))
        return more

    def covers(self, sql: str) -> bool:
        """Return whether *sql* writes nothing that needs a root which is not held."""
        table = table_written(sql)
        if table is None or LEDGER in self.held:
            return True
        allowed = ROOTS.get(table)
        return allowed is None or any(root.kind in allowed for root in self.held)


_WRITES: Final = re.compile(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+(\w+)")


@cache
def table_written(sql: str) -> str | None:
    """Return the table that a statement writes, or None if it only reads."""
    found = _WRITES.match(sql)
    return None if found is None else found[1]


# --- Holding what a unit is about -----------------------------------------------------------
#
# Whose a payment, an invoice or an attempt is never changes, so it is read before the lock. The one
# thing that does change is read again after it: a payment that was nobody's.

_PAYMENT: Final = "SELECT customer, payer FROM paygate_payment WHERE tenant = :tenant AND id = :id"
_ITEM: Final = """
SELECT customer FROM paygate_item WHERE tenant = :tenant AND kind = 'invoice' AND number = :id
UNION ALL
SELECT customer FROM paygate_item WHERE tenant = :tenant AND id = :id
"""
_ATTEMPT: Final = """
SELECT payment, method_plan FROM paygate_attempt WHERE tenant = :tenant AND id = :id
"""
_METHOD: Final = "SELECT customer FROM paygate_method WHERE tenant = :tenant AND id = :id"
_RECEIPT: Final = "SELECT payment FROM paygate_receipt WHERE tenant = :tenant AND id = :id"
_WRITE_OFF: Final = """
SELECT i.customer FROM paygate_write_off w JOIN paygate_item i ON i.id = w.item
WHERE w.tenant = :tenant AND w.id = :id
"""
_CALLBACK: Final = "SELECT account, event_id FROM paygate_inbox WHERE tenant = :tenant AND id = :id"


def hold_ledger(tx: Tx) -> None:
    """Let no other unit write until this one is durable."""
    tx.hold(LEDGER)


def hold(
    tx: Tx,
    *,
    payments: Iterable[str] = (),
    items: Iterable[str] = (),
    customers: Iterable[str] = (),
) -> None:
    """
    Hold whose some payments are and who paid them, whose some invoices are, and some customers.

    Payments are given by id, invoices by number or id. What is not there is passed over.
    """
    if not tx.locks:
        return
    wanted = [*_customers(tx, customers)]
    for name in items:
        wanted += _customers(tx, (row["customer"] for row in tx.peek(_ITEM, _named(tx, name))))
    for id_ in payments:
        wanted += _of_payment(tx, id_)
    tx.hold(*wanted)
    nobodys = [root.name for root in wanted if root.kind is RootKind.PAYMENT]
    # It may have become somebody's while its row was waited for.
    tx.hold(*(root for id_ in nobodys for root in _of_payment(tx, id_)))


def hold_payment(tx: Tx, id_: str) -> None:
    """Hold whose a payment is and who paid it."""
    hold(tx, payments=(id_,))


def own_payment(tx: Tx, id_: str) -> None:
    """Count a payment that this unit makes, and that is nobody's, as held."""
    tx.own(Root(RootKind.PAYMENT, tx.tenant, id_))


def hold_attempt(tx: Tx, id_: str) -> None:
    """Hold whose an attempt is."""
    if not tx.locks:
        return
    for row in tx.peek(_ATTEMPT, _named(tx, id_)):
        if row["payment"]:
            hold(tx, payments=(row["payment"],))
        else:
            hold(tx, customers=(json.loads(row["method_plan"])["customer"],))


def hold_method(tx: Tx, id_: str) -> None:
    """Hold whose a stored method is."""
    _hold_customer_of(tx, _METHOD, id_)


def hold_write_off(tx: Tx, id_: str) -> None:
    """Hold whose invoice was written off."""
    _hold_customer_of(tx, _WRITE_OFF, id_)


def hold_receipt(tx: Tx, id_: str) -> None:
    """Hold whose payment a receipt is of."""
    if tx.locks:
        hold(tx, payments=[row["payment"] for row in tx.peek(_RECEIPT, _named(tx, id_))])


def hold_notices(tx: Tx, account: str, event_ids: Iterable[str]) -> None:
    """Hold what *account* told, or tells now, under ids of events."""
    if tx.locks:
        tx.hold(*(notice_root(tx.tenant, account, each) for each in event_ids))


def hold_callback(tx: Tx, id_: int) -> None:
    """Hold a callback."""
    if tx.locks:
        for row in tx.peek(_CALLBACK, {"tenant": tx.tenant, "id": id_}):
            hold_notices(tx, row["account"], (row["event_id"],))


def hold_feed(tx: Tx, account: str, event_ids: Iterable[str] = ()) -> None:
    """Hold the feed of an account, and what it tells now under ids of events."""
    if tx.locks:
        notices = {notice_root(tx.tenant, account, each) for each in event_ids}
        tx.hold(*notices, Root(RootKind.FEED, tx.tenant, account))


def hold_sink(tx: Tx, name: str, *more: Root) -> None:
    """Hold a reader of events, and *more*."""
    tx.hold(Root(RootKind.SINK, tx.tenant, name), *more)


def notice_root(tenant: str, account: str, event_id: str) -> Root:
    """Return the root of what was told under an id; some ids of an account have one together."""
    share = crc32(event_id.encode(errors="surrogatepass")) % _SHARES
    return Root(RootKind.NOTICE, tenant, f"{account}/{share}")


def _hold_customer_of(tx: Tx, sql: str, id_: str) -> None:
    if tx.locks:
        hold(tx, customers=[row["customer"] for row in tx.peek(sql, _named(tx, id_))])


def _of_payment(tx: Tx, id_: str) -> Iterator[Root]:
    for row in tx.peek(_PAYMENT, _named(tx, id_)):
        if not row["customer"]:
            yield Root(RootKind.PAYMENT, tx.tenant, id_)
        yield from _customers(tx, (row["customer"], row["payer"]))


def _customers(tx: Tx, ids: Iterable[str]) -> Iterator[Root]:
    return (Root(RootKind.CUSTOMER, tx.tenant, each) for each in ids if each)


def _named(tx: Tx, id_: str) -> dict[str, Any]:
    return {"tenant": tx.tenant, "id": id_}
