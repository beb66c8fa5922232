"""Reverse a payment: it turned out not to be money, and everything is as it was before.

A clerk's reversal follows rules and may be refused. A return that the gateway
reports is a fact and is always booked; what was meanwhile spent as credit
becomes a debit of the customer. Both take back exactly the payment's own effects:
its allocations, the write-offs it caused, the credit it used and the credit it
made. Later payments on the same invoices stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paygate.domain.credit import CreditReason
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
    NumberReused,
    OutcomeUnknown,
    StillAtGateway,
)
from paygate.ledger import (
    allocations,
    attempts,
    claims,
    customers,
    items,
    keys,
    lots,
    outbox,
    payments,
    posting,
    receipts,
    reversals,
    reviews,
    transit,
    under_way,
)
from paygate.ledger.posting import LedgerAccount, Line
from paygate.printing import shown
from paygate.service import allocation, finding, identifying, issue, settle, taking, telling, ways
from paygate.service.flow import Flow, transact

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt
    from paygate.domain.reversal import Reversal
    from paygate.ledger.tx import Tx


_BROUGHT = (MovementKind.CHARGE, MovementKind.CAPTURE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a clerk wants reversed, and what it costs whom."""

    payment: str
    reason: str
    on: date | None = None
    number: str | None = None
    fee: Money | None = None
    bank_charge: Money | None = None
    period_closed: Callable[[date], bool] | None = None
    force: bool = False


def reverse(wish: Wish) -> Flow[Reversal]:
    """Book the opposite of a payment; the same wish again returns the same reversal."""
    return (yield from transact(lambda tx: reverse_in(tx, wish)))


def reverse_in(tx: Tx, wish: Wish) -> Reversal:
    """Book the opposite of a payment in this transaction."""
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
            f"nobody knows whose payment {payment.id} is, so nobody owes a fee for it; assign it "
            "first",
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
            payments.add_moved(tx, payment.id, returned=receipt.amount.minor)
    _document(tx, payment, inward, on, reversal, number, print_, wish, brought=brought)
    if not payment.customer:
        identifying.follow_up(tx, payment)
    settle.watch_reversal(tx, payment)
    found = reversals.of_payment(tx, payment.id)
    assert found is not None, "the reversal was just written"
    return found[0]


def book_return(tx: Tx, payment: Payment, receipt: str, movement: Movement) -> bool:
    """
    Book a return that the gateway reported as a reversal; return False if it is none.

    *receipt* is the outward receipt of it. It reverses what is still there: what
    went back before, and is returned all the same, becomes a debit of the customer.
    A second return of one payment, one that a clerk anticipated, or one of a part
    is no reversal of the payment: it is taken off like other money that goes out.
    """
    on = customers.date_of(tx, payment.customer, movement.effective)
    came, went = receipts.moved(tx, payment.id)[movement.amount.currency]
    left = Money(movement.amount.currency, came - went + movement.amount.minor)
    part = movement.amount < left or left.minor <= 0
    if reversals.of_payment(tx, payment.id) is not None or part:
        return False
    booked = [
        found
        for found in receipts.of_payment(tx, payment.id)
        if found.id != receipt and found.amount.currency == movement.amount.currency
    ]
    inward = [found for found in booked if found.kind.inward]
    back = sum(found.amount.minor for found in booked if not found.kind.inward)
    reversal = tx.new_id("rev")
    number = f"REV-{keys.next_number(tx, 'reversal')}"
    reason = f"returned by the gateway: {movement.code or 'no code given'}"
    _document(
        tx,
        payment,
        inward,
        on,
        reversal,
        number,
        "gateway",
        Wish(payment=payment.id, reason=reason, on=on),
        brought=inward,
        back=back,
        outward=receipt,
    )
    if movement.amount > left:
        _debit(tx, payment, receipt, movement.amount - left, on)
    return True


