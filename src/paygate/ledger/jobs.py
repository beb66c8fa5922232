"""Jobs: what is due, and who does it.

What is due is read from the tables that plan it: attempts, callbacks, payments, links, feeds and
sinks.
Nothing is copied into a queue, which could disagree with them. A process that takes a job stores a
row with its lease, and no other process takes the job until the lease ends or is given back. The
row is an arrangement between processes, to save work: each job may be done twice, so it does not
matter if a lease ends while its holder sleeps, or if a clock is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from paygate.domain.job import Job, JobKind, WaitingJobs
from paygate.ledger import outbox
from paygate.ledger.codec import read_instant, write_date, write_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from paygate.ledger.tx import Row, Tx

LEASE_MAX: Final = timedelta(hours=1)
"""The longest lease. One that ends later was taken by a process whose clock is wrong."""

REST: Final = timedelta(minutes=1)
"""How long a job that is still due after it was done is left alone."""

_LONG: Final = 4000
"""The length above which a notice has about twenty movements or more."""

_ATTEMPTS = """
SELECT d.id AS subject, d.next_check_at AS due_at, 0 AS length FROM paygate_attempt d
WHERE d.tenant = :tenant AND d.account = :account AND d.next_check_at <= :at
ORDER BY d.next_check_at, d.id LIMIT :limit
"""
_CALLBACKS = """
SELECT CAST(d.id AS text) AS subject, d.next_try_at AS due_at, length(d.notice) AS length
FROM paygate_inbox d
WHERE d.tenant = :tenant AND d.account = :account AND d.next_try_at <= :at
ORDER BY d.next_try_at, d.id LIMIT :limit
"""
_PAYMENTS = """
SELECT d.id AS subject, d.settle_check_at AS due_at, 0 AS length FROM paygate_payment d
WHERE d.tenant = :tenant AND d.account = :account AND d.settle_check_at <= :at
ORDER BY d.settle_check_at, d.id LIMIT :limit
"""
_LINKS = """
SELECT d.id AS subject, d.end_at AS due_at, 0 AS length FROM paygate_link d
WHERE d.tenant = :tenant AND d.end_at <= :at
ORDER BY d.end_at, d.id LIMIT :limit
"""
_FREE = """
AND NOT EXISTS (
  SELECT 1 FROM paygate_job j WHERE j.tenant = :tenant AND j.kind = :kind AND j.subject = {id}
    AND j.lease_until > :at AND j.lease_until <= :latest)
ORDER BY"""


def _to_take(sql: str, id_: str) -> str:
    """Return the query of due jobs that nobody has taken."""
    return sql.replace("\nORDER BY", _FREE.format(id=id_))


DUE: Final[Mapping[JobKind, str]] = {
    JobKind.INQUIRE: _ATTEMPTS,
    JobKind.APPLY: _CALLBACKS,
    JobKind.CHECK_SETTLEMENT: _PAYMENTS,
    JobKind.END_LINK: _LINKS,
}
"""The queries for due rows of an account, or of the tenant."""

TO_TAKE: Final[Mapping[JobKind, str]] = {
    JobKind.INQUIRE: _to_take(_ATTEMPTS, "d.id"),
    JobKind.APPLY: _to_take(_CALLBACKS, "CAST(d.id AS text)"),
    JobKind.CHECK_SETTLEMENT: _to_take(_PAYMENTS, "d.id"),
    JobKind.END_LINK: _to_take(_LINKS, "d.id"),
}
"""The same without jobs that are taken; on PostgreSQL, without rows that others take right now."""

_WAITING = """
SELECT k.tenant, k.name AS account,
  (SELECT count(*) FROM paygate_attempt d
   WHERE d.tenant = k.tenant AND d.account = k.name AND d.next_check_at <= :at
     AND NOT EXISTS (
       SELECT 1 FROM paygate_job j WHERE j.tenant = d.tenant AND j.kind = 'inquire'
         AND j.subject = d.id AND j.lease_until > :at AND j.lease_until <= :latest))
  + (SELECT count(*) FROM paygate_inbox d
   WHERE d.tenant = k.tenant AND d.account = k.name AND d.next_try_at <= :at
     AND NOT EXISTS (
       SELECT 1 FROM paygate_job j WHERE j.tenant = d.tenant AND j.kind = 'apply'
         AND j.subject = CAST(d.id AS text) AND j.lease_until > :at AND j.lease_until <= :latest))
  + (SELECT count(*) FROM paygate_payment d
   WHERE d.tenant = k.tenant AND d.account = k.name AND d.settle_check_at <= :at
     AND NOT EXISTS (
       SELECT 1 FROM paygate_job j WHERE j.tenant = d.tenant AND j.kind = 'check-settlement'
         AND j.subject = d.id AND j.lease_until > :at AND j.lease_until <= :latest)) AS jobs
