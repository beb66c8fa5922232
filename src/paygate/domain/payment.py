"""Payments: what each collects, from whom and for what, and where its money is."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from paygate.domain.attempt import AttemptState
from paygate.domain.settlement import CreditOn

if TYPE_CHECKING:
    from datetime import datetime

    from paygate.domain.action import Action
    from paygate.domain.card_checks import CardChecks
    from paygate.domain.kind import Kind
    from paygate.domain.method import MethodFacts
    from paygate.domain.money import Money
    from paygate.domain.movement import Sighting
    from paygate.domain.review import Review

RECORDED: Final = "recorded"
"""The account name of money that no gateway brought."""


class PaymentStatus(StrEnum):
    """Where a payment stands; what happened to its money later is told by amounts and flags."""

    PROCESSING = "processing"
    REQUIRES_ACTION = "requires_action"
    AUTHORIZED = "authorized"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


STATUS_OF: dict[AttemptState, PaymentStatus] = {
    AttemptState.SENDING: PaymentStatus.PROCESSING,
    AttemptState.UNKNOWN: PaymentStatus.UNKNOWN,
    AttemptState.REQUIRES_ACTION: PaymentStatus.REQUIRES_ACTION,
    AttemptState.PENDING: PaymentStatus.PROCESSING,
    AttemptState.AUTHORIZED: PaymentStatus.AUTHORIZED,
    AttemptState.DECLINED: PaymentStatus.DECLINED,
    AttemptState.FAILED: PaymentStatus.FAILED,
    AttemptState.CANCELED: PaymentStatus.CANCELED,
    AttemptState.EXPIRED: PaymentStatus.EXPIRED,
    AttemptState.SUCCEEDED: PaymentStatus.SUCCEEDED,
}
"""The payment's status by the state of the attempt that was to bring its money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentItem:
    """What a payment is for: an invoice, by number, and how much of it.

    `amount` is what the payment was to pay of it, `claimed` what it holds of it right now, and
    `paid` what of its money, or credit, is on it. A payment that was declined claims and paid
    nothing; one whose money a person assigned to the invoice was not to pay it.
    """

    invoice: str
    amount: Money
    claimed: Money
    paid: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignMoney:
    """What came for a payment in another currency than was asked for, and where it is.

    The four amounts are in that currency, and mean what those of the payment do.
    """

    received: Money
    returned: Money
    credited: Money
    unallocated: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One effort to collect an amount from a payer, or money recorded by hand.

    `amount` is what was asked for, `received` what came in, `returned` what went
    out again (voids, refunds, returns, reversals). `credited` is the part of the
    money that became customer credit, `unallocated` what a person must decide on (below zero:
    more went back than came, and nobody knows whose payment it is),
    `awaiting` what was accepted and counts only when it has settled; until then it
    holds what it is to pay. `settled` tells that all of its money reached us.
    `authorized` what was held for us before any capture, `seen` what is on its way, if the
    gateway says how much: a Bitcoin transaction that waits for confirmations, say. `sightings`
    are the first of what that is made of, with the confirmations of each, and `address_index` is
    the number of the address to pay to.
    `refundable_after` is how many banking days after settlement the payer's bank can
    still return it. `warnings` are sentences about the call that returned it.
    `method` is the stored method that was charged, or that was stored on the way;
    `payer_number` is the number that it was paid to without an attempt of ours; while nobody
    knows whose that is, `customer` and `payer` are empty and the money waits for `assign`.
    `method_facts` are brand, last four digits and expiry of the card, or the last four of the
    bank account, for a payment receipt. `checks` are the results of address, security code and
    3-D Secure. Each is None if it is not known.
    `code`, `raw_code` and `reason` say why it did not succeed; `retryable` whether
    a new payment (with a new key) may be tried with the same method. `items` are the invoices
    that it is for, `key` is the idempotency key of the call that made it.
    `capturing` and `refunding` are what is being taken, or sent back, right now, as far as
    that is decided by none yet. `repeated` says that the call which returned it stored and
    sent nothing: its key was used before, and this is the payment of that time.

    All amounts of it are in the currency of `amount`. Money that came in another one is in
    `foreign`, by currency. `reviews` say why a person must look at it and which verbs end that;
    there are some if `needs_review`. `unanswered` says why the inquiry that returned it got no
    answer, so that it is only what was known before; it is empty if the gateway answered.
    """

    id: str
    customer: str
    payer: str
    account: str
    kind: Kind
    amount: Money
    status: PaymentStatus
    received: Money
    returned: Money
    credited: Money
    unallocated: Money
    from_credit: Money
    awaiting: Money
    capturing: Money
    refunding: Money
    credit_on: CreditOn = CreditOn.ACCEPTED
    refundable_after: int = 0
    warnings: tuple[str, ...] = ()
    reference: str = ""
    code: str = ""
    raw_code: str = ""
    reason: str = ""
    retryable: bool = False
    action: Action | None = None
    expires_at: datetime | None = None
    needs_review: bool = False
    conflicted: bool = False
    superseded: bool = False
    seen: Money | None = None
    sightings: tuple[Sighting, ...] = ()
    address_index: int | None = None
    settled: bool = False
    disputed: bool = False
    authorized: Money | None = None
    reversal: str | None = None
    method: str | None = None
    mandate: str | None = None
    method_facts: MethodFacts | None = None
    checks: CardChecks | None = None
    key: str = ""
    payer_number: str = ""
    items: tuple[PaymentItem, ...] = ()
    created_at: datetime | None = None
    foreign: tuple[ForeignMoney, ...] = ()
    reviews: tuple[Review, ...] = ()
    repeated: bool = field(default=False, compare=False)
    unanswered: str = field(default="", compare=False)

    @property
    def undecided(self) -> tuple[Money, ...]:
        """What of it waits for a person's decision, by currency; negative if it is owed to us."""
        amounts = (self.unallocated, *(each.unallocated for each in self.foreign))
        return tuple(each for each in amounts if each.minor)

    @property
    def refunded(self) -> bool:
        """Tell whether money of it went back."""
        return self.returned.minor > 0

    @property
    def reversed(self) -> bool:
        """Tell whether a reversal was booked against it."""
        return self.reversal is not None
