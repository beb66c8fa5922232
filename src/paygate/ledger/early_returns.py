"""Returns that were reported before the money they return was booked."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from paygate.domain.money import Money
from paygate.domain.movement import Movement, MovementKind
from paygate.ledger import checksums

if TYPE_CHECKING:
    from paygate.domain.payment import Payment
    from paygate.ledger.tx import Tx

_KEEP = """
INSERT INTO paygate_early_return (
  tenant, account, movement_id, payment, undoes, currency, amount_minor, code, effective, kept_at,
  checksum)
VALUES (
  :tenant, :account, :movement_id, :payment, :undoes, :currency, :amount, :code, :effective, :at,
  :checksum)
ON CONFLICT DO NOTHING
"""
_OF_MONEY = """
SELECT * FROM paygate_early_return
WHERE payment = :payment AND currency = :currency AND coalesce(undoes, :name) = :name
ORDER BY movement_id
"""


def keep(tx: Tx, payment: Payment, movement: Movement) -> None:
    """Store a return of money that is not booked yet, once."""
    params = {
        "tenant": tx.tenant,
        "account": payment.account,
        "movement_id": movement.movement_id,
        "payment": payment.id,
        "undoes": movement.undoes,
        "currency": movement.amount.currency,
        "amount": movement.amount.minor,
        "code": movement.code,
        "effective": None if movement.effective is None else movement.effective.isoformat(),
        "at": tx.at,
    }
    tx.known["early", payment.id] = True
    tx.execute(_KEEP, checksums.signed(checksums.EARLY_RETURN, params))


def cache(tx: Tx, payment: str, *, any_: bool) -> None:
    """Cache whether *payment* has early returns, as read with its row."""
    tx.known["early", payment] = any_


def any_of(tx: Tx, payment: str) -> bool:
    """Return whether *payment* may have early returns."""
    found: bool = tx.known.get(("early", payment), True)
    return found


def of_money(tx: Tx, payment: str, movement: Movement) -> list[Movement]:
    """Return the early returns of the money that *movement* brings."""
    if not any_of(tx, payment):
        return []
    params = {
        "payment": payment,
        "currency": movement.amount.currency,
        "name": movement.movement_id,
    }
    return [
        Movement(
            movement_id=row["movement_id"],
            kind=MovementKind.RETURN,
            amount=Money(row["currency"], row["amount_minor"]),
            effective=_read(row["effective"]),
            undoes=row["undoes"],
            code=row["code"],
        )
        for row in tx.all(_OF_MONEY, params)
    ]


def _read(text: str | None) -> datetime | date | None:
    if text is None:
        return None
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)
