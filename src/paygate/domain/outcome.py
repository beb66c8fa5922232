"""Outcomes: what the processor decided, as a closed set of alternatives.

An `Outcome` is what a driver's dialogue returns. Two more answers exist that no
driver returns for an operation: `Unsent`, which the service concludes when the
request that moves money provably never left, and `NotFound`, which only an
inquiry can give.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from paygate.domain.card_checks import CardChecks
    from paygate.domain.chargeback import Dispute
    from paygate.domain.method import MethodFacts, StoredMethod
    from paygate.domain.money import Money
    from paygate.domain.quoting import Valuation
    from paygate.domain.secret import Secret


class MovementKind(StrEnum):
    """Why money moved; the direction follows from it."""

    CHARGE = "charge"
    """In: money of a charge or of a page."""
    CAPTURE = "capture"
    """In: money that an authorisation had held."""
    VOID = "void"
    """Out: a charge or capture that was undone before it settled."""
    REFUND = "refund"
    """Out: sent back by the merchant, whoever asked for it."""
    REFUND_FAILED = "refund_failed"
    """In: a refund that did not reach the payer and came back; it undoes the refund."""
    RETURN = "return"
    """Out: the payer's bank says that the money of a debit never came."""
    CHARGEBACK = "chargeback"
    """Out: the cardholder's bank took the money in a dispute."""
    CHARGEBACK_WON = "chargeback_won"
    """In: a dispute gave it back; it undoes the chargeback."""
    REVERSAL = "reversal"
    """Out: for the engine alone, a clerk booked the opposite; a driver never says it."""
    UNDONE = "undone"
    """In: for the engine alone, a person took back what was recorded as gone out."""

    @property
    def inward(self) -> bool:
        """Tell whether money of this kind comes to the merchant."""
        return self in _INWARD