FROM paygate_account k
WHERE CAST(:tenant AS text) = '' OR k.tenant = :tenant
ORDER BY k.tenant, k.name
"""
_PLANNED: Final[Mapping[JobKind, str]] = {
    JobKind.INQUIRE: (
        "SELECT next_check_at AS due_at FROM paygate_attempt WHERE tenant = :tenant AND id = :id"
    ),
    JobKind.APPLY: (
        "SELECT next_try_at AS due_at FROM paygate_inbox WHERE tenant = :tenant AND id = :id"
    ),
    JobKind.CHECK_SETTLEMENT: (
        "SELECT settle_check_at AS due_at FROM paygate_payment WHERE tenant = :tenant AND id = :id"
    ),
    JobKind.END_LINK: (
        "SELECT end_at AS due_at FROM paygate_link WHERE tenant = :tenant AND id = :id"
    ),
}
_SINK = "SELECT position, pause_until FROM paygate_sink WHERE tenant = :tenant AND name = :name"
_TENANTS = """
SELECT DISTINCT k.tenant FROM paygate_account k
WHERE EXISTS (SELECT 1 FROM paygate_attempt d
    WHERE d.tenant = k.tenant AND d.account = k.name AND d.next_check_at <= :at)
  OR EXISTS (SELECT 1 FROM paygate_inbox d
    WHERE d.tenant = k.tenant AND d.account = k.name AND d.next_try_at <= :at)
  OR EXISTS (SELECT 1 FROM paygate_payment d
    WHERE d.tenant = k.tenant AND d.account = k.name AND d.settle_check_at <= :at)
  OR EXISTS (SELECT 1 FROM paygate_link d
    WHERE d.tenant = k.tenant AND d.end_at <= :at)
  OR EXISTS (SELECT 1 FROM paygate_autopay_run r
    WHERE r.tenant = k.tenant AND r.status = 'running' AND r.next_at <= :at)
  OR (:autopay = 1 AND EXISTS (
      SELECT 1 FROM paygate_subscription s INDEXED BY paygate_subscription_live
      WHERE s.tenant = k.tenant AND s.customer > '' AND s.status <> 'ended')
    AND NOT EXISTS (SELECT 1 FROM paygate_autopay_run r
      WHERE r.tenant = k.tenant AND r.run_date = :today))
  OR EXISTS (SELECT 1 FROM paygate_overdue_run r
    WHERE r.tenant = k.tenant AND r.status = 'running' AND r.next_at <= :at)
  OR (:sweeps = 1 AND NOT EXISTS (SELECT 1 FROM paygate_overdue_run r
      WHERE r.tenant = k.tenant AND r.run_date = :today)
    AND (EXISTS (SELECT 1 FROM paygate_item i
        WHERE i.tenant = k.tenant AND i.kind = 'invoice' AND i.status = 'open'
          AND i.overdue IS NULL AND i.due < :today
          AND i.total_minor - i.allocated_minor - i.written_off_minor > 0)
      OR EXISTS (SELECT 1 FROM paygate_episode e
        WHERE e.tenant = k.tenant AND e.next_on IS NOT NULL AND e.next_on <= :today)
      OR EXISTS (SELECT 1 FROM paygate_commitment c
        WHERE c.tenant = k.tenant AND c.status = 'active' AND c.end_on <= :today)))
  OR (k.has_feed = 1 AND :feeds = 1 AND NOT EXISTS (SELECT 1 FROM paygate_feed f
    WHERE f.tenant = k.tenant AND f.account = k.name AND f.read_at > :read_since
      AND f.since_stop <> 'unread'))
"""
_TENANTS_OF_SINK = """
SELECT t.tenant FROM (
  SELECT tenant FROM paygate_account UNION SELECT tenant FROM paygate_sink) t
LEFT JOIN paygate_sink s ON s.tenant = t.tenant AND s.name = :sink
WHERE (s.pause_until IS NULL OR s.pause_until <= :at)
  AND (EXISTS (SELECT 1 FROM paygate_outbox o
      WHERE o.tenant = t.tenant AND o.position > coalesce(s.position, 0))
    OR EXISTS (SELECT 1 FROM paygate_outbox o
      WHERE o.tenant = t.tenant AND o.position IS NULL)
    OR EXISTS (SELECT 1 FROM paygate_delivery d
      WHERE d.tenant = t.tenant AND d.sink = :sink AND d.dead = 0 AND d.next_try_at <= :at))
