"""Record money that was sent back by hand: in cash, by check, transfer or from a wallet.

No gateway is asked and nothing is sent; the books record what somebody did. The rules are those of
any refund: never more than there is, nothing while a dispute is open, nothing that was spent as
credit. A customer's credit is paid out lot by lot, oldest first, so that each payment knows how
much of its money went back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paygate.domain.customer import Customer
from paygate.domain.invoice import InvoiceStatus
from paygate.domain.kind import Kind
from paygate.domain.money import Money
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.payment import RECORDED
from paygate.errors import (
    CurrencyMismatch,
    InvalidAmount,
    InvalidValue,
    NotEnoughCredit,
    NotRefundable,
    RecordNotFound,
    Refused,
)
from paygate.ledger import customers, holding, keys, lots, payments, receipts, reversals, under_way
from paygate.ledger.posting import LedgerAccount
from paygate.printing import shown
from paygate.service import (
    allocation,
    booking,
    claiming,
    events,
    finding,
    identifying,
    movements,
    refunds,
    write_off,
)
from paygate.service.flow import Flow, transact
from paygate.service.taking import Outgo, RefundTo

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from paygate.domain.payable import Payable
    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt
    from paygate.ledger.tx import Tx

_BY_HAND = (Kind.CASH, Kind.CHECK, Kind.TRANSFER, Kind.BITCOIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundSlip:
    """Money sent back by hand, from a payment or from a customer's credit."""

    kind: Kind
    key: str
    reference: str
    payment: str | None = None
    customer: Customer | str | None = None
    amount: Money | None = None
    to: RefundTo | None = None
    items: Sequence[Payable] = ()
    on: date | None = None
    reason: str = ""
    force_reason: str = ""


def record_refund(slip: RefundSlip) -> Flow[list[Receipt]]:
    """Record money that was sent back, once per key, and return its receipts."""
    return (yield from transact(lambda tx: record_refund_in(tx, slip)))


def record_refund_in(tx: Tx, slip: RefundSlip) -> list[Receipt]:
    """Record money that was sent back, in this transaction."""
    _check(slip)
    customer = slip.customer.id if isinstance(slip.customer, Customer) else slip.customer
    of_payment = () if slip.payment is None else (slip.payment,)
    finding.hold(tx, (), customer, payments=of_payment)
    id_ = tx.new_id("rfd")
    print_ = keys.fingerprint(
        payment=slip.payment,
        customer=customer,
        amount=str(slip.amount),
        kind=slip.kind,
        reference=slip.reference,
        to=slip.to,
        items=[claiming.name_of(item) for item in slip.items],
        on=slip.on,
    )
    before = keys.take(tx, "record_refund", slip.key, print_, id_)
    if before is not None:
        return receipts.recorded(tx, RECORDED, before)
    if slip.payment is not None:
        _of_payment(tx, finding.payment(tx, slip.payment), slip, id_)
    elif customer is not None:
        _of_customer(tx, customer, slip, id_)
    return receipts.recorded(tx, RECORDED, id_)


def undo(receipt: str, *, reason: str) -> Flow[Payment]:
    """Undo a recorded refund that was not sent after all; the money returns to where it was."""
    return (yield from transact(lambda tx: undo_in(tx, receipt, reason=reason)))


def undo_in(tx: Tx, which: str, *, reason: str) -> Payment:
    """Undo a recorded refund in this transaction; repeating this changes nothing."""
    if not reason.strip():
        raise InvalidValue(
            "give the reason to undo it: reason='the check was torn up'", argument="reason"
        )
    holding.hold_receipt(tx, which)
    found = receipts.by_id(tx, which)
    if found is None or found.account != RECORDED or found.kind is not MovementKind.REFUND:
        raise RecordNotFound(f"there is no recorded refund {shown(which)} in this ledger")
    payment = finding.payment(tx, found.payment)
    movement = Movement(
        movement_id=f"{found.movement_id}:undone",
        kind=MovementKind.UNDONE,
        amount=found.amount,
        effective=max(found.effective, customers.today(tx, payment.customer)),
        undoes=found.movement_id,
        code=reason,
    )
    for note in reversals.credit_notes_of(tx, found.id):
        if finding.invoice(tx, note.invoice).status is not InvoiceStatus.VOID:
            write_off.undo_write_off_in(tx, note.id)
    movements.book_back(tx, payment, movement, account=RECORDED, cash=_cash(Kind(found.by)))
    return finding.payment(tx, payment.id)


def _check(slip: RefundSlip) -> None:
    if slip.kind not in _BY_HAND:
        raise InvalidValue(
            f"{slip.kind} is sent back through its gateway; by= is one of {', '.join(_BY_HAND)}",
            argument="by",
        )
    if (slip.payment is None) == (slip.customer is None):
        raise InvalidValue("pass the payment that is refunded, or customer= to pay out credit")
    if not slip.reference.strip():
        raise InvalidValue(
            "pass a reference to find it by: reference='check 1077'", argument="reference"
        )
    if slip.amount is not None and slip.amount.minor <= 0:
        raise InvalidAmount(
            f"the amount sent back is {slip.amount}; it must be more than zero", argument="amount"
        )
    if slip.customer is not None and (slip.amount is None or slip.to or slip.items):
        raise InvalidValue("credit is paid out by amount=; leave out to and items")


