"""Unasked money: payments to a payer's number, without an attempt of ours.

A customer may pay on their own initiative: to a virtual account, with a customer reference at a
kiosk, to a permanent address. Nothing of ours requested that money, and money that arrives is never
refused. So it becomes a payment, with an attempt that is never sent; everything that may follow (a
return, a settlement, a refund) is then like that of any other payment.

The number identifies the customer. If a customer has it, the money pays their oldest invoices or
becomes credit, as `PayerNumber.pays` says. If no customer has it, the money is booked without a
customer, and the payment is flagged until somebody assigns it.

A movement is booked once, by the processor's id of it, however often it is reported and whatever
has happened to it since. A processor may use one reference for all money of a number, so the
reference alone does not say which payment went back: the undone movement does. If neither the
movement nor the undone one is known, and several payments have the reference, it is flagged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from paygate.domain.decide import Source
from paygate.domain.kind import Operation
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import ActionRequired, Approved, Moved
from paygate.domain.payer_number import Pays
from paygate.domain.payment import PaymentStatus
from paygate.domain.text import spelled_alike
from paygate.errors import InvalidValue, PayerNumberTaken, RecordNotFound
from paygate.gateway import digest_key
from paygate.ledger import (
    addresses,
    attempts,
    claims,
    customers,
    holding,
    items,
    keys,
    outbox,
    payer_numbers,
    payments,
    receipts,
    reviews,
    under_way,
)
from paygate.ledger.claims import Claim
from paygate.ledger.paging import Page
from paygate.printing import shown
from paygate.service import claiming, events, merge
from paygate.service.flow import Flow, transact
from paygate.service.reading import AnswerSource

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paygate.domain.customer import Customer
    from paygate.domain.kind import Kind
    from paygate.domain.money import Money
    from paygate.domain.movement import Movement
    from paygate.domain.payer_number import PayerNumber
    from paygate.domain.payment import Payment
    from paygate.gateway import Notice
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount, Timing

_COMES = (MovementKind.CHARGE, MovementKind.CAPTURE)
_SENT_BACK = (MovementKind.REFUND, MovementKind.VOID)
_PAGE = 100


# --- Money ----------------------------------------------------------------------------------


def movements_of(notice: Notice) -> tuple[Movement, ...]:
    """Return all movements of *notice*, each once."""
    answered = notice.answer.movements if isinstance(notice.answer, Approved) else ()
    return (*answered, *(each for each in notice.movements if each not in answered))


def money_of(notice: Notice) -> Movement | None:
    """Return the movement of *notice* that brought money for a payer's number."""
    if not notice.payer_number:
        return None
    return next((each for each in movements_of(notice) if each.kind in _COMES), None)


def attempt_of(tx: Tx, account: str, notice: Notice, named: AttemptRow | None) -> AttemptRow | None:
    """
    Return the attempt of *notice*; None if its money is new, or its attempt cannot be determined.

    *named* is the attempt whose reference the notice has. For a payment that we requested, it is
    the one; for unasked money, the movement decides, and the movement that it undoes.
    """
    if named is not None and not _is_unasked(tx, named):
        return named
    booked = _booked(tx, account, _own(notice))
    if booked is not None:
        same = named is not None and named.attempt.payment == booked.attempt.payment
        return named if same else _unless_ours(tx, notice, booked)
    if money_of(notice) is not None or is_ambiguous(tx, account, notice, named):
        return None
    return named


def _unless_ours(tx: Tx, notice: Notice, found: AttemptRow) -> AttemptRow | None:
    """Return *found*; None if *notice* may be about our refund that has no reference yet."""
    if not any(each.kind in _SENT_BACK for each in movements_of(notice)):
        return found
    now = under_way.of_payment(tx, found.attempt.payment)
    return None if now.refunding or now.voiding else found


def is_ambiguous(tx: Tx, account: str, notice: Notice, named: AttemptRow | None) -> bool:
    """Return whether *notice* reports movements under a reference of several payments."""
    moved = movements_of(notice) or notice.disputes
    if named is None or not moved or money_of(notice) is not None or not _is_unasked(tx, named):
        return False
    name, payment = named.attempt.reference, named.attempt.payment
    return attempts.is_name_shared(tx, account, reference=name, payment=payment) and (
        _booked(tx, account, _own(notice)) is None
    )