"""
_TAKE = """
INSERT INTO paygate_job (tenant, kind, subject, lease, lease_until)
VALUES (:tenant, :kind, :subject, :lease, :until)
ON CONFLICT (tenant, kind, subject) DO UPDATE
SET lease = excluded.lease, lease_until = excluded.lease_until
WHERE paygate_job.lease_until <= :at OR paygate_job.lease_until > :latest
"""
_GIVE_BACK = """
DELETE FROM paygate_job
WHERE tenant = :tenant AND kind = :kind AND subject = :subject AND lease = :lease
"""
_REST = """
UPDATE paygate_job SET lease = '', lease_until = :until
WHERE tenant = :tenant AND kind = :kind AND subject = :subject AND lease = :lease
"""
_SWEEP = "DELETE FROM paygate_job WHERE lease_until <= :before"


@dataclass(frozen=True, slots=True)
class DueJob:
    """A due job, and whether it takes long."""

    job: Job
    takes_long: bool = False


def due(tx: Tx, kind: JobKind, account: str, limit: int, *, free: bool) -> list[DueJob]:
    """
    Return due jobs of an *account*, the longest due first; links have none.

    With *free*, jobs that another process has taken are left out.
    """
    params = {
        "tenant": tx.tenant,
        "account": account,
        "kind": kind.value,
        "at": tx.at,
        "latest": write_instant(tx.now + LEASE_MAX),
        "limit": limit,
    }
    return [
        DueJob(_job_of(tx, kind, account, row), int(row["length"]) > _LONG)
        for row in tx.all((TO_TAKE if free else DUE)[kind], params)
    ]


def _job_of(tx: Tx, kind: JobKind, account: str, row: Row) -> Job:
    subject, due_at = str(row["subject"]), read_instant(row["due_at"])
    return Job(kind=kind, tenant=tx.tenant, account=account, subject=subject, due_at=due_at)


def is_planned(tx: Tx, job: Job) -> bool:
    """Return whether the row of *job*, such as an attempt or a callback, is due now."""
    id_ = int(job.subject) if job.kind is JobKind.APPLY else job.subject
    row = tx.one(_PLANNED[job.kind], {"tenant": tx.tenant, "id": id_})
    return row is not None and row["due_at"] is not None and row["due_at"] <= tx.at


def sink_is_due(tx: Tx, name: str) -> bool:
    """Return whether events wait for a sink that is not paused."""
    row = tx.one(_SINK, {"tenant": tx.tenant, "name": name})
    if row is not None and row["pause_until"] is not None and row["pause_until"] > tx.at:
        return False
    position = 0 if row is None else int(row["position"])
    return bool(
        outbox.after(tx, position, 1)
        or outbox.unplaced_since(tx) is not None
        or outbox.due(tx, name, 1)
    )


def tenants(tx: Tx, sinks: Iterable[str], feed_pause: timedelta | None) -> list[str]:
    """Return the tenants for which something is due, of their accounts or for *sinks*."""
    params = {
        "at": tx.at,
        "feeds": int(feed_pause is not None),
        "autopay": int(tx.autopay.enabled),
        "sweeps": int(tx.campaign.enabled),
        "today": write_date(tx.now.astimezone(tx.zone).date()),
        "read_since": write_instant(tx.now - (feed_pause or timedelta())),
    }
    found = {row["tenant"] for row in tx.all(_TENANTS, params)}
    for sink in sinks:
        found |= {row["tenant"] for row in tx.all(_TENANTS_OF_SINK, {"at": tx.at, "sink": sink})}
    return sorted(found)


def waiting(tx: Tx, tenant: str) -> list[WaitingJobs]:
    """Return how many due rows of each account nobody has taken; of all tenants if *tenant* is ''.

    Feeds are not counted: one of an account that is no longer used is due forever.
    """
    latest = write_instant(tx.now + LEASE_MAX)
    return [
        WaitingJobs(tenant=row["tenant"], account=row["account"], jobs=int(row["jobs"]))
        for row in tx.all(_WAITING, {"tenant": tenant, "at": tx.at, "latest": latest})
        if row["jobs"]
    ]


def take(tx: Tx, jobs: Sequence[Job], lease: str, length: timedelta) -> list[Job]:
    """Take *jobs* for *length*; return those that no other process has taken, with their lease."""
    tx.run(_SWEEP, {"before": write_instant(tx.now - LEASE_MAX)})
    taken = set[tuple[JobKind, str]]()
    # In one order, so that two processes that take the same jobs do not wait for each other.
    for job in sorted(jobs, key=lambda each: (each.kind, each.subject)):
        params = {
            "tenant": tx.tenant,
            "kind": job.kind.value,
            "subject": job.subject,
            "lease": lease,
            "until": write_instant(tx.now + length),
            "at": tx.at,
            "latest": write_instant(tx.now + LEASE_MAX),
        }
        if tx.run(_TAKE, params):
            taken.add((job.kind, job.subject))
    return [replace(job, lease=lease) for job in jobs if (job.kind, job.subject) in taken]


def give_back(tx: Tx, job: Job, *, rests: bool) -> None:
    """End the lease of *job*; with *rests*, nobody takes it for a while."""
    params = {
        "tenant": tx.tenant,
        "kind": job.kind.value,
        "subject": job.subject,
        "lease": job.lease,
        "until": write_instant(tx.now + REST),
    }
    tx.run(_REST if rests else _GIVE_BACK, params)