_INWARD = frozenset(
    {
        MovementKind.CHARGE,
        MovementKind.CAPTURE,
        MovementKind.REFUND_FAILED,
        MovementKind.CHARGEBACK_WON,
        MovementKind.UNDONE,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """The processor says that money moved; booked once as a `Receipt`.

    `movement_id` is the processor's own id of this one movement: together with
    account and kind it makes booking idempotent. `amount` is always positive.
    `effective` is when it moved: an instant, which counts on the date that it has in
    the customer's zone, or the date that the processor gives. `undoes` is the movement
    id that this one takes back, `code` the processor's reason for it (an ACH return
    code, say). `settled` is what of it reached us until now (or left us), on the day
    `settled_on`, and `fee` what the processor took for it; the same movement with
    more of these later is its settlement. `valued` is for the engine alone: at which price
    what came in another currency is counted as *amount*.
    """

    movement_id: str
    amount: Money
    kind: MovementKind = MovementKind.CHARGE
    effective: datetime | date | None = None
    settled: Money | None = None
    fee: Money | None = None
    settled_on: date | None = None
    undoes: str | None = None
    code: str = ""
    valued: Valuation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Money that a feed about places sees on its way, or that came: an output of a transaction.

    `name` is the processor's own, the same from when it is first seen until it is gone for good,
    and `quantity` how much it is. It counts when it has `needed` of its `confirmations`.
    `replaces` names the sighting in whose place it came: the same payment in other clothes.
    Only as much of it as was seen before is, and no more than `replaced` if that is given:
    what was seen once may be replaced by several.
    """

    name: str
    quantity: Money
    confirmations: int = 0
    needed: int = 0
    replaces: str = ""
    replaced: Money | None = None


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


# --- What the payer must do next ---------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """Send the payer to *url*, by GET, or by a form POST of *fields*."""

    url: str
    method: str = "GET"
    fields: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class PostForm:
    """Open the processor's own form: let the payer's browser POST *token* to *url*.

    The token goes in the field *token_field*, beside *fields*. It is for the payer's
    browser alone: a driver always gives it, a payment that is read does not hold it,
    and `Cashier.action_of` returns it to the page that renders the form.
    """

    url: str
    token_field: str
    token: Secret[str] | None
    fields: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptStep:
    """Go on in the page, in the processor's own script, which is loaded from *script_url*.

    The script takes *publishable_key*, which may be public, and *client_secret*, which
    is for the payer's browser alone: a driver always gives it, a payment that is read
    does not hold it, and `Cashier.action_of` returns it to the page that goes on. A key
    that the driver leaves empty is the account's public setting of that name.
    """

    script_url: str
    publishable_key: str
    client_secret: Secret[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowVoucher:
    """Give the payer a slip to pay at a counter; *reference* is what the counter scans or types."""

    reference: str
    url: str = ""
    barcode: str = ""
    instructions: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowCode:
    """Show a QR code of *payload* to be scanned by the payer's bank or wallet (Pix, UPI, PayNow).

    The payload goes into the code as it is; most wallets also take it pasted as text, and
    *url* opens them on the phone that shows the page. *instructions* are for the payer.
    """

    payload: str
    url: str = ""
    instructions: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveElsewhere:
    """Let the payer approve in an app or on a phone that the processor has asked (M-Pesa, Swish).

    *where* names it for the payer, such as "your phone" or the app; *code* is what the
    payer compares or types there, if the processor gives one. The page waits meanwhile:
    it sends the payer nowhere, and asks for the payment until that has ended.
    """

    where: str
    code: str = ""
    instructions: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayToAddress:
    """Ask the payer to send *amount* to *address*; *uri* is for wallets and QR codes (BIP 21).

    Where that is another currency than the payment's, it is a quote, made at *rate*
    of *rate_source*: what is seen before it expires is worth what it was worth in the quote,
    however the rate moves; what comes later, see `Rail.late`. From *enough* on the payment
    counts as made in full.
    """

    address: str
    amount: Money
    uri: str
    enough: Money | None = None
    rate: str = ""
    rate_source: str = ""


Action: TypeAlias = (
    Redirect | PostForm | ScriptStep | ShowVoucher | ShowCode | PayToAddress | ApproveElsewhere
)


def secret_of(action: Action) -> Secret[str] | None:
    """Return the secret that *action* holds; None if it holds none, or it was taken out."""
    match action:
        case PostForm():
            return action.token
        case ScriptStep():
            return action.client_secret
        case _:
            return None


def with_secret(action: Action, secret: Secret[str] | None) -> Action:
    """Return *action* with *secret* in its place; None takes it out."""
    match action:
        case PostForm():
            return replace(action, token=secret)
        case ScriptStep():
            return replace(action, client_secret=secret)
        case _:
            return action


def lacks_secret(action: Action) -> bool:
    """Return whether *action* can be followed only with a secret that it does not hold."""
    return isinstance(action, PostForm | ScriptStep) and not secret_of(action)


# --- What was decided -----------------------------------------------------------


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

    A completion or closing that only finds the page still open, and cannot show it again,
    says so without an `action`: what the payer was asked to do before still stands.
    """

    action: Action | None
    reference: str = ""
    expires_at: datetime | None = None


class Closing(StrEnum):
    """How a page, slip or authorisation ended without money."""

    EXPIRED = "expired"
    """It ran out."""
    CANCELED = "canceled"
    """We, the payer or the processor called it off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The page, slip or authorisation can no longer be paid; nobody was declined."""

    how: Closing
    reference: str = ""


class Fault(StrEnum):
    """What kept an answer from us, whatever words the reason uses."""

    NOT_SENT = "not_sent"
    """The request never left."""
    NO_REPLY = "no_reply"
    """It left, and no answer came."""
    BAD_REPLY = "bad_reply"
    """An answer came, and it cannot be read."""
    CREDENTIALS = "credentials"
    """The other side does not accept who we are."""
    OTHER = "other"
    """Anything else, such as an error of the driver."""

    @property
    def silent(self) -> bool:
        """Return whether the other side said nothing at all of what it was asked."""
        return self in (Fault.NOT_SENT, Fault.NO_REPLY, Fault.CREDENTIALS)


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
    Approved | Authorized | Declined | Rejected | Pending | ActionRequired | Closed | Unknown
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
