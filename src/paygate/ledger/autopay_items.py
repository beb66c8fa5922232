"""What automatic payment knows of an invoice: its tries, its pages, and the notices about it."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.kind import Kind
from paygate.domain.money import Money
from paygate.domain.retries import RULES, RetryClass
from paygate.ledger import checksums
from paygate.ledger.codec import (
    read_date,
    read_date_or_none,
    read_instant,
    read_instant_or_none,
    write_date,
    write_instant,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paygate.ledger.tx import Row, Tx

LIVE: Final = "live"
"""The outcome of a try that is not known yet."""
PAID: Final = "paid"
"""The outcome of a try that brought money."""

_OWED = """
SELECT i.id, i.number, i.currency, i.claimed_minor, i.due, i.effective, i.issued_at, i.method,
  i.autopay, i.disputed, i.total_minor - i.allocated_minor - i.written_off_minor AS open_minor
FROM paygate_item i
WHERE i.tenant = :tenant AND i.customer = :customer AND i.kind = 'invoice' AND i.status = 'open'
  AND i.total_minor - i.allocated_minor - i.written_off_minor > 0
ORDER BY i.due, i.id
"""
# Pages that can be paid, and payments that are flagged for manual review.
_PAYMENTS_ON = """
SELECT p.id, p.status, p.needs_review, c.state
FROM paygate_claim c JOIN paygate_payment p ON p.id = c.payment
WHERE c.item = :item AND (p.needs_review = 1 OR p.status = 'requires_action')
"""
_TRIES = """
SELECT x.*, i.currency, p.created_at FROM paygate_autopay_item x
JOIN paygate_payment p ON p.id = x.payment JOIN paygate_item i ON i.id = x.item
WHERE x.item = :item
"""
_OF_PAYMENT = """
SELECT x.*, i.currency, i.number FROM paygate_autopay_item x JOIN paygate_item i ON i.id = x.item
WHERE x.payment = :payment ORDER BY x.item
"""
_INSERT = """
INSERT INTO paygate_autopay_item (
  payment, item, line, method, amount_minor, tried_on, checksum)
VALUES (:payment, :item, :line, :method, :amount_minor, :tried_on, :checksum)
"""
_END = """
UPDATE paygate_autopay_item SET outcome = :outcome, code = :code, ended_on = :ended_on,
  ended_at = :at, next_on = :next_on, next_at = :next_at, given_up = :given_up
WHERE payment = :payment AND item = :item
"""
_METHODS = """
SELECT m.id, m.account, m.kind, m.created_at, m.is_default, m.expires, m.blocked_at, m.rests_until,
  m.fingerprint, a.id AS mandate, a.ceiling_currency, a.ceiling_minor, a.notice_days
FROM paygate_method m
LEFT JOIN paygate_mandate a ON a.id = m.mandate AND a.ended_at IS NULL
WHERE m.tenant = :tenant AND m.customer = :customer AND m.forgotten_at IS NULL
ORDER BY m.created_at, m.id
"""
_FAILURES: Final = (RetryClass.CANCELED, RetryClass.DUPLICATE)
_DECLINED: Final = ", ".join(
    f"'{each}'" for each in RetryClass if RULES[each].counts and each not in _FAILURES
)
# A card that was deleted and stored again is the same card to its network.
_DECLINES = f"""
SELECT m.id, x.payment, x.ended_on
FROM paygate_method m
JOIN paygate_method f ON f.tenant = m.tenant AND f.customer = m.customer
  AND (f.id = m.id OR f.fingerprint <> '' AND f.fingerprint = m.fingerprint)
JOIN paygate_autopay_item x ON x.method = f.id AND x.ended_on > :since
  AND x.outcome IN ({_DECLINED})
