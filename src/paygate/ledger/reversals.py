"""Reversals and write-offs."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from paygate.domain.money import Money
from paygate.domain.reversal import Reversal, WriteOff
from paygate.ledger import checksums
from paygate.ledger.codec import read_date, read_instant, read_money_or_none, write_date
from paygate.ledger.posting import LedgerAccount

if TYPE_CHECKING:
    from paygate.ledger.tx import Row, Tx

_INSERT = """
INSERT INTO paygate_reversal (
  id, tenant, number, payment, currency, amount_minor, on_date, reason, fingerprint, fee_item,
  bank_charge_minor, bank_charge_currency, counted, booked_at, actor, checksum)
VALUES (
  :id, :tenant, :number, :payment, :currency, :amount, :on_date, :reason, :fingerprint, :fee_item,
  :bank_charge, :bank_charge_currency, :counted, :at, :actor, :checksum)
ON CONFLICT DO NOTHING
"""
_SELECT = """
SELECT v.*, i.number AS fee_number FROM paygate_reversal v
LEFT JOIN paygate_item i ON i.id = v.fee_item
"""
_OF_PAYMENT = f"{_SELECT} WHERE v.payment = :payment AND v.undone_at IS NULL"
_UNDO_REVERSAL = """
UPDATE paygate_reversal SET undone_at = :at, undone_by = :actor WHERE id = :id
"""
_BY_NUMBER = f"{_SELECT} WHERE v.tenant = :tenant AND v.number = :number"

_INSERT_WRITE_OFF = """
INSERT INTO paygate_write_off (
  id, tenant, item, currency, amount_minor, ledger_account, payment, receipt, reason, effective,
  booked_at, actor, checksum)
VALUES (
  :id, :tenant, :item, :currency, :amount, :account, :payment, :receipt, :reason, :effective, :at,
  :actor, :checksum)
"""
_WRITE_OFF = "SELECT * FROM paygate_write_off WHERE tenant = :tenant AND id = :id"
_WRITE_OFFS_OF_PAYMENT = """
SELECT * FROM paygate_write_off WHERE payment = :payment AND undone_at IS NULL ORDER BY id
"""
_WRITE_OFFS_OF_ITEM = """
SELECT * FROM paygate_write_off WHERE tenant = :tenant AND item = :item ORDER BY booked_at, id
"""
_WRITE_OFFS_OF_RECEIPT = """
SELECT * FROM paygate_write_off WHERE receipt = :receipt AND undone_at IS NULL ORDER BY id
"""
_POSTED_TO = "SELECT ledger_account FROM paygate_write_off WHERE id = :id"
_GIVEN_UP = """
SELECT ledger_account, sum(amount_minor) AS minor FROM paygate_write_off
WHERE item = :item AND undone_at IS NULL GROUP BY ledger_account ORDER BY ledger_account
"""
_UNDO = """
UPDATE paygate_write_off SET undone_at = :at, undone_by = :actor
WHERE id = :id AND undone_at IS NULL
"""


def insert(
    tx: Tx,
    *,
    id_: str,
    number: str,
    payment: str,
    amount: Money,
    on: date,
    reason: str,
    fingerprint: str,
    fee_item: str | None,
    bank_charge: Money | None,
    counted: bool,
) -> bool:
    """
    Store a reversal; return False if its number is taken or the payment has one already.

    *counted* means that its number comes from the ledger's own sequence.
    """
    params = {
        "id": id_,
        "tenant": tx.tenant,
        "number": number,
        "payment": payment,
        "currency": amount.currency,
        "amount": amount.minor,
        "on_date": write_date(on),
        "reason": reason,
        "fingerprint": fingerprint,
        "fee_item": fee_item,
        "bank_charge": None if bank_charge is None else bank_charge.minor,
        "bank_charge_currency": None if bank_charge is None else bank_charge.currency,
        "counted": int(counted),
        "at": tx.at,
        "actor": tx.actor,
    }
    nothing = {"undone_at": None, "undone_by": None}
    return bool(tx.run(_INSERT, checksums.signed(checksums.REVERSAL, params | nothing)))


def of_payment(tx: Tx, payment: str) -> tuple[Reversal, str] | None:
    """Return the current reversal of a payment, with the fingerprint of its call, or None."""
    row = tx.one(_OF_PAYMENT, {"payment": payment})
    return None if row is None else (reversal_of(row), row["fingerprint"])


def undo(tx: Tx, reversal: str) -> None:
    """Mark a reversal as undone, because the money arrived after all."""
    tx.execute(_UNDO_REVERSAL, {"id": reversal, "at": tx.at, "actor": tx.actor})
    checksums.renew(tx, checksums.REVERSAL, reversal)


def by_number(tx: Tx, number: str) -> Reversal | None:
    """Return the reversal with this document number, or None."""
    row = tx.one(_BY_NUMBER, {"tenant": tx.tenant, "number": number})
    return None if row is None else reversal_of(row)


def insert_write_off(
    tx: Tx,
    *,
    id_: str,
    item: str,
    amount: Money,
    reason: str,
    effective: date,
    account: LedgerAccount = LedgerAccount.WRITE_OFF,
    receipt: str | None = None,
) -> None:
    """Store a write-off, posted to *account*; a credit note also names its refund's *receipt*."""
    params = {
        "id": id_,
        "tenant": tx.tenant,
        "item": item,
        "currency": amount.currency,
        "amount": amount.minor,
        "account": account.value,
        "payment": None,
        "receipt": receipt,
        "reason": reason,
        "effective": write_date(effective),
        "at": tx.at,
        "actor": tx.actor,
    }
    nothing = {"undone_at": None, "undone_by": None}
    tx.execute(_INSERT_WRITE_OFF, checksums.signed(checksums.WRITE_OFF, params | nothing))