def confirm(tx: Tx, payment: Payment, receipt: str, movement: Movement) -> Money:
    """
    Net what the gateway reports as gone out against a reversal by a clerk; return the rest.

    The reversal took the money off everything that it was on, and *receipt* says the
    same fact again, in the words of the bank. It takes the place of the reversal in
    transit, and nothing more is taken off.
    """
    left = movement.amount.minor
    reversal = reversals.of_payment(tx, payment.id)
    if reversal is None:
        return movement.amount
    on = customers.date_of(tx, payment.customer, movement.effective)
    cash = allocation.cash_account(payment)
    lines: list[Line] = []
    for each in receipts.of_payment(tx, payment.id):
        ours = each.movement_id.startswith(f"{reversal[0].id}:")
        if each.kind is not MovementKind.REVERSAL or not ours:
            continue
        minor = min(left, each.amount.minor - receipts.undone_of(tx, payment.id, each.movement_id))
        if minor <= 0 or each.amount.currency != movement.amount.currency:
            continue
        undone = Movement(
            kind=MovementKind.UNDONE,
            movement_id=f"{receipt}:{each.id}",
            amount=Money(movement.amount.currency, minor),
            effective=on,
            undoes=each.movement_id,
        )
        receipts.book(
            tx,
            undone,
            account=payment.account,
            customer=payment.customer,
            payment=payment.id,
            attempt=None,
            in_transit=False,
        )
        if undone.amount.currency == payment.amount.currency:
            payments.add_moved(tx, payment.id, returned=-minor)
        if cash is LedgerAccount.IN_TRANSIT:
            transit.set_minor(tx, each.id, each.in_transit.minor + minor)
        lines += [Line(cash, minor, receipt=each.id), Line(cash, -minor, receipt=receipt)]
        left -= minor
    if lines:
        _post(tx, payment, lines, f"{receipt}:confirms", movement.amount.currency, on)
        if not transit.is_reversal_in_transit(tx, payment.id):
            reviews.end(tx, payment.id, reviews.CONTRADICTED)
    return Money(movement.amount.currency, left)


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


def _check(tx: Tx, wish: Wish, payment: Payment) -> None:
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
    """Return *on*, or by default today for the customer, or the day of the money if later."""
    if on is not None:
        return customers.recorded_on(tx, payment.customer, on)
    came = [each.effective for each in receipts.of_payment(tx, payment.id) if each.kind.inward]
    return max([customers.today(tx, payment.customer), *came])


def _reversible(tx: Tx, payment: Payment, on: date, wish: Wish) -> list[Receipt]:
    """Tell the receipts to reverse, or refuse."""
    if attempts.in_doubt(tx, payment.id):
        raise OutcomeUnknown(
            f"we do not know yet how payment {payment.id} ended; inquire or resolve it first",
            payment=payment.id,
        )
    now = under_way.of_payment(tx, payment.id)
    if now.capturing or now.refunding or now.voiding:
        raise OutcomeUnknown(
            f"money of payment {payment.id} is on its way; reverse it when that has come to an end",
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
            f"account {payment.account!r} brought the money of payment {payment.id} and has not "
            f"reported it as returned; to give it back, {ways.back_by(verbs)}; if it never came, "
            "reverse it with force",
            payment=payment.id,
            verbs=verbs,
        )
    earliest = max(receipt.effective for receipt in inward)
    if on < earliest:
        raise BadReversalDate(
            f"the money came on {earliest}; a reversal on {on} would be before it", on=on
        )
    if wish.period_closed is not None and wish.period_closed(on):
        raise BadReversalDate(f"the period of {on} is closed; choose a later date", on=on)
    _check_credit(tx, payment)
    return inward


def _brought(inward: Sequence[Receipt], booked: Sequence[Receipt]) -> list[Receipt]:
    """Return the *inward* receipts without those that took back what had gone out."""
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
            f"payment {payment.id} made a credit that {', '.join(dict.fromkeys(consumers))} "
            "already used; undo those uses first",
            payment=payment.id,
            consumers=list(dict.fromkeys(consumers)),
        )