WHERE m.tenant = :tenant AND m.customer = :customer AND m.forgotten_at IS NULL
"""
_TELL = """
INSERT INTO paygate_autopay_notice (tenant, kind, subject, occasion, facts, given_at, checksum)
VALUES (:tenant, :kind, :subject, :occasion, :facts, :given_at, :checksum)
ON CONFLICT DO NOTHING
"""
_TOLD = """
SELECT 1 AS one FROM paygate_autopay_notice
WHERE tenant = :tenant AND kind = :kind AND subject = :subject AND occasion = :occasion LIMIT 1
"""
_ANNOUNCED = """
SELECT facts, given_at FROM paygate_autopay_notice
WHERE tenant = :tenant AND kind = 'announced' AND subject = :subject
"""
_REFUSED = """
SELECT 1 AS one FROM paygate_autopay_line l
JOIN paygate_autopay_item x ON x.line = l.id AND x.outcome = 'refused'
WHERE l.run = :run AND l.account = :account LIMIT 1
"""
_RETURNED = """
SELECT kind, code FROM paygate_receipt WHERE payment = :payment AND inward = 0
ORDER BY booked_at, id
"""


@dataclass(frozen=True, slots=True)
class OwedItem:
    """An invoice with an open amount, and how much of it is claimed."""

    id: str
    number: str
    open: Money
    claimed: Money
    due: date
    issued_on: date
    issued_at: datetime
    method: str | None
    turned_off: bool
    disputed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTry:
    """An automatic payment of an invoice, and what follows from it."""

    payment: str
    item: str
    line: str
    method: str | None
    amount: Money
    on: date
    outcome: str
    code: str
    ended_on: date | None
    ended_at: datetime | None
    next_on: date | None
    next_at: datetime | None
    given_up: bool
    number: str = ""

    @property
    def retry_class(self) -> RetryClass | None:
        """The class of its failure; None if it did not fail."""
        return None if self.outcome in (LIVE, PAID) else RetryClass(self.outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeableMethod:
    """A stored method, with its live mandate and how often it was declined."""

    id: str
    account: str
    kind: Kind
    created_at: datetime
    is_default: bool
    expires: date | None
    blocked: bool
    rests_until: date | None
    mandate: str | None
    ceiling: Money | None
    notice_days: int | None
    declines: int
    declines_today: int


def owed(tx: Tx, customer: str) -> list[OwedItem]:
    """Return the invoices of a customer with an open amount, by due date."""
    return [
        OwedItem(
            id=row["id"],
            number=row["number"],
            open=Money(row["currency"], int(row["open_minor"])),
            claimed=Money(row["currency"], int(row["claimed_minor"])),
            due=read_date(row["due"]),
            issued_on=read_date(row["effective"]),
            issued_at=read_instant(row["issued_at"]),
            method=row["method"],
            turned_off=not row["autopay"],
            disputed=bool(row["disputed"]),
        )
        for row in tx.all(_OWED, {"tenant": tx.tenant, "customer": customer})
    ]


def pages_and_reviews(tx: Tx, item: str) -> tuple[list[str], bool]:
    """Return the pages on which an item can be paid, and whether a payment of it is in review."""
    rows = tx.all(_PAYMENTS_ON, {"item": item})
    pages = {
        str(row["id"])
        for row in rows
        if row["status"] == "requires_action" and row["state"] in ("soft", "superseded")
    }
    return sorted(pages), any(row["needs_review"] for row in rows)


def tries_of(tx: Tx, item: str) -> list[StoredTry]:
    """Return the automatic payments of an item, the oldest first."""
    rows = sorted(
        tx.all(_TRIES, {"item": item}), key=lambda row: (row["created_at"], row["payment"])
    )
    return [_try_of(row) for row in rows]


def of_payment(tx: Tx, payment: str) -> list[StoredTry]:
    """Return the items of an automatic payment, with their numbers."""
    return [_try_of(row, row["number"]) for row in tx.all(_OF_PAYMENT, {"payment": payment})]


def insert(
    tx: Tx, *, payment: str, line: str, method: str, on: date, amounts: Mapping[str, int]
) -> None:
    """Store the items of an automatic payment, whose outcome is not known yet."""
    for item, minor in sorted(amounts.items()):
        params = {
            "payment": payment,
            "item": item,
            "line": line,
            "method": method or None,
            "amount_minor": minor,
            "tried_on": write_date(on),
            "outcome": LIVE,
            "code": "",
            "ended_on": None,
            "ended_at": None,
            "next_on": None,
            "next_at": None,
            "given_up": 0,
        }
        tx.execute(_INSERT, checksums.signed(checksums.AUTOPAY_ITEM, params))


def end(
    tx: Tx,
    one: StoredTry,
    outcome: str,
    *,
    code: str = "",
    on: date,
    next_on: date | None = None,
    next_at: datetime | None = None,
    given_up: bool = False,
) -> None:
    """Store the outcome of a try, and when the next one follows."""
    params = {
        "payment": one.payment,
        "item": one.item,
        "outcome": outcome,
        "code": code,
        "ended_on": write_date(on),
        "at": tx.at,
        "next_on": write_date(next_on),
        "next_at": write_instant(next_at),
        "given_up": int(given_up),
    }
    tx.execute(_END, params)
    checksums.renew(tx, checksums.AUTOPAY_ITEM, one.payment, one.item)


def methods_of(tx: Tx, customer: str, today: date) -> list[ChargeableMethod]:
    """Return the stored methods of a customer, except forgotten ones."""
    params: dict[str, Any] = {
        "tenant": tx.tenant,
        "customer": customer,
        "since": write_date(today - timedelta(days=30)),
    }
    declined: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for row in tx.all(_DECLINES, params):
        declined[row["id"]][row["payment"]] = row["ended_on"]
    now = write_date(today)
    return [
        _method_of(
            row,
            len(declined[row["id"]]),
            sum(day == now for day in declined[row["id"]].values()),
        )
        for row in tx.all(_METHODS, params)
    ]


def tell(tx: Tx, kind: str, subject: str, occasion: str, facts: Mapping[str, object]) -> bool:
    """Store a notice to a payer; return False if it was stored before."""
    params = {
        "tenant": tx.tenant,
        "kind": kind,
        "subject": subject,
        "occasion": occasion,
        "facts": json.dumps(facts, sort_keys=True),
        "given_at": tx.at,
    }
    return bool(tx.run(_TELL, checksums.signed(checksums.AUTOPAY_NOTICE, params)))


def is_told(tx: Tx, kind: str, subject: str, occasion: str = "") -> bool:
    """Return whether a payer got such a notice about *subject* on that occasion."""
    params = {"tenant": tx.tenant, "kind": kind, "subject": subject, "occasion": occasion}
    return tx.one(_TOLD, params) is not None


def announced(tx: Tx, item: str) -> tuple[int, date, datetime] | None:
    """Return the amount, the day and the instant of the last announcement of an item, or None."""
    rows = tx.all(_ANNOUNCED, {"tenant": tx.tenant, "subject": item})
    if not rows:
        return None
    row = max(rows, key=lambda each: (each["given_at"], each["facts"]))
    facts = json.loads(row["facts"])
    return int(facts["open_minor"]), read_date(facts["day"]), read_instant(row["given_at"])


def refuses(tx: Tx, run: str, accounts: Sequence[str]) -> frozenset[str]:
    """Return the accounts that have refused our requests in a run."""
    return frozenset(
        account
        for account in accounts
        if tx.one(_REFUSED, {"run": run, "account": account}) is not None
    )


def money_back(tx: Tx, payment: str) -> tuple[str, str]:
    """Return the kind and code of a payment's return, or of its last money out; empty if none."""
    found = [
        (str(row["kind"]), str(row["code"])) for row in tx.all(_RETURNED, {"payment": payment})
    ]
    returns = [each for each in found if each[0] == "return"]
    return next(reversed(returns or found), ("", ""))


