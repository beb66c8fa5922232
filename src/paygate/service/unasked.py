"""Unasked: money for a payer's number, without an attempt of ours.

A customer may pay by themselves: to a virtual account, with a customer reference at a kiosk, to
an address that stays theirs. Nothing of ours asked for that money, and money that arrives is never
refused. So it becomes a payment of its own, with an attempt that was never to be sent; then
everything that may follow (a return, a settlement, a refund) is that of any other payment.

Whose it is, the number says. If a customer has it, the money pays their oldest invoices or is
credit, as `PayerNumber.pays` says. If nobody has it, the money is booked to no customer and waits
for a person, who assigns it.

A movement is booked once, by the processor's id of it, however often it is reported and whatever
became of it since. A processor may call all money for a number by one name, so the name alone
does not say which of it went back: what is undone does. If neither the movement nor what it undoes
is known, and several payments have the name, a person must find out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from paygate.domain.decide import Source
from paygate.domain.kind import Operation
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import Approved, Moved
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
from paygate.service import claiming, merge, telling
from paygate.service.flow import Flow, transact
from paygate.service.reading import AnswerSource

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paygate.domain.customer import Customer
    from paygate.domain.kind import Kind
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
    """Return all that *notice* says has moved, each movement once."""
    answered = notice.answer.movements if isinstance(notice.answer, Approved) else ()
    return (*answered, *(each for each in notice.movements if each not in answered))


def money_of(notice: Notice) -> Movement | None:
    """Return the money that *notice* says has come for a payer's number."""
    if not notice.payer_number:
        return None
    return next((each for each in movements_of(notice) if each.kind in _COMES), None)


def attempt_of(tx: Tx, account: str, notice: Notice, named: AttemptRow | None) -> AttemptRow | None:
    """
    Return the attempt that *notice* belongs to; None if its money is new, or nothing says whose.

    *named* is the one that it names. That of a payment of ours counts; of money that came by
    itself the movement counts, and what that undoes.
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
    """Return *found*; None if *notice* may be about a refund of ours that has no name yet."""
    if not any(each.kind in _SENT_BACK for each in movements_of(notice)):
        return found
    now = under_way.of_payment(tx, found.attempt.payment)
    return None if now.refunding or now.voiding else found


def is_ambiguous(tx: Tx, account: str, notice: Notice, named: AttemptRow | None) -> bool:
    """Return whether *notice* tells that money moved, under a name that several payments have."""
    moved = movements_of(notice) or notice.disputes
    if named is None or not moved or money_of(notice) is not None or not _is_unasked(tx, named):
        return False
    name, payment = named.attempt.reference, named.attempt.payment
    return attempts.is_name_shared(tx, account, reference=name, payment=payment) and (
        _booked(tx, account, _own(notice)) is None
    )


def _own(notice: Notice) -> list[Movement]:
    """Return the movements of *notice*, what comes first: it is what the notice is about."""
    return sorted(movements_of(notice), key=lambda each: each.kind not in _COMES)


def _booked(tx: Tx, account: str, movements: Iterable[Movement]) -> AttemptRow | None:
    """Return the attempt of money for a payer's number that the first of *movements* is about."""
    for movement in movements:
        found = addresses.attempt_of_booked(tx, account, [movement])
        if found is not None and _is_for_number(tx, found):
            return found
        if movement.kind in _COMES:
            return None  # it is new, and so is not of the payment of which the rest is
    return None


def _is_unasked(tx: Tx, row: AttemptRow) -> bool:
    """Return whether *row* is no request of ours, as a refund of such money would be."""
    return row.attempt.operation is Operation.CHARGE and _is_for_number(tx, row)


def _is_for_number(tx: Tx, row: AttemptRow) -> bool:
    return bool(row.attempt.payment) and payments.is_unsolicited(tx, row.attempt.payment)


@dataclass(frozen=True, slots=True)
class NoticeShare:
    """
    What of a notice is about one attempt.

    `others` are movements of other money for a payer's number, each with its attempt, and
    `twice` those that are booked as another kind: in the notice they are of that kind.
    """

    notice: Notice
    others: tuple[tuple[str, Movement], ...] = ()
    twice: tuple[tuple[Movement, MovementKind], ...] = ()


def share_of(tx: Tx, account: str, notice: Notice, row: AttemptRow | None) -> NoticeShare:
    """Return what of *notice* is about *row*, or about new money for a payer's number."""
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
    """Return as what kind of money that comes *movement* is booked, if that is another."""
    alike = [replace(movement, kind=kind) for kind in _COMES]
    booked = receipts.booked(tx, account, alike)
    if not booked or (movement.kind, movement.movement_id) in booked:
        return None
    [(kind, _)] = booked
    return kind


def follow_up(
    tx: Tx, account: GatewayAccount, share: NoticeShare, payment: Payment, timing: Timing
) -> None:
    """Merge what a notice told of other money, and flag *payment* if it contradicts the books."""
    for attempt, movement in share.others:
        merge.merge_in(tx, attempt, Moved(movements=(movement,)), _reading(account, timing))
    for movement, kind in share.twice:
        cause = f"twice:{kind}:{movement.movement_id}"
        if reviews.stood(tx, payment.id, cause) or not reviews.raise_(tx, payment.id, cause):
            continue
        text = (
            f"movement {movement.movement_id} is booked as {kind}, and is now told as "
            f"{movement.kind}"
        )
        telling.alert(tx, payment, text)
        telling.emit(tx, "payment.needs_review", payment, reason=text)


