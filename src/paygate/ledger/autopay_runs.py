"""Runs of automatic payment, and their lines: what was charged, whatever crashed in between."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from paygate.domain.autopay import SkipReason
from paygate.domain.money import Money
from paygate.ledger import checksums
from paygate.ledger.codec import (
    read_date,
    read_instant,
    read_instant_or_none,
    write_date,
    write_instant,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from paygate.domain.autopay_plan import PlannedCharge
    from paygate.ledger.tx import Row, Tx

LEASE_MAX: Final = timedelta(hours=1)
"""The longest lease. One that ends later was taken by a process whose clock is wrong."""

_INSERT = """
INSERT INTO paygate_autopay_run (
  id, tenant, run_date, status, next_at, started_at, actor, checksum)
VALUES (:id, :tenant, :run_date, 'running', :at, :at, :actor, :checksum)
ON CONFLICT (tenant, run_date) DO NOTHING
"""
_ON = "SELECT * FROM paygate_autopay_run WHERE tenant = :tenant AND run_date = :on"
_LAST = """
SELECT * FROM paygate_autopay_run WHERE tenant = :tenant ORDER BY run_date DESC LIMIT 1
"""
_DUE = """
SELECT run_date FROM paygate_autopay_run
WHERE tenant = :tenant AND status = 'running' AND next_at <= :at
  AND (lease = '' OR lease_until <= :at OR lease_until > :latest)
ORDER BY next_at, id LIMIT 100
"""
_TAKE = """
UPDATE paygate_autopay_run SET lease = :lease, lease_until = :until
WHERE id = :id AND status = 'running'
  AND (lease = '' OR lease = :lease OR lease_until <= :at OR lease_until > :latest)
"""
_GIVE_BACK = """
UPDATE paygate_autopay_run SET lease = '', lease_until = NULL WHERE id = :id AND lease = :lease
"""
_ADVANCE = """
UPDATE paygate_autopay_run SET after_customer = :after, customers = customers + :customers,
  skips = :skips, wait_until = :wait_until, lease_until = :until
WHERE id = :id AND lease = :lease
"""
_FINISH_ROUND = """
UPDATE paygate_autopay_run SET status = :status, after_customer = '', passes = passes + 1,
  wait_until = NULL, next_at = :next_at, finished_at = :finished_at, lease = '', lease_until = NULL
WHERE id = :id AND lease = :lease
"""
_START_ROUND = """
UPDATE paygate_autopay_run SET customers = 0, skips = '{}'
WHERE id = :id AND after_customer = ''
"""
_CUSTOMERS = """
SELECT s.customer FROM paygate_subscription s
WHERE s.tenant = :tenant AND s.status <> 'ended' AND s.customer > :after AND EXISTS (
  SELECT 1 FROM paygate_item i
  WHERE i.tenant = s.tenant AND i.customer = s.customer AND i.kind = 'invoice'
    AND i.status = 'open' AND i.total_minor - i.allocated_minor - i.written_off_minor > 0
    AND i.due <= :due)
ORDER BY s.customer LIMIT :limit
"""
_INSERT_LINE = """
INSERT INTO paygate_autopay_line (
  id, tenant, run, customer, currency, account, method, charged, presents, payment, payments,
  created_at, checksum)
VALUES (
  :id, :tenant, :run, :customer, :currency, :account, :method, :charged, :presents, :payment, 1,
  :created_at, :checksum)
"""
_LINE = """
SELECT l.id, l.payments, p.status, p.id AS payment FROM paygate_autopay_line l
JOIN paygate_payment p ON p.id = l.payment
WHERE l.run = :run AND l.customer = :customer AND l.currency = :currency
  AND l.account = :account AND l.charged = :charged AND l.presents = :presents
