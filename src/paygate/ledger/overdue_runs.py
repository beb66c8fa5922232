"""Sweeps over overdue invoices: one for each day, and how far it is."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from paygate.ledger import checksums
from paygate.ledger.codec import (
    read_date,
    read_instant_or_none,
    write_date,
    write_instant,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from paygate.ledger.tx import Row, Tx

LEASE_MAX: Final = timedelta(hours=1)
"""The longest lease. One that ends later was taken by a process whose clock is wrong."""

_INSERT: Final = """
INSERT INTO paygate_overdue_run (
  id, tenant, run_date, status, next_at, started_at, actor, checksum)
VALUES (:id, :tenant, :run_date, 'running', :at, :at, :actor, :checksum)
ON CONFLICT (tenant, run_date) DO NOTHING
"""
_ON: Final = "SELECT * FROM paygate_overdue_run WHERE tenant = :tenant AND run_date = :on"
_LAST: Final = """
SELECT * FROM paygate_overdue_run WHERE tenant = :tenant ORDER BY run_date DESC LIMIT 1
"""
_DUE: Final = """
SELECT run_date FROM paygate_overdue_run
WHERE tenant = :tenant AND status = 'running' AND next_at <= :at
  AND (lease = '' OR lease_until <= :at OR lease_until > :latest)
ORDER BY next_at, id LIMIT 100
"""
_TAKE: Final = """
UPDATE paygate_overdue_run SET lease = :lease, lease_until = :until
WHERE id = :id AND status = 'running'
  AND (lease = '' OR lease = :lease OR lease_until <= :at OR lease_until > :latest)
"""
_GIVE_BACK: Final = """
UPDATE paygate_overdue_run SET lease = '', lease_until = NULL WHERE id = :id AND lease = :lease
"""
_ADVANCE: Final = """
UPDATE paygate_overdue_run SET place = :place, customers = customers + :customers,
  counts = :counts, wait_until = :wait_until, lease_until = :until
WHERE id = :id AND lease = :lease
"""
_FINISH_ROUND: Final = """
UPDATE paygate_overdue_run SET status = :status, place = '', wait_until = NULL, next_at = :next_at,
  finished_at = :finished_at, lease = '', lease_until = NULL
WHERE id = :id AND lease = :lease
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSweep:
    """A sweep as it is stored: how far it is, and what it has done."""

    id: str
    on: date
    finished: bool
    place: str
    customers: int
    counts: Mapping[str, int]
    wait_until: datetime | None
    next_at: datetime | None


def begin(tx: Tx, on: date) -> StoredSweep:
    """Store the sweep of a day, unless there is one, and return it."""
    params = {
        "id": tx.new_id("swp"),
        "tenant": tx.tenant,
        "run_date": write_date(on),
        "at": tx.at,
        "started_at": tx.at,
        "actor": tx.actor,
    }
    tx.run(_INSERT, checksums.signed(checksums.OVERDUE_RUN, params))
    found = on_day(tx, on)
    assert found is not None, "it was just stored"
    return found


def on_day(tx: Tx, on: date) -> StoredSweep | None:
    """Return the sweep of a day, or None."""
    row = tx.one(_ON, {"tenant": tx.tenant, "on": write_date(on)})
    return None if row is None else _sweep_of(row)


def last(tx: Tx) -> StoredSweep | None:
    """Return the sweep of the latest day, or None."""
    row = tx.one(_LAST, {"tenant": tx.tenant})
    return None if row is None else _sweep_of(row)


def due_days(tx: Tx) -> list[date]:
    """Return the days whose sweep is not finished, due now, and done by no other process."""
    latest = write_instant(tx.now + LEASE_MAX)
    rows = tx.all(_DUE, {"tenant": tx.tenant, "at": tx.at, "latest": latest})
    return [read_date(row["run_date"]) for row in rows]


def take(tx: Tx, run: str, lease: str, length: timedelta) -> bool:
    """Take a sweep for *length*; return False if it is finished or another process has it."""
    params = {
        "id": run,
        "lease": lease,
        "at": tx.at,
        "until": write_instant(tx.now + length),
        "latest": write_instant(tx.now + LEASE_MAX),
    }
    return bool(tx.run(_TAKE, params))


def give_back(tx: Tx, run: str, lease: str) -> None:
    """End the lease of a sweep that is not finished."""
    tx.execute(_GIVE_BACK, {"id": run, "lease": lease})


def advance(
    tx: Tx,
    run: StoredSweep,
    lease: str,
    *,
    place: str,
    customers: int,
    counts: Counter[str],
    wait_until: datetime | None,
    length: timedelta,
) -> bool:
    """Store that all up to *place* is done; return False if the lease was lost."""
    total = Counter(run.counts) + counts
    params = {
        "id": run.id,
        "lease": lease,
        "place": place,
        "customers": customers,
        "counts": json.dumps(dict(sorted(total.items()))),
        "wait_until": write_instant(wait_until),
        "until": write_instant(tx.now + length),
    }
    return bool(tx.run(_ADVANCE, params))


def end_pass(tx: Tx, run: str, lease: str, next_at: datetime | None) -> None:
    """Store that all is done; with *next_at*, the rest of the day's customers come then."""
    params = {
        "id": run,
        "lease": lease,
        "status": "finished" if next_at is None else "running",
        "next_at": write_instant(next_at),
        "finished_at": tx.at if next_at is None else None,
    }
    tx.execute(_FINISH_ROUND, params)


def _sweep_of(row: Row) -> StoredSweep:
    counts: dict[str, int] = json.loads(row["counts"])
    return StoredSweep(
        id=row["id"],
        on=read_date(row["run_date"]),
        finished=row["status"] == "finished",
        place=row["place"],
        customers=int(row["customers"]),
        counts=counts,
        wait_until=read_instant_or_none(row["wait_until"]),
        next_at=read_instant_or_none(row["next_at"]),
    )
