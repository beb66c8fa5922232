"""What can go wrong, and what is known about the money when it does.

A decline is an outcome, not an error. An exception says whose fault it was:

- `UsageError`: the caller asked for something wrong; nothing was sent.
- `Refused`: our own rules say no; nothing was sent.
- `GatewayError`: thrown into a dialogue at its yield; hosts never see it,
  because the service makes an unsent or an unknown outcome of it.
- `NotAuthentic`: a callback that is not from whom it claims.
- `StoreError`: the ledger could not be read or written.

What a host may need to act on is an attribute of the error, never only a part
of its text. A message repeats at most 80 characters of a value; the attribute has
all of it. All errors pickle, so they cross process boundaries.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime


# A value that is quoted, and cut already, has some marks around it. Where something is, each part
# of the path counts.
_LONG: Final = re.compile(r"([^\s/\\]{80})[^\s/\\]{5,}")


class PaygateError(Exception):
    """The root of everything paygate raises: one sentence, and the facts as attributes."""

    _whole = False
    """Whether the message says where a file is, of which each character counts."""

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


# --- The caller is wrong; nothing was sent -----------------------------------


class UsageError(PaygateError):
    """The call itself is wrong; nothing was stored and nothing was sent.

    `argument` is the name of the argument that is wrong, if it is one of them alone.
    """

    argument: str = ""


class InvalidAmount(UsageError):
    """An amount that is no amount: a float, not positive, or with too many digits."""


class InvalidCurrency(UsageError):
    """A currency code that ISO 4217 does not list (and that is not BTC)."""

    currency: str


class CurrencyMismatch(UsageError):
    """Two amounts of different currencies where one currency is needed."""


class InvalidValue(UsageError):
    """A value that does not mean anything where it was given."""


class InvalidSettings(UsageError):
    """Settings of a gateway account that its driver does not accept."""


class GatewayNotFound(UsageError):
    """No gateway account, or no driver, of that name."""

    name: str
    known: Sequence[str]


class DriverBroken(UsageError):
    """An installed driver could not be loaded; the message names package and cause."""

    name: str


class Unsupported(UsageError):
    """The gateway account cannot do this; ask its traits before offering it."""


class MissingPayerField(UsageError):
    """The gateway needs facts about the payer that were not given."""

    fields: Sequence[str]


class AmountOutsideLimits(UsageError):
    """Below the minimum or above the maximum of the gateway account."""


class RecordNotFound(UsageError):
    """No such record in this ledger (and for this tenant)."""


class InvoiceNotFound(RecordNotFound):
    """No invoice of that number or id."""


class PaymentNotFound(RecordNotFound):
    """No payment of that id."""


class MethodNotFound(RecordNotFound):
    """No stored method, and no storing of one, of that id."""


class AttemptNotFound(RecordNotFound):
    """The payment has no attempt of this id."""


class OutcomeDoesNotFit(UsageError):
    """What a person says happened is nothing that this operation can end in."""

    attempt: str
    operation: str


class TokenKeysMissing(UsageError):
    """Stored methods are kept encrypted, and the cashier was opened without ``token_keys``."""


class TokenUnreadable(UsageError):
    """None of the token keys opens the token of a stored method."""

    method: str


class SecretNotKept(UsageError):
    """The secret of what the payer is to do was not kept, and the gateway gives it once."""

    payment: str


class NumberReused(UsageError):
    """An invoice of that number exists with other facts."""

    number: str
    differs: Sequence[str]


class KeyReused(UsageError):
    """The idempotency key was used before, for something else."""

    key: str
    operation: str


class NotAllowedHere(UsageError):
    """A verb that is not possible in this place, such as after the cashier was closed."""


class LiveModeMismatch(UsageError):
    """Test and live things met: a fake gateway on a live ledger, or the reverse."""


class UnsupportedDatabase(UsageError):
    """A database for which this version of paygate has no ledger; `scheme` is that of its URL."""

    scheme: str


class MissingExtra(UsageError):
    """An optional part of paygate is not installed; the message has the command."""

    extra: str


class ImportRejected(UsageError):
    """A file with bad rows; every one of them is listed with its line."""

    problems: Sequence[tuple[int, str]]


# --- Our rules say no; nothing was sent ---------------------------------------


class Refused(PaygateError):
    """The rules about the money say no; nothing was stored and nothing was sent."""


class PayerNumberTaken(Refused):
    """A payer's number is another customer's, or pays something else, until it is released."""

    number: str
    account: str
    customer: str


class ItemAlreadyBeingPaid(Refused):
    """Other payments hold this item, or took over what a page was to pay.

    `item` is the number of the invoice, `payments` are those that hold it. `ways` are the
    verbs that end such a hold, or the page, by payment id; `until` is when the first of
    them is looked at again without them.
    """

    item: str
    payments: Sequence[str]
    ways: Mapping[str, Sequence[str]]
    until: datetime | None


class AlreadyPaid(Refused):
    """Nothing is open on this item."""

    item: str


class InvoiceIsVoid(Refused):
    """The invoice was voided; issue a new one."""

    item: str


class InvoiceDisputed(Refused):
    """A payer disputes what was paid on this item, so it is not charged without the payer."""

    item: str
    payment: str
    dispute: str


class OpenAmountChanged(Refused):
    """Other than the caller expected is open; show the payer what is `open` now."""

    expected: Any  # Money, which this layer does not know
    open: Any


class NotEnoughCredit(Refused):
    """The customer's free credit does not cover the amount."""


class NotEnoughOpen(Refused):
    """More than is open, or more than is not being paid right now."""


class AlreadyReversed(Refused):
    """The payment was reversed before, with other facts."""

    payment: str
    reversal: str


