"""Settlement: when accepted money reaches the merchant.

A processor accepts a payment today and pays it out days later, in part, less its fee, or not at
all. Two things are kept apart. A reported settlement is always posted: out of transit, into settled
and fees. If the account credits on settlement, accepted money also *awaits* it: it is received but
not yet on an invoice, and its invoices stay held, so that nobody pays them twice. When it settles,
it is allocated like any other money; if it goes back before that, its invoices are released.

The rule: a report states how much of a movement has settled so far, and the difference to the
previous report is posted. So settlement may be reported repeatedly, in parts, and late.

What stays true: money in transit is what was booked and has neither settled nor gone back; money
that awaits settlement is neither credit nor on an invoice; and a payment holds no more than can
still come. Money that does not settle in time, and a reversal or refund that the gateway never
confirms, are flagged for review and never resolved automatically.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from paygate.domain.movement import MovementKind
from paygate.domain.payment import PaymentStatus
from paygate.domain.settlement import CreditOn, Settlement, in_transit, settlement_of
from paygate.ledger import (
    claims,
    customers,
    items,
    outbox,
    payments,
    posting,
    receipts,
    reviews,
    transit,
    under_way,
)
from paygate.ledger.posting import LedgerAccount, PostingLine
from paygate.service import allocation, claiming
from paygate.service.events import alert_credited, emit

if TYPE_CHECKING:
    from datetime import date

    from paygate.domain.money import Money
    from paygate.domain.movement import Movement
    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt
    from paygate.ledger.claims import Claim
    from paygate.ledger.transit import RefundOut, Settled
    from paygate.ledger.tx import Tx

CONFIRMED_WITHIN: Final = timedelta(days=10)
"""How long a gateway may take to confirm a reversal, if its rail has no time to settle."""

_BROUGHT = (MovementKind.CHARGE, MovementKind.CAPTURE)


# --- Money that waits ------------------------------------------------------------------


def waits(tx: Tx, payment: Payment, movement: Movement) -> bool:
    """Return whether the money of *movement* counts only when it, or its payment, has settled."""
    if payment.credit_on is CreditOn.ACCEPTED:
        return False
    return movement.kind in _BROUGHT or transit.is_under_way(tx, payment.id)


def still_waits(tx: Tx, payment: Payment, receipt: Receipt) -> bool:
    """Return whether money of *receipt* that is assigned now counts only when it settles."""
    if payment.credit_on is CreditOn.ACCEPTED or receipt.amount.currency != payment.amount.currency:
        return False  # another currency becomes credit, and cannot pay this payment's invoices
    if receipt.kind in _BROUGHT:
        return receipt.in_transit.minor > 0
    return transit.is_under_way(tx, payment.id)


def accept(
    tx: Tx,
    payment: Payment,
    amount: Money,
    on: date,
    *sources: PostingLine,
    entry: str | None = None,
) -> None:
    """
    Book *amount* as accepted, and hold its invoices until it settles.

    *sources* are the lines that it comes from, the receipt's first; *entry* is by default that
    receipt.
    """
    receipt = sources[0].receipt
    booked = None if receipt is None else receipts.by_id(tx, receipt)
    assert booked is not None, "money that is accepted has a receipt"
    lines = list(sources)
    if amount.minor:
        receipts.set_awaiting(tx, booked.id, booked.awaiting.minor + amount.minor)
        lines.append(PostingLine(LedgerAccount.AWAITING, -amount.minor, receipt=booked.id))
    _post(tx, payment, lines, entry or booked.id, amount.currency, on)
    hold_again(tx, payment, still_to_come(tx, payment))


def take_off(tx: Tx, payment: Payment, wanted: Money) -> list[PostingLine]:
    """Take up to *wanted* off money that awaits settlement and goes back before it counted."""
    lines: list[PostingLine] = []
    minor = wanted.minor
    for waiting in receipts.awaiting(tx, payment.id, wanted.currency):
        take = min(minor, waiting.minor)
        if take <= 0:
            break
        receipts.set_awaiting(tx, waiting.receipt, waiting.minor - take)
        lines.append(PostingLine(LedgerAccount.AWAITING, take, receipt=waiting.receipt))
        minor -= take
    return lines


def still_to_come(tx: Tx, payment: Payment, *, ended: bool = False) -> int:
    """Return how much may still go onto invoices: what awaits settlement or can be captured.

    With *ended* nothing more can be captured.
    """
    awaiting = receipts.awaiting_in_all(tx, payment.id, payment.amount.currency)
    if ended or payment.status is not PaymentStatus.AUTHORIZED:
        return awaiting
    now = under_way.of_payment(tx, payment.id)
    return awaiting + max(0, now.authorized - now.collected)


def release(tx: Tx, payment: Payment, *, ended: bool = False) -> list[tuple[str, int]]:
    """Release what *payment* holds beyond the money still to come; return it by invoice."""
    its_claims = claims.of_payment(tx, payment.id)
    if not any(each.state in ("hard", "soft") for each in its_claims):
        return []
    needed = still_to_come(tx, payment, ended=ended)
    if not needed:
        allocation.release(tx, payment.id, its_claims)
        return [(each.item, each.minor) for each in its_claims if each.state == "hard"]
    held = [each for each in its_claims if each.state == "hard" and each.credit is None]
    excess = sum(each.minor for each in held) - needed
    freed: list[tuple[str, int]] = []
    for claim in reversed(held):  # they are filled in order, so the last are released first
        gone = min(claim.minor, excess)
        if gone <= 0:
            break
        items.unclaim(tx, claim.item, gone)
        if gone == claim.minor:
            claims.set_state(tx, payment.id, claim, "released")
        else:
            claims.split(tx, payment.id, claim, gone, "released")
        freed.append((claim.item, gone))
        excess -= gone
    return freed


def hold_again(tx: Tx, payment: Payment, needed: int) -> int:
    """Hold released items again as far as they are free; return what could not be held."""
    its_claims = [each for each in claims.of_payment(tx, payment.id) if each.credit is None]
    missing = needed - sum(each.minor for each in its_claims if each.state == "hard")
    for claim in its_claims:
        if missing <= 0:
            break
        if claim.state == "hard":
            continue
        invoice = items.by_id(tx, claim.item)
        room = 0 if invoice is None else invoice.open.minor - invoice.claimed.minor
        take = min(claim.minor, room, missing)
        if take <= 0 or not items.claim(tx, claim.item, take):
            continue
        for page in claims.soft_on(tx, claim.item):
            if page != payment.id:
                claiming.supersede(tx, page)
        _hold_of(tx, payment, claim, take)
        missing -= take
    return max(0, missing)


def _hold_of(tx: Tx, payment: Payment, claim: Claim, take: int) -> None:
    if take == claim.minor:
        claims.set_state(tx, payment.id, claim, "hard")
    else:
        claims.split(tx, payment.id, claim, take, "hard")


# --- Money that settles ----------------------------------------------------------------


def book(tx: Tx, payment: Payment, movement: Movement) -> list[str]:
    """Post the settlement reported in *movement*, allocate what settled; return the invoices."""
    receipt = receipts.of_movement(tx, payment.account, movement.kind, movement.movement_id)
    assert receipt is not None, "a movement is booked before its settlement"
    if receipt.payment != payment.id:  # the gateway treated it as a duplicate of another payment
        owner = payments.by_id(tx, receipt.payment)
        assert owner is not None, "a receipt refers to its payment"
        payment = owner
    before = payments.is_settled(tx, payment.id)
    known, news = _known(receipt), settlement_of(movement)
    left = in_transit(movement, news)
    on = news.on or customers.today(tx, payment.customer)
    # Named by the rest: two parts, or reports to two hosts, may be booked at the same instant.
    entry = f"{receipt.id}:settled:{left}"
    for currency, lines in _moves(movement, receipt, known, news, left).items():
        _post(tx, payment, lines, entry, currency, on)
    transit.settle(tx, receipt.id, news, left)
    _emit(tx, payment, receipt, news)
    touched = place_settled(tx, payment, on)
    if not before and payments.is_settled(tx, payment.id):
        emit(tx, "payment.settled", payment)
    if not on_its_way(tx, payment.id):
        payments.set_settle_check(tx, payment.id, None)
        reviews.end(tx, payment.id, reviews.UNSETTLED)
        watch_reversal(tx, payment)
    watch_refunds(tx, payment.id)
    return touched


def on_its_way(tx: Tx, payment: str) -> bool:
    """Return whether more accepted money of *payment* is in transit than went back."""
    return transit.sum_of(tx, payment) > 0


def is_contradicted(tx: Tx, payment: str) -> bool:
    """
    Return whether money of *payment* was reversed by hand although its gateway reports it settled.

    The gateway may still report that the money went back: a reversal often comes first.
    """
    return payments.is_settled(tx, payment) and transit.is_reversal_in_transit(tx, payment)


def watch_reversal(tx: Tx, payment: Payment) -> None:
    """Plan a check whether the gateway has confirmed a reversal of settled money."""
    if is_contradicted(tx, payment.id):
        within = payments.settles_within(tx, payment.id) or CONFIRMED_WITHIN
        payments.set_settle_check(tx, payment.id, tx.now + within)
    else:
        reviews.end(tx, payment.id, reviews.CONTRADICTED)


def refunds_out(tx: Tx, payment: str) -> list[RefundOut]:
    """Return the refunds of *payment* that have not settled and have not been flagged."""
    return [
        each
        for each in transit.refunds_out(tx, payment)
        if not reviews.stood(tx, payment, cause_of_refund(each.receipt))
    ]


def cause_of_refund(receipt: str) -> str:
    """Return the cause of a review of a refund that has not settled in time."""
    return f"{reviews.REFUND_UNSETTLED}:{receipt}"


def watch_refunds(tx: Tx, payment: str) -> None:
    """
    Plan a check whether refunds of *payment* have settled; end the review of those that have.

    A refund has as long as the rail allows for incoming money, counted from when that has settled.
    If the rail does not have that time, it does not report settlement, and nothing is checked.
    """
    within = payments.settles_within(tx, payment)
    if within is None:
        return
    out = {cause_of_refund(each.receipt) for each in transit.refunds_out(tx, payment)}
    for cause in reviews.standing(tx, payment):
        if cause.startswith(f"{reviews.REFUND_UNSETTLED}:") and cause not in out:
            reviews.end(tx, payment, cause)
    waiting = refunds_out(tx, payment)
    if waiting:
        by = waiting[0].booked_at + within
        payments.expect_settlement(tx, payment, by if by > tx.now else None)


def _moves(
    movement: Movement, receipt: Receipt, known: Settlement, news: Settlement, left: int
) -> dict[str, list[PostingLine]]:
    """Return the lines for what is new, by currency: out of transit, into settled and fees."""
    sign = 1 if movement.kind.inward else -1
    own = movement.amount.currency
    lines: dict[str, list[PostingLine]] = {own: []}
    if news.settled is not None:
        before = 0 if known.settled is None else known.settled.minor
        came = sign * (news.settled.minor - before)
        there = lines.setdefault(news.settled.currency, [])
        there.append(PostingLine(LedgerAccount.SETTLED, came, receipt=receipt.id))
        if news.settled.currency != own:
            there.append(PostingLine(LedgerAccount.EXCHANGE, -came, receipt=receipt.id))
    if news.fee is not None:
        kept = news.fee.minor - (0 if known.fee is None else known.fee.minor)
        there = lines.setdefault(news.fee.currency, [])
        there.append(PostingLine(LedgerAccount.FEES, kept, receipt=receipt.id))
        if news.fee.currency != own:
            there.append(PostingLine(LedgerAccount.EXCHANGE, -kept, receipt=receipt.id))
    lines[own].append(
        PostingLine(LedgerAccount.IN_TRANSIT, left - receipt.in_transit.minor, receipt=receipt.id)
    )
    # What left transit without arriving in its own currency arrived in another.
    rest = -sum(line.minor for line in lines[own])
    lines[own].append(PostingLine(LedgerAccount.EXCHANGE, rest, receipt=receipt.id))
    return lines


def place_settled(tx: Tx, payment: Payment, on: date) -> list[str]:
    """Allocate money that awaited settlement and has settled."""
    touched: list[str] = []
    settled = transit.settled(tx, payment.id)
    for each in settled:
        touched += _place(tx, payment, each, on)
    if settled:
        now = payments.by_id(tx, payment.id) or payment
        release(tx, now)
    return touched


def _place(tx: Tx, payment: Payment, settled: Settled, on: date) -> list[str]:
    minor = settled.amount.minor
    receipts.set_awaiting(tx, settled.receipt, settled.awaiting - minor)
    its_claims = claims.of_payment(tx, payment.id)
    placed = allocation.place(
        tx,
        payment,
        settled.receipt,
        settled.amount,
        sorted(its_claims, key=lambda claim: claim.state != "hard"),
        source=PostingLine(LedgerAccount.AWAITING, minor, receipt=settled.receipt),
        on=on,
        entry=f"{settled.receipt}:credited:{settled.awaiting - minor}",
        keep_rest=True,
    )
    alert_credited(tx, payment, placed.credited, placed.short)
    return placed.items


def _known(receipt: Receipt) -> Settlement:
    return Settlement(settled=receipt.settled, fee=receipt.fee, on=receipt.settled_on)


def _emit(tx: Tx, payment: Payment, receipt: Receipt, news: Settlement) -> None:
    data: dict[str, object] = {
        "payment": payment.id,
        "customer": payment.customer,
        "account": payment.account,
        "receipt": receipt.id,
        "kind": receipt.kind.value,
        "movement_id": receipt.movement_id,
    }
    if news.settled is not None:
        data |= {"settled_minor": news.settled.minor, "settled_currency": news.settled.currency}
    if news.fee is not None:
        data |= {"fee_minor": news.fee.minor, "fee_currency": news.fee.currency}
    if news.on is not None:
        data |= {"settled_on": news.on.isoformat()}
    outbox.emit(tx, "receipt.settled", payment.id, data)


def _post(
    tx: Tx, payment: Payment, lines: list[PostingLine], entry: str, currency: str, on: date
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
