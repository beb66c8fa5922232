"""Stored payment methods and the payer's authorization to use them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, cast

from paygate.domain.text import LENGTH_MAX, NOTE_LENGTH_MAX, encodable, line
from paygate.errors import InvalidValue
from paygate.printing import shown_value

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from paygate.domain.action import Action
    from paygate.domain.attempt import AttemptState
    from paygate.domain.kind import Kind, Operation
    from paygate.domain.secret import Secret


BRANDS: Final[Mapping[str, str]] = {
    "visa": "visa",
    "mastercard": "mastercard",
    "amex": "amex",
    "americanexpress": "amex",
    "discover": "discover",
    "diners": "diners",
    "dinersclub": "diners",
    "jcb": "jcb",
    "unionpay": "unionpay",
    "chinaunionpay": "unionpay",
    "maestro": "maestro",
    "switch": "switch",  # discontinued; cards stored long ago may have it
}
"""Our names of the card brands, by the processors' names, reduced to lower-case letters."""


def brand_of(name: str) -> str:
    """Return our name of the card brand that a processor calls *name*; a new one is kept as is."""
    letters = "".join(character for character in name.lower() if character.isalpha())
    return BRANDS.get(letters, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodFacts:
    """
    What can be printed about the card or bank account that paid: ``visa`` ending ``4242``.

    The `brand` of a card is one of `BRANDS` if the table has it: a driver reads it with
    `brand_of`. `last4` are the last digits of the card or account, and never more;
    `wallet` is how a card was presented, such as ``apple_pay``.
    """

    brand: str = ""
    last4: str = ""
    expires_month: int | None = None
    expires_year: int | None = None
    wallet: str = ""

    def __post_init__(self) -> None:
        if len(self.last4) > _LAST4:
            object.__setattr__(self, "last4", self.last4[-_LAST4:])

    def updated(self, told: MethodFacts | None) -> MethodFacts:
        """Return these facts, updated with the newer ones."""
        if told is None:
            return self
        facts = {each.name: getattr(told, each.name) for each in fields(told)}
        return replace(self, **{name: fact for name, fact in facts.items() if fact})


_LAST4: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMethod:
    """What a gateway says about a card or account that it stores for us.

    The `brand` of a card is one of `BRANDS` if the table has it: a driver reads it with
    `brand_of`. The `holder` is a person's name and is not shown in a repr.
    `reference` is the processor's name of the method in its notices (`MethodNews`); it is
    stored unencrypted, so it must be useless to others. `customer_reference` is the
    processor's own id of the payer; it is stored for the account, and passed with later
    charges and enrollments of the payer.
    """

    token: Secret[str]
    kind: Kind
    brand: str = ""
    last4: str = ""
    expires_month: int | None = None
    expires_year: int | None = None
    holder: str = field(default="", repr=False)
    network_transaction_id: str = ""
    fingerprint: str = ""
    reference: str = ""
    customer_reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodNews:
    """A processor's notice about a method that it stores for us.

    `reference` is that of its `StoredMethod`. `facts` are its current ones; an empty
    fact has not changed: a renewed card has a new expiry, and may have
    a new number. With `ended` it cannot be charged any more, because it was deleted at the
    processor, or the payer or the bank revoked the mandate; `reason` is the processor's
    word for why.
    """

    reference: str
    ended: bool = False
    reason: str = ""
    facts: MethodFacts = field(default_factory=MethodFacts)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMethod:
    """A stored method of a customer; the token itself stays encrypted in the ledger.

    The `brand` of a card is spelled the same for every gateway (`BRANDS`).
    `expires` is the last day on which it is valid, `mandate` the id of the payer's
    permission to collect without them. A method with `forgotten_at` is not charged any more:
    it was forgotten, or has ended at its gateway.
    """

    id: str
    customer: str
    account: str
    kind: Kind
    brand: str
    last4: str
    expires: date | None
    is_default: bool
    mandate: str | None
    created_at: datetime
    forgotten_at: datetime | None = None


_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 2200


class MandateScope(StrEnum):
    """What the payer allowed us to collect without them.

    It is stored with the mandate. Nothing uses it yet: it is for invoices that are
    collected automatically when they fall due. Until then the host decides what to charge.
    """

    FUTURE = "future"
    """What falls due from now on."""
    FUTURE_AND_PENDING = "future_and_pending"
    """What falls due from now on, and what is already open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """The payer's authorization: which text, when, from where, and for what.

    The ledger assigns its `id`.
    """

    text_version: str
    accepted_at: datetime
    scope: MandateScope = MandateScope.FUTURE
    reference: str = ""
    ip: str = ""
    user_agent: str = ""
    id: str = ""

    def __post_init__(self) -> None:
        given = cast("object", self.accepted_at)
        aware = isinstance(given, datetime) and given.utcoffset() is not None
        if not aware or not _FIRST_YEAR <= cast("datetime", given).year <= _LAST_YEAR:
            raise InvalidValue(
                "accepted_at of a mandate must be the instant, with its zone, at which the payer "
                f"agreed, such as datetime.now(UTC), not {shown_value(given)}",
                argument="mandate",
            )
        if not isinstance(cast("object", self.scope), MandateScope):
            scopes = ", ".join(MandateScope)
            raise InvalidValue(
                f"scope of a mandate must be a MandateScope ({scopes}), not "
                f"{shown_value(self.scope)}",
                argument="mandate",
            )
        for name, least in (("text_version", 1), ("reference", 0), ("ip", 0), ("user_agent", 0)):
            text = getattr(self, name)
            most = NOTE_LENGTH_MAX if name == "user_agent" else LENGTH_MAX
            fits = isinstance(text, str) and least <= len(text) <= most
            if not fits or not (line(text) or (name == "user_agent" and encodable(text))):
                raise InvalidValue(
                    f"{name} of a mandate must be printable text of {least} to {most} characters, "
                    f"not {shown_value(text)}",
                    argument="mandate",
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodRequest:
    """The state of a request to store a method, or to delete one at its gateway.

    `state` is ``succeeded`` when it is done; only then a method that was to
    be stored is in `method`. ``requires_action`` requires the payer to follow
    `action`. While it is ``sending``, ``unknown`` or ``pending``, recovery follows it up.
    """

    id: str
    operation: Operation
    customer: str
    account: str
    kind: Kind
    state: AttemptState
    method: PaymentMethod | None
    created_at: datetime
    reference: str = ""
    code: str = ""
    raw_code: str = ""
    reason: str = ""
    retryable: bool = False
    action: Action | None = None
    expires_at: datetime | None = None
    needs_review: bool = False