"""
_NEXT_PAYMENT = """
UPDATE paygate_autopay_line SET payment = :payment, payments = payments + 1 WHERE id = :id
"""
_SUMS = """
SELECT l.currency, p.status, count(*) AS payments, sum(p.amount_minor) AS minor
FROM paygate_autopay_line l JOIN paygate_payment p ON p.id = l.payment
WHERE l.run = :run GROUP BY l.currency, p.status ORDER BY l.currency, p.status
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run as it is stored: how far it is, and what it has skipped in this pass."""

    id: str
    on: date
    finished: bool
    after: str
    passes: int
    customers: int
    skips: Mapping[SkipReason, int]
    wait_until: datetime | None
    started_at: datetime
    finished_at: datetime | None
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredLine:
    """A line of a run: its payment now, and how many it has had."""

    id: str
    payment: str
    status: str
    payments: int


def begin(tx: Tx, on: date) -> StoredRun:
    """Store the run of a day, unless there is one, and return it."""
    params = {
        "id": tx.new_id("run"),
        "tenant": tx.tenant,
        "run_date": write_date(on),
        "at": tx.at,
        "started_at": tx.at,
        "actor": tx.actor,
    }
    tx.run(_INSERT, checksums.signed(checksums.AUTOPAY_RUN, params))
    found = on_day(tx, on)
    assert found is not None, "it was just stored"
    return found


def on_day(tx: Tx, on: date) -> StoredRun | None:
    """Return the run of a day, or None."""
    row = tx.one(_ON, {"tenant": tx.tenant, "on": write_date(on)})
    return None if row is None else _run_of(row)


def last(tx: Tx) -> StoredRun | None:
    """Return the run of the latest day, or None."""
    row = tx.one(_LAST, {"tenant": tx.tenant})
    return None if row is None else _run_of(row)


def due_days(tx: Tx) -> list[date]:
    """Return the days whose run is not finished, due now, and done by no other process."""
    latest = write_instant(tx.now + LEASE_MAX)
    rows = tx.all(_DUE, {"tenant": tx.tenant, "at": tx.at, "latest": latest})
    return [read_date(row["run_date"]) for row in rows]


def take(tx: Tx, run: str, lease: str, length: timedelta) -> bool:
    """Take a run for *length*; return False if it is finished or another process works on it."""
    params = {
        "id": run,
        "lease": lease,
        "at": tx.at,
        "until": write_instant(tx.now + length),
        "latest": write_instant(tx.now + LEASE_MAX),
    }
    if not tx.run(_TAKE, params):
        return False
    tx.execute(_START_ROUND, params)
    return True


def give_back(tx: Tx, run: str, lease: str) -> None:
    """End the lease of a run that is not finished."""
    tx.execute(_GIVE_BACK, {"id": run, "lease": lease})


def advance(
    tx: Tx,
    run: StoredRun,
    lease: str,
    *,
    after: str,
    customers: int,
    skips: Counter[SkipReason],
    wait_until: datetime | None,
    length: timedelta,
) -> bool:
    """Store that all customers up to *after* are done; return False if the lease was lost."""
    total = Counter(run.skips) + skips
    params = {
        "id": run.id,
        "lease": lease,
        "after": after,
        "customers": customers,
        "skips": json.dumps({reason.value: count for reason, count in sorted(total.items())}),
        "wait_until": write_instant(wait_until),
        "until": write_instant(tx.now + length),
    }
    return bool(tx.run(_ADVANCE, params))


def end_pass(tx: Tx, run: str, lease: str, next_at: datetime | None) -> None:
    """Store that all customers are done; with *next_at*, they are gone through again then."""
    params = {
        "id": run,
        "lease": lease,
        "status": "finished" if next_at is None else "running",
        "next_at": write_instant(next_at),
        "finished_at": tx.at if next_at is None else None,
    }
    tx.execute(_FINISH_ROUND, params)


def customers(tx: Tx, *, after: str, due: date | None, limit: int) -> list[str]:
    """Return customers with a subscription and an open invoice that is due by *due*, by id."""
    params = {
        "tenant": tx.tenant,
        "after": after,
        "due": "9999-12-31" if due is None else write_date(due),
        "limit": limit,
    }
    return [str(row["customer"]) for row in tx.all(_CUSTOMERS, params)]


def line_of(tx: Tx, run: str, customer: str, charge: PlannedCharge) -> StoredLine | None:
    """Return the line of a run that *charge* belongs to, or None."""
    row = tx.one(_LINE, {"run": run, "customer": customer, **_key(charge)})
    if row is None:
        return None
    return StoredLine(row["id"], row["payment"], row["status"], int(row["payments"]))


def insert_line(tx: Tx, run: str, customer: str, charge: PlannedCharge, payment: str) -> str:
    """Store a line with its payment, and return its id."""
    id_ = tx.new_id("apl")
    params = {
        "id": id_,
        "tenant": tx.tenant,
        "run": run,
        "customer": customer,
        **_key(charge),
        "method": charge.method or None,
        "payment": payment,
        "payments": 1,
        "created_at": tx.at,
    }
    tx.execute(_INSERT_LINE, checksums.signed(checksums.AUTOPAY_LINE, params))
    return id_


def set_payment(tx: Tx, line: str, payment: str) -> None:
    """Store the payment of a line whose earlier one was never sent, or refused."""
    tx.execute(_NEXT_PAYMENT, {"id": line, "payment": payment})
    checksums.renew(tx, checksums.AUTOPAY_LINE, line)


def sums(tx: Tx, run: str) -> list[tuple[str, int, Money]]:
    """Return how many payments of a run have each status, and their amounts, by currency."""
    return [
        (row["status"], int(row["payments"]), Money(row["currency"], int(row["minor"])))
        for row in tx.all(_SUMS, {"run": run})
    ]


def _key(charge: PlannedCharge) -> dict[str, str]:
    return {
        "currency": charge.currency,
        "account": charge.account,
        "charged": charge.method,
        "presents": charge.presents,
    }


def read_skips(text: str) -> dict[SkipReason, int]:
    """Return how many invoices were skipped, by reason."""
    found: dict[str, int] = json.loads(text)
    return {SkipReason(reason): count for reason, count in found.items()}


def _run_of(row: Row) -> StoredRun:
    return StoredRun(
        id=row["id"],
        on=read_date(row["run_date"]),
        finished=row["status"] == "finished",
        after=row["after_customer"],
        passes=int(row["passes"]),
        customers=int(row["customers"]),
        skips=read_skips(row["skips"]),
        wait_until=read_instant_or_none(row["wait_until"]),
        started_at=read_instant(row["started_at"]),
        finished_at=read_instant_or_none(row["finished_at"]),
        next_at=read_instant_or_none(row["next_at"]),
    )
