"""Counts and sums for the status report, each from one statement with an index of its own."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from paygate.domain.callback import InboxState
from paygate.domain.money import Money
from paygate.domain.payment import PaymentStatus
from paygate.domain.status import (
    FlaggedPayments,
    InvoiceTotals,
    PaymentTotals,
    PrepaymentTotals,
    SinkStatus,
    UnknownOutcomes,
)
from paygate.errors import InvalidAmount
from paygate.ledger import outbox
from paygate.ledger.codec import read_instant, read_instant_or_none, write_date, write_instant

if TYPE_CHECKING:
    from paygate.ledger.tx import Row, Tx

# SQLite refuses a sum of more than 64 bits, so each sum is computed in two parts.
_PART: Final = 1_000_000_000
_COUNTED = """
SELECT currency, status, count(*) AS count FROM paygate_item INDEXED BY paygate_item_counted
WHERE tenant = :tenant AND kind = 'invoice' GROUP BY currency, status ORDER BY currency, status
"""
# Only unpaid invoices are summed, so the cost does not grow with the age of the ledger.
_LEFT = "total_minor - allocated_minor - written_off_minor"
_UNPAID = f"""
SELECT currency, count(*) AS count,
  count(*) FILTER (WHERE allocated_minor > 0) AS partly,
  count(*) FILTER (WHERE due < :today) AS overdue,
  sum(({_LEFT}) / {_PART}) AS high, sum(({_LEFT}) % {_PART}) AS low
FROM paygate_item INDEXED BY paygate_item_unpaid
WHERE tenant = :tenant AND kind = 'invoice' AND status = 'open' AND {_LEFT} > 0
GROUP BY currency ORDER BY currency
"""
_PREPAYMENTS = f"""
SELECT currency, standing, count(*) AS count,
  sum(allocated_minor / {_PART}) AS high, sum(allocated_minor % {_PART}) AS low,
  sum(CASE WHEN status = 'open' THEN ({_LEFT} - moved_minor) / {_PART} ELSE 0 END) AS high_open,
  sum(CASE WHEN status = 'open' THEN ({_LEFT} - moved_minor) % {_PART} ELSE 0 END) AS low_open
FROM paygate_item INDEXED BY paygate_item_prepaid_by_standing
WHERE tenant = :tenant AND kind = 'prepayment' GROUP BY currency, standing
ORDER BY currency, standing
"""
_PAYMENTS = f"""
SELECT status, currency, count(*) AS count,
  sum(amount_minor / {_PART}) AS high, sum(amount_minor % {_PART}) AS low,
  sum(received_minor / {_PART}) AS high_in, sum(received_minor % {_PART}) AS low_in,
  sum(returned_minor / {_PART}) AS high_out, sum(returned_minor % {_PART}) AS low_out
FROM paygate_payment INDEXED BY paygate_payment_counted
WHERE tenant = :tenant GROUP BY status, currency ORDER BY status, currency
"""
_REVIEWS = """
SELECT count(*) AS count, coalesce(sum(conflicted), 0) AS conflicts,
  count(*) FILTER (WHERE customer = '') AS unidentified, min(created_at) AS since
FROM paygate_payment INDEXED BY paygate_payment_to_review
WHERE tenant = :tenant AND needs_review = 1
"""
_TO_REVIEW = """
SELECT id FROM paygate_payment INDEXED BY paygate_payment_to_review
WHERE tenant = :tenant AND needs_review = 1 ORDER BY created_at, id LIMIT :limit
"""
_UNKNOWN = """
SELECT count(*) FILTER (WHERE created_at > :hour) AS hour,
  count(*) FILTER (WHERE created_at <= :hour AND created_at > :day) AS day,
  count(*) FILTER (WHERE created_at <= :day AND created_at > :week) AS week,
  count(*) FILTER (WHERE created_at <= :week) AS older,
  min(created_at) AS since
