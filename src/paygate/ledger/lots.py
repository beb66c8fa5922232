"""Customers' credit lots: created, reserved, used, returned, canceled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.credit import Credit, CreditReason
from paygate.domain.money import Money
from paygate.ledger import checksums, paging
from paygate.ledger.codec import read_instant

if TYPE_CHECKING:
    from paygate.ledger.paging import Page
    from paygate.ledger.tx import Row, Tx

_INSERT = """
INSERT INTO paygate_credit (
  id, tenant, customer, currency, amount_minor, reason, payment, receipt, item, created_at, actor,
  checksum)
VALUES (
  :id, :tenant, :customer, :currency, :amount, :reason, :payment, :receipt, :item, :at, :actor,
  :checksum)
"""
_FREE = """
SELECT * FROM paygate_credit
WHERE tenant = :tenant AND customer = :customer AND currency = :currency
  AND amount_minor - used_minor - canceled_minor <> 0
  AND amount_minor - used_minor - reserved_minor - canceled_minor > 0
ORDER BY created_at, id
"""
# An exhausted lot adds nothing, and is not in the index of lots with a remainder.
_SPENDABLE = """
SELECT coalesce(sum(amount_minor - used_minor - reserved_minor - canceled_minor), 0) AS minor
FROM paygate_credit
WHERE tenant = :tenant AND customer = :customer AND currency = :currency
  AND amount_minor - used_minor - canceled_minor <> 0
"""
_FREE_IN = """
SELECT currency, amount_minor - used_minor - reserved_minor - canceled_minor AS minor
FROM paygate_credit
WHERE tenant = :tenant AND customer = :customer AND amount_minor - used_minor - canceled_minor <> 0
ORDER BY created_at, id
"""
_STANDING = paging.listing(
    "SELECT c.* FROM paygate_credit c",
    table="paygate_credit",
    alias="c",
    at="created_at",
    where={
        "paygate_credit_standing": (
            "c.tenant = :tenant AND c.customer = :customer"
            " AND c.amount_minor - c.used_minor - c.canceled_minor <> 0"
        ),
    },
    noun="credit",
)
_OF_PAYMENT = "SELECT * FROM paygate_credit WHERE payment = :payment ORDER BY created_at, id"
_DEBITS_OF = """
SELECT c.* FROM paygate_receipt r JOIN paygate_credit c ON c.receipt = r.id
WHERE r.payment = :payment AND c.amount_minor < 0 AND c.amount_minor <> c.canceled_minor
ORDER BY c.created_at, c.id
"""
_BY_ID = "SELECT * FROM paygate_credit WHERE tenant = :tenant AND id = :id"
_RESERVE = """
UPDATE paygate_credit SET reserved_minor = reserved_minor + :amount
WHERE id = :id AND amount_minor - used_minor - reserved_minor - canceled_minor >= :amount
"""
_RELEASE = "UPDATE paygate_credit SET reserved_minor = reserved_minor - :amount WHERE id = :id"
_USE_RESERVED = """
UPDATE paygate_credit
SET reserved_minor = reserved_minor - :amount, used_minor = used_minor + :amount WHERE id = :id
"""
_GIVE_BACK = "UPDATE paygate_credit SET used_minor = used_minor - :amount WHERE id = :id"
_CLOSE = "UPDATE paygate_credit SET canceled_minor = canceled_minor + :amount WHERE id = :id"


def insert(
    tx: Tx,
    *,
    customer: str,
    amount: Money,
    reason: CreditReason,
    payment: str | None,
    receipt: str | None = None,
    item: str | None = None,
) -> str:
    """Store a new lot and return its id; a negative amount is a customer debit."""
    id_ = tx.new_id("crd")
    params = {
        "id": id_,
        "tenant": tx.tenant,
        "customer": customer,
        "currency": amount.currency,
        "amount": amount.minor,
        "reason": reason.value,
        "payment": payment,
        "receipt": receipt,
        "item": item,
        "at": tx.at,
        "actor": tx.actor,
    }
    tx.lots[id_] = customer
    tx.execute(_INSERT, checksums.signed(checksums.CREDIT, params))
    return id_


def free_of(tx: Tx, customer: str, currency: str) -> list[Credit]:
    """Return the lots of a customer that can be used, oldest first."""
    params = {"tenant": tx.tenant, "customer": customer, "currency": currency}
    return [credit_of(row) for row in tx.all(_FREE, params)]


def spendable(tx: Tx, customer: str, currency: str) -> int:
    """Return how much credit a customer can spend: free credit less debits."""
    row = tx.one(_SPENDABLE, {"tenant": tx.tenant, "customer": customer, "currency": currency})
    assert row is not None, "an aggregate query returns a row"
    return max(0, int(row["minor"]))


def standing_page(tx: Tx, which: Page, *, customer: str) -> list[Credit]:
    """Return one page of the lots of a customer that have a remainder."""
    rows = _STANDING.read(tx, "paygate_credit_standing", which, customer=customer)
    return [credit_of(row) for row in rows]


def free_in(tx: Tx, customer: str) -> dict[str, int]:
    """Return the free credit of a customer less debits, by currency."""
    found: dict[str, int] = {}
    for row in tx.all(_FREE_IN, {"tenant": tx.tenant, "customer": customer}):
        found[row["currency"]] = found.get(row["currency"], 0) + row["minor"]
    return found


def of_payment(tx: Tx, payment: str) -> list[Credit]:
    """Return the lots that a payment created."""
    return [credit_of(row) for row in tx.all(_OF_PAYMENT, {"payment": payment})]


def debits_of(tx: Tx, payment: str) -> list[Credit]:
    """Return the customer debits that arose because more of a payment went out than it held."""
    return [credit_of(row) for row in tx.all(_DEBITS_OF, {"payment": payment})]


def by_id(tx: Tx, id_: str) -> Credit | None:
    """Return the lot with this id, or None."""
    row = tx.one(_BY_ID, {"tenant": tx.tenant, "id": id_})
    return None if row is None else credit_of(row)


def reserve(tx: Tx, credit: str, minor: int) -> bool:
    """Reserve *minor* of a lot; return False if that much is not free."""
    return bool(tx.run(_RESERVE, {"id": credit, "amount": minor}))


def release(tx: Tx, credit: str, minor: int) -> None:
    """Release *minor* of the reserved amount."""
    tx.execute(_RELEASE, {"id": credit, "amount": minor})


def use_reserved(tx: Tx, credit: str, minor: int) -> None:
    """Use *minor* of the reserved amount."""
    tx.execute(_USE_RESERVED, {"id": credit, "amount": minor})


def give_back(tx: Tx, credit: str, minor: int) -> None:
    """Return *minor* of the used amount to the lot."""
    tx.lots.setdefault(credit, "")
    tx.execute(_GIVE_BACK, {"id": credit, "amount": minor})


def cancel(tx: Tx, credit: str, minor: int) -> None:
    """Cancel *minor* of a lot, because its money is gone; a negative amount restores it."""
    tx.lots.setdefault(credit, "")
    tx.execute(_CLOSE, {"id": credit, "amount": minor})


def credit_of(row: Row) -> Credit:
    """Return the lot of a row; its amount excludes what was canceled."""
    currency: str = row["currency"]
    return Credit(
        id=row["id"],
        customer=row["customer"],
        amount=Money(currency, row["amount_minor"] - row["canceled_minor"]),
        used=Money(currency, row["used_minor"]),
        reserved=Money(currency, row["reserved_minor"]),
        reason=CreditReason(row["reason"]),
        payment=row["payment"],
        created_at=read_instant(row["created_at"]),
    )
