"""Postings: double-entry and append-only; every stored balance can be rebuilt from them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from paygate.errors import LedgerCorrupt
from paygate.ledger import checksums
from paygate.ledger.codec import write_date

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from paygate.ledger.tx import Tx


class LedgerAccount(StrEnum):
    """The accounts of the ledger. A debit is positive, a credit negative."""

    RECEIVABLE = "receivable"
    """Amounts that customers owe on invoices."""
    BILLED = "billed"
    """The contra account of issued invoices: revenue and tax, which the host's books split."""
    IN_TRANSIT = "in_transit"
    """Money that a gateway or bank has collected for the merchant and not paid out."""
    SETTLED = "settled"
    """Money that has reached the merchant."""
    BANK = "bank"
    """Money on the merchant's bank accounts, as their statements say."""
    UNEXPLAINED = "unexplained"
    """The contra account of lines of bank statements that nothing explains yet."""
    OPENING = "opening"
    """The contra account of the balances of bank accounts before their first statement."""
    AWAITING = "awaiting"
    """Accepted money that is credited to the customer only when it has settled."""
    EXCHANGE = "exchange"
    """The difference accounts of money that settled in a currency other than its payment's."""
    PREPAYMENT = "prepayment"
    """Money paid before its invoice, which is owed to customers until an invoice takes it."""
    CUSTOMER_CREDIT = "customer_credit"
    """Amounts owed to customers: overpayments, top-ups, returned credit."""
    SUSPENSE = "suspense"
    """Money that must be assigned by hand."""
    FEES = "fees"
    """Fees that gateways keep."""
    BANK_CHARGE = "bank_charge"
    """Charges of banks for returned payments."""
    CHARGEBACK_LOSS = "chargeback_loss"
    """Money lost to chargebacks."""
    WRITE_OFF = "write_off"
    """Open amounts that were written off."""


@dataclass(frozen=True, slots=True)
class PostingLine:
    """One line of an entry: an amount on an account."""

    account: LedgerAccount
    minor: int
    item: str | None = None
    receipt: str | None = None
    credit: str | None = None


_INSERT = """
INSERT INTO paygate_posting (
  tenant, entry, ledger_account, currency, amount_minor, customer, item, receipt, credit, payment,
  effective, booked_at, actor, checksum)
VALUES (
  :tenant, :entry, :account, :currency, :amount, :customer, :item, :receipt, :credit, :payment,
  :effective, :booked_at, :actor, :checksum)
"""


_UNASSIGNED = """
SELECT ledger_account, currency, amount_minor, receipt, credit
FROM paygate_posting INDEXED BY paygate_posting_unassigned
WHERE payment = :payment AND customer = ''
"""


def unassigned(tx: Tx, payment: str) -> dict[str, list[PostingLine]]:
    """Return the balances of *payment* that are posted without a customer, by currency."""
    sums: dict[tuple[str, str, str | None, str | None], int] = {}
    for row in tx.all(_UNASSIGNED, {"payment": payment}):
        key = (row["currency"], row["ledger_account"], row["receipt"], row["credit"])
        sums[key] = sums.get(key, 0) + row["amount_minor"]
    found: dict[str, list[PostingLine]] = {}
    for (currency, account, receipt, credit), minor in sums.items():
        line = PostingLine(LedgerAccount(account), minor, receipt=receipt, credit=credit)
        found.setdefault(currency, []).append(line)
    return found


def post(
    tx: Tx,
    lines: Sequence[PostingLine],
    *,
    entry: str,
    currency: str,
    customer: str,
    effective: date,
    payment: str | None = None,
) -> None:
    """
    Store one entry, whose *lines* must sum to zero; raise `LedgerCorrupt` otherwise.

    *entry* is the id of the row that the entry documents. Lines of zero are left out.
    """
    if sum(line.minor for line in lines) != 0:
        raise LedgerCorrupt(f"entry {entry} does not balance; nothing was booked", entry=entry)
    common = {
        "tenant": tx.tenant,
        "entry": entry,
        "currency": currency,
        "customer": customer,
        "payment": payment,
        "effective": write_date(effective),
        "booked_at": tx.at,
        "actor": tx.actor,
    }
    tx.many(
        _INSERT,
        [
            checksums.signed(
                checksums.POSTING,
                {
                    **common,
                    "account": line.account.value,
                    "amount": line.minor,
                    "item": line.item,
                    "receipt": line.receipt,
                    "credit": line.credit,
                },
            )
            for line in lines
            if line.minor
        ],
    )
