"""Reverse: undo all effects of a payment whose money never came, such as a bounced check.

A clerk's reversal follows rules and may be refused; its effects are in `opposite`. A return that
the gateway reports is never refused: see `returned`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.money import Money
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.payment import RECORDED
from paygate.errors import (
    AlreadyReversed,
    BadReversalDate,
    CreditConsumed,
    CurrencyMismatch,
    HasRefunds,
    InvalidAmount,
    InvalidValue,
    NothingToReverse,
    OutcomeUnknown,
    StillAtGateway,
)
from paygate.ledger import (
    allocations,
    attempts,
    claims,
    customers,
    holding,
    keys,
    lots,
    payments,
    receipts,
    reversals,
    under_way,
)
from paygate.ledger.posting import LedgerAccount
from paygate.service import (
    allocation,
    finding,
    identifying,
    opposite,
    settle,
    ways,
)
from paygate.service.flow import Flow, transact
from paygate.service.opposite import ReverseOrder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt
    from paygate.domain.reversal import Reversal
    from paygate.ledger.tx import Tx

_BROUGHT = (MovementKind.CHARGE, MovementKind.CAPTURE)


def reverse(wish: ReverseOrder) -> Flow[Reversal]:
    """Book the opposite of a payment; the same order again returns the same reversal."""
    return (yield from transact(lambda tx: reverse_in(tx, wish)))


def reverse_in(tx: Tx, wish: ReverseOrder) -> Reversal:
    """Book the opposite of a payment in this transaction."""
    holding.hold_payment(tx, wish.payment)
    payment = finding.payment(tx, wish.payment)
    print_ = keys.fingerprint(
        on=wish.on,
        reason=wish.reason,
        number=wish.number,
        fee=str(wish.fee),
        bank_charge=str(wish.bank_charge),
    )
    before = reversals.of_payment(tx, payment.id)
    if before is not None:
        return _same_as_before(payment, before, print_)
    _check(tx, wish, payment)
    if wish.fee is not None and not payment.customer:
        raise InvalidValue(
            f"the customer of payment {payment.id} is not known, so it cannot have a fee; assign "
            "it first",
            argument="fee",
        )
    on = _date_of(tx, payment, wish.on)
    inward = _reversible(tx, payment, on, wish)
    reversal = tx.new_id("rev")
    number = wish.number or f"REV-{keys.next_number(tx, 'reversal')}"
    brought = _brought(inward, receipts.of_payment(tx, payment.id))
    for receipt in brought:
        movement = Movement(
            kind=MovementKind.REVERSAL,
            movement_id=f"{reversal}:{receipt.id}",
            amount=receipt.amount,
            effective=on,
            undoes=receipt.id,
        )
        booked = receipts.book(
            tx,
            movement,
            account=payment.account,
            customer=payment.customer,
            payment=payment.id,
            attempt=None,
            in_transit=allocation.cash_account(payment) is LedgerAccount.IN_TRANSIT,
        )
        assert booked is not None, "the id of the reversal is new"
        if receipt.amount.currency == payment.amount.currency:
            payments.add_moved(tx, payment, returned=receipt.amount.minor)
    opposite.document(tx, payment, inward, on, reversal, number, print_, wish, brought=brought)
    if not payment.customer:
        identifying.follow_up(tx, payment)
    settle.watch_reversal(tx, payment)
    found = reversals.of_payment(tx, payment.id)
    assert found is not None, "the reversal was just written"
    return found[0]


def _same_as_before(payment: Payment, before: tuple[Reversal, str], print_: str) -> Reversal:
    reversal, there = before
    if there != print_:
        raise AlreadyReversed(
            f"payment {payment.id} was reversed by {reversal.number} on {reversal.on} "
            f"({reversal.reason}); there is nothing left to reverse",
            payment=payment.id,
            reversal=reversal.number,
        )
    return reversal


def _check(tx: Tx, wish: ReverseOrder, payment: Payment) -> None:
    if not wish.reason.strip():
        raise InvalidValue("a reversal needs a reason, such as 'check returned'", argument="reason")
    came = [each.amount.currency for each in receipts.of_payment(tx, payment.id)]
    currencies = sorted({payment.amount.currency, *came})
    for name, amount in (("fee", wish.fee), ("bank_charge", wish.bank_charge)):
        if amount is not None and amount.minor <= 0:
            raise InvalidAmount(
                f"{name} is {amount}; it must be more than zero, or left out", argument=name
            )
        if amount is not None and amount.currency not in currencies:
            raise CurrencyMismatch(
                f"{name} is in {amount.currency}, payment {payment.id} in "
                f"{' and '.join(currencies)}",
                argument=name,
            )


def _date_of(tx: Tx, payment: Payment, on: date | None) -> date:
    """Return *on*, or by default the customer's today, or the date of the money if later."""
    if on is not None:
        return customers.recorded_on(tx, payment.customer, on)
    came = [each.effective for each in receipts.of_payment(tx, payment.id) if each.kind.inward]
    return max([customers.today(tx, payment.customer), *came])


