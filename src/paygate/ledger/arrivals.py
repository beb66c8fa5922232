"""Arrivals: money seen on its way to an address, or that came, and the price it counts at.

For which payment it is, since when it is known and what it is worth are settled when it is
first seen. What changes later is how sure it is, and whether it was booked or is gone.
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
    """What became of money that was seen."""

    SEEN = "seen"
    """It is on its way."""
    BOOKED = "booked"
    """It is in the books."""
    GONE = "gone"
    """It did not come, or went back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Money at an address.

    `valuation` is None if it came in the currency of its payment, or if no price was believed.
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
    """Write what was seen for the first time."""
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
    tx.run(_INSERT, checksums.signed(checksums.ARRIVAL, params))


def find(tx: Tx, account: str, name: str) -> Arrival | None:
    """Return what is known of money that was seen, if it was."""
    row = tx.one(_FIND, {"tenant": tx.tenant, "account": account, "sighting": name})
    return None if row is None else _arrival_of(row)


def follow(tx: Tx, account: str, sighting: Sighting, state: ArrivalState) -> None:
    """Write how sure money is now, and what became of it."""
    params = {
        "tenant": tx.tenant,
        "account": account,
        "sighting": sighting.name,
        "state": state.value,
        "confirmations": sighting.confirmations,
        "needed": sighting.needed,
    }
    tx.run(_FOLLOW, params)
    checksums.renew(tx, checksums.ARRIVAL, tx.tenant, account, sighting.name)


def on_their_way(tx: Tx, attempt: str) -> dict[int | None, int]:
    """Return how much was seen for an attempt, and is neither booked nor gone, by its price."""
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
