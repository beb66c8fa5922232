"""What a host can specify about a charge besides its amount and method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, cast

from paygate.domain.text import note
from paygate.errors import InvalidValue
from paygate.printing import shown, shown_value

if TYPE_CHECKING:
    from paygate.domain.money import Money

METADATA_MAX: Final = 20
METADATA_NAME_MAX: Final = 40
METADATA_VALUE_MAX: Final = 500
STATEMENT_SUFFIX_MAX: Final = 22
_OURS: Final = "paygate"


class ChargeReason(StrEnum):
    """Why a stored method is charged, in the terms of the card networks.

    If the payer is present, it says what the method is stored for; if not, under which
    agreement the merchant charges it.
    """

    RECURRING = "recurring"
    """One of a series at regular intervals, without an agreed end: a subscription."""
    INSTALLMENT = "installment"
    """One of an agreed number of parts of one sum."""
    UNSCHEDULED = "unscheduled"
    """By agreement, at no fixed time: a balance is topped up, a bill falls due."""
    RESUBMISSION = "resubmission"
    """Again, after a decline for insufficient funds, for goods or services already delivered."""
    DELAYED = "delayed"
    """A charge that became known after the service was delivered."""
    REAUTHORIZATION = "reauthorization"
    """A new hold that replaces one that expired before the delivery."""
    NO_SHOW = "no_show"
    """A fee for a guaranteed booking that the payer did not keep."""


class ChargeFact(StrEnum):
    """A fact that a host can give with a charge, and for which not every processor has a field."""

    STATEMENT_SUFFIX = "statement_suffix"
    """A text on the payer's statement."""
    RECEIPT_EMAIL = "receipt_email"
    """An e-mail address to which the processor sends a receipt."""
    METADATA = "metadata"
    """Facts of the host's own, which the processor keeps with the payment."""
    SHIP_TO = "ship_to"
    """Who receives the goods, and where."""
    MOTO = "moto"
    """That the payer gave the card by mail or telephone."""


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """How much of an amount is for one invoice: *reference* is its number."""

    reference: str
    amount: Money


def metadata_of(given: Mapping[str, str]) -> dict[str, str]:
    """Return a host's own facts about a charge, or raise `InvalidValue` if they are not valid.

    Up to 20 names of 1 to 40 characters, each with a text of up to 500: what every
    processor that stores such facts can hold. Names that begin with "paygate" are reserved.
    """
    given_ = cast("object", given)
    if not isinstance(given_, Mapping):
        raise InvalidValue(
            f"metadata must be texts by name, not {shown_value(given_)}", argument="metadata"
        )
    facts = cast("Mapping[object, object]", given_)
    if len(facts) > METADATA_MAX:
        raise InvalidValue(
            f"metadata can have at most {METADATA_MAX} entries, not {len(facts)}",
            argument="metadata",
        )
    found: dict[str, str] = {}
    for name, value in facts.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InvalidValue("metadata must be texts by name", argument="metadata")
        fits = name.isascii() and name.isprintable() and not set(name) & set("[]<>")
        if not fits or not 0 < len(name) <= METADATA_NAME_MAX or name.lower().startswith(_OURS):
            raise InvalidValue(
                f"a name in metadata must have 1 to {METADATA_NAME_MAX} ASCII characters without "
                f"brackets, and must not begin with {_OURS!r}: not {shown(name)}",
                argument="metadata",
            )
        if len(value) > METADATA_VALUE_MAX:
            raise InvalidValue(
                f"a text in metadata can have at most {METADATA_VALUE_MAX} characters",
                argument="metadata",
            )
        found[name] = note(value, "metadata")
    return found


def statement_suffix_of(given: str) -> str:
    """Return the text to add to the payer's statement, or raise `InvalidValue`."""
    suffix = note(given, "statement_suffix")
    fits = suffix.isascii() and suffix.isprintable() and not set(suffix) & set("<>\\'\"*")
    if not fits or len(suffix) > STATEMENT_SUFFIX_MAX:
        raise InvalidValue(
            f"statement_suffix can have at most {STATEMENT_SUFFIX_MAX} ASCII characters, and none "
            f"of < > \\ ' \" *: not {shown(given)}",
            argument="statement_suffix",
        )
    return suffix
