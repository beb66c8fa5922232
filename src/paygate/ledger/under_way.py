"""What is being done to a payment: amounts held, being captured, being refunded or voided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paygate.domain.money import Money
from paygate.ledger import checksums

if TYPE_CHECKING:
    from paygate.ledger.tx import Tx

_AUTHORIZE = "UPDATE paygate_payment SET authorized_minor = :amount WHERE id = :id"
# Never more captured, or on its way, than was authorised; and nothing while it is being voided.
_BEGIN_CAPTURE = """
UPDATE paygate_payment SET capturing_minor = capturing_minor + :amount
WHERE id = :id AND voiding = 0
  AND collected_minor + capturing_minor + :amount <= authorized_minor
"""
_END_CAPTURE = (
    "UPDATE paygate_payment SET capturing_minor = capturing_minor - :amount WHERE id = :id"
)
# Never more sent back, or on its way back, than came and stayed.
_BEGIN_REFUND = """
UPDATE paygate_payment SET refunding_minor = refunding_minor + :amount
WHERE id = :id AND voiding = 0
  AND returned_minor + refunding_minor + :amount <= received_minor
"""
_END_REFUND = (
    "UPDATE paygate_payment SET refunding_minor = refunding_minor - :amount WHERE id = :id"
)
# A charge is voided whole, or not at all; of an authorisation, what was not captured.
_BEGIN_VOID = """
UPDATE paygate_payment SET voiding = 1
WHERE id = :id AND voiding = 0 AND capturing_minor = 0 AND refunding_minor = 0
  AND (returned_minor = 0 OR status = 'authorized')
"""
_END_VOID = "UPDATE paygate_payment SET voiding = 0 WHERE id = :id"
_HOLD_OVER = "UPDATE paygate_payment SET hold_over = 1 WHERE id = :id"
_OF_PAYMENT = """
SELECT currency, received_minor, returned_minor, authorized_minor, collected_minor,
  capturing_minor, refunding_minor, voiding, hold_over
FROM paygate_payment WHERE id = :id
"""


@dataclass(frozen=True, slots=True)
class UnderWay:
    """How much moved of a payment and is authorised, and what is being done to it right now."""

    received: Money
    returned: Money
    authorized: int
    collected: int
    capturing: int
    refunding: int
    voiding: bool
    hold_over: bool


def of_payment(tx: Tx, payment: str) -> UnderWay:
    """Return what is being done to a payment right now."""
    row = tx.one(_OF_PAYMENT, {"id": payment})
    assert row is not None, f"payment {payment} was just read"
    currency: str = row["currency"]
    return UnderWay(
        Money(currency, row["received_minor"]),
        Money(currency, row["returned_minor"]),
        row["authorized_minor"],
        row["collected_minor"],
        row["capturing_minor"],
        row["refunding_minor"],
        bool(row["voiding"]),
        bool(row["hold_over"]),
    )


def set_authorized(tx: Tx, payment: str, minor: int) -> None:
    """Write how much is held for us."""
    tx.run(_AUTHORIZE, {"id": payment, "amount": minor})
    checksums.renew(tx, checksums.PAYMENT, payment)


def note_hold_over(tx: Tx, payment: str) -> None:
    """Write that nothing more is held for us, though a capture of it is still in doubt."""
    tx.run(_HOLD_OVER, {"id": payment})
    checksums.renew(tx, checksums.PAYMENT, payment)


def begin_capture(tx: Tx, payment: str, minor: int) -> bool:
    """Count *minor* as being captured, if that much is authorised and not captured yet."""
    return bool(tx.run(_BEGIN_CAPTURE, {"id": payment, "amount": minor}))


def end_capture(tx: Tx, payment: str, minor: int) -> None:
    """Count *minor* as no longer being captured."""
    tx.run(_END_CAPTURE, {"id": payment, "amount": minor})


def begin_refund(tx: Tx, payment: str, minor: int) -> bool:
    """Count *minor* as being refunded, if that much was received and did not go back yet."""
    return bool(tx.run(_BEGIN_REFUND, {"id": payment, "amount": minor}))


def end_refund(tx: Tx, payment: str, minor: int) -> None:
    """Count *minor* as no longer being refunded."""
    tx.run(_END_REFUND, {"id": payment, "amount": minor})


def begin_void(tx: Tx, payment: str) -> bool:
    """Mark a payment as being voided, if nothing else is being done to it."""
    begun = bool(tx.run(_BEGIN_VOID, {"id": payment}))
    if begun:
        checksums.renew(tx, checksums.PAYMENT, payment)
    return begun


def end_void(tx: Tx, payment: str) -> None:
    """Mark a payment as no longer being voided."""
    tx.run(_END_VOID, {"id": payment})
    checksums.renew(tx, checksums.PAYMENT, payment)
