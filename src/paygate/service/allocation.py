"""Allocation: money goes onto invoices or into credit, and off again.

These are steps inside a transaction, shared by the use cases. Each returns its posting lines, so
that one entry documents a whole event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.credit import CreditReason
from paygate.domain.invoice import Invoice, InvoiceStatus
from paygate.domain.kind import Kind
from paygate.domain.money import Money
from paygate.domain.payment import RECORDED
from paygate.domain.prepayment import Prepayment, PrepaymentStatus
from paygate.ledger import allocations, claims, items, lots, outbox, posting, reversals
from paygate.ledger.posting import LedgerAccount, PostingLine
from paygate.service import assignment, crediting
from paygate.service.assignment import Passed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt
    from paygate.ledger.claims import Claim
    from paygate.ledger.tx import Tx


def cash_account(payment: Payment) -> LedgerAccount:
    """Return the ledger account that holds the money of *payment* when it has come in."""
    return by_hand(payment.kind) if payment.account == RECORDED else LedgerAccount.IN_TRANSIT


def by_hand(kind: Kind) -> LedgerAccount:
    """Return the ledger account of money of *kind* that was recorded by hand."""
    return LedgerAccount.SETTLED if kind in (Kind.CASH, Kind.TRANSFER) else LedgerAccount.IN_TRANSIT


def use_reserved_credit(
    tx: Tx, payment: str, its_claims: Iterable[Claim], *, currency: str, on: date
) -> Put:
    """Use the credit that *payment* reserved, on the invoices it was reserved for."""
    put = Put(payment, currency, on)
    for claim in its_claims:
        if claim.credit is None or claim.state != "hard":
            continue
        lots.use_reserved(tx, claim.credit, claim.minor)
        items.fill_claim(tx, claim.item, claimed=claim.minor, minor=claim.minor)
        put.lines.append(
            PostingLine(LedgerAccount.CUSTOMER_CREDIT, claim.minor, credit=claim.credit)
        )
        put.on_item(tx, claim.item, claim.minor, claim.prepayment, credit=claim.credit)
        claims.set_state(tx, payment, claim, "used")
    return put


@dataclass(slots=True)
class Put:
    """The lines of money that is put on items, and what of it came there through prepayments."""

    payment: str
    currency: str
    on: date
    lines: list[PostingLine] = field(default_factory=list[PostingLine])
    passed: list[Passed] = field(default_factory=list[Passed])

    @property
    def items(self) -> list[str]:
        """The items that the lines are about."""
        return [line.item for line in self.lines if line.item is not None]

    def on_item(
        self,
        tx: Tx,
        item: str,
        minor: int,
        prepayment: str | None,
        *,
        receipt: str | None = None,
        credit: str | None = None,
    ) -> None:
        """Allocate *minor*, which has filled *item*; its claim was on *prepayment* before."""
        for part in assignment.parts_of(tx, item, minor, prepayment):
            id_ = allocations.insert(
                tx,
                item=item,
                amount=Money(self.currency, part.minor),
                payment=self.payment,
                receipt=receipt,
                credit=credit,
                prepayment=part.prepayment,
                effective=self.on,
            )
            to = item
            if part.new and part.prepayment is not None:
                to = part.prepayment
                self.passed.append(Passed(to, item, part.minor, id_, self.payment))
            self.lines.append(PostingLine(items.account_of(tx, to), -part.minor, item=to))


@dataclass(frozen=True, slots=True)
class Placed:
    """
    The items that money went to, and why the rest became credit, if there was a rest.

    `short` is the item that could not take it, if there is one.
    """

    items: list[str]
    credited: CreditReason | None
    short: str | None


@dataclass(frozen=True, slots=True)
class Short:
    """An item that took less than was claimed, and why."""

    item: str
    reason: CreditReason


def place(
    tx: Tx,
    payment: Payment,
    receipt: str,
    amount: Money,
    claims: Sequence[Claim],
    *,
    source: PostingLine,
    on: date,
    entry: str | None = None,
    keep_rest: bool = False,
) -> Placed:
    """
    Allocate *amount* of *receipt* to the items of *claims*, the rest to credit, and post it.

    What a prepayment gets moves on to an open invoice with its key.
    *source* is the line that the money comes from. Credit that the payment reserved is used with
    it. With *keep_rest* a partly filled claim still holds its rest, as between two captures.
    """
    put, left, short = _put_on_items(
        tx, payment.id, receipt, amount, claims, on=on, keep_rest=keep_rest
    )
    reason: CreditReason | None = None
    if left:
        reason = CreditReason.OVERPAYMENT if claims else CreditReason.TOP_UP
        reason = reason if short is None else short.reason
        put.lines.append(
            crediting.make_credit(
                tx,
                customer=payment.customer,
                amount=Money(amount.currency, left),
                reason=reason,
                payment=payment.id,
                receipt=receipt,
            )
        )
    used = use_reserved_credit(tx, payment.id, claims, currency=amount.currency, on=on)
    posting.post(
        tx,
        [source, *put.lines, *used.lines],
        entry=entry or receipt,
        currency=amount.currency,
        customer=payment.customer,
        payment=payment.id,
        effective=on,
    )
    touched, passed = [*put.items, *used.items], [*put.passed, *used.passed]
    moved = assignment.on_arrival(tx, touched, passed)
    filled = [*touched, *(each.invoice for each in passed), *moved]
    return Placed(filled, reason, None if short is None else short.item)


def _put_on_items(
    tx: Tx,
    payment: str,
    receipt: str,
    amount: Money,
    its_claims: Iterable[Claim],
    *,
    on: date,
    keep_rest: bool,
) -> tuple[Put, int, Short | None]:
    """
    Allocate the money of *receipt* to the items of its payment, in order.

    A hard claim is always filled. If the payment released the claim or was superseded, the invoice
    takes what is open and not held by another payment. If earlier money of the payment filled a
    part, the claim takes the rest. Money that comes back and that its invoice cannot take waits on
    the prepayment that it came through.

    Return what was put where, what is left over, and the first item that took less than was
    claimed, if one did.
    """
    put = Put(payment, amount.currency, on)
    left = amount.minor
    short: Short | None = None
    brought: dict[str, int] | None = None
    for claim in its_claims:
        if claim.credit is not None:
            continue
        wanted = claim.minor
        if claim.state == "used":
            brought = allocations.on_items(tx, payment) if brought is None else brought
            covered = min(wanted, brought.get(claim.item, 0))
            brought[claim.item] = brought.get(claim.item, 0) - covered
            wanted -= covered
        take = min(wanted, left)
        if claim.state == "hard":
            _fill(tx, payment, claim, take, keep_rest=keep_rest)
            parts = {claim.item: take} if take else {}
        else:
            parts = _take_rooms(tx, claim.item, take)
        for item, minor in parts.items():
            put.on_item(tx, item, minor, claim.prepayment, receipt=receipt)
        took = sum(parts.values())
        if claim.state == "used" and claim.prepayment is not None:
            again = assignment.put_again(tx, claim.prepayment, claim.item, take - took)
            if again:
                put.on_item(tx, claim.prepayment, again, None, receipt=receipt)
                took += again
        if claim.state != "hard":
            if took < take and short is None:
                short = Short(claim.item, _why_short(tx, claim.item))
            if parts:
                claims.set_state(tx, payment, claim, "used")
        left -= took
    return put, left, short


def _take_rooms(tx: Tx, item: str, wanted: int) -> dict[str, int]:
    """Fill up to *wanted* of the room of an item, and of the invoices that have replaced it."""
    parts: dict[str, int] = {}
    take = take_room(tx, item, wanted)
    if take:
        parts[item] = take
    for invoice, room in assignment.successors(tx, item) if take < wanted else ():
        minor = take_room(tx, invoice, min(room, wanted - sum(parts.values())))
        if minor:
            parts[invoice] = minor
    return parts


_NOT_OWED: Final = (
    *(InvoiceStatus.DRAFT, InvoiceStatus.VOID, InvoiceStatus.WRITTEN_OFF),
    PrepaymentStatus.CLOSED,
)


def _why_short(tx: Tx, item: str) -> CreditReason:
    """Return why an item takes no more: it is paid, held, or no longer owed."""
    found = items.by_id(tx, item)
    if found is not None and found.status in _NOT_OWED:
        return CreditReason.NOT_OWED
    if found is not None and found.claimed.minor:
        return CreditReason.BEING_PAID
    return CreditReason.ALREADY_PAID


def _fill(tx: Tx, payment: str, claim: Claim, take: int, *, keep_rest: bool) -> None:
    """Put *take* on the item of a hard claim, and release the rest unless *keep_rest*."""
    if not keep_rest or take == claim.minor:
        items.fill_claim(tx, claim.item, claimed=claim.minor, minor=take)
        claims.set_state(tx, payment, claim, "used" if take else "released")
    elif take:
        items.fill_claim(tx, claim.item, claimed=take, minor=take)
        claims.split(tx, payment, claim, take)


def take_room(tx: Tx, item: str, wanted: int) -> int:
    """Fill up to *wanted* of the room of an item, and return that amount."""
    found = items.by_id(tx, item)
    take = 0 if found is None else min(wanted, found.room.minor)
    return take if take > 0 and items.fill(tx, item, take) else 0


def emit_invoices(tx: Tx, ids: Iterable[str], *, reopened: bool = False) -> None:
    """
    Emit the new state of invoices after money was put on them or taken off (*reopened*).

    An invoice with nothing open was not reopened, and a written-off one is not paid: the event
    of the write-off reports it.
    """
    for id_ in dict.fromkeys(ids):
        invoice = items.amounts_of(tx, id_)
        if isinstance(invoice, Prepayment):
            if reopened:
                assignment.emit_reopened(tx, invoice)
            continue  # its other events are emitted when its money arrives
        if invoice is None or invoice.status is InvoiceStatus.VOID:
            continue
        if invoice.open.minor:
            type_ = "invoice.reopened" if reopened else "invoice.partially_paid"
        elif reopened or invoice.status is InvoiceStatus.WRITTEN_OFF:
            continue
        else:
            type_ = "invoice.paid"
        outbox.emit(tx, type_, invoice.id, facts_of(invoice))


def item_data(tx: Tx, id_: str) -> dict[str, Any]:
    """Return the facts of an invoice that its events carry."""
    invoice = items.by_id(tx, id_)
    assert isinstance(invoice, Invoice), f"invoice {id_} was just written"
    return facts_of(invoice)


def facts_of(invoice: Invoice) -> dict[str, Any]:
    """Return the facts of *invoice* that its events carry."""
    key = invoice.assignment_key
    return ({} if key is None else {"assignment_key": key}) | {
        "invoice": invoice.id,
        "number": invoice.number,
        "customer": invoice.customer,
        "currency": invoice.total.currency,
        "total_minor": invoice.total.minor,
        "open_minor": invoice.open.minor,
        "due": invoice.due.isoformat(),
    }


def release(tx: Tx, payment: str, its_claims: Iterable[Claim]) -> None:
    """Release everything that *payment* holds."""
    for claim in its_claims:
        if claim.state == "hard":
            items.unclaim(tx, claim.item, claim.minor)
            if claim.credit is not None:
                lots.release(tx, claim.credit, claim.minor)
        if claim.state in ("hard", "soft"):
            claims.set_state(tx, payment, claim, "released")


def give_back_credit(tx: Tx, payment: Payment, *, on: date) -> tuple[list[PostingLine], list[str]]:
    """Take the credit that *payment* used off its invoices, and return it to its lots."""
    lines: list[PostingLine] = []
    touched: list[str] = []
    for allocation in allocations.standing_of_payment(tx, payment.id):
        if allocation.credit is None:
            continue
        minor = allocation.amount.minor
        allocations.cancel(tx, allocation, on)
        items.empty(tx, allocation.invoice, minor)
        lots.give_back(tx, allocation.credit, minor)
        touched.append(allocation.invoice)
        lines += [
            PostingLine(items.account_of(tx, allocation.invoice), minor, item=allocation.invoice),
            PostingLine(LedgerAccount.CUSTOMER_CREDIT, -minor, credit=allocation.credit),
        ]
    if lines:
        outbox.emit(
            tx,
            "credit.returned",
            f"customer:{payment.customer}",
            {
                "customer": payment.customer,
                "payment": payment.id,
                "amount_minor": -sum(line.minor for line in lines if line.credit),
                "currency": payment.amount.currency,
            },
        )
    return lines, touched


def take_off_items(
    tx: Tx, payment: Payment, inward: Iterable[Receipt], *, on: date
) -> tuple[list[PostingLine], list[str]]:
    """Take the money of the *inward* receipts of a payment off its invoices."""
    ids = {receipt.id for receipt in inward}
    lines: list[PostingLine] = []
    touched: list[str] = []
    for allocation in allocations.standing_of_payment(tx, payment.id):
        if allocation.receipt not in ids:
            continue
        allocations.cancel(tx, allocation, on)
        items.empty(tx, allocation.invoice, allocation.amount.minor)
        touched.append(allocation.invoice)
        account = items.account_of(tx, allocation.invoice)
        lines.append(PostingLine(account, allocation.amount.minor, item=allocation.invoice))
    return lines, touched


def undo_write_offs(tx: Tx, payment: Payment) -> tuple[list[PostingLine], list[str]]:
    """Undo the write-offs that *payment* caused."""
    lines: list[PostingLine] = []
    touched: list[str] = []
    for write_off in reversals.write_offs_of_payment(tx, payment.id):
        reversals.mark_undone(tx, write_off.id)
        items.undo_write_off(tx, write_off.invoice, write_off.amount.minor)
        touched.append(write_off.invoice)
        lines += [
            PostingLine(LedgerAccount.RECEIVABLE, write_off.amount.minor, item=write_off.invoice),
            PostingLine(reversals.posted_to(tx, write_off.id), -write_off.amount.minor),
        ]
    return lines, touched
