"""The operations in progress on a payment: captures, refunds and voids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paygate.domain.money import Money
from paygate.ledger import checksums

if TYPE_CHECKING:
    from paygate.ledger.tx import Tx

_AUTHORIZE = "UPDATE paygate_payment SET authorized_minor = :amount WHERE id = :id"
# Captured and capturing never exceed what was authorized; nothing is captured during a void.
_BEGIN_CAPTURE = """
UPDATE paygate_payment SET capturing_minor = capturing_minor + :amount
WHERE id = :id AND voiding = 0
  AND collected_minor + capturing_minor + :amount <= authorized_minor
"""
_END_CAPTURE = (
    "UPDATE paygate_payment SET capturing_minor = capturing_minor - :amount WHERE id = :id"
)
# Returned and refunding never exceed what was received; nothing is refunded during a void.
_BEGIN_REFUND = """
UPDATE paygate_payment SET refunding_minor = refunding_minor + :amount
WHERE id = :id AND voiding = 0
  AND returned_minor + refunding_minor + :amount <= received_minor
"""
_END_REFUND = (
    "UPDATE paygate_payment SET refunding_minor = refunding_minor - :amount WHERE id = :id"
)
# A charge is voided in full or not at all; for an authorization, the uncaptured rest is voided.
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
    """The amounts of a payment that moved or are authorized, and the operations in progress."""

    received: Money
    returned: Money
    authorized: int
    collected: int
    capturing: int
    refunding: int
    voiding: bool
    hold_over: bool


def of_payment(tx: Tx, payment: str) -> UnderWay:
    """Return the amounts of a payment and the operations in progress on it."""
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
    """Store the authorized amount."""
    tx.execute(_AUTHORIZE, {"id": payment, "amount": minor})
    checksums.renew(tx, checksums.PAYMENT, payment)


def note_hold_over(tx: Tx, payment: str) -> None:
    """Store that the authorization has ended while the outcome of a capture is unknown."""
    tx.execute(_HOLD_OVER, {"id": payment})
    checksums.renew(tx, checksums.PAYMENT, payment)


def begin_capture(tx: Tx, payment: str, minor: int) -> bool:
    """Begin a capture of *minor*; return False if it exceeds what is left to capture."""
    return bool(tx.run(_BEGIN_CAPTURE, {"id": payment, "amount": minor}))


def end_capture(tx: Tx, payment: str, minor: int) -> None:
    """End a capture of *minor*."""
    tx.execute(_END_CAPTURE, {"id": payment, "amount": minor})


def begin_refund(tx: Tx, payment: str, minor: int) -> bool:
    """Begin a refund of *minor*; return False if it exceeds what is left to refund."""
    return bool(tx.run(_BEGIN_REFUND, {"id": payment, "amount": minor}))


def end_refund(tx: Tx, payment: str, minor: int) -> None:
    """End a refund of *minor*."""
    tx.execute(_END_REFUND, {"id": payment, "amount": minor})


def begin_void(tx: Tx, payment: str) -> bool:
    """Begin a void; return False if another operation on the payment is in progress."""
    begun = bool(tx.run(_BEGIN_VOID, {"id": payment}))
    if begun:
        checksums.renew(tx, checksums.PAYMENT, payment)
    return begun


def end_void(tx: Tx, payment: str) -> None:
    """End a void."""
    tx.execute(_END_VOID, {"id": payment})
    checksums.renew(tx, checksums.PAYMENT, payment)