def _own(notice: Notice) -> list[Movement]:
    """Return the movements of *notice*, inward ones first: they are its subject."""
    return sorted(movements_of(notice), key=lambda each: each.kind not in _COMES)


def _booked(tx: Tx, account: str, movements: Iterable[Movement]) -> AttemptRow | None:
    """Return the attempt, for a payer's number, of the first booked one of *movements*."""
    for movement in movements:
        found = addresses.attempt_of_booked(tx, account, [movement])
        if found is not None and _is_for_number(tx, found):
            return found
        if movement.kind in _COMES:
            return None  # it is new, so it does not belong to the payment of the others
    return None


def _is_unasked(tx: Tx, row: AttemptRow) -> bool:
    """Return whether *row* is unasked money, not a request of ours such as its refund."""
    return row.attempt.operation is Operation.CHARGE and _is_for_number(tx, row)


def _is_for_number(tx: Tx, row: AttemptRow) -> bool:
    return bool(row.attempt.payment) and payments.is_unsolicited(tx, row.attempt.payment)


@dataclass(frozen=True, slots=True)
class NoticeShare:
    """
    The part of a notice about one attempt.

    `others` are movements of other money for a payer's number, each with its attempt. `twice` are
    movements that are booked as another kind; *notice* has them with the booked kind.
    """

    notice: Notice
    others: tuple[tuple[str, Movement], ...] = ()
    twice: tuple[tuple[Movement, MovementKind], ...] = ()


def share_of(tx: Tx, account: str, notice: Notice, row: AttemptRow | None) -> NoticeShare:
    """Return the part of *notice* about *row*, or about new money for a payer's number."""
    if money_of(notice) is None if row is None else not _is_unasked(tx, row):
        return NoticeShare(notice)
    here = "" if row is None else row.attempt.payment
    others: list[tuple[str, Movement]] = []
    twice: list[tuple[Movement, MovementKind]] = []
    for each in movements_of(notice):
        if each.kind in _COMES:
            booked_as = _kind_booked(tx, account, each)
            twice += [(each, booked_as)] if booked_as is not None else []
        elif (found := _booked(tx, account, [each])) is not None and found.attempt.payment != here:
            others.append((found.attempt.id, each))
    gone = [movement for _, movement in others]
    kinds = dict(twice)

    def kept(movements: Iterable[Movement]) -> tuple[Movement, ...]:
        return tuple(
            replace(each, kind=kinds.get(each, each.kind)) for each in movements if each not in gone
        )

    answer = notice.answer
    if isinstance(answer, Approved):
        answer = replace(answer, movements=kept(answer.movements))
    own = replace(notice, answer=answer, movements=kept(notice.movements))
    return NoticeShare(own, tuple(others), tuple(twice))


def _kind_booked(tx: Tx, account: str, movement: Movement) -> MovementKind | None:
    """Return the inward kind as which *movement* is booked, if it is not its own."""
    alike = [replace(movement, kind=kind) for kind in _COMES]
    booked = receipts.booked(tx, account, alike)
    if not booked or (movement.kind, movement.movement_id) in booked:
        return None
    [(kind, _)] = booked
    return kind


def follow_up(
    tx: Tx, account: GatewayAccount, share: NoticeShare, payment: Payment, timing: Timing
) -> None:
    """Merge movements of other money, and flag *payment* if the notice contradicts the books."""
    for attempt, movement in share.others:
        merge.merge_in(tx, attempt, Moved(movements=(movement,)), _reading(account, timing))
    for movement, kind in share.twice:
        cause = f"twice:{kind}:{movement.movement_id}"
        if reviews.stood(tx, payment.id, cause) or not reviews.raise_(tx, payment.id, cause):
            continue
        text = (
            f"movement {movement.movement_id} is booked as {kind}, but is now reported as "
            f"{movement.kind}"
        )
        events.alert(tx, payment, text)
        events.emit(tx, "payment.needs_review", payment, reason=text)


def _reading(account: GatewayAccount, timing: Timing) -> AnswerSource:
    return AnswerSource(source=Source.CALLBACK, can_inquire=account.can_be_asked, timing=timing)


