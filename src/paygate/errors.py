"""What can go wrong, and what is known about the money when it does.

A decline is an outcome, not an error. An exception says whose fault it was:

- `UsageError`: the host asked for something that is not valid; nothing was sent.
- `Refused`: our own rules do not allow it; nothing was sent.
- `AccountsUnavailable`: the host's function that returns accounts failed; nothing was sent.
- `GatewayError`: raised inside a dialogue at its yield. Hosts never see it, because the
  service turns it into an unsent or an unknown outcome.
- `NotAuthentic`: a callback does not come from the sender that it claims.
- `StoreError`: the ledger could not be read or written.

Whatever a host may need to act on is an attribute of the error, not just part of its text. A
message shows at most 80 characters of a value; the attribute holds all of it. All errors can
be pickled, so they cross process boundaries.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime


# 84 rather than 80, because a value that was already cut to 80 may be quoted. A path is measured
# part by part.
_LONG: Final = re.compile(r"([^\s/\\]{80})[^\s/\\]{5,}")


class PaygateError(Exception):
    """The base class of all paygate errors: one sentence, with the facts as attributes."""

    _whole = False
    """Whether the message is kept whole because it names a file path."""

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message if self._whole else _LONG.sub(r"\1…", message))
        self.__dict__.update(facts)

    @property
    def message(self) -> str:
        """The sentence that says what happened and what to do next."""
        return str(self.args[0])

    @property
    def facts(self) -> dict[str, Any]:
        """The facts of this error by name, for logs and machine-readable output."""
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.facts)


def _rebuild(kind: type[PaygateError], message: str, facts: dict[str, Any]) -> PaygateError:
    return kind(message, **facts)


# --- The host's mistake; nothing was sent ------------------------------------


class UsageError(PaygateError):
    """The call itself is not valid; nothing was stored and nothing was sent.

    `argument` names the argument at fault, if it is a single one.
    """

    argument: str = ""


class InvalidAmount(UsageError):
    """An amount is not valid: a float, not positive, or with too many digits."""


class InvalidCurrency(UsageError):
    """A currency code is not listed in ISO 4217 (and is not BTC)."""

    currency: str


class CurrencyMismatch(UsageError):
    """Two amounts have different currencies, but must have the same one."""


class InvalidValue(UsageError):
    """The value of an argument is not valid."""


class InvalidSettings(UsageError):
    """The settings of a gateway account or a sink are not valid."""


class GatewayNotFound(UsageError):
    """There is no gateway account, or no driver, with this name."""

    name: str
    known: Sequence[str]


class TenantNotFound(GatewayNotFound):
    """The function or the table of ``merchants=`` has no accounts of this tenant."""

    tenant: str


class DriverBroken(UsageError):
    """An installed driver could not be loaded; the message names the package and the cause."""

    name: str


class SinkBroken(UsageError):
    """An installed sink could not be loaded; the message names the package and the cause."""

    name: str


class Unsupported(UsageError):
    """The gateway account cannot do this; check its traits before you offer it."""


class MissingPayerField(UsageError):
    """The gateway needs facts about the payer that were not given."""

    fields: Sequence[str]


class AmountOutsideLimits(UsageError):
    """The amount is below the minimum or above the maximum of the gateway account."""


class RecordNotFound(UsageError):
    """The record was not found in this ledger (for this tenant)."""


class InvoiceNotFound(RecordNotFound):
    """There is no invoice with this number or id."""


class PrepaymentNotFound(RecordNotFound):
    """There is no prepayment with this id."""


class PaymentNotFound(RecordNotFound):
    """There is no payment with this id."""


class LinkNotFound(RecordNotFound):
    """There is no payment link with this id."""


class PageNotFound(RecordNotFound):
    """The token of an address leads to no payment link and to no payment that can be shown.

    It is the same error for a token that is unknown, of another tenant, or of a link that has
    expired or was replaced or revoked, so that nobody learns which of them exist.
    """


class SinkNotFound(RecordNotFound):
    """There is no sink with this name, or no package that provides it."""

    name: str
    known: Sequence[str]


class MethodNotFound(RecordNotFound):
    """There is no stored method, and no request to store one, with this id."""


class CommitmentNotFound(RecordNotFound):
    """There is no commitment with this id."""


class AttemptNotFound(RecordNotFound):
    """The payment has no attempt with this id."""


class OutcomeDoesNotFit(UsageError):
    """The outcome that a clerk recorded is not possible for this operation."""

    attempt: str
    operation: str


class TokenKeysMissing(UsageError):
    """Stored methods are kept encrypted, but the cashier was opened without ``token_keys``."""


class PageKeysMissing(UsageError):
    """Tokens of payment links are derived from keys, but the cashier has no ``page_keys``."""


class TryNotValid(UsageError):
    """The text of a form does not come from the page of this payment link."""


class TokenUnreadable(UsageError):
    """None of the token keys can decrypt the token of a stored method."""

    method: str


class SettingsUnreadable(UsageError):
    """None of the token keys can decrypt the settings of a stored account."""

    account: str
    tenant: str


class ApiKeyExists(UsageError):
    """There is a live API key with this name; revoke it, or choose another name."""

    name: str


class ApiKeyNotFound(RecordNotFound):
    """There is no API key with this id, and no live one with this name, of this tenant."""


class AccountExists(UsageError):
    """There is a stored account with this name, and other settings; rotate it instead."""

    account: str


class AccountNotStored(RecordNotFound):
    """The ledger has no settings of a gateway account with this name, for this tenant."""

    account: str


class SecretNotKept(UsageError):
    """The secret of the payer's next action was not kept, and the gateway gives it only once."""

    payment: str


