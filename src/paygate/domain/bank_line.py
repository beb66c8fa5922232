"""Lines of bank accounts: money that came or went, and what explains it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import date, datetime

    from paygate.domain.bank_statement import EntryMeaning, StatementFormat
    from paygate.domain.money import Money


_ID_LENGTH: Final = 12


class LineState(StrEnum):
    """Whether something explains a line."""

    OPEN = "open"
    """Nothing explains it yet."""
    EXPLAINED = "explained"
    """Receipts, reversals, payouts or fees explain all of it."""
    IGNORED = "ignored"
    """A clerk decided that it concerns no customer."""


class LineClass(StrEnum):
    """How a line compares with the ledger."""

    MATCHED = "matched"
    """It is money that the ledger had."""
    MISSING_IN_LEDGER = "missing_in_ledger"
    """It brought money that the ledger did not have, and that is booked."""
    AMOUNT_MISMATCH = "amount_mismatch"
    """It names something whose amount is different."""
    CURRENCY_MISMATCH = "currency_mismatch"
    """It names something in another currency."""
    DUPLICATE_CHARGE = "duplicate_charge"
    """It pays something that is paid already."""
    AMBIGUOUS = "ambiguous"
    """It may be one of several things, or for several customers."""
    RETURNED = "returned"
    """It takes back money that had come."""
    FEE = "fee"
    """It is a charge of the bank."""
    PAYOUT = "payout"
    """It is the payout of a processor."""
    PAYOUT_UNMATCHED = "payout_unmatched"
    """It is of a processor, but no settlement has its amount."""
    UNEXPLAINED = "unexplained"
    """Nothing in the ledger resembles it."""


class MatchKind(StrEnum):
    """What explains a line, or a part of it."""

    RECEIPT = "receipt"
    """Money that the ledger had: recorded by hand, or collected."""
    PAYMENT = "payment"
    """A payment that the line itself brought."""
    REVERSAL = "reversal"
    """The reversal of a check that was returned."""
    CHARGE = "charge"
    """A charge of the bank for a reversal."""
    FEE = "fee"
    """A charge of the bank."""
    PAYOUT = "payout"
    """The payout of a processor."""


class MatchedBy(StrEnum):
    """Who matched a line."""

    AUTOMATIC = "automatic"
    """A rule."""
    ACCEPTED = "accepted"
    """A clerk accepted a proposal."""
    ASSIGNED = "assigned"
    """A clerk said what it is."""


class MatchRule(StrEnum):
    """What in a line says what it is, in the order in which that decides."""

    END_TO_END = "end_to_end"
    """Our own id of a collection."""
    CHECK_NUMBER = "check_number"
    """The number of a check, with its amount."""
    CREDITOR_REFERENCE = "creditor_reference"
    """A structured reference of ISO 11649."""
    ASSIGNMENT_KEY = "assignment_key"
    """The assignment key of an invoice or prepayment."""
    INVOICE_NUMBER = "invoice_number"
    """The number of an invoice."""
    RECORDED = "recorded"
    """Money that was recorded by hand."""
    PAYOUT = "payout"
    """The amount of a processor's settlements."""
    BANK_CODE = "bank_code"
    """The bank's own code."""
    PAYER_ACCOUNT = "payer_account"
    """The account of a known payer."""
    SCORE = "score"
    """Amount, name and date."""
    CLERK = "clerk"
    """A clerk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankMatch:
    """What explains a line, or *amount* of it. It is kept when it was undone."""

    id: str
    kind: MatchKind
    subject: str
    payment: str | None
    amount: Money
    how: MatchedBy
    rule: MatchRule
    reason: str
    made_at: datetime
    actor: str
    undone_at: datetime | None
    undone_for: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BankLine:
    """
    A line of a bank account: money that came, or that went if *amount* is negative.

    *party* and *text* are the words of the payer or the bank; show them escaped. *party_account*
    has only the last characters.
    """

    id: str
    account: str
    statement: str
    booked: date
    value: date | None
    amount: Money
    fee_inside: Money
    meaning: EntryMeaning
    code: str
    bank_reference: str
    end_to_end: str
    reference: str
    check: str
    reason: str
    party: str
    party_account: str
    text: str
    state: LineState
    line_class: LineClass
    note: str
    matches: tuple[BankMatch, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BankStatement:
    """
    A statement as imported.

    *missing* is what its balances have and its entries do not, and *gap* its opening balance less
    the closing balance of the statement before; both are zero if all is well.
    """

    id: str
    account: str
    format: StatementFormat
    name: str
    on: date
    opening: Money | None
    closing: Money | None
    booked: Money
    missing: Money
    gap: Money
    entries: int
    imported_at: datetime


class Certainty(StrEnum):
    """How certain a proposal is."""

    CERTAIN = "certain"
    """Only this fits; it is done without a clerk."""
    STRONG = "strong"
    """Only this fits, but a clerk must agree."""
    POSSIBLE = "possible"
    """It fits, and something else may, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """
    What a line may be, for a clerk to accept.

    *kind* is what would explain it, *subjects* the numbers of the invoices or the ids of the
    receipts or of the payment, and *why* the reason in words. *score* orders proposals, and decides
    nothing. *id* names it, and is the same as long as the same is proposed.
    """

    kind: MatchKind
    subjects: tuple[str, ...]
    customer: str
    rule: MatchRule
    certainty: Certainty
    line_class: LineClass
    why: str
    score: int = 0
    id: str = ""

    def __post_init__(self) -> None:
        facts = "\x1f".join((self.kind.value, self.customer, *self.subjects))
        object.__setattr__(self, "id", sha256(facts.encode()).hexdigest()[:_ID_LENGTH])
