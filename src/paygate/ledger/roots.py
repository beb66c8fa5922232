"""Roots: what a unit of work locks before it reads, so that concurrent units cannot conflict.

The rules of the ledger read before they write. How much of the payment is left to refund? Is the
invoice open? Does the customer have a default method? On PostgreSQL, two concurrent transactions
could both read before either writes, and both succeed. So a unit of work that writes first locks
the *roots* of the rows that it reads and changes, and holds them until its transaction ends. Units
that have no root in common run at the same time.

These are the roots, in the order in which they are locked:

- *Ledger*: everything. No other unit writes meanwhile. Stopping and resuming, marking a ledger as
  live or test, and re-encrypting secrets lock it.
- *Notice*: the callbacks with one event id, so that contradicting versions of one event are found.
- *Feed*: the cursor of an account's feed, and the gateway's memory that belongs to it.
- *Events*: the positions of all events (see `outbox`).
- *Sink*: the position of a sink, and its delayed events.
- *Bank*: a bank account of the merchant, with its statements, lines and their matches.
- *Payment*: a payment whose customer is unknown. Its own row is locked.
- *Customer*: a customer's invoices, prepayments, links, payments, attempts, claims, receipts,
  allocations, postings, credit, reversals, chargebacks, methods, mandates, payer numbers, tokens of
  pages and contact facts. A payment has two such roots if its payer is another customer. The row
  of the customer is locked. A new customer has no row, so a lock that stands for a share of all
  unknown ids is taken.

All other tables need no root (see `ROOTLESS`): a unique constraint or one conditional statement
decides.

A unit may find out late which customers it concerns, for example when it has read a callback. By
then its reads are unprotected, so the unit is rolled back and run again with those roots locked
first (`HoldFirst`). Because every unit locks its roots in the same order, there are no deadlocks.

On SQLite only one transaction writes at a time, so nothing is locked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class RootKind(IntEnum):
    """The kinds of roots, in the order in which they are locked."""

    LEDGER = 0
    """Everything."""
    NOTICE = 1
    """The callbacks with some event ids."""
    FEED = 2
    """The feed of an account."""
    EVENTS = 3
    """The positions of all events."""
    SINK = 4
    """The position and the delayed events of a sink."""
    BANK = 5
    """The lines of a bank account of the merchant."""
    PAYMENT = 6
    """A payment whose customer is unknown."""
    CUSTOMER = 7
    """A customer, and everything that belongs to them."""


@dataclass(frozen=True, slots=True, order=True)
class Root:
    """Something to lock, by its kind, tenant and name."""

    kind: RootKind
    tenant: str = ""
    name: str = ""

    @property
    def share(self) -> str:
        """The share to which this root belongs; the server limits the locks of a transaction."""
        return f"{self.kind.name}/{self.tenant}/{crc32(self.name.encode()) % _SHARES}"

    def __str__(self) -> str:
        return f"{self.kind.name}/{self.tenant}/{self.name}"


LEDGER: Final = Root(RootKind.LEDGER)
"""The whole ledger."""

EVENTS: Final = Root(RootKind.EVENTS)
"""The positions of the events of all tenants."""

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
            "paygate_autopay_item",
            "paygate_autopay_line",
            "paygate_autopay_notice",
            "paygate_chargeback",
            "paygate_chargeback_item",
            "paygate_claim",
            "paygate_commitment",
            "paygate_contact",
            "paygate_credit",
            "paygate_customer",
            "paygate_customer_reference",
            "paygate_document",
            "paygate_early_return",
            "paygate_episode",
            "paygate_hold",
            "paygate_invoice",
            "paygate_item",
            "paygate_link",
            "paygate_link_item",
            "paygate_mandate",
            "paygate_method",
            "paygate_page_token",
            "paygate_payer_number",
            "paygate_payment",
            "paygate_prepayment",
            "paygate_promise",
            "paygate_quote",
            "paygate_receipt",
            "paygate_refund_item",
            "paygate_reversal",
            "paygate_review",
            "paygate_stage",
            "paygate_subscription",
            "paygate_taken",
            "paygate_write_off",
        ),
        _MONEY,
    ),
    "paygate_posting": _MONEY | {RootKind.BANK},
    "paygate_bank_account": frozenset({RootKind.BANK}),
    "paygate_bank_file": frozenset({RootKind.BANK}),
    "paygate_bank_line": frozenset({RootKind.BANK}),
    "paygate_bank_match": frozenset({RootKind.BANK}),
    "paygate_bank_payer": frozenset({RootKind.BANK, RootKind.CUSTOMER}),
    "paygate_bank_statement": frozenset({RootKind.BANK}),
    "paygate_inbox": frozenset({RootKind.NOTICE}),
    "paygate_feed": frozenset({RootKind.FEED}),
    "paygate_feed_memory": frozenset({RootKind.FEED}),
    "paygate_sink": frozenset({RootKind.SINK}),
    "paygate_delivery": frozenset({RootKind.SINK}),
    "paygate_delivery_try": frozenset({RootKind.SINK}),
    "paygate_meta": frozenset(),
}
"""The kinds of roots by table: a write requires one of them, or the ledger."""

ROOTLESS: Final[Mapping[str, str]] = {
    "paygate_key": "A key is unique: the second caller waits, then reads the result of the first.",
    "paygate_assignment_key": "A key is unique: the second caller waits, then reads whose it is.",
    "paygate_sequence": "One statement increments the value and locks the row.",
    "paygate_file": "A file is named by its digest, so who writes it writes the same.",
    "paygate_letterhead": "A version is unique, and never changed.",
    "paygate_api_key": (
        "Live names and digests are unique, and one conditional statement revokes a key or notes "
        "that it was used."
    ),
    "paygate_account": "Each statement writes one fact of one row, and the last one wins.",
    "paygate_account_settings": (
        "A name is unique, and a change takes effect only on the revision from which it was made."
    ),
    "paygate_autopay_run": (
        "A day has one run, and only the holder of its lease moves it on; its charges are made "
        "once, whoever makes them."
    ),
    "paygate_campaign": "A version is named by its digest, so who writes it writes the same.",
    "paygate_overdue_run": (
        "A day has one sweep, and only the holder of its lease moves it on; what it does for a "
        "customer is done under the lock of that customer."
    ),
    "paygate_refused_callback": "One statement increments the count.",
    "paygate_address_count": "One statement increments the count and locks the row.",
    "paygate_address": "The number comes from that count, and numbers and owners are unique.",
    "paygate_report_line": "A line of a report is unique.",
    "paygate_job": "One conditional statement takes a job; a job that is done twice is harmless.",
    "paygate_outbox": (
        "An event concerns what its unit has locked. Units with events about other things queue "
        "at their end (Tx.queue_at_end)."
    ),
}
"""The tables that are written without a root, each with the reason."""


def notice_root(tenant: str, account: str, event_id: str) -> Root:
    """Return the root of the callbacks with an event id; several ids share a root."""
    share = crc32(event_id.encode(errors="surrogatepass")) % _SHARES
    return Root(RootKind.NOTICE, tenant, f"{account}/{share}")


class HoldFirst(BaseException):
    """
    Raised when a unit of work needs to lock *roots* after it has read something.

    The store rolls the unit back and runs it again with those locked first. It is not an
    `Exception`, so that no unit catches it.
    """

    def __init__(self, roots: Iterable[Root]) -> None:
        self.roots = frozenset(roots)
        super().__init__(", ".join(map(str, sorted(self.roots))))


HOLDS_MAX: Final = 8
"""How often a unit may need another root before it locks the whole ledger."""


Owned: TypeAlias = Literal["invoice", "payment", "attempt"]
"""What belongs to customers: an invoice, by number or id, a payment or an attempt, by id."""


class Holding:
    """The roots that a transaction has locked, and whether it has read anything yet."""

    __slots__ = ("has_read", "held")

    def __init__(self) -> None:
        self.held: set[Root] = set()
        self.has_read = False

    def missing(self, wanted: Iterable[Root]) -> list[Root]:
        """Return the roots among *wanted* to lock now, in order; raise `HoldFirst` if too late."""
        if LEDGER in self.held:
            return []
        more = sorted(set(wanted) - self.held)
        late = self.has_read or (self.held and more and more[0].kind <= max(self.held).kind)
        if more and late:
            raise HoldFirst(self.held.union(more))
        return more

    def covers(self, sql: str) -> bool:
        """Return whether the roots that *sql* requires are locked."""
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