class NumberReused(UsageError):
    """An invoice with this number already exists, with different facts."""

    number: str
    differs: Sequence[str]


class InvoiceDoesNotAddUp(UsageError):
    """The lines, tax and total of an invoice do not agree.

    `where` says which line, tax or sum is wrong, `given` what it says, `expected` what the others
    make, and `difference` by how much it is too large; it is negative if it is too small.
    """

    where: str
    given: Any  # Money, which this layer does not know
    expected: Any
    difference: Any


class KeyReused(UsageError):
    """The idempotency key was already used for something else."""

    key: str
    operation: str


class NotAllowedHere(UsageError):
    """The verb cannot be called here, for example after the cashier was closed."""


class LiveModeMismatch(UsageError):
    """Test and live were mixed: for example, a fake gateway on a live ledger."""


class MissingExtra(UsageError):
    """An optional part of paygate is not installed; the message has the command to install it."""

    extra: str


class OrderSourceFailed(UsageError):
    """The source of an invoice run failed; the orders before that are done.

    `read` is how many orders were read and done, and `report` says what became of them. The
    exception of the source is its ``__cause__``.
    """

    read: int
    report: Any  # an InvoiceRun, which this layer does not know


class ImportRejected(UsageError):
    """A file has invalid rows; each is listed with its line number."""

    problems: Sequence[tuple[int, str]]


# --- Our rules do not allow it; nothing was sent ------------------------------


class Refused(PaygateError):
    """Our rules about money do not allow it; nothing was stored and nothing was sent."""


class AccountDisabled(Refused):
    """The host has disabled the account, or its `currency`, for new payments and methods."""

    account: str
    currency: str


class PayerNumberTaken(Refused):
    """A payer number belongs to another customer, or pays something else, until it is released."""

    number: str
    account: str
    customer: str


class ItemAlreadyBeingPaid(Refused):
    """Other payments hold this item, or have replaced the payment of this page.

    `item` is the invoice number; `payments` are the payments that hold it. `ways` lists, by
    payment id, the verbs that end the hold or withdraw the page; `until` is the earliest time at
    which paygate checks one of these payments again by itself.
    """

    item: str
    payments: Sequence[str]
    ways: Mapping[str, Sequence[str]]
    until: datetime | None


class AlreadyPaid(Refused):
    """Nothing is left to pay on this item."""

    item: str


class InvoiceIsVoid(Refused):
    """The invoice was voided; issue a new one."""

    item: str


class InvoiceIsDraft(Refused):
    """The invoice is a draft, and nothing can be paid on it; finalize it first."""

    item: str


class InvoiceIsFinal(Refused):
    """The invoice is no draft any more, and cannot be changed; void it and issue another one.

    `item` is its number.
    """

    item: str


class PrepaymentReplaced(Refused):
    """An invoice has taken the place of the prepayment; collect that invoice.

    `item` is the id of the prepayment, and `invoice` the number of the invoice.
    """

    item: str
    invoice: str


class PrepaymentIsClosed(Refused):
    """The prepayment was closed; make another one."""

    item: str


