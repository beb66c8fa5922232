"""Outcomes: what the processor decided, as a closed set of alternatives.

An `Outcome` is what a driver's dialogue returns. There are two more answers that no
driver returns for an operation: `Unsent`, which the service concludes if the
request that moves money was provably never sent, and `NotFound`, which only an
inquiry can return.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

    from paygate.domain.action import Action
    from paygate.domain.advice import Advice
    from paygate.domain.card_checks import CardChecks
    from paygate.domain.chargeback import Dispute
    from paygate.domain.method import MethodFacts, StoredMethod
    from paygate.domain.money import Money
    from paygate.domain.movement import Movement


class DeclineCode(StrEnum):
    """Why the payer's bank or the processor's risk rules said no, in our vocabulary."""

    GENERIC = "generic"
    """No reason is given, or none of those below."""
    INSUFFICIENT_FUNDS = "insufficient_funds"
    """There is not enough money in the account."""
    LIMIT_EXCEEDED = "limit_exceeded"
    """The amount or the number of payments is above a limit of the card or account."""
    EXPIRED_METHOD = "expired_method"
    """The card or the mandate has expired."""
    INVALID_METHOD = "invalid_method"
    """The number or the type of the card or account is wrong or not supported."""
    INVALID_SECURITY_CODE = "invalid_security_code"
    """The security code is wrong or missing."""
    INVALID_ADDRESS = "invalid_address"
    """The address or postal code does not match."""
    AUTHENTICATION_REQUIRED = "authentication_required"
    """The bank requires the payer's authentication: bring them back."""
    AUTHENTICATION_FAILED = "authentication_failed"
    """The payer did not pass the bank's authentication."""
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
    """The card or account does not exist."""
    MANDATE_REVOKED = "mandate_revoked"
    """The payer revoked or stopped the debit; never charge it again."""


class RejectCause(StrEnum):
    """Why the processor rejected the request itself; the payer's method is not to blame."""

    CREDENTIALS = "credentials"
    """Our key, password or signature is wrong."""
    PERMISSION = "permission"
    """The account does not have the permission for this."""
    RATE_LIMIT = "rate_limit"
    """There were too many requests; this one was not processed."""
    VALIDATION = "validation"
    """A field is wrong or missing."""
    UNAVAILABLE = "unavailable"
    """The processor was out of service, and certainly did nothing."""
    METHOD_GONE = "method_gone"
    """The token is used up, or the stored method does not exist any more."""
    KEY_IN_USE = "key_in_use"
    """A request with this key is being processed: something was sent before."""
    KEY_MISMATCH = "key_mismatch"
    """This key was used with other data: something was sent before."""
    STATE = "state"
    """The object is in the wrong state for the operation, such as a refund before it settled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """The operation was done; *movements* is the money that moved, empty if it moves none.

    `disputes` are the states of disputes of the money, if the processor reports them.
    `method` is a card or account that the processor stored with the operation, `method_facts`
    what it reports about the one that paid. `checks` are the results of address, security code
    and 3-D Secure. `alert` is a sentence for the merchant about something left undone, such as
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
    """*amount* is held for us until *expires_at*; nothing has moved yet. See `Approved`."""

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

    `retryable` says whether the same method can be tried again on another day;
    `raw_code` is the processor's own code, word for word, and `advice` what the card's bank or
    network says about charging it again, which takes precedence. `final` says that
    the processor accepts no further attempt on the same page or slip: the payment ends as
    declined, while any other decline leaves the page payable. `part` says that it is about
    one of several parts that the payer may send: what has arrived of the others stays, and so does
    what is still on its way. `method_facts` and `checks` are those of `Approved`, and so is
    `alert`, for example about a hold that the processor could not release.
    """

    code: DeclineCode
    raw_code: str
    retryable: bool
    message: str = ""
    reference: str = ""
    advice: Advice | None = None
    final: bool = False
    part: bool = False
    method_facts: MethodFacts | None = None
    checks: CardChecks | None = None
    alert: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The processor rejected the request; the payment method is not to blame.

    `reference` is the processor's name of the rejected operation, if it keeps it. An inquiry
    whose answer names it reports how that operation ended; if the inquiry itself was rejected,
    leave it empty or raise `BadResponse`. `alert` is that of `Approved`.
    """

    cause: RejectCause
    retryable: bool
    raw_code: str = ""
    message: str = ""
    reference: str = ""
    alert: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """The processor accepted it; the result comes later (an e-check, a Bitcoin transaction).

    `amount` is how much is on its way in total, if the payer decides that: the payment
    holds that much of its invoices, and nothing below `Rail.held_from_percent` of the
    requested amount. None means the whole requested amount.
    """

    reference: str = ""
    expected_at: datetime | None = None
    amount: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRequired:
    """The payer must do something: follow a link, pay a slip, pay an address.

    If a completion, a withdrawal or an inquiry finds the page still open and cannot return it
    again, it has no `action`: the action that the payer was given before is still valid.
    """

    action: Action | None
    reference: str = ""
    expires_at: datetime | None = None


class Ending(StrEnum):
    """Why a page, slip or authorization ended without money."""

    EXPIRED = "expired"
    """It expired."""
    CANCELED = "canceled"
    """We, the payer or the processor canceled it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The page, slip or authorization can no longer be paid, but nothing was declined."""

    how: Ending
    reference: str = ""


class Fault(StrEnum):
    """What kept us from a response, in one vocabulary."""

    NOT_SENT = "not_sent"
    """The request was not sent."""
    NO_RESPONSE = "no_response"
    """The request was sent, but no response arrived."""
    BAD_RESPONSE = "bad_response"
    """A response arrived, but it cannot be read."""
    CREDENTIALS = "credentials"
    """The other side does not accept our credentials."""
    OTHER = "other"
    """Anything else, such as an error of the driver."""

    @property
    def silent(self) -> bool:
        """Return whether the other side said nothing at all about the operation."""
        return self in (Fault.NOT_SENT, Fault.NO_RESPONSE, Fault.CREDENTIALS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The result is not known; the core will inquire.

    `fault` is what kept us from a response; None if the processor's own response leaves it open.
    `flagged` says that the response is inconsistent, so the payment is flagged for manual review
    at once, while the core continues to inquire.
    """

    reason: str
    reference: str = ""
    fault: Fault | None = None
    flagged: bool = False


Outcome: TypeAlias = (
    Approved | Authorized | Declined | Rejected | Pending | ActionRequired | Ended | Unknown
)
"""What the processor decided about a request for an operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsent:
    """The request that moves money was provably never sent; `fault` is the cause.

    `flagged` says that the driver itself is at fault.
    """

    reason: str
    fault: Fault | None = None
    flagged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFound:
    """The processor does not know the operation that an inquiry was about.

    That alone does not mean that it failed: the request may still be in flight.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Money of an operation moved later: refunded elsewhere, returned, disputed, won back.

    `disputes` are the states of its disputes, with or without a movement.

    It says nothing about the outcome of the operation itself.
    """

    movements: tuple[Movement, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    reference: str = ""


Finding: TypeAlias = Outcome | NotFound
"""What an inquiry returns."""

Answer: TypeAlias = Outcome | NotFound | Unsent | Moved
"""Anything that can be merged into what we know about an attempt."""
