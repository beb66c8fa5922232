"""Bank statements as imported, and the files that had them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paygate.domain.bank_line import BankStatement
from paygate.domain.bank_statement import StatementFormat
from paygate.domain.money import Money
from paygate.ledger import checksums, paging
from paygate.ledger.codec import read_date, read_instant, write_date

if TYPE_CHECKING:
    from datetime import date

    from paygate.ledger.paging import Page
    from paygate.ledger.tx import Row, Tx

_INSERT = """
INSERT INTO paygate_bank_statement (
  id, tenant, account, format, name, on_date, currency, opening_minor, closing_minor, booked_minor,
  missing_minor, gap_minor, entries, digest, imported_at, actor, checksum)
VALUES (
  :id, :tenant, :account, :format, :name, :on_date, :currency, :opening_minor, :closing_minor,
  :booked_minor, :missing_minor, :gap_minor, :entries, :digest, :at, :actor, :checksum)
"""
_KNOWN = """
SELECT id, digest FROM paygate_bank_statement
WHERE tenant = :tenant AND account = :account AND format = :format AND name = :name
  AND on_date = :on_date
"""
_BEFORE = """
SELECT closing_minor FROM paygate_bank_statement INDEXED BY paygate_bank_statement_by_day
WHERE tenant = :tenant AND account = :account AND format = :format AND on_date <= :on_date
  AND closing_minor IS NOT NULL
ORDER BY on_date DESC, id DESC LIMIT 1
"""
_BY_ID = "SELECT * FROM paygate_bank_statement WHERE tenant = :tenant AND id = :id"
_ADD_FILE = """
INSERT INTO paygate_bank_file (tenant, account, digest, statements, imported_at, actor, checksum)
VALUES (:tenant, :account, :digest, :statements, :at, :actor, :checksum)
ON CONFLICT DO NOTHING
"""
_FILE = """
SELECT statements FROM paygate_bank_file
WHERE tenant = :tenant AND account = :account AND digest = :digest
"""
_LISTING = paging.listing(
    "SELECT s.* FROM paygate_bank_statement s",
    table="paygate_bank_statement",
    alias="s",
    at="imported_at",
    where={
        "paygate_bank_statement_listed": "s.tenant = :tenant",
        "paygate_bank_statement_by_account": "s.tenant = :tenant AND s.account = :account",
    },
    rest="s.account = coalesce(:account, s.account)",
    noun="bank statement",
)


def insert(
    tx: Tx,
    *,
    id_: str,
    account: str,
    format_: StatementFormat,
    name: str,
    on: date,
    currency: str,
    opening: int | None,
    closing: int | None,
    booked: int,
    missing: int,
    gap: int,
    entries: int,
    digest: str,
) -> None:
    """Store a statement whose entries are read; amounts are in minor units."""
    params = {
        "id": id_,
        "tenant": tx.tenant,
        "account": account,
        "format": format_.value,
        "name": name,
        "on_date": write_date(on),
        "currency": currency,
        "opening_minor": opening,
        "closing_minor": closing,
        "booked_minor": booked,
        "missing_minor": missing,
        "gap_minor": gap,
        "entries": entries,
        "digest": digest,
        "at": tx.at,
        "actor": tx.actor,
    }
    tx.execute(_INSERT, checksums.signed(checksums.BANK_STATEMENT, params))


def known(tx: Tx, account: str, format_: StatementFormat, name: str, on: date) -> dict[str, str]:
    """Return the ids of the statements with a name and a day, by the digests of their entries."""
    params = {
        "tenant": tx.tenant,
        "account": account,
        "format": format_.value,
        "name": name,
        "on_date": write_date(on),
    }
    return {row["digest"]: row["id"] for row in tx.all(_KNOWN, params)}


def closing_before(tx: Tx, account: str, format_: StatementFormat, on: date) -> int | None:
    """Return the closing balance of the last statement of a format up to a day, or None."""
    params = {
        "tenant": tx.tenant,
        "account": account,
        "format": format_.value,
        "on_date": write_date(on),
    }
    row = tx.one(_BEFORE, params)
    return None if row is None else int(row["closing_minor"])


def by_id(tx: Tx, id_: str) -> BankStatement | None:
    """Return the statement with this id, or None."""
    row = tx.one(_BY_ID, {"tenant": tx.tenant, "id": id_})
    return None if row is None else _statement_of(row)


def page(tx: Tx, which: Page, *, account: str | None) -> list[BankStatement]:
    """Return one page of the statements; None for all accounts."""
    index = "paygate_bank_statement_listed"
    if account is not None:
        index = "paygate_bank_statement_by_account"
    return [_statement_of(row) for row in _LISTING.read(tx, index, which, account=account)]


def add_file(tx: Tx, account: str, digest: str, statements: int) -> None:
    """Store that a file was imported completely."""
    params: dict[str, Any] = {
        "tenant": tx.tenant,
        "account": account,
        "digest": digest,
        "statements": statements,
        "at": tx.at,
        "actor": tx.actor,
    }
    tx.execute(_ADD_FILE, checksums.signed(checksums.BANK_FILE, params))


def has_file(tx: Tx, account: str, digest: str) -> bool:
    """Return whether a file was imported completely."""
    params = {"tenant": tx.tenant, "account": account, "digest": digest}
    return tx.one(_FILE, params) is not None


def _statement_of(row: Row) -> BankStatement:
    currency: str = row["currency"]

    def money(name: str) -> Money | None:
        return None if row[name] is None else Money(currency, row[name])

    return BankStatement(
        id=row["id"],
        account=row["account"],
        format=StatementFormat(row["format"]),
        name=row["name"],
        on=read_date(row["on_date"]),
        opening=money("opening_minor"),
        closing=money("closing_minor"),
        booked=Money(currency, row["booked_minor"]),
        missing=Money(currency, row["missing_minor"]),
        gap=Money(currency, row["gap_minor"]),
        entries=row["entries"],
        imported_at=read_instant(row["imported_at"]),
    )