class LinkEnded(Refused):
    """The payment link can no longer be paid, or not be changed.

    `status` is its status, and `payment` is the last payment that it brought, or empty.
    """

    link: str
    status: str
    payment: str


class TryExpired(Refused):
    """A form is older than a day; show the payer the current amount, and let them confirm it."""

    link: str


class WayNotOffered(Refused):
    """The payment link cannot be paid with this kind of payment at this account."""

    link: str
    account: str
    kind: str


class AssignmentConflict(Refused):
    """The assignment key belongs to another customer, or a prepayment with it is in use.

    `owner` is the customer to whom it belongs, and `prepayment` the id of the one in use, or empty.
    """

    key: str
    currency: str
    customer: str
    owner: str
    prepayment: str


class InvoiceDisputed(Refused):
    """A payer disputes a payment of this item, so it is not charged without the payer."""

    item: str
    payment: str
    dispute: str


class OpenAmountChanged(Refused):
    """The open amount is not what the caller expected; show the payer the amount in `open`."""

    expected: Any  # Money, which this layer does not know
    open: Any


class NotEnoughCredit(Refused):
    """The customer's free credit does not cover the amount."""


class NotEnoughOpen(Refused):
    """The amount exceeds what is open, or what no other payment holds at the moment."""


class AlreadyReversed(Refused):
    """The payment was already reversed, with different facts."""

    payment: str
    reversal: str


class CreditConsumed(Refused):
    """The payment created a credit that has already been used."""

    payment: str
    consumers: Sequence[str]


class HasRefunds(Refused):
    """Part of the payment, `amount`, was already refunded."""

    payment: str
    amount: Any  # Money, which this layer does not know


class OutcomeUnknown(Refused):
    """The outcome of the payment is not known yet; inquire about it or resolve it first."""

    payment: str


class NothingToReverse(Refused):
    """No money of this payment is booked, so there is nothing to reverse or refund."""

    payment: str


class NotCapturable(Refused):
    """The authorization does not cover the amount, or has ended; `left` is what it still holds."""

    payment: str
    left: Any  # Money, which this layer does not know


class NotRefundable(Refused):
    """The amount exceeds what was received and kept (`left`), or the payment is being voided."""

    payment: str
    left: Any  # Money, which this layer does not know


class NotYetRefundable(NotRefundable):
    """The payer's bank can still return the money; `refundable_from` is None until it settles."""

    refundable_from: date | None


class DisputeOpen(Refused):
    """A dispute of the payment is open, so the bank may take the money back itself."""

    payment: str
    dispute: str


class StillAtGateway(Refused):
    """The gateway collected the money and still has it; `verbs` are those that send it back."""

    payment: str
    verbs: Sequence[str]


class NotCancelable(Refused):
    """The payment cannot be canceled now; `ways` are the verbs that help instead, if any."""

    payment: str
    ways: Sequence[str]


class NotPayable(Refused):
    """The payment does not require an action of the payer, or another payment has replaced it."""

    payment: str


class NotEnrollable(Refused):
    """The method cannot be stored like this; `why` is ``payer_present`` or ``not_paid``."""

    why: str


class MethodNotUsable(Refused):
    """A stored method cannot be used for this payment.

    `why` is ``forgotten``, ``expired``, ``of_another`` (customer or account) or ``no_mandate``.
    """

    method: str
    why: str


class NotSubscribed(Refused):
    """The customer has no subscription, or only a new mandate resumes it."""

    customer: str


class NothingOverdue(Refused):
    """The customer owes nothing late that a campaign is about."""

    customer: str


class TooManyPromises(Refused):
    """The customer has promised as often as the campaign allows, or a promise is still open."""

    customer: str


class NothingToAssign(Refused):
    """No money of this payment is waiting to be assigned by a clerk."""

    payment: str


class StillToDecide(Refused):
    """The review needs a decision and cannot simply be finished; `verbs` are those that decide."""

    payment: str
    verbs: Sequence[str]


class BadReversalDate(Refused):
    """The date of the reversal is before that of the money, or in a period that the host closed."""

    on: date


class SendingStopped(Refused):
    """Nothing is sent from this ledger until an operator resumes it: see `reason`.

    It was restored from a backup, for example, or copied.
    """

    since: datetime
    reason: str


class StillCatchingUp(Refused):
    """The ledger can still find out by itself what happened; sending cannot be resumed before."""

    waits: list[str]


class FeedBusy(Refused):
    """Another process is reading the feed, until *until* at the latest if that is known."""

    account: str
    until: datetime | None = None


