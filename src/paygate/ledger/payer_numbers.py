"""Payer numbers, which customers pay to unrequested: their current and former customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.payer_number import PayerNumber, Pays
from paygate.ledger import checksums, paging
from paygate.ledger.codec import read_instant, read_instant_or_none

if TYPE_CHECKING:
    from paygate.ledger.paging import Page
    from paygate.ledger.tx import Row, Tx

_INSERT = """
INSERT INTO paygate_payer_number (
  id, tenant, account, number, customer, pays, assigned_at, assigned_by, checksum)
VALUES (:id, :tenant, :account, :number, :customer, :pays, :at, :actor, :checksum)
"""
_FIND = """
SELECT * FROM paygate_payer_number
WHERE tenant = :tenant AND account = :account AND number = :number AND released_at IS NULL
"""
_BY_ID = "SELECT * FROM paygate_payer_number WHERE tenant = :tenant AND id = :id"
_RELEASE = """
UPDATE paygate_payer_number SET released_at = :at, released_by = :actor, reason = :reason
WHERE id = :id AND released_at IS NULL
"""
_LISTING = paging.listing(
    "SELECT n.* FROM paygate_payer_number n",
    table="paygate_payer_number",
    alias="n",
    at="assigned_at",
    where={
        "paygate_payer_number_listed": "n.tenant = :tenant AND n.released_at IS NULL",
        "paygate_payer_number_by_customer": (
            "n.tenant = :tenant AND n.customer = :customer AND n.released_at IS NULL"
        ),
        "paygate_payer_number_by_account": (
            "n.tenant = :tenant AND n.account = :account AND n.released_at IS NULL"
        ),
    },
    rest="n.account = coalesce(:account, n.account)",
    noun="payer number",
)


def insert(tx: Tx, *, account: str, number: str, customer: str, pays: Pays) -> PayerNumber:
    """Assign *number*, which is free, to *customer*."""
    params = {
        "id": tx.new_id("num"),
        "tenant": tx.tenant,
        "account": account,
        "number": number,
        "customer": customer,
        "pays": pays.value,
        "at": tx.at,
        "actor": tx.actor,
        "released_at": None,
        "released_by": None,
        "reason": "",
    }
    tx.execute(_INSERT, checksums.signed(checksums.PAYER_NUMBER, params))
    found = by_id(tx, str(params["id"]))
    assert found is not None, "the row was just inserted"
    return found


def find(tx: Tx, account: str, number: str) -> PayerNumber | None:
    """Return the current assignment of *number* at *account*, or None."""
    row = tx.one(_FIND, {"tenant": tx.tenant, "account": account, "number": number})
    return None if row is None else payer_number_of(row)


def by_id(tx: Tx, id_: str) -> PayerNumber | None:
    """Return the assignment with this id, or None."""
    row = tx.one(_BY_ID, {"tenant": tx.tenant, "id": id_})
    return None if row is None else payer_number_of(row)


def release(tx: Tx, id_: str, reason: str) -> None:
    """End an assignment, for a *reason*."""
    if tx.run(_RELEASE, {"id": id_, "at": tx.at, "actor": tx.actor, "reason": reason}):
        checksums.renew(tx, checksums.PAYER_NUMBER, id_)


def page(tx: Tx, which: Page, *, customer: str | None, account: str | None) -> list[PayerNumber]:
    """Return one page of the current assignments; None for all."""
    index = "paygate_payer_number_listed"
    if customer is not None:
        index = "paygate_payer_number_by_customer"
    elif account is not None:
        index = "paygate_payer_number_by_account"
    rows = _LISTING.read(tx, index, which, customer=customer, account=account)
    return [payer_number_of(row) for row in rows]


def payer_number_of(row: Row) -> PayerNumber:
    """Return the assignment of a row."""
    return PayerNumber(
        id=row["id"],
        account=row["account"],
        number=row["number"],
        customer=row["customer"],
        pays=Pays(row["pays"]),
        assigned_at=read_instant(row["assigned_at"]),
        released_at=read_instant_or_none(row["released_at"]),
    )
