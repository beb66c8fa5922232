"""Bank statements, in one vocabulary for all formats.

A file has one statement or more. Each is read as its head, then its entries, then its end, so that
a file of any size is read with little memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from datetime import date


class StatementFormat(StrEnum):
    """The formats in which banks deliver statements."""

    CAMT_053 = "camt.053"
    """The statement of a day, ISO 20022."""
    CAMT_052 = "camt.052"
    """A report during the day, ISO 20022."""
    CAMT_054 = "camt.054"
    """A notification of single entries, ISO 20022; it has no balances."""
    MT940 = "mt940"
    """The statement of a day, SWIFT."""
    BAI2 = "bai2"
    """Balance reporting of US banks."""
    OFX = "ofx"
    """Open Financial Exchange, 1 and 2."""
    CSV = "csv"
    """A table, by a column map."""


class EntryMeaning(StrEnum):
    """The meaning of an entry, as far as its bank says."""

    TRANSFER_IN = "transfer_in"
    """Money that somebody transferred to us."""
    TRANSFER_OUT = "transfer_out"
    """Money that we transferred."""
    COLLECTION = "collection"
    """Money of a direct debit of ours."""
    COLLECTION_RETURNED = "collection_returned"
    """A direct debit of ours that came back."""
    CHECK_IN = "check_in"
    """A check that we deposited, or several."""
    CHECK_RETURNED = "check_returned"
    """A check that we deposited and that was returned."""
    FEE = "fee"
    """A charge of the bank."""
    REVERSAL_OF_DEBIT = "reversal_of_debit"
    """An earlier debit that the bank undid: money in."""
    REVERSAL_OF_CREDIT = "reversal_of_credit"
    """An earlier credit that the bank undid: money out."""
    OTHER = "other"
    """Anything else; the sign of its amount says in which direction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementHead:
    """What is known of a statement before its entries.

    *account* is the number of the account as the bank writes it, *id* and *number* are the bank's
    names of the statement, and *on* is its day. Balances are in minor units.
    """

    format: StatementFormat
    account: str
    currency: str
    id: str = ""
    number: str = ""
    page: str = ""
    on: date | None = None
    opening_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BankEntry:
    """One entry of a statement, or one part of a bulk entry.

    *amount_minor* is negative for money that went out; *total_minor* is the amount of the whole
    entry, of which this is part number *part* of *parts*. *line_id* is the bank's own id of the
    entry. *text* has a line for each part in which the bank delivered it. *fee_inside_minor* is a
    charge of the bank that is part of the amount.
    """

    amount_minor: int
    booked: date
    meaning: EntryMeaning
    code: str
    value: date | None = None
    line_id: str = ""
    end_to_end: str = ""
    reference: str = ""
    check: str = ""
    party: str = ""
    party_account: str = ""
    text: str = ""
    reason: str = ""
    batch: str = ""
    fee_inside_minor: int = 0
    total_minor: int = 0
    part: int = 0
    parts: int = 1
    is_booked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementEnd:
    """What is known of a statement after its entries; balances are in minor units."""

    opening_minor: int | None = None
    closing_minor: int | None = None
    on: date | None = None
    is_last_page: bool = True


StatementPart: TypeAlias = StatementHead | BankEntry | StatementEnd
"""What a reader yields, in this order for each statement: head, entries, end."""
