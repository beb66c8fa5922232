"""Receipts: movements of money that are booked in the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paygate.domain.kind import Operation
from paygate.domain.money import Money
from paygate.domain.movement import MovementKind
from paygate.domain.receipt import Receipt
from paygate.domain.settlement import Settlement
from paygate.ledger import checksums, customers
from paygate.ledger.codec import (
    read_date,
    read_date_or_none,
    read_instant,
    read_money_or_none,
    write_date,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paygate.domain.movement import Movement
    from paygate.ledger.tx import Row, Tx

NEXT_NUMBER: Final = (
    "(SELECT coalesce(max(number), 0) + 1 FROM paygate_receipt WHERE tenant = :tenant)"
)
"""The number of a new receipt in SQLite, in which one transaction writes at a time."""
BOOK: Final = f"""
INSERT INTO paygate_receipt (
  id, tenant, number, payment, attempt, customer, account, kind, inward, movement_id, currency,
  amount_minor, in_transit_minor, undoes, by_hand, code, cost_minor, rate, rate_source, effective,
  booked_at, actor, checksum)
VALUES (
  :id, :tenant, {NEXT_NUMBER}, :payment, :attempt, :customer, :account, :kind, :inward,
  :movement_id, :currency, :amount, :in_transit, :undoes, :by_hand, :code, :cost, :rate,
  :rate_source, :effective, :at, :actor, :checksum)
ON CONFLICT (tenant, account, kind, movement_id) DO NOTHING
RETURNING number
"""
"""Books a receipt, and returns its number."""
_NUMBER = "SELECT number FROM paygate_receipt WHERE id = :id"
_SET_HOST_NUMBER = """
UPDATE paygate_receipt SET host_number = :number WHERE id = :id AND host_number = ''
"""
_BY_HOST_NUMBER = """
SELECT id FROM paygate_receipt
WHERE tenant = :tenant AND host_number <> '' AND host_number = :number
"""
_BOOKED = """
SELECT currency, amount_minor, payment, attempt, settled_minor, settled_currency, fee_minor,
  fee_currency, settled_on,
  (SELECT operation FROM paygate_attempt a WHERE a.id = r.attempt) AS operation
FROM paygate_receipt r
WHERE tenant = :tenant AND account = :account AND kind = :kind AND movement_id = :movement_id
"""
_SELECT = """
SELECT r.*,
  (SELECT coalesce(sum(amount_minor), 0) FROM paygate_allocation a
   WHERE a.receipt = r.id) AS allocated_minor,
  (SELECT coalesce(sum(amount_minor - canceled_minor), 0) FROM paygate_credit c
   WHERE c.receipt = r.id AND c.reason <> 'invoice_voided') AS credited_minor
FROM paygate_receipt r
"""
_OF_PAYMENT = f"""
{_SELECT} WHERE +r.tenant = :tenant AND r.payment = :payment ORDER BY r.booked_at, r.id
"""
_BY_ID = f"{_SELECT} WHERE r.tenant = :tenant AND r.id = :id"
_OF_MOVEMENT = f"""
{_SELECT}
WHERE r.tenant = :tenant AND r.account = :account AND r.kind = :kind
  AND r.movement_id = :movement_id
"""
_IS_NAMED = f"""
SELECT 1 AS one FROM paygate_receipt
WHERE tenant = :tenant AND account = :account
  AND kind IN ({", ".join(f"'{each.value}'" for each in MovementKind)})
  AND movement_id = :movement_id AND +payment = :payment
"""
_NAMES = "SELECT kind, movement_id FROM paygate_receipt WHERE payment = :payment"
_UNALLOCATED = """
SELECT id, unallocated_minor AS minor FROM paygate_receipt
WHERE payment = :payment AND currency = :currency AND unallocated_minor <> 0
  AND unallocated_minor > 0
ORDER BY booked_at, id
"""
_OVERDRAWN = """
SELECT id, unallocated_minor AS minor FROM paygate_receipt
WHERE payment = :payment AND currency = :currency AND unallocated_minor <> 0
  AND unallocated_minor < 0
ORDER BY booked_at, id
"""
_WAITS = """
SELECT 1 AS one FROM paygate_receipt WHERE payment = :payment AND unallocated_minor <> 0 LIMIT 1
"""
_AWAITING = """
SELECT id, awaiting_minor AS minor FROM paygate_receipt
WHERE payment = :payment AND currency = :currency AND awaiting_minor > 0
ORDER BY booked_at, id
"""
_AWAITING_IN_ALL = """
SELECT coalesce(sum(awaiting_minor), 0) AS minor FROM paygate_receipt
WHERE payment = :payment AND currency = :currency AND awaiting_minor > 0
"""
_MOVED_BY = """
SELECT attempt, kind, currency, amount_minor FROM paygate_receipt
WHERE payment = :payment AND attempt IS NOT NULL
"""
_RECORDED = f"""
{_SELECT}
WHERE r.tenant = :tenant AND r.account = :account AND r.kind = 'refund'
  AND (r.movement_id = :name
       OR r.movement_id > :name || ':' AND r.movement_id < :name || ';')
