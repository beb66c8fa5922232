"""Known: what the ledger knows about a notice, and whether its gateway must be asked first.

A notice names an operation by our reference, by the processor's, or by an address that was paid to.
It may say less than it seems to: only that something happened (a hint), that money goes back before
it is booked (early), or a decline of an earlier try of a page that is paid by now. Then the gateway
is asked before the notice is applied, while no transaction is open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from paygate import logs
from paygate.dialogue import deferred
from paygate.domain.attempt import AttemptState
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import Approved, Declined, Ended, Rejected
from paygate.ledger import attempts, payments, receipts
from paygate.service import door, inquire, keeping, quotes, unasked
from paygate.service.asking import ask
from paygate.service.flow import look
from paygate.service.inquire import InquiryCase

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from paygate.domain.movement import Movement
    from paygate.domain.outcome import Answer
    from paygate.domain.payment import Payment
    from paygate.gateway import Inquiry, LooksUp, Notice
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount
    from paygate.service.flow import Flow

_GIVES_BACK = (MovementKind.REFUND_FAILED, MovementKind.CHARGEBACK_WON)
_COMES = (MovementKind.CHARGE, MovementKind.CAPTURE)


@dataclass(frozen=True, slots=True)
class KnownOperation:
    """The operation that a notice is about, as far as the ledger knows it.

    `early` means that the notice takes back money that is not booked yet. `change` is the id of an
    attempt that stores or deletes a method, without a payment. `booked` are the movements of the
    notice that are booked, and `share` is the part of the notice about this payment. `ambiguous`
    means that several payments have the reference that the notice gives.
    """

    case: InquiryCase | None = None
    payment: Payment | None = None
    early: bool = False
    change: str = ""
    booked: frozenset[tuple[MovementKind, str]] = frozenset()
    share: unasked.NoticeShare | None = None
    ambiguous: bool = False


def known_of(account: str, notice: Notice, heard_at: datetime) -> Callable[[Tx], KnownOperation]:
    """Return the work that finds the operation of *notice*."""

    def work(tx: Tx) -> KnownOperation:
        if notice.address_index is None:
            row = attempts.named(
                tx, account, our_ref=notice.our_ref, reference=notice.reference
            ) or attempts.named(tx, account, our_ref="", reference=notice.earlier_reference)
            named, row = row, unasked.attempt_of(tx, account, notice, row)
            ambiguous = row is None and unasked.is_ambiguous(tx, account, notice, named)
        else:
            row, ambiguous = quotes.attempt_at(tx, account, notice, heard_at), False
        if row is not None and not row.attempt.payment:
            return KnownOperation(case=InquiryCase(row, None, tx.now), change=row.attempt.id)
        payment = None if row is None else payments.by_id(tx, row.attempt.payment)
        share = unasked.share_of(tx, account, notice, row)
        if row is None or payment is None:
            return KnownOperation(share=share, ambiguous=ambiguous)
        stated = besides_answer(share.notice)
        taken = {each.movement_id for each in stated if each.kind not in _GIVES_BACK}
        early = any(
            _early(tx, payment, each)
            for each in stated
            if each.kind not in _GIVES_BACK or each.undoes not in taken
        )
        booked = receipts.booked(tx, account, stated)
        names = {name for name, each in booked.items() if each.payment == payment.id}
        case = InquiryCase(row, None, tx.now)
        return KnownOperation(case, payment, early, booked=frozenset(names), share=share)

    return work


def is_hint(notice: Notice) -> bool:
    """Return whether *notice* says only that something happened."""
    stated = notice.answer is not None or notice.movements or notice.disputes
    return not stated and not notice.ready and notice.method is None


def contradicts(notice: Notice, known: KnownOperation) -> bool:
    """
    Return whether an end that is reported may be older than money that came or is on its way.

    A page stays payable after a declined try, money may be on its way after the end, and callbacks
    overtake each other, so such an end is only a hint.
    """
    if not isinstance(notice.answer, Declined | Rejected | Ended) or known.case is None:
        return False
    if notice.address_index is not None:
        return False  # a feed of addresses reports in order, and there is nobody else to ask
    row = known.case.row
    if row.late_pending:
        return True
    if row.attempt.state is AttemptState.PENDING:
        return row.action is not None
    tried = not isinstance(notice.answer, Ended)
    return tried and row.attempt.state in (AttemptState.AUTHORIZED, AttemptState.SUCCEEDED)


def besides_answer(notice: Notice) -> list[Movement]:
    """Return the movements that are not part of the answer."""
    answered = notice.answer.movements if isinstance(notice.answer, Approved) else ()
    return [movement for movement in notice.movements if movement not in answered]


def _early(tx: Tx, payment: Payment, movement: Movement) -> bool:
    """Return whether *movement* takes back money that is not booked yet."""
    if movement.kind in _COMES:
        return False
    if movement.amount.currency != payment.amount.currency:
        # A quoted payment: its worth is that of the movement it undoes.
        return movement.undoes is not None and not _is_named(tx, payment, movement.undoes)
    there = payment.received - payment.returned
    if movement.kind in _GIVES_BACK:
        there = payment.returned
    if there >= movement.amount:
        return False
    if movement.undoes is not None and _is_named(tx, payment, movement.undoes):
        return False
    return not receipts.booked(tx, payment.account, [movement])


def _is_named(tx: Tx, payment: Payment, movement_id: str) -> bool:
    return receipts.is_named(tx, payment.account, payment.id, movement_id)


def is_booked(movement: Movement, known: KnownOperation) -> bool:
    """Return whether *movement* of the notice is booked."""
    return (movement.kind, movement.movement_id) in known.booked


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """An inquiry to make before a notice is applied."""

    gateway: LooksUp
    inquiry: Inquiry
    row: AttemptRow


def question_about(
    notice: Notice, known: KnownOperation, account: GatewayAccount
) -> OpenQuestion | None:
    """Return the inquiry to make before applying *notice*; None if none is needed or possible."""
    wanted = is_hint(notice) or known.early or contradicts(notice, known)
    if known.case is not None and known.payment is not None:
        # The inbox does not keep the token of the method to be stored.
        wanted = wanted or keeping.to_be_kept(known.case.row, known.payment)
    if known.change:
        wanted = notice.answer is None
    if known.case is None or not wanted:
        return None
    inquiry = inquire.inquiry_about(known.case.row)
    if inquiry.reference in ("", notice.earlier_reference):
        inquiry = replace(inquiry, reference=notice.reference)
    gateway = account.looks_up(inquiry.reference, inquiry.parent_reference)
    return None if gateway is None else OpenQuestion(gateway, inquiry, known.case.row)


def find_out(question: OpenQuestion | None, account: GatewayAccount) -> Flow[Answer | None]:
    """Ask the gateway, if there is a question, and return its answer."""
    if question is None:
        return None
    books = yield from look(lambda tx: inquire.books_of(tx, question.row))
    inquiry = replace(question.inquiry, booked=books.names, collected=books.collected)
    look_up = partial(question.gateway.look_up, inquiry)
    through = door.finding(account, inquiry.operation)
    about = logs.About(
        account=account.name,
        payment=inquiry.payment,
        attempt=inquiry.our_ref,
        operation=inquiry.operation.value,
    )
    return (
        yield from ask(
            account.name, deferred(look_up), what=inquire.LOOK_UP, door=through, about=about
        )
    )
