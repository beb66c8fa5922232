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
    from paygate.domain.advice import Advice
    from paygate.domain.card_checks import CardChecks
    from paygate.domain.kind import Kind
    from paygate.domain.method import MethodFacts
    from paygate.domain.money import Money
    from paygate.domain.movement import Sighting
    from paygate.domain.review import Review

RECORDED: Final = "recorded"
"""The account name of money that was received without a gateway."""


class PaymentStatus(StrEnum):
    """The status of a payment; amounts and flags report what happened to its money later."""

    PROCESSING = "processing"
    """It was sent, or is being processed by the bank; the result comes later."""
    REQUIRES_ACTION = "requires_action"
    """The payer must follow a link, pay a slip or pay an address."""
    AUTHORIZED = "authorized"
    """The amount is held for us, but not captured yet."""
    SUCCEEDED = "succeeded"
    """The money arrived. Amounts and flags report returns and reversals."""
    DECLINED = "declined"
    """The payer's bank or the processor's risk rules said no."""
    FAILED = "failed"
    """It ended without money, but not because of the payer's method."""
    CANCELED = "canceled"
    """It was canceled before money moved."""
    EXPIRED = "expired"
    """A page, slip or authorization expired before money moved."""
    UNKNOWN = "unknown"
    """Its outcome is not known; we are inquiring."""


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
"""The payment's status, by the state of the attempt that collects its money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentItem:
    """One item of a payment: an invoice, by number, and how much of it.

    `amount` is how much of the invoice the payment was to pay, `claimed` how much of it the
    payment holds right now, and `paid` how much of its money, or credit, is on it. A declined
    payment has claimed and paid nothing; if a clerk assigned the money to the invoice, `amount` is
    zero.
    """

    invoice: str
    amount: Money
    claimed: Money
    paid: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignMoney:
    """Money that arrived for a payment in a currency that was not requested, and where it is.

    The four amounts are in that currency, and mean the same as those of the payment.
    """

    received: Money
    returned: Money
    credited: Money
    unallocated: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One effort to collect an amount from a payer, or money recorded by hand.

    - `short_reference` has eight characters, by which the payer names it to your support;
      `payment_by_reference` finds it.
    - `amount` is the requested amount, `received` what came in, and `returned` what went
      out again (voids, refunds, returns, reversals). All amounts are in the currency of `amount`;
      money that arrived in another one is in `foreign`, by currency.
    - `credited` is the part of the money that became customer credit. `unallocated` waits for a
      clerk's decision; it is negative if more went back than came and nobody knows whose
      payment it is. `awaiting` was accepted and counts only when it has settled; until then it
      holds what it is to pay. `settled` says that all of its money has reached us.
    - `authorized` is what was held for us before any capture, `seen` what is on its way, if the
      gateway reports how much: for example a Bitcoin transaction that waits for confirmations.
      `sightings` are the first of its parts, with the confirmations of each, and `address_index`
      is the number of the address to pay to.
    - `capturing` and `refunding` are what is being captured, or sent back, right now, as long as
      the outcome is open. `refundable_after` is how many banking days after settlement the
      payer's bank can still return the money.
    - `method` is the stored method that was charged, or that was stored with the payment.
      `method_facts` are the brand, last four digits and expiry of the card, or the last four of
      the bank account, for a payment receipt. `checks` are the results of address, security code
      and 3-D Secure. Each is None if it is not known.
    - `payer_number` is the number that was paid to without an attempt of ours; as long as nobody
      knows whose it is, `customer` and `payer` are empty and the money waits for `assign`.
    - `code`, `raw_code` and `reason` say why it did not succeed; `retryable` whether
      a new payment (with a new key) can be tried with the same method, and `advice` what the
      card's bank or network says about that.
    - `items` are the invoices that it is for; `key` is the idempotency key of the call that
      created it, and `link` the payment link that its payer followed, if any. `repeated` says that
      the call which returned it stored and sent nothing: its key had been used before, and this is
      the payment of that call.
    - `reviews` say why it needs manual review and which verbs end that; there are some if
      `needs_review`. `unanswered` says why the inquiry that returned it got no
      response, so that it is unchanged; it is empty if the gateway responded. `warnings` are
      sentences about the call that returned it.
    """

    id: str
    short_reference: str
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
    advice: Advice | None = None
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
    link: str = ""
    items: tuple[PaymentItem, ...] = ()
    created_at: datetime | None = None
    foreign: tuple[ForeignMoney, ...] = ()
    reviews: tuple[Review, ...] = ()
    repeated: bool = field(default=False, compare=False)
    unanswered: str = field(default="", compare=False)

    def __repr__(self) -> str:
        """Return the facts that matter most, on a line, and nothing about the payer."""
        facts = [str(self.status), str(self.amount), f"received {self.received}"]
        facts += [f"returned {self.returned}"] if self.returned else []
        facts += ["needs review"] if self.needs_review else []
        return f"<Payment {self.id}: {', '.join(facts)}>"

    @property
    def undecided(self) -> tuple[Money, ...]:
        """Its money that waits for a clerk's decision, by currency; negative if owed to us."""
        amounts = (self.unallocated, *(each.unallocated for each in self.foreign))
        return tuple(each for each in amounts if each.minor)

    @property
    def refunded(self) -> bool:
        """Whether money of it was sent back."""
        return self.returned.minor > 0

    @property
    def reversed(self) -> bool:
        """Whether a reversal was booked against it."""
        return self.reversal is not None
