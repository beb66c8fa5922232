"""What a line of a bank account may be: every search is by an index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paygate.domain.kind import Kind
from paygate.domain.payment import RECORDED
from paygate.ledger.codec import read_date, write_date

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from paygate.ledger.tx import Row, Tx

OF_LINE: Final = "bln_"
"""How the key of a payment begins that a line brought: it is the id of the line."""
FOUND_MAX: Final = 20
"""The most candidates that one search returns; more would be as ambiguous."""

_NAMES: Final = tuple(f"key_{letter}" for letter in "abcdefghijklmnop")
_KEYS: Final = ", ".join(f":{name}" for name in _NAMES)
_OPEN: Final = "i.total_minor - i.allocated_minor - i.written_off_minor"
_ITEM: Final = f"""
SELECT i.id, i.kind, i.number, i.customer, i.currency, i.status, i.assignment_key, i.due,
  i.plain_number, i.plain_key, i.claimed_minor,
  CASE i.kind WHEN 'prepayment' THEN i.total_minor - i.allocated_minor - i.moved_minor
    ELSE {_OPEN} END AS open_minor
FROM paygate_item i
"""
_BY_NUMBER: Final = f"""
{_ITEM} INDEXED BY paygate_item_by_plain_number
WHERE i.tenant = :tenant AND i.plain_number IN ({_KEYS}) AND i.kind = 'invoice' LIMIT {FOUND_MAX}
"""
_BY_KEY: Final = f"""
{_ITEM} INDEXED BY paygate_item_by_plain_key
WHERE i.tenant = :tenant AND i.plain_key IS NOT NULL AND i.plain_key IN ({_KEYS}) LIMIT {FOUND_MAX}
"""
_BY_AMOUNT: Final = f"""
{_ITEM} INDEXED BY paygate_item_by_open_amount
WHERE i.tenant = :tenant AND i.currency = :currency AND {_OPEN} = :amount
  AND i.kind = 'invoice' AND i.status = 'open' AND {_OPEN} > 0
LIMIT {FOUND_MAX}
"""
_OF_CUSTOMER: Final = f"""
{_ITEM} INDEXED BY paygate_item_owed_by_customer
WHERE i.tenant = :tenant AND i.customer = :customer
  AND i.kind = 'invoice' AND i.status = 'open' AND {_OPEN} > 0
ORDER BY i.due, i.id LIMIT {FOUND_MAX}
"""
_RECEIPT: Final = """
SELECT r.id, r.payment, r.kind AS moved, r.inward, r.currency, r.amount_minor, r.effective,
  r.settled_minor, p.kind, p.reference, p.customer, p.reversal, p.key
FROM paygate_receipt r
"""
_WITH_PAYMENT: Final = "JOIN paygate_payment p ON p.id = r.payment"
_RECORDED: Final = f"""
{_RECEIPT} INDEXED BY paygate_receipt_by_hand {_WITH_PAYMENT}
WHERE r.tenant = :tenant AND r.currency = :currency AND r.amount_minor = :amount
  AND r.inward = :inward AND r.account = '{RECORDED}'
  AND r.effective >= :since AND r.effective <= :until
ORDER BY r.effective, r.id LIMIT {FOUND_MAX}
"""
_RECORDED_ON: Final = f"""
{_RECEIPT} INDEXED BY paygate_receipt_by_hand_on {_WITH_PAYMENT}
WHERE r.tenant = :tenant AND r.currency = :currency AND r.account = '{RECORDED}'
  AND r.settled_minor IS NULL AND r.inward = 1
  AND r.effective = :on AND r.kind = 'charge' AND p.kind IN ('check', 'cash')
ORDER BY r.id
"""
_DAY_SUMS: Final = f"""
SELECT r.effective, sum(r.amount_minor) AS minor, count(*) AS many
FROM paygate_receipt r INDEXED BY paygate_receipt_by_hand_on {_WITH_PAYMENT}
WHERE r.tenant = :tenant AND r.currency = :currency AND r.account = '{RECORDED}'
  AND r.settled_minor IS NULL AND r.inward = 1
  AND r.effective >= :since AND r.effective <= :until
  AND r.kind = 'charge' AND p.kind IN ('check', 'cash')
GROUP BY r.effective HAVING sum(r.amount_minor) = :amount AND count(*) > 1
"""
_CHECKS: Final = f"""
SELECT p.id, p.customer, p.reference, p.currency, p.amount_minor, p.reversal, p.created_at,
  (SELECT max(r.effective) FROM paygate_receipt r
   WHERE r.payment = p.id AND r.kind = 'charge') AS effective
FROM paygate_payment p INDEXED BY paygate_payment_by_check
WHERE p.tenant = :tenant AND p.reference IN ({_KEYS}) AND p.account = '{RECORDED}'
  AND p.kind = 'check' AND p.reference <> '' LIMIT {FOUND_MAX}