def _cash(kind: Kind) -> LedgerAccount:
    return LedgerAccount.SETTLED if kind is Kind.BITCOIN else allocation.by_hand(kind)


def _of_payment(tx: Tx, payment: Payment, slip: RefundSlip, id_: str) -> None:
    wanted = refunds.wanted_items(tx, payment, slip.items, slip.amount, slip.to)
    now = under_way.of_payment(tx, payment.id)
    if now.voiding:
        raise NotRefundable(
            f"payment {payment.id} is being voided at its gateway; inquire until that has ended, "
            "or resolve it, and then record what else was sent back",
            payment=payment.id,
        )
    left = (payment.received - payment.returned).minor - now.refunding
    amount = slip.amount
    if amount is None:
        named = sum(minor for _, minor in wanted)
        amount = Money(payment.amount.currency, named if wanted else left)
    if amount.currency != payment.amount.currency:
        raise CurrencyMismatch(
            f"payment {payment.id} is in {payment.amount.currency}, not {amount.currency}",
            argument="amount",
        )
    if amount.minor <= 0 or amount.minor > left:
        raise NotRefundable(
            f"{amount} of payment {payment.id} cannot have been sent back: "
            f"{Money(amount.currency, left)} is left",
            payment=payment.id,
            left=Money(amount.currency, left),
        )
    _check_sending(tx, payment, slip.force_reason)
    if slip.to is None:
        refunds.check_spent(tx, payment, amount)
    to = slip.to
    if to is None:
        to = RefundTo.REOPEN if wanted else movements.default_refund_to(tx, payment, amount)
    _book(tx, payment, slip, amount, id_, to=to, items=tuple(wanted))


def _of_customer(tx: Tx, customer: str, slip: RefundSlip, id_: str) -> None:
    """Pay out credit, oldest lots first; lots that must not be sent yet are skipped."""
    amount = slip.amount
    assert amount is not None, "it was checked"
    left = amount.minor if amount.minor <= lots.spendable(tx, customer, amount.currency) else 0
    held: Refused | None = None
    parts: list[tuple[Payment, str, int]] = []
    for lot in lots.free_of(tx, customer, amount.currency) if left else ():
        if lot.payment is None or not left:
            continue
        payment = finding.payment(tx, lot.payment)
        try:
            _check_sending(tx, payment, slip.force_reason)
        except Refused as refusal:
            held = refusal
            continue
        take = min(left, lot.free.minor)
        parts.append((payment, lot.id, take))
        left -= take
    if left or not parts:
        raise held or NotEnoughCredit(
            f"customer {customer} has less than {amount} of credit to pay out",
            free=Money(amount.currency, lots.spendable(tx, customer, amount.currency)),
        )
    for number, (payment, credit, minor) in enumerate(parts):
        name = f"{id_}:{number}" if number else id_
        part = Money(amount.currency, minor)
        to = RefundTo.FROM_CREDIT
        _book(tx, payment, slip, part, name, to=to, credits_=((credit, minor),))


def _check_sending(tx: Tx, payment: Payment, force_reason: str) -> None:
    refunds.check_dispute(tx, payment)
    came = [each for each in receipts.of_payment(tx, payment.id) if each.kind.inward]
    refunds.check_returnable(tx, payment, came, force_reason)


def _book(
    tx: Tx,
    payment: Payment,
    slip: RefundSlip,
    amount: Money,
    name: str,
    *,
    to: RefundTo,
    items: tuple[tuple[str, int], ...] = (),
    credits_: tuple[tuple[str, int], ...] = (),
) -> None:
    on = customers.recorded_on(tx, payment.customer, slip.on)
    movement = Movement(
        movement_id=name, kind=MovementKind.REFUND, amount=amount, effective=on, code=slip.reference
    )
    cash = _cash(slip.kind)
    receipt = receipts.book(
        tx,
        movement,
        account=RECORDED,
        customer=payment.customer,
        payment=payment.id,
        attempt=None,
        in_transit=cash is LedgerAccount.IN_TRANSIT,
        by=slip.kind.value,
    )
    assert receipt is not None, "the name of a recorded refund is new"
    if amount.currency == payment.amount.currency:
        payments.add_moved(tx, payment, returned=amount.minor)
    events.emit_receipt(tx, payment, receipt, movement)
    out = Outgo(receipt=receipt, amount=amount, on=on, to=to, items=items, credits=credits_)
    movements.send_off(tx, payment, out, cash)
    booking.end_conflict(tx, finding.payment(tx, payment.id))
    if not payment.customer:
        identifying.follow_up(tx, payment)
    events.emit(
        tx,
        "payment.refunded",
        finding.payment(tx, payment.id),
        refunded_minor=amount.minor,
        by=slip.kind.value,
        reference=slip.reference,
        why=slip.reason,
    )