ORDER BY r.booked_at, r.id
"""
_UNDONE_OF = """
SELECT coalesce(sum(amount_minor), 0) AS minor FROM paygate_receipt
WHERE payment = :payment AND kind = 'undone' AND undoes = :movement_id
"""
_SET_AWAITING = "UPDATE paygate_receipt SET awaiting_minor = :amount WHERE id = :id"
_TAKEN_BACK = """
SELECT inward, attempt, undoes, amount_minor FROM paygate_receipt
WHERE payment = :payment AND kind NOT IN ('charge', 'capture')
"""
_UNDONE_BY = """
SELECT id FROM paygate_receipt
WHERE payment = :payment AND kind = :kind AND movement_id = :movement_id
"""
_IS_UNDONE = """
SELECT 1 AS one FROM paygate_receipt
WHERE payment = :payment AND kind IN ('chargeback_won', 'refund_failed', 'undone')
  AND coalesce(undoes, movement_id) = :movement_id
"""
_HELD = """
SELECT currency,
  sum(CASE WHEN inward = 1 AND kind <> 'undone' THEN amount_minor ELSE 0 END) AS came,
  sum(CASE WHEN inward = 0 THEN amount_minor WHEN kind = 'undone' THEN -amount_minor ELSE 0 END)
    AS went
FROM paygate_receipt WHERE payment = :payment GROUP BY currency
"""
_SET_CUSTOMER = "UPDATE paygate_receipt SET customer = :customer WHERE id = :id"
_SET_UNALLOCATED = """
UPDATE paygate_receipt SET unallocated_minor = :amount WHERE id = :id
"""


@dataclass(frozen=True, slots=True)
class Booked:
    """A movement that is already booked, and the attempt that it belongs to."""

    amount: Money
    payment: str | None
    attempt: str | None
    operation: Operation | None
    settlement: Settlement


@dataclass(frozen=True, slots=True)
class TakenBack:
    """A movement after the original money, the movement that it undoes, and its attempt."""

    inward: bool
    attempt: str
    undoes: str
    minor: int


def book(
    tx: Tx,
    movement: Movement,
    *,
    account: str,
    customer: str,
    payment: str | None,
    attempt: str | None,
    in_transit: bool,
    by: str = "",
) -> str | None:
    """
    Book a movement and return the id of its receipt; None if it is booked already.

    *in_transit* means that the money is still with a gateway or bank; see `transit.settle`. *by*
    is how it was sent, if not by a gateway.
    """
    id_ = tx.new_id("rcp")
    sign = 1 if movement.kind.inward else -1
    price = None if movement.valued is None else movement.valued.price
    params = {
        "id": id_,
        "tenant": tx.tenant,
        "payment": payment,
        "attempt": attempt,
        "customer": customer,
        "account": account,
        "kind": movement.kind.value,
        "inward": int(movement.kind.inward),
        "movement_id": movement.movement_id,
        "currency": movement.amount.currency,
        "amount": movement.amount.minor,
        "in_transit": sign * movement.amount.minor if in_transit else 0,
        "undoes": movement.undoes,
        "by_hand": by,
        "code": movement.code,
        "cost": None if price is None else price.cost.minor,
        "rate": "" if price is None else price.rate,
        "rate_source": "" if price is None else price.source,
        "host_number": "",
        "settled_minor": None,
        "settled_currency": None,
        "fee_minor": None,
        "fee_currency": None,
        "settled_on": None,
        "effective": write_date(customers.date_of(tx, customer, movement.effective)),
        "at": tx.at,
        "actor": tx.actor,
    }
    row = tx.one(BOOK, checksums.signed(checksums.RECEIPT, params))
    if row is None:
        return None
    tx.known["receipt_number", id_] = row["number"]
    return id_


def number_of(tx: Tx, id_: str) -> int:
    """Return the number of a receipt."""
    known: int | None = tx.known.get(("receipt_number", id_))
    if known is not None:
        return known
    row = tx.one(_NUMBER, {"id": id_})
    assert row is not None, "receipts are never deleted"
    return int(row["number"])


def set_host_number(tx: Tx, id_: str, number: str) -> bool:
    """Store the number of a receipt in the host's series; return False if it has one."""
    done = bool(tx.run(_SET_HOST_NUMBER, {"id": id_, "number": number}))
    if done:
        checksums.renew(tx, checksums.RECEIPT, id_)
    return done


