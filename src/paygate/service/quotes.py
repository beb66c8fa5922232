"""Quotes: what money in another currency is worth for the payment that it came for.

The worth follows from the quote alone. It is reckoned on all that has come for it
so far, so parts that are paid one by one add up to the whole to the last cent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from paygate.domain.money import Money
from paygate.domain.outcome import Approved, Moved, MovementKind, PayToAddress, Pending
from paygate.ledger import payments, quotes
from paygate.service import telling

if TYPE_CHECKING:
    from paygate.domain.outcome import Action, Answer, Movement
    from paygate.domain.payment import Attempt
    from paygate.ledger.payments import AttemptRow
    from paygate.ledger.quotes import Quote
    from paygate.ledger.tx import Tx


def keep(tx: Tx, attempt: Attempt, action: Action | None) -> None:
    """Keep the quote that *action* makes, where it asks for another currency."""
    if isinstance(action, PayToAddress) and action.amount.currency != attempt.amount.currency:
        quotes.keep(tx, attempt.id, action)


def worth(tx: Tx, row: AttemptRow, answer: Answer) -> Answer:
    """Say of money that came for a quote what it is worth in the payment's currency."""
    asked = row.attempt.amount
    if isinstance(answer, Pending):
        return _seen(tx, row, answer)
    if not isinstance(answer, Approved | Moved) or all(
        movement.amount.currency == asked.currency for movement in answer.movements
    ):
        return answer
    quote = quotes.of(tx, row.attempt.id)
    if quote is None:
        return answer
    arrived = quotes.arrived(tx, row.attempt.id, quote.amount.currency)
    told: list[Movement] = []
    for movement in answer.movements:
        if movement.amount.currency != quote.amount.currency:
            told.append(movement)
            continue
        amount = _booked(tx, row, movement)
        if amount is None and movement.kind.inward:
            total = arrived + movement.amount.minor
            minor = worth_of(total, quote, asked) - worth_of(arrived, quote, asked)
            amount, arrived = Money(asked.currency, minor), total
        if amount is not None and not amount.minor:
            _tell_crumb(tx, row, movement)
        else:
            told.append(_at(movement, amount))
    if not told and isinstance(answer, Approved):
        return Moved(movements=(), reference=answer.reference)
    return replace(answer, movements=tuple(told))


def _seen(tx: Tx, row: AttemptRow, answer: Pending) -> Pending:
    """Say of what is on its way what it will be worth, beyond what has come already."""
    asked, seen = row.attempt.amount, answer.amount
    if seen is None or seen.currency == asked.currency:
        return answer
    quote = quotes.of(tx, row.attempt.id)
    if quote is None or quote.amount.currency != seen.currency:
        return replace(answer, amount=None)
    arrived = quotes.arrived(tx, row.attempt.id, seen.currency)
    minor = worth_of(arrived + seen.minor, quote, asked) - worth_of(arrived, quote, asked)
    return replace(answer, amount=Money(asked.currency, minor))


def worth_of(arrived: int, quote: Quote, asked: Money) -> int:
    """Reckon what *arrived* in all is worth: the whole from `enough` on, else its share."""
    if quote.enough <= arrived <= quote.amount.minor:
        return asked.minor
    return arrived * asked.minor // quote.amount.minor


def _booked(tx: Tx, row: AttemptRow, movement: Movement) -> Money | None:
    """Tell what the same money was worth when it was booked, if it was."""
    account = row.attempt.account
    before = quotes.booked(tx, account, movement.movement_id, movement.kind, movement.kind)
    if before is not None:
        return before.amount if before.arrived == movement.amount else movement.amount
    if movement.kind.inward or movement.undoes is None:
        return None
    undone = quotes.booked(tx, account, movement.undoes, MovementKind.CHARGE, MovementKind.CAPTURE)
    return None if undone is None else undone.amount


def _at(movement: Movement, amount: Money | None) -> Movement:
    if amount is None or amount.currency == movement.amount.currency:
        return movement
    return replace(movement, amount=amount, settled=movement.amount)


def _tell_crumb(tx: Tx, row: AttemptRow, movement: Movement) -> None:
    payment = payments.by_id(tx, row.attempt.payment)
    assert payment is not None, "an attempt to collect has a payment"
    telling.alert(
        tx, payment, f"{movement.amount} came, which is worth nothing in its currency; not booked"
    )
