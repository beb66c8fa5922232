"""Refunds in progress: the invoices that a refund is for, and the credit that it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.ledger import checksums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.ledger.tx import Tx

_INSERT_HOLD = """
INSERT INTO paygate_hold (attempt, credit, amount_minor, state, checksum)
VALUES (:attempt, :credit, :amount, :state, :checksum)
"""
_HOLDS = """
SELECT credit, amount_minor FROM paygate_hold WHERE attempt = :attempt AND state = 'held'
"""
_END_HOLDS = "UPDATE paygate_hold SET state = :state WHERE attempt = :attempt AND state = 'held'"
_INSERT_ITEM = """
INSERT INTO paygate_refund_item (attempt, position, item, amount_minor, checksum)
VALUES (:attempt, :position, :item, :amount, :checksum)
"""
_ITEMS = """
SELECT item, amount_minor FROM paygate_refund_item WHERE attempt = :attempt ORDER BY position
"""
_ITEMS_IN_PROGRESS = """
SELECT r.item, r.amount_minor FROM paygate_attempt a JOIN paygate_refund_item r ON r.attempt = a.id
WHERE a.payment = :payment AND a.operation = 'refund'
  AND a.state IN ('sending', 'unknown', 'pending', 'requires_action')
"""


def name_items(tx: Tx, attempt_id: str, wanted: Sequence[tuple[str, int]]) -> None:
    """Store which invoices a refund is for, and how much of each."""
    tx.many(
        _INSERT_ITEM,
        [
            checksums.signed(
                checksums.REFUND_ITEM,
                {"attempt": attempt_id, "position": position, "item": item, "amount": minor},
            )
            for position, (item, minor) in enumerate(wanted)
        ],
    )


def items_of(tx: Tx, attempt_id: str) -> list[tuple[str, int]]:
    """Return the invoices that a refund was requested for, and how much of each, in order."""
    rows = tx.all(_ITEMS, {"attempt": attempt_id})
    return [(row["item"], row["amount_minor"]) for row in rows]


def items_in_progress(tx: Tx, payment: str) -> list[tuple[str, int]]:
    """Return the invoices of the refunds in progress of a payment, and how much of each."""
    rows = tx.all(_ITEMS_IN_PROGRESS, {"payment": payment})
    return [(row["item"], row["amount_minor"]) for row in rows]


def hold_credit(tx: Tx, attempt_id: str, credit: str, minor: int) -> None:
    """Store that a refund holds *minor* of a credit lot."""
    params = {"attempt": attempt_id, "credit": credit, "amount": minor, "state": "held"}
    tx.execute(_INSERT_HOLD, checksums.signed(checksums.HOLD, params))


def held_by(tx: Tx, attempt_id: str) -> list[tuple[str, int]]:
    """Return the credit lots that a refund holds, and how much of each."""
    rows = tx.all(_HOLDS, {"attempt": attempt_id})
    return [(row["credit"], row["amount_minor"]) for row in rows]


def end_holds(tx: Tx, attempt_id: str, state: str) -> None:
    """End the credit holds of a refund: *state* is released or used."""
    held = held_by(tx, attempt_id)
    tx.execute(_END_HOLDS, {"attempt": attempt_id, "state": state})
    for credit, _ in held:
        checksums.renew(tx, checksums.HOLD, attempt_id, credit)