def _document(
    tx: Tx,
    payment: Payment,
    inward: Sequence[Receipt],
    on: date,
    reversal: str,
    number: str,
    print_: str,
    wish: Wish,
    *,
    brought: Sequence[Receipt],
    back: int = 0,
    outward: str | None = None,
) -> None:
    """
    Take the payment's effects back and write the document of it.

    *inward* is all that came in, and *brought* is that of it which goes out: what only
    came again after it had gone out is on invoices as well, but is no other money.
    *back* is how much of the money went back before, and is not taken again;
    *outward* the receipt of a return, which explains what the customer owes now.
    """
    touched: list[str] = []
    own = payment.amount.currency
    # Money that came in another currency than was asked for is an entry of its own.
    for currency in dict.fromkeys([own, *(receipt.amount.currency for receipt in inward)]):
        lines, reopened = _take_back(
            tx, payment, inward, on, currency, brought=brought, back=back, outward=outward
        )
        touched += reopened
        entry = reversal if currency == own else f"{reversal}:{currency}"
        _post(tx, payment, lines, entry, currency, on)
    fee_item = _issue_fee(tx, payment, number, on, wish)
    if wish.bank_charge is not None:
        charge = [
            Line(LedgerAccount.BANK_CHARGE, wish.bank_charge.minor),
            Line(LedgerAccount.SETTLED, -wish.bank_charge.minor),
        ]
        _post(tx, payment, charge, f"{reversal}:bank", wish.bank_charge.currency, on)
    came = {receipt.amount.currency for receipt in inward}
    of = own if own in came else min(came)
    amounts = [receipt.amount for receipt in brought if receipt.amount.currency == of]
    amount = Money.sum(of, amounts) - Money(of, back)
    written = reversals.insert(
        tx,
        id_=reversal,
        number=number,
        payment=payment.id,
        amount=amount,
        on=on,
        reason=wish.reason,
        fingerprint=print_,
        fee_item=fee_item,
        bank_charge=wish.bank_charge,
        counted=not wish.number,
    )
    if not written:
        raise NumberReused(
            f"the reversal number {shown(number)} is taken; use another, or leave it out",
            number=number,
            differs=["payment"],
        )
    _release(tx, payment)
    payments.set_reversal(tx, payment.id, reversal)
    outbox.emit(
        tx,
        "payment.reversed",
        payment.id,
        {
            "payment": payment.id,
            "customer": payment.customer,
            "reversal": reversal,
            "number": number,
            "reason": wish.reason,
            "on": on.isoformat(),
            "amount_minor": amount.minor,
            "currency": amount.currency,
        },
    )
    allocation.tell_items(tx, touched, reopened=True)


def _take_back(
    tx: Tx,
    payment: Payment,
    inward: Sequence[Receipt],
    on: date,
    currency: str,
    *,
    brought: Sequence[Receipt],
    back: int,
    outward: str | None,
) -> tuple[list[Line], list[str]]:
    """Take back what the money in one currency did; return its lines, and the invoices."""
    booked = [receipt for receipt in inward if receipt.amount.currency == currency]
    lines, touched = allocation.take_off_items(tx, payment, booked, on=on)
    if currency == payment.amount.currency:
        for undone, reopened in (
            allocation.give_back_credit(tx, payment, on=on),
            allocation.undo_write_offs(tx, payment),
        ):
            lines += undone
            touched += reopened
    for receipt in booked:
        lines += _let_go(tx, receipt)
    cash = allocation.cash_account(payment)
    lines += [
        Line(cash, -receipt.amount.minor, receipt=receipt.id)
        for receipt in brought
        if receipt.amount.currency == currency
    ]
    lines += _close_credits(tx, payment, currency, outward)
    if back and booked:
        lines.append(Line(cash, back))
        lines += _balance(tx, payment, lines, currency)
    return lines, touched


def _release(tx: Tx, payment: Payment) -> None:
    """Free what was held for money that waited to settle, or for a decision of a person."""
    if payment.conflicted or payment.awaiting.minor:
        allocation.release(tx, payment.id, claims.of_payment(tx, payment.id))
    if payment.conflicted:
        payments.settle_conflict(tx, payment.id)