class AlreadyFinal(Refused):
    """The payment already has its final outcome; there is nothing to resolve."""

    payment: str


class NothingToReplay(Refused):
    """The event is not a dead letter of the sink; `state` is ``delivered`` or ``waiting``."""

    sink: str
    event: str
    state: str


class NothingToDismiss(Refused):
    """The callback was applied or ignored, or is still being retried; no review is needed."""

    callback: int
    state: str


class SeveralInDoubt(Refused):
    """More than one attempt of the payment is in doubt; say which one is meant."""

    payment: str
    attempts: list[str]


# --- Something of the host's is out of reach; nothing was sent --------------------


class AccountsUnavailable(PaygateError):
    """The accounts of a tenant could not be looked up now; nothing was stored or sent.

    The function of ``merchants=`` raised an exception, took too long, or returned something else.
    """

    tenant: str


# --- Raised inside a dialogue at its yield -------------------------------------


class GatewayError(PaygateError):
    """Something failed between us and the processor."""


class NotSent(GatewayError):
    """The request was not sent: the name look-up, the connection or TLS failed."""


class NoResponse(GatewayError):
    """The request was sent, but no response arrived."""


class BadResponse(GatewayError):
    """A response arrived, but it cannot be read."""


class CredentialsRejected(BadResponse):
    """The processor does not accept our credentials, so it says nothing about the request itself.

    For a request that moves money, a driver returns `Rejected` with the cause ``credentials``
    instead. `Cashier.check` raises this error too, with the `account`.
    """

    account: str


# --- Raised by a sink ----------------------------------------------------------


class EventRefused(PaygateError):
    """The system behind a sink refuses an event; `final` says that no retry can change that."""

    final: bool = False


class EndpointGone(PaygateError):
    """The system behind a sink wants no more events: the sink stops until somebody resumes it."""


# --- Callbacks ------------------------------------------------------------------


class NotVerified(PaygateError):
    """A callback could not be verified now, because something needed for it was out of reach.

    Nothing was stored. Reply with status 503, so that the sender sends it again.
    """

    account: str


class NotAuthentic(PaygateError):
    """A callback does not come from the sender that it claims; nothing was changed.

    `why` is the reason in one word, for metrics and listings: ``unsigned``, ``signature``,
    ``too_old``, ``other_mode``, ``other_account`` or ``other``.
    """

    why: str = "other"


# --- The ledger -------------------------------------------------------------------


class StoreError(PaygateError):
    """The ledger could not be read or written.

    If a payment was being made, its attempt is stored: a call with the same key finds it, and
    recovery asks the gateway for the outcome.
    """

    _whole = True


class StoreBusy(StoreError):
    """Other writers held the ledger longer than we wait."""


class StoreFull(StoreError):
    """The disk under the ledger is full; the whole unit of work was rolled back."""


class LedgerNotEmpty(StoreError):
    """A ledger cannot be copied there, because there is another ledger, or an unfinished copy."""


class CopyUnfinished(StoreError):
    """A ledger is still being copied into this database; it cannot be used before."""

    @classmethod
    def of(cls, name: str) -> Self:
        """Return the error of the ledger *name*."""
        return cls(
            f"{name} is an unfinished copy of another ledger; run the same 'paygate copy' again, "
            "which continues it"
        )


class CommitUnknown(StoreError):
    """A COMMIT failed, and it is not known whether it took effect.

    A verb that takes a key checks whether it did and continues; any other verb raises this error.
    Before you do anything else, call it again with the same key or the same facts, or look up
    the result.
    """

    _result: Any = None

    @classmethod
    def of(cls, reason: str, result: object) -> Self:
        """Return the error of a transaction whose work returned *result*."""
        return cls(
            f"the ledger: {reason}; it is not known whether this step was written. Repeat the "
            "call with the same key or the same facts; it takes effect only once",
            _result=result,
        )

    @property
    def result(self) -> Any:
        """The return value of the unit of work, which is valid if the transaction took effect.

        It may contain what must not leave the process, so it is neither printed nor pickled.
        """
        return self._result

    def with_result(self, result: object) -> Self:
        """Return this error for another unit of work in the same transaction."""
        return type(self)(self.message, _result=result)


class SchemaMismatch(StoreError):
    """The ledger was written by another version of paygate."""


class LedgerCorrupt(StoreError):
    """A rule of the books is violated; run ``paygate fsck``."""
