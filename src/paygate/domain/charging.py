"""What a host may say about a charge besides amount and method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, cast

from paygate.domain.text import note
from paygate.errors import InvalidValue
from paygate.printing import shown, told

if TYPE_CHECKING:
    from paygate.domain.money import Money

METADATA_MAX: Final = 20
METADATA_NAME_MAX: Final = 40
METADATA_VALUE_MAX: Final = 500
STATEMENT_SUFFIX_MAX: Final = 22
_OURS: Final = "paygate"


class ChargeReason(StrEnum):
    """Why a stored method is charged, in the words of the card networks.

    With the payer present it says what the method is stored for; without, it says by
    which agreement the merchant charges.
    """

    RECURRING = "recurring"
    """One of a series at regular times, without an end that was agreed: a subscription."""
    INSTALLMENT = "installment"
    """One of an agreed number of parts of one sum."""
    UNSCHEDULED = "unscheduled"
    """By agreement, at a time that was not fixed: a balance is topped up, a bill falls due."""
    RESUBMISSION = "resubmission"
    """Again, after a decline for lack of funds of what was delivered before."""
    DELAYED = "delayed"
    """A charge that became known after the service was delivered."""
    REAUTHORIZATION = "reauthorization"
    """A new hold in place of one that ran out before the delivery."""
    NO_SHOW = "no_show"
    """A fee for a guaranteed booking that the payer did not keep."""


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """What part of an amount is for what: *reference* is the number of an invoice."""

    reference: str
    amount: Money


def metadata_of(given: Mapping[str, str]) -> dict[str, str]:
    """Return a host's own facts about a charge, or raise `InvalidValue` if they do not fit.

    Up to 20 names of 1 to 40 characters, each with a text of up to 500: what every
    processor with such facts can keep. Names that begin with "paygate" are the library's.
    """
    given_ = cast("object", given)
    if not isinstance(given_, Mapping):
        raise InvalidValue(f"metadata is text by name, not {told(given_)}", argument="metadata")
    facts = cast("Mapping[object, object]", given_)
    if len(facts) > METADATA_MAX:
        raise InvalidValue(
            f"metadata has at most {METADATA_MAX} facts, not {len(facts)}", argument="metadata"
        )
    found: dict[str, str] = {}
    for name, value in facts.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InvalidValue("metadata is text by name", argument="metadata")
        fits = name.isascii() and name.isprintable() and not set(name) & set("[]<>")
        if not fits or not 0 < len(name) <= METADATA_NAME_MAX or name.lower().startswith(_OURS):
            raise InvalidValue(
                f"a name in metadata has 1 to {METADATA_NAME_MAX} ASCII characters without "
                f"brackets, and does not begin with {_OURS!r}: not {shown(name)}",
                argument="metadata",
            )
        if len(value) > METADATA_VALUE_MAX:
            raise InvalidValue(
                f"a text in metadata has at most {METADATA_VALUE_MAX} characters",
                argument="metadata",
            )
        found[name] = note(value, "metadata")
    return found


def statement_suffix_of(given: str) -> str:
    """Return what is to be added to the payer's statement, or raise `InvalidValue`."""
    suffix = note(given, "statement_suffix")
    fits = suffix.isascii() and suffix.isprintable() and not set(suffix) & set("<>\\'\"*")
    if not fits or len(suffix) > STATEMENT_SUFFIX_MAX:
        raise InvalidValue(
            f"statement_suffix has at most {STATEMENT_SUFFIX_MAX} ASCII characters, and none of "
            f"< > \\ ' \" *: not {shown(given)}",
            argument="statement_suffix",
        )
    return suffix
