"""Settlement: accepted money reaches us, or waits until it does.

A processor accepts a payment today and pays it out days later, in part, less its fee, or not at
all. Two things are kept apart. What it tells of the settlement is posted whatever we do with it:
out of transit, into settled and fees. If the account credits on settlement, accepted money also
*awaits* it: it is received and not yet on an invoice, and what it is to pay stays held, so that
nobody pays it twice. As it settles it is placed by the rule of any other money; if it goes back
before, its invoices are free again.

The rule: a settlement is told as what has settled of a movement so far. What is posted is the
difference to what was known before, so it may be told as often as the processor likes, in parts and
late.

What stays true: what is in transit is what was booked and has neither settled nor gone back; what
awaits settlement is neither credit nor on an invoice; and a payment holds no more than can still
come. Money that should have settled and has not, and a
reversal or refund that the gateway never confirms, ends with a person and not by itself.
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
from paygate.service.telling import emit, tell_credited

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
"""How long a gateway that names no time to settle may take to confirm a reversal."""

_BROUGHT = (MovementKind.CHARGE, MovementKind.CAPTURE)


# --- Money that waits ------------------------------------------------------------------


def waits(tx: Tx, payment: Payment, movement: Movement) -> bool:
    """Tell whether the money of *movement* counts only when it, or its payment, has settled."""
    if payment.credit_on is CreditOn.ACCEPTED:
        return False
    return movement.kind in _BROUGHT or transit.is_under_way(tx, payment.id)


def still_waits(tx: Tx, payment: Payment, receipt: Receipt) -> bool:
    """Return whether money of *receipt* that finds its place now counts only when it settles."""
    if payment.credit_on is CreditOn.ACCEPTED or receipt.amount.currency != payment.amount.currency:
        return False  # other currency becomes credit, and waits for no invoice of this payment
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
    Book that *amount* was accepted, and hold what it is to pay until it settles.

    *sources* are the lines that it comes from, that of its receipt first; *entry* is by
    default that receipt.
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
    """Take up to *wanted* off what awaits settlement: it goes back before it counted."""
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
    """Tell how much may still come onto invoices: what awaits, and what can be captured.

    With *ended* nothing more is captured.
    """
    awaiting = receipts.awaiting_in_all(tx, payment.id, payment.amount.currency)
    if ended or payment.status is not PaymentStatus.AUTHORIZED:
        return awaiting
    now = under_way.of_payment(tx, payment.id)
    return awaiting + max(0, now.authorized - now.collected)


def release(tx: Tx, payment: Payment, *, ended: bool = False) -> list[tuple[str, int]]:
    """Let go of what *payment* holds and no money will come for; tell what, by invoice."""
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
    for claim in reversed(held):  # they are filled in order, so the last go first
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
    """Hold again what was let go of, as far as it is free; return what could not be held."""
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


def told(tx: Tx, payment: Payment, movement: Movement) -> list[str]:
    """Post what *movement* tells of its settlement, place what it freed; tell the invoices."""
    receipt = receipts.of_movement(tx, payment.account, movement.kind, movement.movement_id)
    assert receipt is not None, "a movement is booked before its settlement is told"
    if receipt.payment != payment.id:  # a gateway took the payment for a duplicate of another
        owner = payments.by_id(tx, receipt.payment)
        assert owner is not None, "a receipt refers to its payment"
        payment = owner
    before = payments.is_settled(tx, payment.id)
    known, news = _known(receipt), settlement_of(movement)
    left = in_transit(movement, news)
    on = news.on or customers.today(tx, payment.customer)
    # By what is left: parts of two days, or told to two hosts, may be booked at one instant.
    entry = f"{receipt.id}:settled:{left}"
    for currency, lines in _moves(movement, receipt, known, news, left).items():
        _post(tx, payment, lines, entry, currency, on)
    transit.settle(tx, receipt.id, news, left)
    _tell(tx, payment, receipt, news)
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
    """Return whether accepted money of *payment* is still to reach us: more than went back."""
    return transit.sum_of(tx, payment) > 0


def is_contradicted(tx: Tx, payment: str) -> bool:
    """
    Return whether a person reversed money of *payment* that its gateway says has reached us.

    It may be told yet that the money went back: a reversal often comes first.
    """
    return payments.is_settled(tx, payment) and transit.is_reversal_in_transit(tx, payment)


def watch_reversal(tx: Tx, payment: Payment) -> None:
    """Look later whether the gateway has confirmed a reversal of money that has settled."""
    if is_contradicted(tx, payment.id):
        within = payments.settles_within(tx, payment.id) or CONFIRMED_WITHIN
        payments.set_settle_check(tx, payment.id, tx.now + within)
    else:
        reviews.end(tx, payment.id, reviews.CONTRADICTED)


def refunds_out(tx: Tx, payment: str) -> list[RefundOut]:
    """Return the refunds of *payment* that have not settled and were not flagged for it."""
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
    Look later whether refunds of *payment* have settled; end the review of those that have.

    A refund has as long as its rail gives to money that comes, once that has settled. Without
    such a time nobody waits: the rail does not tell settlement.
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
    """Make the lines of what is new, by currency: out of transit, into settled and fees."""
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
    """Put what awaited settlement and has settled on what it is to pay."""
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
    tell_credited(tx, payment, placed.credited)
    return placed.items


def _known(receipt: Receipt) -> Settlement:
    return Settlement(settled=receipt.settled, fee=receipt.fee, on=receipt.settled_on)


def _tell(tx: Tx, payment: Payment, receipt: Receipt, news: Settlement) -> None:
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