def _reversible(tx: Tx, payment: Payment, on: date, wish: ReverseOrder) -> list[Receipt]:
    """Return the receipts to reverse, or raise if the payment cannot be reversed."""
    if attempts.in_doubt(tx, payment.id):
        raise OutcomeUnknown(
            f"the outcome of payment {payment.id} is not known yet; inquire or resolve it first",
            payment=payment.id,
        )
    now = under_way.of_payment(tx, payment.id)
    if now.capturing or now.refunding or now.voiding:
        raise OutcomeUnknown(
            f"money of payment {payment.id} is on its way; reverse the payment when that has ended",
            payment=payment.id,
        )
    booked = receipts.of_payment(tx, payment.id)
    inward = [receipt for receipt in booked if receipt.kind.inward]
    if not inward:
        hint = "; undo the use of credit instead" if payment.from_credit.minor else ""
        raise NothingToReverse(
            f"payment {payment.id} brought no money to reverse{hint}", payment=payment.id
        )
    back = _out(booked, payment.amount.currency)
    currencies = {receipt.amount.currency for receipt in booked}
    gone = len(inward) < len(booked)
    if gone and any(_out(booked, currency).minor for currency in currencies):
        raise HasRefunds(
            f"{back} of payment {payment.id} went back already", payment=payment.id, amount=back
        )
    returned_by_bank = payment.account == RECORDED or payment.kind.returnable_for
    if not wish.force and not returned_by_bank:
        sends = ways.back(tx, payment)
        verbs = ("refund", "cancel") if "refund" in sends else sends
        raise StillAtGateway(
            f"account {payment.account!r} collected the money of payment {payment.id} and has not "
            f"reported it as returned; to send it back, {ways.back_by(verbs)}; if it never came, "
            "reverse it with force",
            payment=payment.id,
            verbs=verbs,
        )
    earliest = max(receipt.effective for receipt in inward)
    if on < earliest:
        raise BadReversalDate(
            f"the money came on {earliest}; a reversal on {on} would precede it", on=on
        )
    if wish.period_closed is not None and wish.period_closed(on):
        raise BadReversalDate(f"the period of {on} is closed; choose a later date", on=on)
    _check_credit(tx, payment)
    return inward


def _brought(inward: Sequence[Receipt], booked: Sequence[Receipt]) -> list[Receipt]:
    """Return the *inward* receipts except those of money that had gone out and came back."""
    if len(inward) == len(booked):
        return list(inward)
    return [each for each in inward if each.kind in _BROUGHT]


def _out(booked: Sequence[Receipt], currency: str) -> Money:
    """Return how much went out and did not come back."""
    minors = [
        -each.amount.minor if each.kind.inward else each.amount.minor
        for each in booked
        if each.kind not in _BROUGHT and each.amount.currency == currency
    ]
    return Money(currency, sum(minors))


def _check_credit(tx: Tx, payment: Payment) -> None:
    consumers: list[str] = []
    for credit in lots.of_payment(tx, payment.id):
        if credit.used.minor or credit.reserved.minor:
            consumers += [
                standing.payment or standing.id
                for standing in allocations.standing_of_credit(tx, credit.id)
            ]
            consumers += claims.reserving(tx, credit.id)
    if consumers:
        raise CreditConsumed(
            f"payment {payment.id} created credit that {', '.join(dict.fromkeys(consumers))} "
            "already used; undo those uses first",
            payment=payment.id,
            consumers=list(dict.fromkeys(consumers)),
        )