"""
_PAYOUT_SUMS: Final = """
SELECT r.settled_on, sum(CASE r.inward WHEN 1 THEN r.settled_minor ELSE -r.settled_minor END)
  AS minor
FROM paygate_receipt r INDEXED BY paygate_receipt_paid_out
WHERE r.tenant = :tenant AND r.account = :account AND r.settled_on IS NOT NULL
  AND r.account <> 'recorded'
  AND r.settled_on >= :since AND r.settled_on <= :until AND r.settled_currency = :currency
GROUP BY r.settled_on ORDER BY r.settled_on
"""
_COLLECTED: Final = f"""
{_RECEIPT} {_WITH_PAYMENT}
WHERE r.tenant = :tenant AND r.account = :account AND r.kind = 'charge'
  AND r.movement_id = :movement_id
"""
_PAYERS: Final = """
SELECT customer FROM paygate_bank_payer WHERE tenant = :tenant AND digest = :digest
ORDER BY customer LIMIT 3
"""
_KNOW_PAYER: Final = """
INSERT INTO paygate_bank_payer (tenant, digest, customer) VALUES (:tenant, :digest, :customer)
ON CONFLICT DO NOTHING
"""
_LATE: Final = f"""
{_RECEIPT} INDEXED BY paygate_receipt_by_hand_on {_WITH_PAYMENT}
WHERE r.tenant = :tenant AND r.currency = :currency AND r.account = '{RECORDED}'
  AND r.settled_minor IS NULL AND r.inward = 1 AND r.effective < :before
  AND r.effective >= :since AND p.reversal IS NULL
