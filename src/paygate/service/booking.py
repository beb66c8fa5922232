"""Booking: what an answer does to the money, by operation.

`decide` has determined what is new; this module writes the consequences, inside the transaction of
`merge`: first the claims of the payment, then each movement (see `movements`), then settlements and
disputes, and at last the end of the operation. The order matters. A movement fills what is claimed,
so claims are made hard before it is booked; an end releases what was not filled, so it comes last.

A charge fills what its payment claimed, and releases the rest when it ends. An authorization keeps
its claims: a capture uses a part of them, and the final capture, a void or the expiry releases the
rest. A refund takes money off in the order it asked for; credit that it holds is free again if it
fails. A page gives up its claims until its payer has approved. Money that arrives on a superseded
page is never refused: it fills what is open, and the rest becomes credit. If the amount is only
held there, it is voided.

What stays true: nothing is released while money may still be on its way, whoever reports its end; a
late success is booked whatever the state of its payment; and a payment that ended without money,
or that returned more than it received, is flagged for review, never corrected silently.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from paygate.domain.attempt import AttemptState
from paygate.domain.kind import Operation
from paygate.domain.payment import STATUS_OF, PaymentStatus
from paygate.ledger import attempts, claims, lots, payments, receipts, refunding, reviews, under_way
from paygate.service import allocation, claiming, coming, dispute, identifying, movements, settle
from paygate.service.events import alert, emit

if TYPE_CHECKING:
    from paygate.domain.decide import Changes
    from paygate.domain.payment import Payment
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.claims import Claim
    from paygate.ledger.tx import Tx


_ENDED = (
    PaymentStatus.DECLINED,
    PaymentStatus.FAILED,
    PaymentStatus.CANCELED,
    PaymentStatus.EXPIRED,
)
_COLLECTS = (Operation.CHARGE, Operation.AUTHORIZE)


def consequences(tx: Tx, row: AttemptRow, payment: Payment, changes: Changes) -> list[str]:
    """Write what *changes* do to the money, and return the invoices they touched."""
    its_claims = _claims_after(tx, row, payment, changes)
    _follow_hold(tx, row, payment, changes)
    touched: list[str] = []
    for movement in changes.book:
        touched += movements.book(tx, row, payment, its_claims, movement, changes)
        its_claims = claims.of_payment(tx, payment.id) if len(changes.book) > 1 else its_claims
    for movement in changes.settle:
        touched += settle.book(tx, payment, movement)
    for each in changes.disputes:
        dispute.report(tx, payment, each)
    if changes.state is not None:
        _end(tx, row, payment, changes)
    elif changes.let_go:
        settle.release(tx, payment, ended=True)
    if changes.book or changes.state is not None:
        _review_unbrought(tx, row, payment, changes)
    if not payment.customer:
        identifying.follow_up(tx, payment)
    return touched


def status_after(tx: Tx, row: AttemptRow, payment: Payment, state: AttemptState) -> PaymentStatus:
    """Return the status of *payment* when its attempt *row* has reached *state*."""
    operation = row.attempt.operation
    if operation in _COLLECTS:
        # The rest of an authorization expired; what was captured before stays.
        partly = state.ended and under_way.of_payment(tx, payment.id).collected
        return PaymentStatus.SUCCEEDED if partly else STATUS_OF[state]
    if state is not AttemptState.SUCCEEDED:
        return payment.status
    if operation is Operation.CAPTURE and payment.status in _ENDED:
        # The hold had ended, and then a capture that was under way brought money after all.
        collected = under_way.of_payment(tx, payment.id).collected
        return PaymentStatus.SUCCEEDED if collected else payment.status
    if payment.status is not PaymentStatus.AUTHORIZED:
        return payment.status
    if operation is Operation.CAPTURE and _is_last(tx, row):
        return PaymentStatus.SUCCEEDED
    if operation is Operation.VOID:
        # What was captured before stays; the rest of the authorization is gone.
        collected = under_way.of_payment(tx, payment.id).collected
        return PaymentStatus.SUCCEEDED if collected else PaymentStatus.CANCELED
    return payment.status


# --- Ends ----------------------------------------------------------------------------------


def _end(tx: Tx, row: AttemptRow, payment: Payment, changes: Changes) -> None:
    """Release what the attempt held, now that it has ended."""
    state = changes.state
    if state is None or not state.final:
        return
    done = state is AttemptState.SUCCEEDED
    if row.attempt.state.final and not done:
        return
    match row.attempt.operation:
        case Operation.CHARGE | Operation.AUTHORIZE:
            # A partial approval releases what it did not bring. Money other than requested releases
            # nothing: until its review is finished, the invoice must not be paid again.
            if done and not changes.held:
                settle.release(tx, payment, ended=True)
        case Operation.CAPTURE:
            _end_capture(tx, row, payment, done=done)
        case Operation.VOID:
            under_way.end_void(tx, payment.id)
            if done and payment.status is PaymentStatus.AUTHORIZED:
                _end_hold(tx, payment)
        case Operation.REFUND:
            _end_refund(tx, row, payment, done=done)
        case Operation.WITHDRAW | Operation.COMPLETE | Operation.ENROLL | Operation.FORGET:
            pass  # they hold nothing
        case _:
            assert_never(row.attempt.operation)


def _end_capture(tx: Tx, row: AttemptRow, payment: Payment, *, done: bool) -> None:
    if not row.attempt.state.final:  # a late success was let go of before
        under_way.end_capture(tx, payment.id, row.attempt.amount.minor)
    if done and _is_last(tx, row):
        _end_hold(tx, payment)
    elif done and row.final:
        under_way.note_hold_over(tx, payment.id)  # it ends with the last capture under way


def _end_refund(tx: Tx, row: AttemptRow, payment: Payment, *, done: bool) -> None:
    if not row.attempt.state.final:  # a late success was let go of before
        under_way.end_refund(tx, payment.id, row.attempt.amount.minor)
    if not done:
        for credit, minor in refunding.held_by(tx, row.attempt.id):
            lots.release(tx, credit, minor)
        refunding.end_holds(tx, row.attempt.id, "released")


def _end_hold(tx: Tx, payment: Payment) -> None:
    """Release what an authorization did not bring: no more of it will be captured."""
    settle.release(tx, payment, ended=True)
    attempts.end_authorization(tx, payment.id)


def _is_last(tx: Tx, row: AttemptRow) -> bool:
    """Return whether nothing is left to capture after this capture, and no other is under way."""
    now = under_way.of_payment(tx, row.attempt.payment)
    done = row.final or now.collected >= now.authorized
    return done and not now.capturing


# --- Holds ---------------------------------------------------------------------------------


def _follow_hold(tx: Tx, row: AttemptRow, payment: Payment, changes: Changes) -> None:
    """Record what is held or on its way, hold items for it, or void it if it came too late."""
    if changes.authorized is not None:
        under_way.set_authorized(tx, payment.id, changes.authorized.minor)
    if changes.void_late:
        _void_late(tx, row, payment, changes)
    if changes.hold_late:
        settle.hold_again(tx, payment, _on_its_way(payment, changes))
    if row.attempt.operation in _COLLECTS and payment.superseded:
        _take_up_again(tx, row, payment, changes)


def _take_up_again(tx: Tx, row: AttemptRow, payment: Payment, changes: Changes) -> None:
    """
    Hold what is still free of the items of a page that another payment had superseded.

    Money is on its way to the page, so nobody else may pay the items that it can still pay. An
    amount that is only held is voided unless it can pay all of its items.
    """
    if changes.state not in (AttemptState.PENDING, AttemptState.AUTHORIZED):
        return
    missing = settle.hold_again(tx, payment, _on_its_way(payment, changes))
    if changes.state is AttemptState.PENDING:
        alert(tx, payment, "money is on its way on a page that another payment had superseded")
        return
    alert(tx, payment, "an amount is held on a page that another payment had superseded")
    if missing:
        _void_late(tx, row, payment, changes)


def _on_its_way(payment: Payment, changes: Changes) -> int:
    """Return how much may still come: the amount that was seen, if the gateway reports that."""
    rest = payment.amount.minor - payment.received.minor
    return rest if changes.seen is None else min(rest, changes.seen.minor)


def _void_late(tx: Tx, row: AttemptRow, payment: Payment, changes: Changes) -> None:
    """Void an amount that was held after its payment had ended; nobody would capture it."""
    under_way.begin_void(tx, payment.id)
    attempts.insert_following(
        tx,
        row,
        Operation.VOID,
        gateway_key=f"{row.gateway_key}-late",
        about=changes.reference or row.attempt.reference,
    )


# --- Claims ----------------------------------------------------------------------------


def _claims_after(tx: Tx, row: AttemptRow, payment: Payment, changes: Changes) -> list[Claim]:
    """Hold or release the items of *payment* as *changes* require, and return its claims."""
    its_claims = claims.of_payment(tx, payment.id)
    if row.attempt.operation not in _COLLECTS:
        return its_claims
    if changes.seen is not None:
        return _hold_seen(tx, row, payment, its_claims, changes, changes.seen.minor)
    if payment.seen and (changes.tried or changes.state or changes.book):
        payments.set_seen(tx, payment.id, 0)
    if changes.book or changes.state is not None:
        return _move_claims(tx, payment, its_claims, changes)
    return its_claims


def _hold_seen(
    tx: Tx,
    row: AttemptRow,
    payment: Payment,
    its_claims: list[Claim],
    changes: Changes,
    seen: int,
) -> list[Claim]:
    """Hold items for money that was seen on its way and is not certain yet."""
    payments.set_seen(tx, payment.id, seen)
    # A superseded payment gets its items back later; then the hold follows as well.
    follows = not payment.superseded or any(claim.state == "hard" for claim in its_claims)
    if AttemptState.PENDING in (changes.state, row.attempt.state) and follows:
        coming.hold(tx, payment, seen)
        return claims.of_payment(tx, payment.id)
    return its_claims


def _move_claims(
    tx: Tx, payment: Payment, its_claims: list[Claim], changes: Changes
) -> list[Claim]:
    """Make claims hard, soft or released, as the new state of their payment requires."""
    match changes.state:
        case AttemptState.REQUIRES_ACTION:
            claiming.soften(tx, payment.id, its_claims)
        case AttemptState.PENDING | AttemptState.AUTHORIZED | AttemptState.SUCCEEDED:
            if not any(claim.state == "soft" for claim in its_claims):
                return its_claims
            claiming.harden(tx, payment.id, its_claims)
        case (
            AttemptState.DECLINED
            | AttemptState.FAILED
            | AttemptState.CANCELED
            | AttemptState.EXPIRED
        ):
            settle.release(tx, payment, ended=True)
        case _:
            return its_claims
    return claims.of_payment(tx, payment.id)


# --- Movements -----------------------------------------------------------------------------


def _review_unbrought(tx: Tx, row: AttemptRow, payment: Payment, changes: Changes) -> None:
    """Flag a payment that ended without money, but from which money came back."""
    state = changes.state
    status = payment.status if state is None else status_after(tx, row, payment, state)
    if status not in _ENDED:
        if status is not payment.status:
            reviews.end(tx, payment.id, reviews.UNBROUGHT)
        return
    now = under_way.of_payment(tx, payment.id)
    text = f"it ended as {status}, but {now.received} came back that had never been taken"
    if now.received.minor and reviews.raise_(tx, payment.id, reviews.UNBROUGHT):
        emit(tx, "payment.needs_review", payment, reason=text)


def end_conflict(tx: Tx, payment: Payment) -> bool:
    """
    End a conflict about money that has gone back, and return whether there was one.

    Returned money needs no decision, so what the payment held for it is released. An
    authorization of another amount ends with its release.
    """
    moved = receipts.moved(tx, payment.id).values()
    gone = all(came <= went for came, went in moved)
    over = payment.status in _ENDED or bool(moved)
    if not payment.conflicted or not gone or not over:
        return False
    allocation.release(tx, payment.id, claims.of_payment(tx, payment.id))
    payments.clear_conflict(tx, payment.id)
    return True
