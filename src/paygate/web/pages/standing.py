"""Standing: which state the page of a payment is in, from the facts of the ledger.

It is one function without side effects, so that its table can be tested without a browser. What a
payer did, such as coming back from the processor, is a claim in an address; it decides only between
pages that ask for the same next step.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from paygate.domain.action import (
    ApproveElsewhere,
    PayToAddress,
    ScriptStep,
    ShowCode,
    ShowVoucher,
)
from paygate.domain.money import Money
from paygate.domain.movement import MovementKind
from paygate.domain.payment import PaymentStatus
from paygate.web.pages.states import PageState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt

_NOTHING: Final = timedelta()
_TAKEN_BY_BANK: Final[Mapping[MovementKind, int]] = {
    MovementKind.RETURN: 1,
    MovementKind.CHARGEBACK: 1,
    MovementKind.REVERSAL: 1,
    MovementKind.CHARGEBACK_WON: -1,
    MovementKind.UNDONE: -1,
}
_SENT_BACK: Final[Mapping[MovementKind, int]] = {
    MovementKind.REFUND: 1,
    MovementKind.VOID: 1,
    MovementKind.REFUND_FAILED: -1,
}

_WITHOUT_MONEY: Final[Mapping[PaymentStatus, PageState]] = {
    PaymentStatus.PROCESSING: PageState.PENDING,
    PaymentStatus.AUTHORIZED: PageState.AUTHORIZED,
    # Nothing came in from outside: it was paid from the customer's credit.
    PaymentStatus.SUCCEEDED: PageState.PAID,
    PaymentStatus.DECLINED: PageState.DECLINED,
    PaymentStatus.FAILED: PageState.FAILED,
    PaymentStatus.CANCELED: PageState.CANCELED,
    PaymentStatus.EXPIRED: PageState.EXPIRED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GoneBack:
    """How much of a payment's money went back, by whom, and when it last did."""

    taken: Money
    """What the payer's bank took."""
    sent: Money
    """What the merchant sent."""
    on: date | None = None


def gone_back(payment: Payment, receipts: Sequence[Receipt]) -> GoneBack:
    """Return what went back of the money of *payment*."""
    currency = payment.amount.currency
    own = [each for each in receipts if each.amount.currency == currency]

    def total(signs: Mapping[MovementKind, int]) -> Money:
        return Money(currency, sum(signs.get(each.kind, 0) * each.amount.minor for each in own))

    back = [each.effective for each in own if each.kind in {**_TAKEN_BY_BANK, **_SENT_BACK}]
    return GoneBack(
        taken=total(_TAKEN_BY_BANK), sent=total(_SENT_BACK), on=max(back) if back else None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the state of a page depends on besides its payment.

    - `came_back_at` is when the payer came back from the processor, if they did; `answered` is
      whether the processor answered when it was asked then, and `return_lag` is that of the rail.
    - `in_doubt` is whether nobody knows how a request of ours ended, such as a completion.
    - `back` is what went back, and `rest` what can still be paid by the link of the payment.
    """

    now: datetime
    came_back_at: datetime | None = None
    answered: bool = True
    return_lag: timedelta | None = None
    in_doubt: bool = False
    back: GoneBack | None = None
    rest: Money | None = None


def state_of(payment: Payment, situation: Situation) -> PageState:
    """Return the state of the page of *payment*."""
    if payment.status is PaymentStatus.UNKNOWN or situation.in_doubt:
        return PageState.REVIEW if payment.needs_review else PageState.UNKNOWN
    if payment.received.minor or payment.undecided:
        return _with_money(payment, situation)
    if payment.needs_review or payment.conflicted:
        return PageState.REVIEW
    if payment.status is PaymentStatus.REQUIRES_ACTION:
        return _to_act(payment, situation)
    return _WITHOUT_MONEY[payment.status]


def _with_money(payment: Payment, situation: Situation) -> PageState:
    if payment.undecided:
        return PageState.REVIEW
    back = situation.back
    if back is not None and back.taken.minor > 0:
        return PageState.TAKEN_BACK
    if payment.returned.minor:
        return PageState.REFUNDED
    if payment.awaiting.minor:
        return PageState.AWAITING
    if payment.status is PaymentStatus.PROCESSING:
        return PageState.PENDING
    if payment.status is PaymentStatus.REQUIRES_ACTION and not _is_over(payment, situation):
        return _to_act(payment, situation)
    return _spent(payment, situation)


def _spent(payment: Payment, situation: Situation) -> PageState:
    """Return the state of a payment whose money is all here, by what it was used for."""
    used = any(each.paid.minor > 0 for each in payment.items)
    if payment.credited.minor:
        return PageState.OVER if used or not payment.items else PageState.TWICE
    short = payment.received < payment.amount
    open_ = situation.rest is not None and situation.rest.minor > 0
    return PageState.PARTLY if short or open_ else PageState.PAID


def _to_act(payment: Payment, situation: Situation) -> PageState:
    over = _is_over(payment, situation)
    match payment.action:
        case PayToAddress():
            return PageState.QUOTE_OVER if over else PageState.BITCOIN
        case ShowVoucher():
            return PageState.EXPIRED if over else PageState.SLIP
        case ShowCode():
            return PageState.EXPIRED if over else PageState.CODE
        case ApproveElsewhere():
            return PageState.EXPIRED if over else PageState.ELSEWHERE
        case _:
            return _to_go(payment, situation)


def _to_go(payment: Payment, situation: Situation) -> PageState:
    """Return the state of a payment whose payer goes to the processor, or came back from there."""
    came_back = situation.came_back_at
    if came_back is None and _is_over(payment, situation):
        return PageState.EXPIRED
    if came_back is None:
        return PageState.SCRIPT if isinstance(payment.action, ScriptStep) else PageState.GO
    lag = situation.return_lag or _NOTHING
    if not situation.answered or abs(situation.now - came_back) < lag:
        return PageState.WAITING
    return PageState.CAME_BACK


def _is_over(payment: Payment, situation: Situation) -> bool:
    return payment.expires_at is not None and payment.expires_at <= situation.now


OFFERS_ANOTHER: Final = frozenset(
    {
        PageState.CAME_BACK,
        PageState.GO,
        PageState.SCRIPT,
        PageState.ELSEWHERE,
        PageState.BITCOIN,
        PageState.CODE,
        PageState.SLIP,
        PageState.QUOTE_OVER,
        PageState.DECLINED,
        PageState.FAILED,
        PageState.CANCELED,
        PageState.EXPIRED,
        PageState.PARTLY,
        PageState.TAKEN_BACK,
    }
)
"""States in which the payer can pay in another way, or the rest."""

CHANGING: Final = frozenset(
    {
        PageState.CAME_BACK,
        PageState.ELSEWHERE,
        PageState.BITCOIN,
        PageState.CODE,
        PageState.SLIP,
        PageState.QUOTE_OVER,
        PageState.WAITING,
        PageState.PENDING,
        PageState.AUTHORIZED,
        PageState.UNKNOWN,
        PageState.REVIEW,
    }
)
"""States that the page's script asks about, because they change without the payer."""
