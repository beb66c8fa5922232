"""Stored payment methods."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

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

    With `blocked_for`, the code of a failure, it is not charged automatically until it is replaced
    or updated, and not before the date `rests_until` if its bank asked for that.
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
    blocked_for: str = ""
    rests_until: date | None = None


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
