"""Bank accounts of the merchant: how their statements are booked and matched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paygate.domain.bank_statement import StatementFormat

if TYPE_CHECKING:
    from datetime import date, datetime

    from paygate.domain.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class BankPolicy:
    """
    How the lines of a bank account are booked and matched.

    *source* is the format that books every line. Another format books only lines with an id of the
    bank that *trusts_line_ids* allows to compare across formats, or with an id of ours. A *strict*
    account refuses a statement that does not add up; otherwise it is imported and reported.
    *auto_reverse_checks* reverses a recorded check that was returned, if exactly one fits; its
    customer is billed *check_fee*. *posts_fees* posts charges that the bank's own code says are
    charges. *payouts* names, by gateway account, a word that the processor's credits have.
    """

    source: StatementFormat = StatementFormat.CAMT_053
    strict: bool = False
    trusts_line_ids: bool = True
    auto_reverse_checks: bool = False
    check_fee: Money | None = None
    posts_fees: bool = True
    payouts: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAccount:
    """
    A bank account of the merchant.

    *opening* is its balance before the first statement, None if no statement said one; *balance* is
    that and all of its lines.
    """

    name: str
    number: str
    currency: str
    policy: BankPolicy
    opening: Money | None
    opening_on: date | None
    balance: Money
    created_at: datetime


def is_same_number(one: str, other: str) -> bool:
    """
    Return whether two numbers of accounts are the same, as formats write them.

    They differ in spaces and punctuation, and some formats put the number of the bank before it.
    """
    first, second = _plain(one), _plain(other)
    return first == second or second in _tails(one) or first in _tails(other)


def _tails(number: str) -> list[str]:
    _, mark, tail = number.partition("/")
    return [_plain(tail)] if mark and _plain(tail) else []


def _plain(number: str) -> str:
    return "".join(each for each in number.upper() if each.isalnum())
