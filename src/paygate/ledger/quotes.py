"""Quotes: the amount in another currency that a payer was asked for, stored with the attempt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from paygate.domain.attempt import AttemptState
from paygate.domain.money import Money
from paygate.domain.quoting import Counted, Offer, Price, Rank, Valuation
from paygate.ledger import arrivals, checksums
from paygate.ledger.codec import read_instant, read_instant_or_none, write_instant

if TYPE_CHECKING:
    from paygate.domain.action import PayToAddress
    from paygate.domain.movement import MovementKind
    from paygate.ledger.tx import Row, Tx

_INSERT = """
INSERT INTO paygate_quote (
  attempt, currency, amount_minor, enough_minor, rate, rate_source, good_until, created_at,
  checksum)
VALUES (
  :attempt, :currency, :amount, :enough, :rate, :rate_source, :good_until, :at, :checksum)
ON CONFLICT DO NOTHING
"""
_OF = "SELECT * FROM paygate_quote WHERE attempt = :attempt"
# If the payer was asked in the currency that came, the quote is the amount itself.
_OFFERS = """
SELECT a.id, a.state, a.currency AS asked_in, a.created_at, p.superseded,
  p.received_minor - p.returned_minor AS received,
  coalesce(q.currency, a.currency) AS currency, coalesce(q.amount_minor, a.amount_minor) AS minor,
  coalesce(q.enough_minor, a.amount_minor) AS enough, q.good_until
FROM paygate_attempt a
JOIN paygate_payment p ON p.id = a.payment
LEFT JOIN paygate_quote q ON q.attempt = a.id
WHERE a.tenant = :tenant AND a.account = :account AND a.reference = :reference
  AND a.reference <> '' AND a.operation = 'charge'
  AND (q.good_until IS NULL OR q.good_until >= :seen_at)
ORDER BY a.id
"""
_COUNTED = """
SELECT cost_minor AS cost,
  sum(CASE inward WHEN 1 THEN settled_minor ELSE -settled_minor END) AS quantity,
  sum(CASE inward WHEN 1 THEN amount_minor ELSE -amount_minor END) AS booked
FROM paygate_receipt
WHERE attempt = :attempt AND settled_currency = :currency AND settled_currency <> currency
  AND cost_minor IS NOT NULL
GROUP BY cost_minor
"""
_BOOKED = """
SELECT * FROM paygate_receipt
WHERE tenant = :tenant AND account = :account AND movement_id = :movement_id AND kind = :kind
"""
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Quote:
    """The price that was asked, its expiry, and the smallest amount that pays in full."""

    price: Price
    enough: int
    good_until: datetime | None


@dataclass(frozen=True, slots=True)
class BookedQuote:
    """The amount that a movement was booked as, the quantity that came, and its valuation."""

    amount: Money
    quantity: Money | None
    valued: Valuation | None


def keep(tx: Tx, attempt: str, action: PayToAddress, good_until: datetime | None) -> None:
    """Store what the payer is asked for until *good_until*; only the first quote counts."""
    enough = action.amount if action.enough is None else action.enough
    params = {
        "attempt": attempt,
        "currency": action.amount.currency,
        "amount": action.amount.minor,
        "enough": enough.minor,
        "rate": action.rate,
        "rate_source": action.rate_source,
        "good_until": write_instant(good_until),
        "at": tx.at,
    }
    tx.execute(_INSERT, checksums.signed(checksums.QUOTE, params))


def of(tx: Tx, attempt: str) -> Quote | None:
    """Return the quote of an attempt, or None."""
    row = tx.one(_OF, {"attempt": attempt})
    if row is None:
        return None
    cost = Money(row["currency"], row["amount_minor"])
    price = Price(cost=cost, rate=row["rate"], source=row["rate_source"])
    return Quote(price, row["enough_minor"], read_instant_or_none(row["good_until"]))


def offers(tx: Tx, account: str, reference: str, currency: str, seen_at: datetime) -> list[Offer]:
    """Return the quotes at *reference*, in *currency*, that had not expired at *seen_at*."""
    params = {
        "tenant": tx.tenant,
        "account": account,
        "reference": reference,
        "seen_at": write_instant(seen_at),
    }
    rows = [row for row in tx.all(_OFFERS, params) if row["currency"] == currency]
    return [_offer_of(tx, row, serial) for serial, row in enumerate(rows)]


def _offer_of(tx: Tx, row: Row, serial: int) -> Offer:
    booked = row["received"] if row["asked_in"] == row["currency"] else None
    come = come_of(tx, row["id"], row["currency"], booked)
    rank = Rank.REPLACED
    if row["state"] == AttemptState.PENDING.value:
        rank = Rank.ON_ITS_WAY
    elif row["state"] == AttemptState.REQUIRES_ACTION.value and not row["superseded"]:
        rank = Rank.WAITING
    return Offer(
        attempt=row["id"],
        serial=serial,
        minor=row["minor"],
        enough=row["enough"],
        come=come,
        made_at=read_instant(row["created_at"]),
        good_until=read_instant_or_none(row["good_until"]) or _NEVER,
        rank=rank,
    )


def come_of(tx: Tx, attempt: str, currency: str, booked: int | None) -> int:
    """
    Return how much of *currency* was seen or booked for an attempt, less what is gone.

    *booked* is the money that the payment holds, if it was asked for in that currency.
    """
    if booked is None:
        booked = sum(each.quantity for each in counted(tx, attempt, currency))
    return booked + sum(arrivals.on_their_way(tx, attempt).values())


def counted(tx: Tx, attempt: str, currency: str) -> list[Counted]:
    """Return what was booked for an attempt in *currency*, less what is gone, by price."""
    rows = tx.all(_COUNTED, {"attempt": attempt, "currency": currency})
    return [Counted(row["cost"], row["quantity"], row["booked"]) for row in rows]


def booked(tx: Tx, account: str, movement_id: str, *kinds: MovementKind) -> BookedQuote | None:
    """Return how a movement of one of *kinds* was booked, or None."""
    params = {"tenant": tx.tenant, "account": account, "movement_id": movement_id}
    for kind in kinds:
        row = tx.one(_BOOKED, {**params, "kind": kind.value})
        if row is not None:
            return _booked_of(row)
    return None


def _booked_of(row: Row) -> BookedQuote:
    quantity = None
    if row["settled_minor"] is not None:
        quantity = Money(row["settled_currency"], row["settled_minor"])
    valued = None
    if row["cost_minor"] is not None and quantity is not None:
        cost = Money(quantity.currency, row["cost_minor"])
        price = Price(cost=cost, rate=row["rate"], source=row["rate_source"])
        valued = Valuation(price=price)
    return BookedQuote(Money(row["currency"], row["amount_minor"]), quantity, valued)
