"""Outcomes: what the processor decided, as a closed set of alternatives.

An `Outcome` is what a driver's dialogue returns. Two more answers exist that no
driver returns for an operation: `Unsent`, which the service concludes when the
request that moves money provably never left, and `NotFound`, which only an
inquiry can give.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

    from paygate.domain.action import Action
    from paygate.domain.card_checks import CardChecks
    from paygate.domain.chargeback import Dispute
    from paygate.domain.method import MethodFacts, StoredMethod
    from paygate.domain.money import Money
    from paygate.domain.movement import Movement


class DeclineCode(StrEnum):
    """Why the payer's bank or the processor's risk rules said no, in our words."""

    GENERIC = "generic"
    """No reason is given, or none of those below."""
    INSUFFICIENT_FUNDS = "insufficient_funds"
    """There is not enough money on the account."""
    LIMIT_EXCEEDED = "limit_exceeded"
    """The amount or the number of payments is above a limit of the card or account."""
    EXPIRED_METHOD = "expired_method"
    """The card or the mandate has run out."""
    INVALID_METHOD = "invalid_method"
    """The number or the type of the card or account is wrong or not supported."""
    INVALID_SECURITY_CODE = "invalid_security_code"
    """The security code is wrong or missing."""
    INVALID_ADDRESS = "invalid_address"
    """The address or postal code does not match."""
    AUTHENTICATION_REQUIRED = "authentication_required"
    """The bank wants to see the payer: bring them back."""
    AUTHENTICATION_FAILED = "authentication_failed"
    """The payer did not pass the check of the bank."""
    LOST_OR_STOLEN = "lost_or_stolen"
    """The card is reported lost or stolen; never charge it again."""
    FRAUD_SUSPECTED = "fraud_suspected"
    """The bank or the processor suspects fraud."""
    NOT_PERMITTED = "not_permitted"
    """The card or account does not allow this sort of payment."""
    DUPLICATE = "duplicate"
    """The bank saw the same payment a moment ago: look for that one first."""
    TRY_AGAIN_LATER = "try_again_later"
    """The bank cannot be reached or asks to try again."""
    ACCOUNT_CLOSED = "account_closed"
    """The account is closed."""
    NO_ACCOUNT = "no_account"
    """There is no such card or account."""
    MANDATE_REVOKED = "mandate_revoked"
    """The payer revoked or stopped the debit; never charge it again."""


class RejectCause(StrEnum):
    """Why the processor refused the request itself; the payer's method is not to blame."""

    CREDENTIALS = "credentials"
    """Our key, password or signature is wrong."""
    PERMISSION = "permission"
    """The account may not do this."""
    RATE_LIMIT = "rate_limit"
    """There were too many requests; this one was not looked at."""
    VALIDATION = "validation"
    """A field is wrong or missing."""
    UNAVAILABLE = "unavailable"
    """The processor was not at work, and surely did nothing."""
    METHOD_GONE = "method_gone"
    """The token is used up, or the stored method is not there any more."""
    KEY_IN_USE = "key_in_use"
    """A request under this key is being worked on: something was sent before."""
    KEY_MISMATCH = "key_mismatch"
    """This key was used with other data: something was sent before."""
    STATE = "state"
    """What the operation is about is in no state for it, such as a refund before it settled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """Done. *movements* say what money moved; none for an operation that moves none.

    `disputes` say how disputes of the money stand, where the processor tells that.
    `method` is the card or account that the processor stored on the way, `method_facts`
    what it tells of the one that paid. `checks` are the results of address, security code
    and 3-D Secure. `alert` is a sentence for the merchant about what was left undone, such as
    a method that could not be stored; it becomes a `payment.alert`.
    """

    reference: str = ""
    movements: tuple[Movement, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    method: StoredMethod | None = None
    network_transaction_id: str = ""
    method_facts: MethodFacts | None = None
    checks: CardChecks | None = None
    alert: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorized:
    """*amount* is held for us until *expires_at*; nothing moved yet. See `Approved`."""

    amount: Money
    reference: str = ""
    expires_at: datetime | None = None
    method: StoredMethod | None = None
    network_transaction_id: str = ""
    method_facts: MethodFacts | None = None
    checks: CardChecks | None = None
    alert: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """The payer's bank, or the processor's risk rules, said no.

    `retryable` tells whether the same method may be tried again some other day;
    `raw_code` is the processor's own code, kept word for word. `final` says that
    the processor takes no other try on the same page or slip: the payment ends as
    declined, while any other decline leaves the page payable. `part` says that it is about
    one of several parts that the payer may send: what has come of the others stands, and what
    is still on its way too. `method_facts` and `checks` are those of `Approved`, and so is
    `alert`, which tells of a hold, say, that the processor could not release.
    """

    code: DeclineCode
    raw_code: str
    retryable: bool
    message: str = ""
    reference: str = ""
    final: bool = False
    part: bool = False
    method_facts: MethodFacts | None = None
    checks: CardChecks | None = None
    alert: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The processor refused the request; the payment method is not to blame.

    `alert` is that of `Approved`.
    """

    cause: RejectCause
    retryable: bool
    raw_code: str = ""
    message: str = ""
    reference: str = ""
    alert: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """Accepted, and on its way; the result comes later (an e-check, a Bitcoin transaction).

    `amount` is how much is on its way in all, if the payer decides that: the payment
    holds so much of its invoices, and nothing below `Rail.held_from_percent` of what
    was asked for. None means all that was asked for.
    """

    reference: str = ""
    expected_at: datetime | None = None
    amount: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRequired:
    """The payer must do something: follow a link, pay a slip, pay an address.

    A completion or withdrawal that only finds the page still open, and cannot show it again,
    says so without an `action`: what the payer was asked to do before still stands.
    """

    action: Action | None
    reference: str = ""
    expires_at: datetime | None = None