def book(
    tx: Tx, account: GatewayAccount, notice: Notice, movement: Movement, timing: Timing
) -> Payment:
    """
    Book money for a payer's number as a new payment, in this transaction.

    Other movements in *notice*, such as its return, are booked too.
    """
    paid_to = spelled_alike(notice.payer_number)
    number = payer_numbers.find(tx, account.name, paid_to)
    id_, key = tx.new_id("pay"), _key_of(account, movement)
    _hold_new(tx, id_, number)
    before = keys.take(tx, "unasked", key, keys.fingerprint(movement=movement.movement_id), id_)
    if before is not None:
        return _reported_twice(tx, account, before, movement)
    payment = _open(tx, account, notice, id_, movement.amount, number)
    if number is not None and number.pays is Pays.OLDEST_DUE:
        claims.insert(tx, id_, _oldest_due(tx, payment))
    attempt = _attempt(tx, account, payment, key, timing)
    events.emit(tx, "payment.unasked", payment, payer_number=paid_to)
    # The address does not identify this money: more may come to it, also for requested payments.
    name = notice.reference if notice.address_index is None else ""
    answer = Approved(
        reference=name or movement.movement_id,
        movements=tuple(_own(notice)),
        disputes=notice.disputes,
    )
    return merge.merge_in(tx, attempt, answer, _reading(account, timing))


def reserve(
    tx: Tx, account: GatewayAccount, notice: Notice, amount: Money, timing: Timing
) -> Payment:
    """
    Open a payment for money that a network reserves for a payer's number, in this transaction.

    The network reports the money later under the same reference. Until then the payment waits for
    the payer, as a slip does: its claims hold nothing of the invoices.
    """
    number = payer_numbers.find(tx, account.name, spelled_alike(notice.payer_number))
    id_, key = tx.new_id("pay"), digest_key(account.name, "reserved", notice.reference)
    _hold_new(tx, id_, number)
    taken = keys.take(tx, "unasked", key, keys.fingerprint(reserved=notice.reference), id_)
    assert taken is None, "the attempt of a reservation is found by its reference"
    payment = _open(tx, account, notice, id_, amount, number)
    attempt = _attempt(tx, account, payment, key, timing)
    answer = notice.answer
    assert isinstance(answer, ActionRequired), "the door has checked it"
    reserved = replace(answer, reference=notice.reference)
    merge.merge_in(tx, attempt, reserved, _reading(account, timing))
    # Only now, since a new page supersedes all that are open, and so would supersede itself.
    if number is not None and number.pays is Pays.OLDEST_DUE:
        found = _oldest_due(tx, payment)
        claims.insert(tx, id_, [replace(each, state="soft") for each in found])
    tx.known.clear()
    opened = payments.by_id(tx, id_)
    assert opened is not None, "it was just opened"
    return opened


def _hold_new(tx: Tx, id_: str, number: PayerNumber | None) -> None:
    """Take the locks that a new payment *id_* for *number* needs."""
    if number is not None:
        holding.hold(tx, customers=(number.customer,))
    else:
        holding.own_payment(tx, id_)


def _open(
    tx: Tx,
    account: GatewayAccount,
    notice: Notice,
    id_: str,
    amount: Money,
    number: PayerNumber | None,
) -> Payment:
    """Insert the payment *id_* to a payer's number, without claims."""
    customer = "" if number is None else number.customer
    kind = kind_of(account, notice)
    return payments.insert(
        tx,
        id_=id_,
        customer=customer,
        payer=customer,
        account=account.name,
        kind=kind,
        amount=amount,
        status=PaymentStatus.PROCESSING,
        credit_on=account.credit_on[kind],
        settles_within=account.settles_within.get(kind),
        refundable_after=account.refundable_after[kind],
        payer_number=spelled_alike(notice.payer_number),
    )


def _key_of(account: GatewayAccount, movement: Movement) -> str:
    """Return a key that is the same for every name under which the host has the account."""
    traits = account.traits
    whose = [traits.merchant_account, str(traits.live)] if traits.merchant_account else []
    owner = [account.gateway.name, *whose] if whose else [account.name]
    return digest_key(*owner, movement.kind, movement.movement_id)


def _reported_twice(tx: Tx, account: GatewayAccount, which: str, movement: Movement) -> Payment:
    """Flag a payment whose money a second account reports, and book nothing."""
    # If one account reports it twice at once, this unit is run again and finds the payment.
    holding.hold_payment(tx, which)
    payment = payments.by_id(tx, which)
    assert payment is not None, "payments are never deleted"
    cause = f"other-account:{account.name}"
    if not reviews.stood(tx, which, cause) and reviews.raise_(tx, which, cause):
        text = (
            f"movement {movement.movement_id} is booked through account {payment.account!r}, but "
            f"account {account.name!r} reports it as well: both are the same account of the "
            "processor; keep only one of them"
        )
        events.alert(tx, payment, text)
        events.emit(tx, "payment.needs_review", payment, reason=text)
    return payments.by_id(tx, which) or payment


