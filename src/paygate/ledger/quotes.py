"""Quotes: what a payer was asked to pay in another currency, kept with the attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paygate.domain.money import Money
from paygate.ledger import checksums

if TYPE_CHECKING:
    from paygate.domain.outcome import MovementKind, PayToAddress
    from paygate.ledger.tx import Tx

_INSERT = """
INSERT INTO paygate_quote (
  attempt, currency, amount_minor, enough_minor, rate, rate_source, created_at, checksum)
VALUES (
  :attempt, :currency, :amount, :enough, :rate, :rate_source, :at, :checksum)
ON CONFLICT DO NOTHING
"""
_OF = "SELECT currency, amount_minor, enough_minor FROM paygate_quote WHERE attempt = :attempt"
_ARRIVED = """
SELECT coalesce(sum(settled_minor), 0) AS arrived FROM paygate_receipt
WHERE attempt = :attempt AND inward = 1 AND settled_currency = :currency
  AND settled_currency <> currency
"""
_BOOKED = """
SELECT currency, amount_minor, settled_minor, settled_currency FROM paygate_receipt
WHERE tenant = :tenant AND account = :account AND movement_id = :movement_id
  AND kind IN (:kind, :or_kind)
"""


@dataclass(frozen=True, slots=True)
class Quote:
    """What was asked for, and from how much on it counts as paid in full."""

    amount: Money
    enough: int


@dataclass(frozen=True, slots=True)
class Booked:
    """What a movement was booked as, and what had arrived."""

    amount: Money
    arrived: Money | None


def keep(tx: Tx, attempt: str, action: PayToAddress) -> None:
    """Keep what the payer is asked for; the first time counts."""
    enough = action.amount if action.enough is None else action.enough
    params = {
        "attempt": attempt,
        "currency": action.amount.currency,
        "amount": action.amount.minor,
        "enough": enough.minor,
        "rate": action.rate,
        "rate_source": action.rate_source,
        "at": tx.at,
    }
    tx.run(_INSERT, checksums.signed(checksums.QUOTE, params))


def of(tx: Tx, attempt: str) -> Quote | None:
    """Read the quote of an attempt, if it has one."""
    row = tx.one(_OF, {"attempt": attempt})
    if row is None:
        return None
    return Quote(Money(row["currency"], row["amount_minor"]), row["enough_minor"])


def arrived(tx: Tx, attempt: str, currency: str) -> int:
    """Tell how much has arrived for a quote in all, what was returned later included."""
    params = {"attempt": attempt, "currency": currency}
    row = tx.one(_ARRIVED, params)
    return 0 if row is None else int(row["arrived"])


def booked(
    tx: Tx, account: str, movement_id: str, kind: MovementKind, or_kind: MovementKind
) -> Booked | None:
    """Tell as what a movement of one of two kinds was booked."""
    params = {
        "tenant": tx.tenant,
        "account": account,
        "movement_id": movement_id,
        "kind": kind.value,
        "or_kind": or_kind.value,
    }
    row = tx.one(_BOOKED, params)
    if row is None:
        return None
    settled = row["settled_minor"]
    return Booked(
        Money(row["currency"], row["amount_minor"]),
        None if settled is None else Money(row["settled_currency"], settled),
    )