FROM paygate_attempt INDEXED BY paygate_attempt_unknown
WHERE tenant = :tenant AND state = 'unknown'
"""
_OLDEST_UNKNOWN = """
SELECT coalesce(payment, method, id) AS about
FROM paygate_attempt INDEXED BY paygate_attempt_unknown
WHERE tenant = :tenant AND state = 'unknown' ORDER BY created_at, id LIMIT :limit
"""
_STUCK = """
SELECT account, state, count(*) AS count, min(received_at) AS since
FROM paygate_inbox INDEXED BY paygate_inbox_stuck
WHERE tenant = :tenant AND state IN ('failed', 'orphan', 'conflicted') GROUP BY account, state
"""
# The next event after a position is the next row; the plus keeps the planner off other indexes.
_SINKS = """
SELECT s.name, s.fault, s.unreached_since, s.pause_until,
  (SELECT o.occurred_at FROM paygate_outbox o
   WHERE +o.tenant = :tenant AND o.position > s.position
   ORDER BY o.position LIMIT 1) AS behind_since,
  (SELECT count(*) FROM paygate_delivery d
   WHERE d.tenant = :tenant AND d.sink = s.name AND d.dead = 0) AS set_aside,
  (SELECT min(d.next_try_at) FROM paygate_delivery d
   WHERE d.tenant = :tenant AND d.sink = s.name AND d.dead = 0) AS due_since,
  (SELECT count(*) FROM paygate_delivery d INDEXED BY paygate_delivery_dead
   WHERE d.tenant = :tenant AND d.sink = s.name AND d.dead = 1) AS dead_letters,
  (SELECT min(d.since) FROM paygate_delivery d INDEXED BY paygate_delivery_dead
   WHERE d.tenant = :tenant AND d.sink = s.name AND d.dead = 1) AS dead_since,
  (SELECT d.error FROM paygate_delivery d INDEXED BY paygate_delivery_dead
   WHERE d.tenant = :tenant AND d.sink = s.name AND d.dead = 1
   ORDER BY d.position DESC LIMIT 1) AS error
