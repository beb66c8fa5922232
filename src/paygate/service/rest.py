"""The rest of a payment to an address, such as a Bitcoin address, after part of it has come.

A quote is valid until it expires, also for payment in parts: the rest can be paid to the same
address at the same price, and the payer needs only the new amount. So no new payment is made for
it. The rest is not offered if the quote has expired, since money that comes then is late; nor if
less is open on the invoices than the payment still has to pay, because they were paid in another
way: the rest would become credit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from paygate.dialogue import deferred
from paygate.domain.attempt import AttemptState
from paygate.domain.money import Money
from paygate.domain.outcome import Unknown, Unsent
from paygate.errors import BadResponse, GatewayNotFound, NotPayable
from paygate.gateway import Remainder
from paygate.ledger import claims, items, payments, quotes
from paygate.service import door
from paygate.service.asking import ask
from paygate.service.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from paygate.domain.action import PayToAddress
    from paygate.domain.payment import Payment
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount

_STANDS = (AttemptState.REQUIRES_ACTION, AttemptState.PENDING, AttemptState.SUCCEEDED)


@dataclass(frozen=True, slots=True)
class PartlyPaid:
    """A partly paid payment, and its remainder."""

    row: AttemptRow
    remainder: Remainder


@dataclass(frozen=True, slots=True)
class _Asked:
    """The requested amount, how much of it has come, and when the quote expires."""

    cost: Money
    enough: int
    come: int
    until: datetime | None
    rate: str = ""
    source: str = ""


def begun(tx: Tx, row: AttemptRow) -> PartlyPaid | None:
    """
    Return the remainder of the payment of *row*; None if nothing has come to its address.

    Raises `NotPayable` if the rest cannot be asked for.
    """
    payment = payments.by_id(tx, row.attempt.payment) if row.attempt.payment else None
    if payment is None or payment.address_index is None or row.attempt.state not in _STANDS:
        return None
    asked = _asked(tx, row, payment)
    if asked.come <= 0:
        return None
    why_not = _why_not(tx, payment, asked)
    if why_not:
        raise _refusal(payment.id, why_not)
    remainder = Remainder(
        reference=row.attempt.reference,
        address_index=payment.address_index,
        amount=Money(asked.cost.currency, asked.cost.minor - asked.come),
        enough=Money(asked.cost.currency, asked.enough - asked.come),
        rate=asked.rate,
        rate_source=asked.source,
        invoices=tuple(dict.fromkeys(item.invoice for item in payment.items)),
    )
    return PartlyPaid(row, remainder)


def ask_for(part: PartlyPaid, accounts: Mapping[str, GatewayAccount]) -> Flow[PayToAddress]:
    """Return the action by which the payer pays the rest."""
    attempt = part.row.attempt
    account = accounts.get(attempt.account)
    if account is None:
        raise GatewayNotFound(
            f"payment {attempt.payment} went through account {attempt.account!r}, which is not "
            "configured here",
            name=attempt.account,
            known=sorted(accounts),
        )
    rail = account.driver_traits.rails.get(part.row.kind)
    limits = None if rail is None else rail.limits.get(part.remainder.amount.currency)
    least = None if limits is None else limits.minimum_minor
    if account.rests is None:
        raise _refusal(attempt.payment, f"its gateway {account.gateway.name} cannot do that")
    if least is not None and part.remainder.amount.minor < least:
        why = f"{part.remainder.amount} is less than the account's minimum"
        raise _refusal(attempt.payment, why)
    asking = deferred(partial(account.rests.ask_for_rest, part.remainder))
    through = door.place_to_pay(account)
    answer = yield from ask(
        account.name, asking, what="ask_for_rest", door=through, about=part.row.in_log
    )
    if isinstance(answer, Unsent | Unknown):
        raise BadResponse(
            f"account {account.name!r} did not return how to pay the rest: {answer.reason}"
        )
    return answer


def _refusal(payment: str, why: str) -> NotPayable:
    return NotPayable(f"the rest of payment {payment} cannot be paid: {why}", payment=payment)


def _asked(tx: Tx, row: AttemptRow, payment: Payment) -> _Asked:
    quote = quotes.of(tx, row.attempt.id)
    if quote is None:
        cost = row.attempt.amount
        booked = payment.received.minor - payment.returned.minor
        come = quotes.come_of(tx, row.attempt.id, cost.currency, booked)
        return _Asked(cost, cost.minor, come, row.expires_at)
    cost = quote.price.cost
    come = quotes.come_of(tx, row.attempt.id, cost.currency, None)
    price = quote.price
    return _Asked(cost, quote.enough, come, quote.good_until, price.rate, price.source)


def _why_not(tx: Tx, payment: Payment, asked: _Asked) -> str:
    """Return why the rest cannot be asked for; empty if it can."""
    again = "collect again with a new key"
    if asked.come >= asked.enough:
        return "the requested amount has come or is on its way"
    if asked.until is not None and asked.until < tx.now:
        return f"the quote expired at {asked.until:%Y-%m-%d %H:%M:%S} UTC; {again}"
    if payment.superseded:
        return "another payment superseded it"
    if payment.reversed:
        return f"it was reversed; {again}"
    if _is_paid_otherwise(tx, payment):
        return f"less is open on its invoices than the rest; {again} for what is open"
    return ""


def _is_paid_otherwise(tx: Tx, payment: Payment) -> bool:
    """Return whether the invoices have less open than *payment* still has to pay."""
    its_claims = [each for each in claims.of_payment(tx, payment.id) if each.credit is None]
    left = sum(each.minor for each in its_claims) - payment.received.minor + payment.returned.minor
    room = sum(each.minor for each in its_claims if each.state == "hard")
    for item in dict.fromkeys(each.item for each in its_claims):
        invoice = items.by_id(tx, item)
        room += 0 if invoice is None else invoice.open.minor - invoice.claimed.minor
    return room < left