def by_host_number(tx: Tx, number: str) -> str | None:
    """Return the id of the receipt with this number of the host's series, or None."""
    row = tx.one(_BY_HOST_NUMBER, {"tenant": tx.tenant, "number": number})
    return None if row is None else str(row["id"])


def booked(
    tx: Tx, account: str, movements: Iterable[Movement]
) -> dict[tuple[MovementKind, str], Booked]:
    """Return the *movements* that are booked already, by kind and id, with their amounts."""
    found: dict[tuple[MovementKind, str], Booked] = {}
    for movement in movements:
        params = {
            "tenant": tx.tenant,
            "account": account,
            "kind": movement.kind.value,
            "movement_id": movement.movement_id,
        }
        row = tx.one(_BOOKED, params)
        if row is not None:
            amount = Money(row["currency"], row["amount_minor"])
            found[movement.kind, movement.movement_id] = Booked(
                amount,
                row["payment"],
                row["attempt"],
                None if row["operation"] is None else Operation(row["operation"]),
                settlement_of(row),
            )
    return found


def of_payment(tx: Tx, payment: str) -> list[Receipt]:
    """Return the receipts of a payment, inward and outward, oldest first."""
    params = {"tenant": tx.tenant, "payment": payment}
    return [receipt_of(row) for row in tx.all(_OF_PAYMENT, params)]


def by_id(tx: Tx, id_: str) -> Receipt | None:
    """Return the receipt with this id, or None; only receipts of a payment are found."""
    row = tx.one(_BY_ID, {"tenant": tx.tenant, "id": id_})
    return None if row is None or row["payment"] is None else receipt_of(row)


def of_movement(tx: Tx, account: str, kind: MovementKind, movement_id: str) -> Receipt | None:
    """Return the receipt of a movement of a gateway account, or None."""
    params = {
        "tenant": tx.tenant,
        "account": account,
        "kind": kind.value,
        "movement_id": movement_id,
    }
    row = tx.one(_OF_MOVEMENT, params)
    return None if row is None else receipt_of(row)


def is_named(tx: Tx, account: str, payment: str, movement_id: str) -> bool:
    """Return whether a movement with this id, of any kind, is booked for a payment."""
    params = {
        "tenant": tx.tenant,
        "account": account,
        "payment": payment,
        "movement_id": movement_id,
    }
    return tx.one(_IS_NAMED, params) is not None


def names_of(tx: Tx, payment: str) -> frozenset[tuple[MovementKind, str]]:
    """Return the kind and id of each movement that is booked for a payment."""
    rows = tx.all(_NAMES, {"payment": payment})
    return frozenset((MovementKind(row["kind"]), row["movement_id"]) for row in rows)


@dataclass(frozen=True, slots=True)
class ReceiptPart:
    """A part of a receipt's amount."""

    receipt: str
    minor: int


def unallocated(tx: Tx, payment: str, currency: str) -> list[ReceiptPart]:
    """Return the unallocated money of a payment, oldest first."""
    rows = tx.all(_UNALLOCATED, {"payment": payment, "currency": currency})
    return [ReceiptPart(row["id"], row["minor"]) for row in rows]


def overdrawn(tx: Tx, payment: str, currency: str) -> list[ReceiptPart]:
    """Return the negative parts of a payment without a customer: money returned in excess."""
    rows = tx.all(_OVERDRAWN, {"payment": payment, "currency": currency})
    return [ReceiptPart(row["id"], row["minor"]) for row in rows]


def waits(tx: Tx, payment: str) -> bool:
    """Return whether a payment has unallocated money, positive or negative."""
    return tx.one(_WAITS, {"payment": payment}) is not None


def awaiting(tx: Tx, payment: str, currency: str) -> list[ReceiptPart]:
    """Return the money of a payment that awaits settlement, oldest first."""
    rows = tx.all(_AWAITING, {"payment": payment, "currency": currency})
    return [ReceiptPart(row["id"], row["minor"]) for row in rows]


def awaiting_in_all(tx: Tx, payment: str, currency: str) -> int:
    """Return the sum of the money of a payment that awaits settlement."""
    row = tx.one(_AWAITING_IN_ALL, {"payment": payment, "currency": currency})
    return 0 if row is None else int(row["minor"])