FROM paygate_sink s WHERE s.tenant = :tenant AND s.forgotten_at IS NULL ORDER BY s.name
"""


def invoices(tx: Tx) -> list[InvoiceTotals]:
    """Return the number of invoices by status and their open amount, for each currency."""
    params = {"tenant": tx.tenant, "today": write_date(tx.now.astimezone(tx.zone).date())}
    counts: dict[str, dict[str, int]] = {}
    for row in tx.all(_COUNTED, params):
        counts.setdefault(row["currency"], {})[row["status"]] = row["count"]
    rows = {row["currency"]: row for row in tx.all(_UNPAID, params)}
    return [
        _totals(currency, count, rows.get(currency, _NONE)) for currency, count in counts.items()
    ]


_NONE: Final = {"count": 0, "partly": 0, "overdue": 0, "high": 0, "low": 0}


def _totals(currency: str, count: dict[str, int], unpaid: Row | dict[str, int]) -> InvoiceTotals:
    return InvoiceTotals(
        currency=currency,
        draft=count.get("draft", 0),
        open=unpaid["count"] - unpaid["partly"],
        partially_paid=unpaid["partly"],
        paid=count.get("open", 0) - unpaid["count"],
        void=count.get("void", 0),
        overdue=unpaid["overdue"],
        still_open=_sum(currency, unpaid["high"], unpaid["low"]),
    )


def prepayments(tx: Tx) -> list[PrepaymentTotals]:
    """Return the number of prepayments by status and the money on them, for each currency."""
    found: dict[str, list[Row]] = {}
    for row in tx.all(_PREPAYMENTS, {"tenant": tx.tenant}):
        found.setdefault(row["currency"], []).append(row)
    return [_prepayments_of(currency, rows) for currency, rows in found.items()]


def _prepayments_of(currency: str, rows: list[Row]) -> PrepaymentTotals:
    counts = {row["standing"]: row["count"] for row in rows}
    return PrepaymentTotals(
        currency=currency,
        open=counts.get("open", 0),
        partially_paid=counts.get("partially_paid", 0),
        paid=counts.get("paid", 0),
        balanced=counts.get("balanced", 0),
        replaced=counts.get("replaced", 0),
        closed=counts.get("closed", 0),
        waiting=_sum(currency, sum(r["high"] for r in rows), sum(r["low"] for r in rows)),
        still_open=_sum(
            currency, sum(r["high_open"] for r in rows), sum(r["low_open"] for r in rows)
        ),
    )


def payments(tx: Tx) -> list[PaymentTotals]:
    """Return the number of payments and the sums of their amounts, by status and currency."""
    return [
        PaymentTotals(
            status=PaymentStatus(row["status"]),
            currency=row["currency"],
            count=row["count"],
            amount=_sum(row["currency"], row["high"], row["low"]),
            received=_sum(row["currency"], row["high_in"], row["low_in"]),
            returned=_sum(row["currency"], row["high_out"], row["low_out"]),
            net=_sum(
                row["currency"], row["high_in"] - row["high_out"], row["low_in"] - row["low_out"]
            ),
        )
        for row in tx.all(_PAYMENTS, {"tenant": tx.tenant})
    ]


def reviews(tx: Tx, limit: int) -> FlaggedPayments:
    """Return the number of payments flagged for review, and the oldest of them."""
    row = tx.one(_REVIEWS, {"tenant": tx.tenant})
    assert row is not None, "an aggregate query returns a row"
    oldest = tx.all(_TO_REVIEW, {"tenant": tx.tenant, "limit": limit})
    return FlaggedPayments(
        count=row["count"],
        conflicts=row["conflicts"],
        unidentified=row["unidentified"],
        since=read_instant_or_none(row["since"]),
        oldest=[each["id"] for each in oldest],
    )


def unknown(tx: Tx, limit: int) -> UnknownOutcomes:
    """Return the number of unknown outcomes by age, and the oldest of them."""
    ago = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}
    params = {name: write_instant(tx.now - age) for name, age in ago.items()} | {
        "tenant": tx.tenant
    }
    row = tx.one(_UNKNOWN, params)
    assert row is not None, "an aggregate query returns a row"
    oldest = tx.all(_OLDEST_UNKNOWN, {"tenant": tx.tenant, "limit": limit})
    return UnknownOutcomes(
        within_an_hour=row["hour"] or 0,
        within_a_day=row["day"] or 0,
        within_a_week=row["week"] or 0,
        older=row["older"] or 0,
        since=read_instant_or_none(row["since"]),
        oldest=[each["about"] for each in oldest],
    )


def stuck(tx: Tx) -> dict[str, dict[InboxState, tuple[int, datetime]]]:
    """Return the callbacks that were not applied: count and first time, by account and state."""
    found: dict[str, dict[InboxState, tuple[int, datetime]]] = {}
    for row in tx.all(_STUCK, {"tenant": tx.tenant}):
        since = read_instant(row["since"])
        found.setdefault(row["account"], {})[InboxState(row["state"])] = (row["count"], since)
    return found


def sinks(tx: Tx) -> list[SinkStatus]:
    """Return the status of every known sink and subscriber."""
    unplaced = outbox.unplaced_since(tx)  # no sink can have read it
    return [
        SinkStatus(
            name=row["name"],
            behind_since=read_instant_or_none(row["behind_since"] or unplaced),
            set_aside=row["set_aside"],
            due_since=read_instant_or_none(row["due_since"]),
            unreached_since=read_instant_or_none(row["unreached_since"]),
            paused_until=outbox.end_of_pause(row["pause_until"]),
            stopped=row["pause_until"] == outbox.NEVER,
            fault=row["fault"],
            dead_letters=row["dead_letters"],
            dead_since=read_instant_or_none(row["dead_since"]),
            error=row["error"] or "",
        )
        for row in tx.all(_SINKS, {"tenant": tx.tenant})
    ]


def _sum(currency: str, high: int, low: int) -> Money | None:
    """Return a sum, or None if it exceeds the largest amount."""
    try:
        return Money(currency, high * _PART + low)
    except InvalidAmount:
        return None
