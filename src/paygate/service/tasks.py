"""Tasks: an operation requested on a payment, and whether it may be done now.

That depends on what is under way. So each task is checked and counted by one conditional update, in
the transaction that stores its intent: no more is captured than was authorized, no more goes back
than came in, and a void that may be under way excludes everything else. A refusal says what is
left, or what can be done instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paygate.domain.kind import Kind, Operation
from paygate.domain.money import Money
from paygate.domain.payment import RECORDED, PaymentStatus
from paygate.errors import (
    CurrencyMismatch,
    InvalidAmount,
    NotCancelable,
    NotCapturable,
    NotPayable,
    NotRefundable,
    OutcomeUnknown,
    Unsupported,
)
from paygate.ledger import attempts, claims, customers, under_way
from paygate.printing import shown
from paygate.service import claiming, movements, parts, refunds, ways
from paygate.service.taking import RefundTo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paygate.domain.payable import Payable
    from paygate.domain.payment import Payment
    from paygate.domain.secret import Sealed
    from paygate.gateway import Rail
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.tx import Tx

_UNDOES = (Operation.CAPTURE, Operation.VOID, Operation.REFUND)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperateOrder:
    """
    An operation requested on a payment; with *amount* None, on all of it.

    Without *key* it is done once, and can be repeated only after that has ended.
    """

    operation: Operation
    payment: str
    key: str | None
    amount: Money | None = None
    final: bool = True
    to: RefundTo | None = None
    items: Sequence[Payable] = ()
    reason: str = ""
    force_reason: str = ""
    parameters: Sealed[Mapping[str, str]] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """The amount and movement of one attempt; a refund may need several."""

    amount: Money
    movement: str = ""


def check_rail(payment: Payment, operation: Operation) -> None:
    """Raise for a payment that has no gateway; the error names the verbs to use instead."""
    if payment.account == RECORDED:
        text, can = "was recorded by hand", ["record_refund", "reverse"]
        help_ = "record_refund what you send back, or reverse it if the money never came"
    elif payment.kind is Kind.CREDIT:
        text, can = "was made from credit", ["undo_credit_use"]
        help_ = "undo_credit_use returns the credit"
    else:
        return
    text = f"payment {payment.id} {text}, so it has no gateway; {help_}"
    match operation:
        case Operation.REFUND:
            left = payment.received - payment.returned
            raise NotRefundable(text, payment=payment.id, left=left)
        case Operation.VOID:
            raise NotCancelable(text, payment=payment.id, ways=can)
        case Operation.CAPTURE:
            none = Money(payment.amount.currency, 0)
            raise NotCapturable(text, payment=payment.id, left=none)
        case _:
            raise NotPayable(text, payment=payment.id)


def check_own(
    tx: Tx, payment: Payment, main: AttemptRow, error: type[NotCapturable | NotCancelable]
) -> None:
    """Raise if the gateway treated this payment as a duplicate: the money is another's."""
    reference = main.attempt.reference
    first = attempts.named(tx, payment.account, our_ref="", reference=reference)
    if first is not None and first.attempt.payment != payment.id:
        raise error(
            f"the gateway treated payment {payment.id} as a duplicate of "
            f"{first.attempt.payment}: {shown(reference)} is that payment's, and this one moved "
            "no money",
            payment=payment.id,
        )


def begin_capture(tx: Tx, payment: Payment, task: OperateOrder, rail: Rail) -> Money:
    """Count a capture as under way and return its amount, or raise if less is left."""
    now = under_way.of_payment(tx, payment.id)
    left = now.authorized - now.collected - now.capturing
    amount = Money(payment.amount.currency, left) if task.amount is None else task.amount
    if payment.status is not PaymentStatus.AUTHORIZED:
        raise NotCapturable(
            f"payment {payment.id} is {payment.status}; only an authorized one can be captured",
            payment=payment.id,
        )
    _check_amount(payment, amount)
    if not rail.partial_capture and (amount.minor != now.authorized or not task.final):
        raise Unsupported(f"the account {payment.account!r} captures only the full amount, once")
    if not rail.multiple_capture and (not task.final or now.collected or now.capturing):
        raise Unsupported(
            f"the account {payment.account!r} captures only once: capture with final=True"
        )
    if not under_way.begin_capture(tx, payment.id, amount.minor):
        raise NotCapturable(
            f"{amount} of payment {payment.id} cannot be captured: "
            f"{Money(amount.currency, left)} is left"
            + (", and it is being voided" if now.voiding else ""),
            payment=payment.id,
            left=Money(amount.currency, left),
        )
    return amount