def _let_go(tx: Tx, receipt: Receipt) -> list[Line]:
    """Take the money of a receipt off what awaits settlement or waits for a decision."""
    lines: list[Line] = []
    if receipt.awaiting.minor:
        receipts.set_awaiting(tx, receipt.id, 0)
        lines.append(Line(LedgerAccount.AWAITING, receipt.awaiting.minor, receipt=receipt.id))
    if receipt.unallocated.minor:
        receipts.set_unallocated(tx, receipt.id, 0)
        lines.append(Line(LedgerAccount.SUSPENSE, receipt.unallocated.minor, receipt=receipt.id))
    return lines


def _close_credits(tx: Tx, payment: Payment, currency: str, outward: str | None) -> list[Line]:
    """Close the credit that *payment* made; what is spent of it becomes the customer's debit."""
    lines: list[Line] = []
    for credit in lots.of_payment(tx, payment.id):
        if credit.amount.currency != currency:
            continue
        free, gone = credit.free, credit.used + credit.reserved
        if free.minor <= 0 and not gone.minor:
            continue
        if free.minor:
            lots.close(tx, credit.id, free.minor)
            lines.append(Line(LedgerAccount.CUSTOMER_CREDIT, free.minor, credit=credit.id))
        if gone.minor:
            lines.append(
                allocation.make_credit(
                    tx,
                    customer=payment.customer,
                    amount=-gone,
                    reason=CreditReason.RETURNED,
                    payment=None,
                    receipt=outward,
                )
            )
        outbox.emit(
            tx,
            "credit.closed",
            f"customer:{payment.customer}",
            {
                "customer": payment.customer,
                "credit": credit.id,
                "amount_minor": free.minor,
                "spent_minor": gone.minor,
                "currency": credit.amount.currency,
                "payment": payment.id,
            },
        )
    return lines


def _balance(tx: Tx, payment: Payment, lines: Sequence[Line], currency: str) -> list[Line]:
    """Cancel what the customer was made to owe when more went back than was there."""
    rest = sum(line.minor for line in lines)
    if not rest:
        return []
    found = taking.cancel_debits(tx, payment, Money(currency, rest))
    left = rest + sum(line.minor for line in found)
    if not left:
        return found
    credit = allocation.make_credit(
        tx,
        customer=payment.customer,
        amount=Money(currency, left),
        reason=CreditReason.RETURNED,
        payment=payment.id,
        receipt=None,
    )
    return [*found, credit]


def _issue_fee(tx: Tx, payment: Payment, number: str, on: date, wish: Wish) -> str | None:
    if wish.fee is None:
        return None
    fee_number = f"{number}-FEE"
    if items.by_number(tx, fee_number) is not None:
        raise NumberReused(
            f"the number {fee_number} of the fee invoice is taken; choose number= for the reversal",
            number=fee_number,
            differs=["reversal"],
        )
    bill = issue.Bill(
        number=fee_number,
        customer=payment.customer,
        total=wish.fee,
        due=on,
        on=on,
        reversal=number,
    )
    return issue.issue_in(tx, bill).id


def _debit(tx: Tx, payment: Payment, receipt: str, amount: Money, on: date) -> None:
    lines = [
        taking.owe(tx, payment, receipt, amount),
        Line(allocation.cash_account(payment), -amount.minor, receipt=receipt),
    ]
    _post(tx, payment, lines, receipt, amount.currency, on)
    if reviews.raise_(tx, payment.id, reviews.EXCESS):
        who = "the customer" if payment.customer else "whoever is found to have paid it"
        text = f"a return of {amount} does not match what is booked; {who} owes it"
        telling.emit(tx, "payment.needs_review", finding.payment(tx, payment.id), reason=text)


def _post(
    tx: Tx, payment: Payment, lines: Sequence[Line], entry: str, currency: str, on: date
) -> None:
    posting.post(
        tx,
        lines,
        entry=entry,
        currency=currency,
        customer=payment.customer,
        payment=payment.id,
        effective=on,
    )
