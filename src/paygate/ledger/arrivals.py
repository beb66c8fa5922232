"""Arrivals: money seen at an address, and the price at which it counts.

The payment, the time and the value of an arrival are fixed when it is first seen. Only its
confirmations and its state (booked or gone) change later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from paygate.domain.money import Money
from paygate.domain.quoting import Price, Valuation
from paygate.ledger import checksums
from paygate.ledger.codec import read_instant, write_instant

if TYPE_CHECKING:
    from paygate.domain.movement import Sighting
    from paygate.ledger.tx import Row, Tx

_INSERT = """
INSERT INTO paygate_arrival (
  tenant, account, sighting, attempt, currency, quantity_minor, seen_at, cost_minor, rate,
  rate_source, late, to_credit, state, confirmations, needed, checksum)
VALUES (
  :tenant, :account, :sighting, :attempt, :currency, :quantity, :seen_at, :cost, :rate,
  :rate_source, :late, :to_credit, :state, :confirmations, :needed, :checksum)
"""
_FIND = """
SELECT * FROM paygate_arrival
WHERE tenant = :tenant AND account = :account AND sighting = :sighting
"""
_FOLLOW = """
UPDATE paygate_arrival SET state = :state, confirmations = :confirmations, needed = :needed
WHERE tenant = :tenant AND account = :account AND sighting = :sighting
"""
_ON_THEIR_WAY = """
SELECT cost_minor, sum(quantity_minor) AS quantity FROM paygate_arrival
WHERE attempt = :attempt AND state = 'seen' GROUP BY cost_minor
"""


class ArrivalState(StrEnum):
    """The state of money that was seen."""

    SEEN = "seen"
    """Seen, but not yet booked."""
    BOOKED = "booked"
    """Booked as a receipt."""
    GONE = "gone"
    """Never confirmed, or reversed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Money at an address.

    `valuation` is None if it came in the currency of its payment, or if no price was accepted.
    """

    name: str
    attempt: str
    quantity: Money
    seen_at: datetime
    valuation: Valuation | None
    state: ArrivalState
    confirmations: int
    needed: int


def insert(tx: Tx, account: str, arrival: Arrival) -> None:
    """Store an arrival that was seen for the first time."""
    valued = arrival.valuation
    price = None if valued is None else valued.price
    params = {
        "tenant": tx.tenant,
        "account": account,
        "sighting": arrival.name,
        "attempt": arrival.attempt,
        "currency": arrival.quantity.currency,
        "quantity": arrival.quantity.minor,
        "seen_at": write_instant(arrival.seen_at),
        "cost": None if price is None else price.cost.minor,
        "rate": "" if price is None else price.rate,
        "rate_source": "" if price is None else price.source,
        "late": int(valued is not None and valued.late),
        "to_credit": int(valued is not None and valued.to_credit),
        "state": arrival.state.value,
        "confirmations": arrival.confirmations,
        "needed": arrival.needed,
    }
    tx.execute(_INSERT, checksums.signed(checksums.ARRIVAL, params))


def find(tx: Tx, account: str, name: str) -> Arrival | None:
    """Return the arrival with this *name* at *account*, or None."""
    row = tx.one(_FIND, {"tenant": tx.tenant, "account": account, "sighting": name})
    return None if row is None else _arrival_of(row)


def follow(tx: Tx, account: str, sighting: Sighting, state: ArrivalState) -> None:
    """Store the confirmations and the state of an arrival."""
    params = {
        "tenant": tx.tenant,
        "account": account,
        "sighting": sighting.name,
        "state": state.value,
        "confirmations": sighting.confirmations,
        "needed": sighting.needed,
    }
    tx.execute(_FOLLOW, params)
    checksums.renew(tx, checksums.ARRIVAL, tx.tenant, account, sighting.name)


def on_their_way(tx: Tx, attempt: str) -> dict[int | None, int]:
    """Return the sums seen for an attempt that are neither booked nor gone, by price."""
    rows = tx.all(_ON_THEIR_WAY, {"attempt": attempt})
    return {row["cost_minor"]: row["quantity"] for row in rows}


def _arrival_of(row: Row) -> Arrival:
    currency: str = row["currency"]
    valued = None
    if row["cost_minor"] is not None:
        price = Price(
            cost=Money(currency, row["cost_minor"]), rate=row["rate"], source=row["rate_source"]
        )
        late, to_credit = bool(row["late"]), bool(row["to_credit"])
        valued = Valuation(price=price, late=late, to_credit=to_credit)
    return Arrival(
        name=row["sighting"],
        attempt=row["attempt"],
        quantity=Money(currency, row["quantity_minor"]),
        seen_at=read_instant(row["seen_at"]),
        valuation=valued,
        state=ArrivalState(row["state"]),
        confirmations=row["confirmations"],
        needed=row["needed"],
    )
