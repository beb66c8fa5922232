"""Bank accounts of the merchant: their settings and balances."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paygate.domain.bank_account import BankAccount, BankPolicy
from paygate.domain.bank_statement import StatementFormat
from paygate.domain.money import Money
from paygate.ledger import checksums, posting
from paygate.ledger.codec import read_date_or_none, read_instant, read_money_or_none, write_date
from paygate.ledger.posting import LedgerAccount, PostingLine

if TYPE_CHECKING:
    from datetime import date

    from paygate.ledger.tx import Row, Tx

_INSERT = """
INSERT INTO paygate_bank_account (
  tenant, name, number, currency, policy, opening_minor, opening_on, created_at, actor, checksum)
VALUES (
  :tenant, :name, :number, :currency, :policy, :opening_minor, :opening_on, :at, :actor, :checksum)
"""
_CHANGE = """
UPDATE paygate_bank_account SET number = :number, policy = :policy
WHERE tenant = :tenant AND name = :name
"""
_SET_OPENING = """
UPDATE paygate_bank_account SET opening_minor = :opening_minor, opening_on = :opening_on
WHERE tenant = :tenant AND name = :name
"""
_SELECT = """
SELECT a.*, (
  SELECT coalesce(sum(l.amount_minor), 0) FROM paygate_bank_line l
  WHERE l.tenant = a.tenant AND l.account = a.name) AS lines_minor
FROM paygate_bank_account a
"""
_BY_NAME = f"{_SELECT} WHERE a.tenant = :tenant AND a.name = :name"
_ALL = f"{_SELECT} WHERE a.tenant = :tenant ORDER BY a.name"
_SETTINGS = "SELECT a.*, 0 AS lines_minor FROM paygate_bank_account a WHERE a.tenant = :tenant "
_SETTINGS_BY_NAME = f"{_SETTINGS} AND a.name = :name"


def put(tx: Tx, name: str, *, number: str, currency: str, policy: BankPolicy) -> None:
    """Add a bank account, or change its number and policy."""
    params: dict[str, Any] = {
        "tenant": tx.tenant,
        "name": name,
        "number": number,
        "currency": currency,
        "policy": json.dumps(_written(policy), sort_keys=True),
        "opening_minor": None,
        "opening_on": None,
        "at": tx.at,
        "actor": tx.actor,
    }
    if settings_of(tx, name) is None:
        tx.execute(_INSERT, checksums.signed(checksums.BANK_ACCOUNT, params))
        return
    tx.execute(_CHANGE, params)
    checksums.renew(tx, checksums.BANK_ACCOUNT, tx.tenant, name)


def set_opening(tx: Tx, account: BankAccount, minor: int, on: date) -> None:
    """Store, and post, the balance that *account* had before its first statement."""
    before = 0 if account.opening is None else account.opening.minor
    params = {
        "tenant": tx.tenant,
        "name": account.name,
        "opening_minor": minor,
        "opening_on": write_date(on),
    }
    tx.execute(_SET_OPENING, params)
    checksums.renew(tx, checksums.BANK_ACCOUNT, tx.tenant, account.name)
    posting.post(
        tx,
        [
            PostingLine(LedgerAccount.BANK, minor - before),
            PostingLine(LedgerAccount.OPENING, before - minor),
        ],
        entry=f"bank:{account.name}:{write_date(on)}",
        currency=account.currency,
        customer="",
        effective=on,
    )


def by_name(tx: Tx, name: str) -> BankAccount | None:
    """Return a bank account with its balance, or None."""
    row = tx.one(_BY_NAME, {"tenant": tx.tenant, "name": name})
    return None if row is None else _account_of(row)


def settings_of(tx: Tx, name: str) -> BankAccount | None:
    """Return a bank account whose balance is not computed, or None."""
    row = tx.one(_SETTINGS_BY_NAME, {"tenant": tx.tenant, "name": name})
    return None if row is None else _account_of(row)


def every(tx: Tx) -> list[BankAccount]:
    """Return all bank accounts with their balances, by name."""
    return [_account_of(row) for row in tx.all(_ALL, {"tenant": tx.tenant})]


def _account_of(row: Row) -> BankAccount:
    currency: str = row["currency"]
    opening = row["opening_minor"]
    return BankAccount(
        name=row["name"],
        number=row["number"],
        currency=currency,
        policy=_read(json.loads(row["policy"])),
        opening=None if opening is None else Money(currency, opening),
        opening_on=read_date_or_none(row["opening_on"]),
        balance=Money(currency, (opening or 0) + int(row["lines_minor"])),
        created_at=read_instant(row["created_at"]),
    )


def _written(policy: BankPolicy) -> dict[str, Any]:
    fee = policy.check_fee
    return {
        "source": policy.source.value,
        "strict": policy.strict,
        "trusts_line_ids": policy.trusts_line_ids,
        "auto_reverse_checks": policy.auto_reverse_checks,
        "check_fee_minor": None if fee is None else fee.minor,
        "check_fee_currency": None if fee is None else fee.currency,
        "posts_fees": policy.posts_fees,
        "payouts": dict(policy.payouts),
    }


def _read(facts: dict[str, Any]) -> BankPolicy:
    return BankPolicy(
        source=StatementFormat(facts["source"]),
        strict=facts["strict"],
        trusts_line_ids=facts["trusts_line_ids"],
        auto_reverse_checks=facts["auto_reverse_checks"],
        check_fee=read_money_or_none(facts["check_fee_currency"], facts["check_fee_minor"]),
        posts_fees=facts["posts_fees"],
        payouts=facts["payouts"],
    )