def _try_of(row: Row, number: str = "") -> StoredTry:
    return StoredTry(
        payment=row["payment"],
        item=row["item"],
        line=row["line"],
        method=row["method"],
        amount=Money(row["currency"], int(row["amount_minor"])),
        on=read_date(row["tried_on"]),
        outcome=row["outcome"],
        code=row["code"],
        ended_on=read_date_or_none(row["ended_on"]),
        ended_at=read_instant_or_none(row["ended_at"]),
        next_on=read_date_or_none(row["next_on"]),
        next_at=read_instant_or_none(row["next_at"]),
        given_up=bool(row["given_up"]),
        number=number,
    )


def _method_of(row: Row, declines: int, declines_today: int) -> ChargeableMethod:
    ceiling = None
    if row["ceiling_minor"] is not None:
        ceiling = Money(row["ceiling_currency"], int(row["ceiling_minor"]))
    return ChargeableMethod(
        id=row["id"],
        account=row["account"],
        kind=Kind(row["kind"]),
        created_at=read_instant(row["created_at"]),
        is_default=bool(row["is_default"]),
        expires=read_date_or_none(row["expires"]),
        blocked=row["blocked_at"] is not None,
        rests_until=read_date_or_none(row["rests_until"]),
        mandate=row["mandate"],
        ceiling=ceiling,
        notice_days=row["notice_days"],
        declines=declines,
        declines_today=declines_today,
    )