ORDER BY r.effective, r.id LIMIT :limit
"""
_CHECK_DIGITS_MAX: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCandidate:
    """An invoice or prepayment that a line may pay."""

    id: str
    is_invoice: bool
    number: str
    customer: str
    currency: str
    open_minor: int
    claimed_minor: int
    is_live: bool
    assignment_key: str
    plain_number: str
    plain_key: str
    due: date

    @property
    def label(self) -> str:
        """How a proposal names it."""
        return self.number


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCandidate:
    """Money that was recorded by hand and is on no statement yet, or sent back by hand."""

    receipt: str
    payment: str
    kind: Kind
    moved: str
    minor: int
    reference: str
    customer: str
    effective: date
    is_reversed: bool
    is_settled: bool
    is_of_line: bool

    @property
    def may_come(self) -> bool:
        """
        Return whether a statement may have it.

        A check that was returned was deposited before; a transfer that was reversed never came.
        """
        came_back = self.is_reversed and (self.is_of_line or self.kind is not Kind.CHECK)
        return not (self.is_settled or came_back)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckCandidate:
    """A check that was recorded by hand."""

    payment: str
    customer: str
    reference: str
    currency: str
    minor: int
    is_reversed: bool
    effective: date


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidOut:
    """What a processor reports as settled on one day."""

    account: str
    on: date
    minor: int

    @property
    def name(self) -> str:
        """Its name, by which it explains one line only."""
        return f"{self.account}:{self.on.isoformat()}"


def items_named(tx: Tx, keys: Sequence[str]) -> list[OpenCandidate]:
    """Return the invoices and prepayments whose number or key is one of *keys*, plain."""
    found: dict[str, OpenCandidate] = {}
    for params in _batches(tx, keys):
        for row in (*tx.all(_BY_NUMBER, params), *tx.all(_BY_KEY, params)):
            found.setdefault(row["id"], _open_of(row))
    return list(found.values())


def items_of_amount(tx: Tx, currency: str, minor: int) -> list[OpenCandidate]:
    """Return open invoices with exactly this amount open, the oldest due date first."""
    params = {"tenant": tx.tenant, "currency": currency, "amount": minor}
    found = [_open_of(row) for row in tx.all(_BY_AMOUNT, params)]
    return sorted(found, key=lambda each: (each.due, each.id))


def items_of_customer(tx: Tx, customer: str) -> list[OpenCandidate]:
    """Return the open invoices of a customer, the oldest due date first."""
    rows = tx.all(_OF_CUSTOMER, {"tenant": tx.tenant, "customer": customer})
    return [_open_of(row) for row in rows]


def recorded(
    tx: Tx, currency: str, minor: int, *, inward: bool, since: date, until: date
) -> list[RecordedCandidate]:
    """Return money of this amount that was recorded by hand, also if a statement has it."""
    params = {
        "tenant": tx.tenant,
        "currency": currency,
        "amount": minor,
        "inward": int(inward),
        "since": write_date(since),
        "until": write_date(until),
    }
    return [_recorded_of(row) for row in tx.all(_RECORDED, params)]


def deposits(
    tx: Tx, currency: str, minor: int, *, since: date, until: date
) -> list[list[RecordedCandidate]]:
    """Return, for each day, the checks and cash recorded for it, if they add up to *minor*."""
    params = {
        "tenant": tx.tenant,
        "currency": currency,
        "amount": minor,
        "since": write_date(since),
        "until": write_date(until),
    }
    days = [row["effective"] for row in tx.all(_DAY_SUMS, params)]
    return [
        [_recorded_of(row) for row in tx.all(_RECORDED_ON, {**params, "on": day})] for day in days
    ]


def checks_numbered(tx: Tx, number: str) -> list[CheckCandidate]:
    """Return the recorded checks with a number; leading zeros do not count."""
    bare = number.lstrip("0") or "0"
    spelled = [bare.zfill(width) for width in range(len(bare), _CHECK_DIGITS_MAX + 1)] or [bare]
    found: list[CheckCandidate] = []
    for params in _batches(tx, spelled):
        found += [
            CheckCandidate(
                payment=row["id"],
                customer=row["customer"],
                reference=row["reference"],
                currency=row["currency"],
                minor=row["amount_minor"],
                is_reversed=row["reversal"] is not None,
                effective=read_date(row["effective"]),
            )
            for row in tx.all(_CHECKS, params)
        ]
    return sorted(found, key=lambda each: (each.effective, each.payment))


def collected(tx: Tx, accounts: Iterable[str], movement_id: str) -> RecordedCandidate | None:
    """Return the money that one of *accounts* collected under our own id, or None."""
    for account in accounts:
        params = {"tenant": tx.tenant, "account": account, "movement_id": movement_id}
        row = tx.one(_COLLECTED, params)
        if row is not None:
            return _recorded_of(row)
    return None


def paid_out(tx: Tx, account: str, currency: str, *, since: date, until: date) -> list[PaidOut]:
    """Return what a processor settled, by day."""
    params = {
        "tenant": tx.tenant,
        "account": account,
        "currency": currency,
        "since": write_date(since),
        "until": write_date(until),
    }
    return [
        PaidOut(account=account, on=read_date(row["settled_on"]), minor=int(row["minor"]))
        for row in tx.all(_PAYOUT_SUMS, params)
    ]


def payers(tx: Tx, digest: str) -> list[str]:
    """Return the customers who are known to pay from an account."""
    if not digest:
        return []
    return [row["customer"] for row in tx.all(_PAYERS, {"tenant": tx.tenant, "digest": digest})]


def know_payer(tx: Tx, digest: str, customer: str) -> None:
    """Store that a customer pays from an account."""
    if digest and customer:
        params = {"tenant": tx.tenant, "digest": digest, "customer": customer}
        tx.execute(_KNOW_PAYER, params)


def not_on_statement(
    tx: Tx, currency: str, *, since: date, before: date, limit: int
) -> list[RecordedCandidate]:
    """Return money recorded by hand for days in a time that no statement has, oldest first."""
    params = {
        "tenant": tx.tenant,
        "currency": currency,
        "since": write_date(since),
        "before": write_date(before),
        "limit": limit,
    }
    return [_recorded_of(row) for row in tx.all(_LATE, params)]


def _batches(tx: Tx, keys: Sequence[str]) -> Iterable[dict[str, str]]:
    """Yield the parameters of searches for *keys*; the last one is padded with a key of it."""
    for start in range(0, len(keys), len(_NAMES)):
        some = keys[start : start + len(_NAMES)]
        padded = [*some, *[some[0]] * (len(_NAMES) - len(some))]
        yield {"tenant": tx.tenant, **dict(zip(_NAMES, padded, strict=True))}


def _open_of(row: Row) -> OpenCandidate:
    return OpenCandidate(
        id=row["id"],
        is_invoice=row["kind"] == "invoice",
        number=row["number"],
        customer=row["customer"],
        currency=row["currency"],
        open_minor=row["open_minor"],
        claimed_minor=row["claimed_minor"],
        is_live=row["status"] == "open",
        assignment_key=row["assignment_key"] or "",
        plain_number=row["plain_number"],
        plain_key=row["plain_key"] or "",
        due=read_date(row["due"]),
    )


def _recorded_of(row: Row) -> RecordedCandidate:
    return RecordedCandidate(
        receipt=row["id"],
        payment=row["payment"],
        kind=Kind(row["kind"]),
        moved=row["moved"],
        minor=row["amount_minor"],
        reference=row["reference"],
        customer=row["customer"],
        effective=read_date(row["effective"]),
        is_reversed=row["reversal"] is not None,
        is_settled=row["settled_minor"] is not None,
        is_of_line=row["key"].startswith(OF_LINE),
    )
