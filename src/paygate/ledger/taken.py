"""The origins of the money of an outward receipt, to which it can be returned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paygate.ledger import checksums
from paygate.ledger.posting import LedgerAccount

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paygate.ledger.posting import PostingLine
    from paygate.ledger.tx import Tx

_INSERT = """
INSERT INTO paygate_taken (receipt, position, origin, name, amount_minor, checksum)
VALUES (:receipt, :position, :origin, :name, :amount, :checksum)
"""
_COUNT = "SELECT count(*) AS number FROM paygate_taken WHERE receipt = :receipt"
_OF_RECEIPT = """
SELECT position, origin, name, amount_minor - back_minor AS minor FROM paygate_taken
WHERE receipt = :receipt AND amount_minor > back_minor ORDER BY position DESC
"""
_PUT_BACK = """
UPDATE paygate_taken SET back_minor = back_minor + :amount
WHERE receipt = :receipt AND position = :position
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """Money that a receipt took from one origin and that has not been returned to it."""

    position: int
    account: LedgerAccount
    name: str
    minor: int


def insert(tx: Tx, receipt: str, lines: Iterable[PostingLine]) -> None:
    """Store the origins of the money of *receipt*, which are the debits of its *lines*."""
    for line in lines:
        name = _name(line)
        if name is None or line.minor <= 0:
            continue
        before = tx.one(_COUNT, {"receipt": receipt})
        params = {
            "receipt": receipt,
            "position": 0 if before is None else before["number"],
            "origin": _ORIGINS[line.account],
            "name": name,
            "amount": line.minor,
            "back_minor": 0,
        }
        tx.execute(_INSERT, checksums.signed(checksums.TAKEN, params))


def of_receipt(tx: Tx, receipt: str) -> list[Taken]:
    """Return what *receipt* took and was not returned, last origin first."""
    rows = tx.all(_OF_RECEIPT, {"receipt": receipt})
    return [
        Taken(row["position"], _ACCOUNTS[row["origin"]], row["name"], row["minor"]) for row in rows
    ]


def put_back(tx: Tx, receipt: str, origin: Taken, minor: int) -> None:
    """Store that *minor* of what *receipt* took was returned to *origin*."""
    tx.execute(_PUT_BACK, {"receipt": receipt, "position": origin.position, "amount": minor})
    checksums.renew(tx, checksums.TAKEN, receipt, origin.position)


def _name(line: PostingLine) -> str | None:
    match line.account:
        case LedgerAccount.RECEIVABLE | LedgerAccount.PREPAYMENT:
            return line.item
        case LedgerAccount.CUSTOMER_CREDIT:
            return line.credit
        case LedgerAccount.SUSPENSE | LedgerAccount.AWAITING:
            return line.receipt
        case _:
            return None


_ORIGINS = {
    LedgerAccount.RECEIVABLE: "item",
    LedgerAccount.PREPAYMENT: "item",
    LedgerAccount.CUSTOMER_CREDIT: "credit",
    LedgerAccount.SUSPENSE: "suspense",
    LedgerAccount.AWAITING: "awaiting",
}
_ACCOUNTS = {
    origin: account
    for account, origin in _ORIGINS.items()
    if account is not LedgerAccount.PREPAYMENT  # the item says which of the two it is
}