def _reading(account: GatewayAccount, timing: Timing) -> AnswerSource:
    return AnswerSource(source=Source.CALLBACK, can_inquire=account.can_be_asked, timing=timing)


def book(
    tx: Tx, account: GatewayAccount, notice: Notice, movement: Movement, timing: Timing
) -> Payment:
    """
    Book money for a payer's number as a payment of its own, in this transaction.

    What *notice* tells along with it, such as that it went back, is booked with it.
    """
    paid_to = spelled_alike(notice.payer_number)
    number = payer_numbers.find(tx, account.name, paid_to)
    customer = "" if number is None else number.customer
    kind = kind_of(account, notice)
    id_, key = tx.new_id("pay"), _key_of(account, movement)
    before = keys.take(tx, "unasked", key, keys.fingerprint(movement=movement.movement_id), id_)
    if before is not None:
        return _told_by_another(tx, account, before, movement)
    payment = payments.insert(
        tx,
        id_=id_,
        customer=customer,
        payer=customer,
        account=account.name,
        kind=kind,
        amount=movement.amount,
        status=PaymentStatus.PROCESSING,
        credit_on=account.credit_on[kind],
        settles_within=account.settles_within.get(kind),
        refundable_after=account.refundable_after[kind],
        payer_number=paid_to,
    )
    if number is not None and number.pays is Pays.OLDEST_DUE:
        claims.insert(tx, id_, _oldest_due(tx, payment))
    attempt = _attempt(tx, account, payment, key, timing)
    telling.emit(tx, "payment.unasked", payment, payer_number=paid_to)
    # An address does not name this money: more may come to it, and payers may be asked to pay it.
    name = notice.reference if notice.address_index is None else ""
    answer = Approved(
        reference=name or movement.movement_id,
        movements=tuple(_own(notice)),
        disputes=notice.disputes,
    )
    return merge.merge_in(tx, attempt, answer, _reading(account, timing))


def _key_of(account: GatewayAccount, movement: Movement) -> str:
    """Return a key that is the same under each name that a host gives to one processor account."""
    traits = account.traits
    whose = [traits.merchant_account, str(traits.live)] if traits.merchant_account else []
    owner = [account.gateway.name, *whose] if whose else [account.name]
    return digest_key(*owner, movement.kind, movement.movement_id)


def _told_by_another(tx: Tx, account: GatewayAccount, which: str, movement: Movement) -> Payment:
    """Flag a payment of which the money is reported by a second account, and book nothing."""
    payment = payments.by_id(tx, which)
    assert payment is not None, "payments are never deleted"
    cause = f"told-by:{account.name}"
    if not reviews.stood(tx, which, cause) and reviews.raise_(tx, which, cause):
        text = (
            f"movement {movement.movement_id} is booked through account {payment.account!r}, and "
            f"account {account.name!r} reports it as well: they are one account of the "
            "processor; keep one of them"
        )
        telling.alert(tx, payment, text)
        telling.emit(tx, "payment.needs_review", payment, reason=text)
    return payments.by_id(tx, which) or payment


def kind_of(account: GatewayAccount, notice: Notice) -> Kind:
    """Return the kind of money for a payer's number; the door let no other notice in."""
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
        offers=account.offered(traits.rails[payment.kind]),
        reported=True,
    )
    return attempt


def _oldest_due(tx: Tx, payment: Payment) -> list[Claim]:
    """Return what the money is for: what is open and not held, the oldest due date first."""
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
    """Say whose a payer's number is; the same again returns what is there."""
    return (yield from transact(lambda tx: assign_in(tx, customer, number, account, pays)))


def assign_in(
    tx: Tx, customer: Customer | str, number: str, account: str, pays: Pays
) -> PayerNumber:
    """Say whose a payer's number is, in this transaction."""
    whose = customers.save(tx, customer)
    found = payer_numbers.find(tx, account, number)
    if found is not None and (found.customer, found.pays) == (whose, pays):
        return found
    if found is not None:
        has = f"customer {found.customer} (it pays {found.pays})"
        raise PayerNumberTaken(
            f"payer number {shown(number)} at account {account!r} is that of {has}; "
            "release_payer_number ends that",
            number=number,
            account=account,
            customer=found.customer,
        )
    made = payer_numbers.insert(tx, account=account, number=number, customer=whose, pays=pays)
    _tell(tx, "payer_number.assigned", made)
    return made


def release(number: str, *, account: str, reason: str) -> Flow[PayerNumber]:
    """End that a payer's number is somebody's; money for it waits for a person from then on."""
    return (yield from transact(lambda tx: release_in(tx, number, account, reason)))


def release_in(tx: Tx, number: str, account: str, reason: str) -> PayerNumber:
    """End that a payer's number is somebody's, in this transaction."""
    if not reason.strip():
        raise InvalidValue(
            "say why it is released: reason='the bank gave it to another customer'",
            argument="reason",
        )
    found = payer_numbers.find(tx, account, number)
    if found is None:
        raise RecordNotFound(
            f"nobody has payer number {shown(number)} at account {account!r}", number=number
        )
    payer_numbers.release(tx, found.id, reason)
    ended = payer_numbers.by_id(tx, found.id)
    assert ended is not None, "numbers are never deleted"
    _tell(tx, "payer_number.released", ended, reason=reason)
    return ended


def _tell(tx: Tx, type_: str, number: PayerNumber, **more: object) -> None:
    facts: dict[str, object] = {
        "customer": number.customer,
        "account": number.account,
        "number": number.number,
        "pays": number.pays.value,
    }
    outbox.emit(tx, type_, f"customer:{number.customer}", facts | more)