def begin_refund(
    tx: Tx, payment: Payment, task: OperateOrder, rail: Rail, wanted: list[tuple[str, int]]
) -> tuple[list[Step], RefundTo]:
    """Count a refund as under way, and return its parts and what it does to invoices."""
    now = under_way.of_payment(tx, payment.id)
    left = payment.received.minor - payment.returned.minor - now.refunding
    amount = Money(payment.amount.currency, left) if task.amount is None else task.amount
    if wanted and task.amount is None:
        amount = Money(payment.amount.currency, sum(minor for _, minor in wanted))
    if left <= 0:
        raise NotRefundable(
            f"nothing of payment {payment.id} is left to refund", payment=payment.id
        )
    refunds.check_dispute(tx, payment)
    _check_amount(payment, amount)
    if not rail.partial_refund and amount != payment.received:
        raise Unsupported(f"the account {payment.account!r} refunds payments only in full")
    if task.to is None:
        refunds.check_spent(tx, payment, amount)
    if not under_way.begin_refund(tx, payment.id, amount.minor):
        raise NotRefundable(
            f"{amount} of payment {payment.id} cannot be refunded: "
            f"{Money(amount.currency, left)} is left"
            + (", and it is being voided" if now.voiding else ""),
            payment=payment.id,
            left=Money(amount.currency, left),
        )
    spread = parts.spread(tx, payment, amount)
    oldest = min(part.receipt.effective for part in spread)
    today = customers.today(tx, payment.customer)
    if rail.refund_window is not None and today > oldest + rail.refund_window:
        raise NotRefundable(
            f"the account {payment.account!r} refunds within {rail.refund_window.days} days; "
            "send the money back another way and record it with record_refund",
            payment=payment.id,
        )
    sent = [part.receipt for part in spread]
    refunds.check_returnable(tx, payment, sent, task.force_reason)
    steps = [Step(part.amount, part.receipt.movement_id) for part in spread]
    if wanted:
        return steps, task.to or RefundTo.REOPEN
    return steps, task.to or movements.default_refund_to(tx, payment, amount)


def begin_void(tx: Tx, payment: Payment) -> None:
    """Count a void as under way, or raise if anything else is."""
    if attempts.in_doubt(tx, payment.id):
        raise OutcomeUnknown(
            f"an operation on payment {payment.id} has an unknown outcome; inquire first",
            payment=payment.id,
        )
    if payment.status is PaymentStatus.SUCCEEDED:
        refunds.check_dispute(tx, payment)
        refunds.check_spent(tx, payment, payment.received - payment.returned)
    if not under_way.begin_void(tx, payment.id):
        now = any(
            not row.attempt.state.final and row.attempt.operation in _UNDOES
            for row in attempts.of_payment(tx, payment.id)
        )
        why, can = "all of it went back", list[str]()
        if now:
            why, can = "something is under way; inquire or resolve it", ["inquire", "resolve"]
        elif payment.received > payment.returned:
            why, can = "a part of it went back; refund the rest", ["refund"]
        raise NotCancelable(
            f"payment {payment.id} cannot be voided: {why}", payment=payment.id, ways=can
        )


def check_page(tx: Tx, payment: Payment, task: OperateOrder, rail: Rail) -> None:
    """Raise unless a page or slip waits for the payer; to complete it, hold its invoices again."""
    if payment.status is not PaymentStatus.REQUIRES_ACTION:
        raise NotPayable(
            f"payment {payment.id} is {payment.status} and does not wait for a payer",
            payment=payment.id,
        )
    if attempts.in_doubt(tx, payment.id):
        raise OutcomeUnknown(
            f"payment {payment.id} is being completed or withdrawn right now; inquire",
            payment=payment.id,
        )
    if task.operation is Operation.WITHDRAW:
        if not rail.withdrawable:
            raise Unsupported(
                f"pages of the account {payment.account!r} cannot be withdrawn; wait until this "
                "one ends, or resolve it as canceled"
            )
        return
    its_claims = claims.of_payment(tx, payment.id)
    if payment.superseded or not claiming.harden(tx, payment.id, its_claims):
        # A superseded page still names its items.
        wanted = dict.fromkeys(claim.item for claim in its_claims if claim.state != "used")
        raise ways.taken_over(tx, payment, list(wanted), withdrawable=rail.withdrawable)


def _check_amount(payment: Payment, amount: Money) -> None:
    if amount.currency != payment.amount.currency:
        raise CurrencyMismatch(
            f"payment {payment.id} is in {payment.amount.currency}, not {amount.currency}",
            argument="amount",
        )
    if amount.minor <= 0:
        raise InvalidAmount(
            f"the amount for payment {payment.id} is {amount}; it must be more than zero",
            argument="amount",
        )