@dataclass(frozen=True, slots=True)
class MovedMoney:
    """Money that an attempt moved."""

    kind: MovementKind
    currency: str
    minor: int


def moved_by(tx: Tx, payment: str) -> dict[str, list[MovedMoney]]:
    """Return the money that each attempt of a payment moved, by attempt id."""
    found: dict[str, list[MovedMoney]] = {}
    for row in tx.all(_MOVED_BY, {"payment": payment}):
        one = MovedMoney(MovementKind(row["kind"]), row["currency"], row["amount_minor"])
        found.setdefault(row["attempt"], []).append(one)
    return found


def recorded(tx: Tx, account: str, name: str) -> list[Receipt]:
    """Return the parts of a refund that was recorded by hand under *name*."""
    params = {"tenant": tx.tenant, "account": account, "name": name}
    return [receipt_of(row) for row in tx.all(_RECORDED, params)]


def taken_back(tx: Tx, payment: str) -> list[TakenBack]:
    """Return the movements of a payment other than charges and captures."""
    return [
        TakenBack(
            bool(row["inward"]), row["attempt"] or "", row["undoes"] or "", row["amount_minor"]
        )
        for row in tx.all(_TAKEN_BACK, {"payment": payment})
    ]


def undone_by(tx: Tx, payment: str, kinds: Iterable[MovementKind], movement_id: str) -> str | None:
    """Return the id of the receipt, of one of *kinds*, that a later movement undoes, or None."""
    for kind in kinds:
        params = {"payment": payment, "kind": kind.value, "movement_id": movement_id}
        row = tx.one(_UNDONE_BY, params)
        if row is not None:
            return str(row["id"])
    return None


def is_undone(tx: Tx, payment: str, movement_id: str) -> bool:
    """Return whether the outward movement with this id was undone by money that came back."""
    return bool(tx.all(_IS_UNDONE, {"payment": payment, "movement_id": movement_id}))


def undone_of(tx: Tx, payment: str, movement_id: str) -> int:
    """Return how much of an outward movement of *payment* was undone by hand."""
    row = tx.one(_UNDONE_OF, {"payment": payment, "movement_id": movement_id})
    return 0 if row is None else row["minor"]


def moved(tx: Tx, payment: str) -> dict[str, tuple[int, int]]:
    """Return how much money of a payment came in and went out, by currency."""
    rows = tx.all(_HELD, {"payment": payment})
    return {row["currency"]: (row["came"], row["went"]) for row in rows}


def set_customer(tx: Tx, receipt: str, customer: str) -> None:
    """Set the customer of a receipt that had none."""
    tx.execute(_SET_CUSTOMER, {"id": receipt, "customer": customer})
    checksums.renew(tx, checksums.RECEIPT, receipt)


def set_unallocated(tx: Tx, receipt: str, minor: int) -> None:
    """Store how much of a receipt is unallocated."""
    tx.execute(_SET_UNALLOCATED, {"id": receipt, "amount": minor})


def set_awaiting(tx: Tx, receipt: str, minor: int) -> None:
    """Store how much of a receipt awaits settlement."""
    tx.execute(_SET_AWAITING, {"id": receipt, "amount": minor})


def receipt_of(row: Row) -> Receipt:
    """Return the receipt of a row."""
    currency: str = row["currency"]
    known = settlement_of(row)
    return Receipt(
        id=row["id"],
        number=row["number"],
        payment=row["payment"],
        account=row["account"],
        kind=MovementKind(row["kind"]),
        movement_id=row["movement_id"],
        amount=Money(currency, row["amount_minor"]),
        effective=read_date(row["effective"]),
        booked_at=read_instant(row["booked_at"]),
        allocated=Money(currency, row["allocated_minor"]),
        credited=Money(currency, row["credited_minor"]),
        unallocated=Money(currency, row["unallocated_minor"]),
        awaiting=Money(currency, row["awaiting_minor"]),
        in_transit=Money(currency, row["in_transit_minor"]),
        by=row["by_hand"],
        settled=known.settled,
        fee=known.fee,
        settled_on=known.on,
        quantity=_quantity(row, known),
        rate=row["rate"],
        rate_source=row["rate_source"],
        host_number=row["host_number"],
    )


def _quantity(row: Row, known: Settlement) -> Money | None:
    return None if row["cost_minor"] is None else known.settled


def settlement_of(row: Row) -> Settlement:
    """Return what is known of a receipt's settlement."""
    on = row["settled_on"]
    return Settlement(
        settled=read_money_or_none(row["settled_currency"], row["settled_minor"]),
        fee=read_money_or_none(row["fee_currency"], row["fee_minor"]),
        on=read_date_or_none(on),
    )
