"""Unasked: money for a payer's number, without an attempt of ours.

A customer may pay by themselves: to a virtual account, with a customer reference at a kiosk, to
an address that stays theirs. Nothing of ours asked for that money, and money that arrives is never
refused. So it becomes a payment of its own, with an attempt that was never to be sent; then
everything that may follow (a return, a settlement, a refund) is that of any other payment.

Whose it is, the number says. If a customer has it, the money pays their oldest invoices or is
credit, as `PayerNumber.pays` says. If nobody has it, the money is booked to no customer and waits
for a person, who assigns it.

A movement is booked once, by the processor's id of it, however often it is reported and whatever
became of it since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.decide import Source
from paygate.domain.outcome import Approved, MovementKind
from paygate.domain.payer_number import Pays
from paygate.domain.payment import Operation, PaymentStatus
from paygate.domain.text import shown, spelled_alike
from paygate.errors import InvalidValue, NotFoundError, PayerNumberTaken
from paygate.gateway import digest_key
from paygate.ledger import customers, items, keys, outbox, payer_numbers, payments, places
from paygate.ledger.paging import Page
from paygate.ledger.payments import Claim
from paygate.service import issue, merge, telling
from paygate.service.flow import Flow, transact

if TYPE_CHECKING:
    from paygate.domain.customer import Customer
    from paygate.domain.method import Kind
    from paygate.domain.outcome import Movement
    from paygate.domain.payer_number import PayerNumber
    from paygate.domain.payment import Payment
    from paygate.gateway import Notice
    from paygate.ledger.payments import AttemptRow
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount, Timing

_COMES = (MovementKind.CHARGE, MovementKind.CAPTURE)
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
    Return the attempt that *notice* about a payer's number belongs to; None if its money is new.

    *named* is the one that it names. That of a payment of ours counts. A processor may call all
    money for a number by one name, so of money that came by itself the movement counts.
    """
    if named is not None and not _is_unasked(tx, named):
        return named
    booked = places.attempt_of_booked(tx, account, movements_of(notice))
    if booked is not None:
        return booked
    return named if money_of(notice) is None else None


def _is_unasked(tx: Tx, row: AttemptRow) -> bool:
    payment = payments.by_id(tx, row.attempt.payment) if row.attempt.payment else None
    return payment is not None and bool(payment.payer_number)


def book(
    tx: Tx, account: GatewayAccount, notice: Notice, movement: Movement, timing: Timing
) -> Payment:
    """Book money for a payer's number as a payment of its own, in this transaction."""
    paid_to = spelled_alike(notice.payer_number)
    number = payer_numbers.find(tx, account.name, paid_to)
    customer = "" if number is None else number.customer
    kind = kind_of(account, notice)
    id_, key = tx.new_id("pay"), digest_key(account.name, movement.kind, movement.movement_id)
    before = keys.take(tx, "unasked", key, keys.fingerprint(movement=movement.movement_id), id_)
    assert before is None, "a movement that has its key has its receipt, and is not new"
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
        payments.insert_claims(tx, id_, _oldest_due(tx, payment))
    attempt = _attempt(tx, account, payment, key, timing)
    telling.emit(tx, "payment.unasked", payment, payer_number=paid_to)
    reading = merge.Reading(source=Source.CALLBACK, can_inquire=account.can_be_asked, timing=timing)
    # A place is no name of this money: more may come to it, and a payer may be asked to pay there.
    name = notice.reference if notice.place is None else ""
    answer = Approved(
        reference=name or movement.movement_id,
        movements=(movement,),
        disputes=notice.disputes,
    )
    return merge.merge_in(tx, attempt, answer, reading)


def kind_of(account: GatewayAccount, notice: Notice) -> Kind:
    """Return the kind of money for a payer's number; the door let no other notice in."""
    [*kinds] = account.traits.rails
    return kinds[0] if notice.kind is None else notice.kind


def _attempt(tx: Tx, account: GatewayAccount, payment: Payment, key: str, timing: Timing) -> str:
    traits = account.traits
    attempt = tx.new_id("att")
    payments.insert_attempt(
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
    claims: list[Claim] = []
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
            for page in payments.soft_on(tx, invoice.id):
                issue.supersede(tx, page)
            claims.append(Claim(len(claims), invoice.id, take, None, "released"))
            left -= take
        if len(found) < _PAGE:
            break
        after = found[-1].id
    return claims


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
        raise NotFoundError(
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