class Ending(StrEnum):
    """How a page, slip or authorisation ended without money."""

    EXPIRED = "expired"
    """It ran out."""
    CANCELED = "canceled"
    """We, the payer or the processor called it off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The page, slip or authorisation can no longer be paid; nobody was declined."""

    how: Ending
    reference: str = ""


class Fault(StrEnum):
    """What kept an answer from us, whatever words the reason uses."""

    NOT_SENT = "not_sent"
    """The request never left."""
    NO_RESPONSE = "no_response"
    """It left, and no answer came."""
    BAD_RESPONSE = "bad_response"
    """An answer came, and it cannot be read."""
    CREDENTIALS = "credentials"
    """The other side does not accept who we are."""
    OTHER = "other"
    """Anything else, such as an error of the driver."""

    @property
    def silent(self) -> bool:
        """Return whether the other side said nothing at all of what it was asked."""
        return self in (Fault.NOT_SENT, Fault.NO_RESPONSE, Fault.CREDENTIALS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """We cannot tell what happened; the core will inquire.

    `fault` is what kept the answer from us; None if the processor's own answer leaves it open.
    `flagged` says that the answer does not add up, so that a person should look at
    it at once, while the core goes on asking.
    """

    reason: str
    reference: str = ""
    fault: Fault | None = None
    flagged: bool = False


Outcome: TypeAlias = (
    Approved | Authorized | Declined | Rejected | Pending | ActionRequired | Ended | Unknown
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsent:
    """The request that moves money provably never left; `fault` is what kept it.

    `flagged` says that the driver itself is at fault.
    """

    reason: str
    fault: Fault | None = None
    flagged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFound:
    """The processor does not know the operation that an inquiry asked for.

    That alone does not mean that it failed: the request may still be on its way.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Money of an operation moved later: sent back elsewhere, returned, disputed, won again.

    `disputes` say how disputes of it stand, with or without a movement.

    It says nothing of how the operation itself ended.
    """

    movements: tuple[Movement, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    reference: str = ""


Finding: TypeAlias = Outcome | NotFound
"""What an inquiry returns."""

Answer: TypeAlias = Outcome | NotFound | Unsent | Moved
"""Anything that can be merged into what we know of an attempt."""
