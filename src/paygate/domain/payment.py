"""Payments, the attempts under them, and the money that came of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from paygate.domain.settlement import CreditOn

if TYPE_CHECKING:
    from datetime import date, datetime

    from paygate.domain.card_checks import CardChecks
    from paygate.domain.method import Kind, MethodFacts
    from paygate.domain.money import Money
    from paygate.domain.outcome import Action, MovementKind, Sighting
    from paygate.domain.review import Review


class Operation(StrEnum):
    """What can be asked of a gateway."""

    CHARGE = "charge"
    """Collect an amount, or begin to: open a page, print a slip, ask a bank."""
    AUTHORIZE = "authorize"
    """Hold an amount, to be captured later."""
    COMPLETE = "complete"
    """Finish what the payer approved on a page."""
    CAPTURE = "capture"
    """Take all or a part of what is held."""
    VOID = "void"
    """Undo a charge before it settles, or let go of what is held."""
    REFUND = "refund"
    """Send money back."""
    CLOSE = "close"
    """Make a page or slip unpayable."""
    ENROLL = "enroll"
    """Store a method."""
    FORGET = "forget"
    """Delete a stored method."""


class AttemptState(StrEnum):
    """What we know about one attempt. Knowledge only grows: see `rank`."""

    SENDING = "sending"
    UNKNOWN = "unknown"
    REQUIRES_ACTION = "requires_action"
    PENDING = "pending"
    AUTHORIZED = "authorized"
    DECLINED = "declined"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    SUCCEEDED = "succeeded"

    @property
    def rank(self) -> int:
        """How much is known; a fact of lower or equal rank changes nothing."""
        return _RANKS[self]

    @property
    def closed(self) -> bool:
        """Tell whether it ended without money."""
        return _RANKS[self] == 5

    @property
    def final(self) -> bool:
        """Tell whether nothing more is expected."""
        return _RANKS[self] >= 5

    @property
    def in_doubt(self) -> bool:
        """Tell whether a request may have reached the processor and we do not know its result."""
        return _RANKS[self] <= 1


_RANKS = {
    AttemptState.SENDING: 0,
    AttemptState.UNKNOWN: 1,
    AttemptState.REQUIRES_ACTION: 2,
    AttemptState.PENDING: 3,
    AttemptState.AUTHORIZED: 4,
    AttemptState.DECLINED: 5,
    AttemptState.FAILED: 5,
    AttemptState.CANCELED: 5,
    AttemptState.EXPIRED: 5,
    AttemptState.SUCCEEDED: 6,
}


RECORDED: Final = "recorded"
"""The account name of money that no gateway brought."""

NOT_FINISHED: Final = "not_finished"
"""The code of a completion that found the payer still on the page."""

STILL_OPEN: Final = "still_open"
"""The code of a closing that found the page still open."""


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
    are the first of what that is made of, with the confirmations of each, and `place` is the number
    of the address to pay to.
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
    place: int | None = None
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One operation asked of a gateway, stored before anything was sent.

    `payment` is empty for storing and deleting a method; `method` is the stored method
    that it is about, or that is to be made. `retryable` says that the same may be asked
    for again, with a new key. `request_id` is what the processor calls the request, if it
    says so: its support asks for it. `key` is the idempotency key of the call that asked for
    it, empty if that had none.
    """

    id: str
    payment: str
    operation: Operation
    account: str
    state: AttemptState
    amount: Money
    reference: str
    code: str
    raw_code: str
    reason: str
    created_at: datetime
    next_check_at: datetime | None
    checks: int
    needs_review: bool
    retryable: bool = False
    method: str = ""
    request_id: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unattended:
    """Inquiries and callbacks of a gateway account that nobody sees to, and since when.

    No process recovers for the account: it is configured in another one, which does not run,
    or nowhere any more.
    """

    account: str
    attempts: int
    callbacks: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Money that moved, booked once: the gateway's movement id makes it unique.

    `awaiting` is what of it counts only when it has settled. `settled` is what
    reached us until now, `fee` what the processor kept, `in_transit` what stands
    between, negative for money that is still to be taken from us. `by` is how money
    was sent back by hand, without a gateway. Of what came for a quote, `quantity` is how much of
    the other currency it was, and `rate` the price, of `rate_source`, at which it is counted.
    """

    id: str
    payment: str
    account: str
    kind: MovementKind
    movement_id: str
    amount: Money
    effective: date
    booked_at: datetime
    allocated: Money
    credited: Money
    unallocated: Money
    awaiting: Money
    in_transit: Money
    by: str = ""
    settled: Money | None = None
    fee: Money | None = None
    settled_on: date | None = None
    quantity: Money | None = None
    rate: str = ""
    rate_source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptLine:
    """A receipt as a line of an accountant's list, alongside what names it elsewhere.

    `invoices` are the numbers of those that its money was put on or, for money that went out, was
    taken off. `reference` is what the processor calls the charge or refund that it came of, or for
    money recorded by hand the check's number or the transfer's text. `driver` is that of its
    account, empty if no gateway brought it. `address` and `place` are where it was paid to and the
    number of that address, if it has one; `transaction` is the id of a Bitcoin transaction.
    """

    receipt: Receipt
    customer: str
    driver: str
    invoices: tuple[str, ...]
    reference: str
    address: str
    place: int | None
    transaction: str

    @property
    def id(self) -> str:
        """The id of the receipt."""
        return self.receipt.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Money of a receipt or of a credit, put on an invoice; negative when it was taken off again.

    `cancels` names the allocation whose negative twin this one is.
    """

    id: str
    invoice: str
    amount: Money
    payment: str | None
    receipt: str | None
    credit: str | None
    cancels: str | None
    booked_at: datetime