def kind_of(account: GatewayAccount, notice: Notice) -> Kind:
    """Return the kind of money for a payer's number; the door has checked it."""
    [*kinds] = account.traits.rails
    return kinds[0] if notice.kind is None else notice.kind


def _attempt(tx: Tx, account: GatewayAccount, payment: Payment, key: str, timing: Timing) -> str:
    traits = account.traits
    attempt = tx.new_id("att")
    attempts.insert(
        tx,
        id_=attempt,
        payment=payment.id,
        operation=Operation.CHARGE,
        account=account.name,
        kind=payment.kind,
        driver=account.gateway.name,
        driver_version=traits.driver_version,
        livemode=traits.live,
        merchant_account=traits.merchant_account,
        gateway_key=key,
        amount=payment.amount,
        lease=tx.lease(timing.lease),
        sends=0,
        offers=account.offered(payment.kind),
        reported=True,
    )
    return attempt


def _oldest_due(tx: Tx, payment: Payment) -> list[Claim]:
    """Return claims on what is open and not held, oldest due date first."""
    made: list[Claim] = []
    left, after = payment.amount.minor, ""
    while left:
        found = items.owed_page(
            tx, Page(after=after, limit=_PAGE, oldest_first=True), customer=payment.customer
        )
        for invoice in found:
            room = invoice.open.minor - invoice.claimed.minor
            take = min(left, room)
            if take <= 0 or invoice.total.currency != payment.amount.currency:
                continue
            for page in claims.soft_on(tx, invoice.id):
                claiming.supersede(tx, page)
            made.append(Claim(len(made), invoice.id, take, None, "released"))
            left -= take
        if len(found) < _PAGE:
            break
        after = found[-1].id
    return made


# --- Numbers --------------------------------------------------------------------------------


def assign(customer: Customer | str, number: str, *, account: str, pays: Pays) -> Flow[PayerNumber]:
    """Assign a payer's number to a customer; the same again returns the existing assignment."""
    return (yield from transact(lambda tx: assign_in(tx, customer, number, account, pays)))


def assign_in(
    tx: Tx, customer: Customer | str, number: str, account: str, pays: Pays
) -> PayerNumber:
    """Assign a payer's number to a customer in this transaction."""
    whose = customers.save(tx, customer)
    found = payer_numbers.find(tx, account, number)
    if found is not None and (found.customer, found.pays) == (whose, pays):
        return found
    if found is not None:
        has = f"customer {found.customer} (it pays {found.pays})"
        raise PayerNumberTaken(
            f"payer number {shown(number)} at account {account!r} belongs to {has}; "
            "release_payer_number ends that",
            number=number,
            account=account,
            customer=found.customer,
        )
    made = payer_numbers.insert(tx, account=account, number=number, customer=whose, pays=pays)
    _emit(tx, "payer_number.assigned", made)
    return made


def release(number: str, *, account: str, reason: str) -> Flow[PayerNumber]:
    """Release a payer's number; money that comes for it later is flagged for review."""
    return (yield from transact(lambda tx: release_in(tx, number, account, reason)))


def release_in(tx: Tx, number: str, account: str, reason: str) -> PayerNumber:
    """Release a payer's number in this transaction."""
    if not reason.strip():
        raise InvalidValue(
            "give the reason to release it: reason='the bank gave it to another customer'",
            argument="reason",
        )
    found = payer_numbers.find(tx, account, number)
    if found is None:
        raise RecordNotFound(
            f"no customer has payer number {shown(number)} at account {account!r}", number=number
        )
    holding.hold(tx, customers=(found.customer,))
    payer_numbers.release(tx, found.id, reason)
    ended = payer_numbers.by_id(tx, found.id)
    assert ended is not None, "numbers are never deleted"
    _emit(tx, "payer_number.released", ended, reason=reason)
    return ended


def _emit(tx: Tx, type_: str, number: PayerNumber, **more: object) -> None:
    facts: dict[str, object] = {
        "customer": number.customer,
        "account": number.account,
        "number": number.number,
        "pays": number.pays.value,
    }
    outbox.emit(tx, type_, f"customer:{number.customer}", facts | more)