class CreditConsumed(Refused):
    """The payment made a credit that something else already used."""

    payment: str
    consumers: Sequence[str]


class HasRefunds(Refused):
    """Part of the payment, `amount`, was sent back already."""

    payment: str
    amount: Any  # Money, which this layer does not know


class OutcomeUnknown(Refused):
    """We do not know yet how the payment ended; inquire or resolve it first."""

    payment: str


class NothingToReverse(Refused):
    """No money of this payment is booked that could be reversed or given back."""

    payment: str


class NotCapturable(Refused):
    """The payment holds no such amount for us, or not any more; `left` is what it does."""

    payment: str
    left: Any  # Money, which this layer does not know


class NotRefundable(Refused):
    """More than was received and stayed (`left`), or the payment is being voided."""

    payment: str
    left: Any  # Money, which this layer does not know


class NotYetRefundable(NotRefundable):
    """The payer's bank can still return the money; `refundable_from` is None until it settled."""

    refundable_from: date | None


class DisputeOpen(Refused):
    """A dispute of the payment is open: the bank may take the money itself."""

    payment: str
    dispute: str


class StillAtGateway(Refused):
    """The gateway brought the money and still has it; `verbs` are those that send it back."""

    payment: str
    verbs: Sequence[str]


class NotCancelable(Refused):
    """The payment cannot be undone now; `ways` are the verbs that help instead, if any do."""

    payment: str
    ways: Sequence[str]


class NotPayable(Refused):
    """The payment waits for no action of the payer, or another payment took over."""

    payment: str


class NotEnrollable(Refused):
    """The method cannot be stored like this; `why` is ``payer_present`` or ``not_paid``."""

    why: str


class MethodNotUsable(Refused):
    """A stored method cannot pay this.

    `why` is ``forgotten``, ``expired``, ``of_another`` (customer or account) or ``no_mandate``.
    """

    method: str
    why: str


class NothingToAssign(Refused):
    """No money of this payment waits for a person's decision."""

    payment: str


class StillToDecide(Refused):
    """A review that a decision ends, and no look at it; `verbs` are those that decide."""

    payment: str
    verbs: Sequence[str]


class BadReversalDate(Refused):
    """A reversal dated before the money, or in a period that the host closed."""

    on: date


class SendingStopped(Refused):
    """Nothing is sent from this ledger until a person resumes it: it came from a backup."""

    since: datetime
    reason: str


class StillCatchingUp(Refused):
    """The ledger can still learn by itself what happened; sending is not resumed before."""

    waits: list[str]


class FeedBusy(Refused):
    """Another process reads the feed, *until* then at the latest if that is known."""

    account: str
    until: datetime | None = None


class AlreadyFinal(Refused):
    """It has its final outcome; there is nothing to resolve."""

    payment: str


class NothingToDismiss(Refused):
    """The callback is applied, ignored or still being tried; nobody needs to look at it."""

    callback: int
    state: str


class SeveralInDoubt(Refused):
    """More than one attempt of the payment is in doubt; say which is meant."""

    payment: str
    attempts: list[str]


# --- Thrown into a dialogue at its yield ---------------------------------------


class GatewayError(PaygateError):
    """A fault between us and the processor."""


class NotSent(GatewayError):
    """The request never left: name look-up, connection or TLS failed."""


class NoResponse(GatewayError):
    """The request left and no answer came."""


class BadResponse(GatewayError):
    """An answer came and we cannot read it."""


class CredentialsRejected(BadResponse):
    """The other side does not accept who we are, so it says nothing of what was asked.

    For a request that moves money a driver returns `Rejected` instead, with the cause
    ``credentials``. `Cashier.check` raises it, too, with the `account`.
    """

    account: str


# --- Somebody else --------------------------------------------------------------


class NotVerified(PaygateError):
    """A callback could not be verified now: what is needed for that was out of reach.

    Nothing was stored. Answer 503, so that its sender sends it again.
    """

    account: str


class NotAuthentic(PaygateError):
    """A callback that is not from whom it claims; nothing was changed.

    `why` is a word for the reason, which is counted and shown: ``unsigned``, ``signature``,
    ``too_old``, ``other_mode``, ``other_account`` or ``other``.
    """

    why: str = "other"


# --- The ledger -------------------------------------------------------------------


class StoreError(PaygateError):
    """The ledger could not be read or written.

    If a payment was being made, its intent is stored: the same key finds it,
    and recovery asks the gateway how it ended.
    """

    _whole = True


class StoreBusy(StoreError):
    """Other writers held the ledger for longer than we wait."""


class StoreFull(StoreError):
    """The disk under the ledger is full; the unit of work was rolled back whole."""


class CommitUnknown(StoreError):
    """A COMMIT failed in a way that does not tell whether it took effect.

    A verb that takes a key looks whether it did, and goes on; another one raises this. Call it
    again with the same key or the same facts, or look, before you do anything else.
    """

    _result: Any = None

    @classmethod
    def of(cls, reason: str, result: object) -> Self:
        """Return the error of a transaction whose work returned *result*."""
        return cls(
            f"the ledger: {reason}; it is not known whether this step was written. Repeat the "
            "call with the same key or facts; it does not do it twice",
            _result=result,
        )

    @property
    def result(self) -> Any:
        """What the unit of work returned, which is true if the transaction took effect.

        It may hold what must not leave the process, so it is neither printed nor pickled.
        """
        return self._result

    def with_result(self, result: object) -> Self:
        """Return this error for another unit of work in the same transaction."""
        return type(self)(self.message, _result=result)


class SchemaMismatch(StoreError):
    """The ledger was written by another version of paygate."""


class LedgerCorrupt(StoreError):
    """A rule of the books does not hold; run ``paygate fsck``."""
