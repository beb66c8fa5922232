"""Money in transit: receipts that have not settled, and the facts of their settlement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paygate.domain.money import Money
from paygate.ledger import checksums
from paygate.ledger.codec import read_instant, write_date

if TYPE_CHECKING:
    from datetime import datetime

    from paygate.domain.settlement import Settlement
    from paygate.ledger.tx import Tx

_UNDER_WAY = """
SELECT 1 AS one FROM paygate_receipt
WHERE payment = :payment AND kind IN ('charge', 'capture') AND in_transit_minor <> 0 LIMIT 1
"""
# Money that only came back counts once the charges and captures of its payment have settled.
_SETTLED = """
SELECT id, currency, awaiting_minor,
  CASE WHEN kind IN ('charge', 'capture') THEN awaiting_minor - max(0, in_transit_minor)
    ELSE awaiting_minor END AS minor
FROM paygate_receipt
WHERE payment = :payment AND awaiting_minor > 0
  AND CASE WHEN kind IN ('charge', 'capture') THEN awaiting_minor > in_transit_minor
    ELSE :under_way = 0 END
ORDER BY booked_at, id
"""
# A refund that failed or was undone by hand is no longer outstanding.
_REFUNDS_OUT = """
SELECT r.id, r.attempt, r.booked_at FROM paygate_receipt r
JOIN paygate_attempt a ON a.id = r.attempt AND a.operation = 'refund'
WHERE r.payment = :payment AND r.kind = 'refund' AND r.in_transit_minor <> 0
  AND r.in_transit_minor < 0
  AND NOT EXISTS (
    SELECT 1 FROM paygate_receipt b
    WHERE b.payment = :payment AND b.kind IN ('refund_failed', 'undone')
      AND coalesce(b.undoes, b.movement_id) = r.movement_id)
"""
_SUM = """
SELECT max(CASE WHEN kind IN ('charge', 'capture') AND in_transit_minor > 0 THEN 1 ELSE 0 END)
    AS brought,
  sum(in_transit_minor) AS minor
FROM paygate_receipt WHERE payment = :payment AND in_transit_minor <> 0
"""
_REVERSED = """
SELECT 1 AS one FROM paygate_receipt
WHERE payment = :payment AND kind = 'reversal' AND in_transit_minor < 0 LIMIT 1
"""
_SET_MINOR = "UPDATE paygate_receipt SET in_transit_minor = :amount WHERE id = :id"
_SETTLE = """
UPDATE paygate_receipt SET in_transit_minor = :in_transit, settled_minor = :settled,
  settled_currency = :settled_currency, fee_minor = :fee, fee_currency = :fee_currency,
  settled_on = :settled_on
WHERE id = :id
"""


@dataclass(frozen=True, slots=True)
class Settled:
    """The part of a receipt's `awaiting` money that has settled and counts now."""

    receipt: str
    awaiting: int
    amount: Money


def settled(tx: Tx, payment: str) -> list[Settled]:
    """Return the money of a payment that awaited settlement and has settled, oldest first."""
    params = {"payment": payment, "under_way": int(is_under_way(tx, payment))}
    return [
        Settled(row["id"], row["awaiting_minor"], Money(row["currency"], row["minor"]))
        for row in tx.all(_SETTLED, params)
    ]


def is_under_way(tx: Tx, payment: str) -> bool:
    """Return whether a charge or capture of a payment has not settled."""
    return tx.one(_UNDER_WAY, {"payment": payment}) is not None


def sum_of(tx: Tx, payment: str) -> int:
    """Return how much money of a payment is in transit; 0 once charges and captures settled."""
    row = tx.one(_SUM, {"payment": payment})
    return int(row["minor"]) if row is not None and row["brought"] else 0


@dataclass(frozen=True, slots=True)
class RefundOut:
    """An accepted refund whose settlement the processor has not reported."""

    receipt: str
    attempt: str
    booked_at: datetime


def refunds_out(tx: Tx, payment: str) -> list[RefundOut]:
    """
    Return the accepted refunds of *payment* that have not settled, oldest first.

    Return none before the payment itself has settled: the processor may net the two, and would
    then never report the settlement of the refund.
    """
    if is_under_way(tx, payment):
        return []
    found = [
        RefundOut(row["id"], row["attempt"], read_instant(row["booked_at"]))
        for row in tx.all(_REFUNDS_OUT, {"payment": payment})
    ]
    return sorted(found, key=lambda each: (each.booked_at, each.receipt))


def is_reversal_in_transit(tx: Tx, payment: str) -> bool:
    """Return whether money that was reversed by hand is still to be taken from us."""
    return tx.one(_REVERSED, {"payment": payment}) is not None


def set_minor(tx: Tx, receipt: str, minor: int) -> None:
    """Store how much of a receipt is in transit; negative if it is still to be taken from us."""
    tx.execute(_SET_MINOR, {"id": receipt, "amount": minor})


def settle(tx: Tx, receipt: str, known: Settlement, in_transit: int) -> None:
    """Store the *known* settlement of a receipt, and how much is still in transit."""
    params = {
        "id": receipt,
        "in_transit": in_transit,
        "settled": None if known.settled is None else known.settled.minor,
        "settled_currency": None if known.settled is None else known.settled.currency,
        "fee": None if known.fee is None else known.fee.minor,
        "fee_currency": None if known.fee is None else known.fee.currency,
        "settled_on": write_date(known.on),
    }
    tx.execute(_SETTLE, params)
    checksums.renew(tx, checksums.RECEIPT, receipt)