def write_off(tx: Tx, id_: str) -> WriteOff | None:
    """Return the write-off with this id, or None."""
    row = tx.one(_WRITE_OFF, {"tenant": tx.tenant, "id": id_})
    return None if row is None else write_off_of(row)


def write_offs_of_payment(tx: Tx, payment: str) -> list[WriteOff]:
    """Return the write-offs that a payment caused and that were not undone."""
    return [write_off_of(row) for row in tx.all(_WRITE_OFFS_OF_PAYMENT, {"payment": payment})]


def write_offs_of_item(tx: Tx, item: str) -> list[WriteOff]:
    """Return the write-offs of *item*, oldest first, including undone ones."""
    rows = tx.all(_WRITE_OFFS_OF_ITEM, {"tenant": tx.tenant, "item": item})
    return [write_off_of(row) for row in rows]


def credit_notes_of(tx: Tx, receipt: str) -> list[WriteOff]:
    """Return the credit notes that a refund caused and that were not undone."""
    return [write_off_of(row) for row in tx.all(_WRITE_OFFS_OF_RECEIPT, {"receipt": receipt})]


def posted_to(tx: Tx, write_off_id: str) -> LedgerAccount:
    """Return the account that a write-off was posted to."""
    row = tx.one(_POSTED_TO, {"id": write_off_id})
    assert row is not None, f"write-off {write_off_id} was just read"
    return LedgerAccount(row["ledger_account"])


def given_up(tx: Tx, item: str) -> dict[LedgerAccount, int]:
    """Return the amounts written off *item*, by the account that they were posted to."""
    rows = tx.all(_GIVEN_UP, {"item": item})
    return {LedgerAccount(row["ledger_account"]): row["minor"] for row in rows}


def mark_undone(tx: Tx, write_off_id: str) -> bool:
    """Mark a write-off as undone; return False if it was undone before."""
    news = bool(tx.run(_UNDO, {"id": write_off_id, "at": tx.at, "actor": tx.actor}))
    checksums.renew(tx, checksums.WRITE_OFF, write_off_id)
    return news


def reversal_of(row: Row) -> Reversal:
    """Return the reversal of a row."""
    return Reversal(
        id=row["id"],
        number=row["number"],
        payment=row["payment"],
        amount=Money(row["currency"], row["amount_minor"]),
        on=read_date(row["on_date"]),
        reason=row["reason"],
        booked_at=read_instant(row["booked_at"]),
        fee_invoice=row["fee_number"],
        bank_charge=read_money_or_none(row["bank_charge_currency"], row["bank_charge_minor"]),
    )


def write_off_of(row: Row) -> WriteOff:
    """Return the write-off of a row."""
    return WriteOff(
        id=row["id"],
        invoice=row["item"],
        amount=Money(row["currency"], row["amount_minor"]),
        reason=row["reason"],
        booked_at=read_instant(row["booked_at"]),
        undone=row["undone_at"] is not None,
    )
