"""Quotes: which payment the money at an address is for, and at what price it is booked.

The rules are those of `paygate.domain.quoting`; this module reads their facts and stores their
decisions. That happens when money is first seen, and is recorded as an arrival.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from paygate.domain import quoting
from paygate.domain.action import PayToAddress
from paygate.domain.attempt import AttemptState
from paygate.domain.money import Money
from paygate.domain.movement import MovementKind, Sighting
from paygate.domain.outcome import Approved, Declined, Moved, Pending
from paygate.domain.quoting import Counted, Price, Valuation
from paygate.ledger import addresses, arrivals, attempts, payments, quotes
from paygate.ledger.arrivals import Arrival, ArrivalState
from paygate.service.events import alert

if TYPE_CHECKING:
    from datetime import datetime

    from paygate.domain.action import Action
    from paygate.domain.attempt import Attempt
    from paygate.domain.movement import Movement
    from paygate.domain.outcome import Answer
    from paygate.domain.quoting import LateRule
    from paygate.gateway import Notice
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.quotes import Quote
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount

_BRINGS = (MovementKind.CHARGE, MovementKind.CAPTURE)
_STANDS = (AttemptState.REQUIRES_ACTION, AttemptState.PENDING)


def keep(tx: Tx, attempt: Attempt, action: Action | None, good_until: datetime | None) -> None:
    """Store the quote in *action*, if it asks for another currency."""
    if isinstance(action, PayToAddress) and action.amount.currency != attempt.amount.currency:
        quotes.keep(tx, attempt.id, action, good_until)


# --- What is seen at an address ------------------------------------------------------------------


def attempt_at(tx: Tx, account: str, notice: Notice, heard_at: datetime) -> AttemptRow | None:
    """Return the attempt that money at the address of *notice* is for.

    That is the attempt for which the money was seen or booked before, else the one whose quote it
    pays, else the one that most likely expects money.
    """
    booked = addresses.attempt_of_booked(tx, account, notice.movements)
    if booked is not None:
        return booked
    sighting = _sighting(notice)
    for name in () if sighting is None else (sighting.name, sighting.replaces):
        known = arrivals.find(tx, account, name) if name else None
        if known is not None:
            return attempts.by_id(tx, known.attempt)
    if sighting is not None:
        seen_at = _seen_at(notice, heard_at)
        chosen = _chosen(tx, account, notice.reference, sighting.quantity, seen_at)
        if chosen is not None:
            return attempts.by_id(tx, chosen)
    return addresses.attempt_expecting(tx, account, notice.reference)


def to_be_priced(
    tx: Tx, account: GatewayAccount, notice: Notice, row: AttemptRow, heard_at: datetime
) -> Money | None:
    """Return the amount to be priced before *notice* is applied, if there is one.

    Late money needs a price: it is counted at the price of the time when it came.
    """
    sighting = _sighting(notice)
    quote = None if sighting is None else quotes.of(tx, row.attempt.id)
    if sighting is None or quote is None or account.prices is None:
        return None
    known = _known(tx, account.name, sighting)
    if known is not None and _kept(sighting, known) >= sighting.quantity.minor:
        return None
    if not quoting.needs_price(quote.good_until, _seen_at(notice, heard_at), _rule(account, row)):
        return None
    return row.attempt.amount


def arrive(
    tx: Tx,
    account: GatewayAccount,
    row: AttemptRow,
    notice: Notice,
    heard_at: datetime,
    price: Price | None,
) -> Arrival | None:
    """Record the money that *notice* reports as seen; *price* is the current one, if needed."""
    sighting = _sighting(notice)
    if sighting is None:
        return None
    state = _state(notice)
    known = arrivals.find(tx, account.name, sighting.name)
    if known is not None:
        # Booked money is taken back only by a movement; this report may be outdated.
        if notice.movements or known.state is not ArrivalState.BOOKED:
            arrivals.follow(tx, account.name, sighting, state)
        return known
    before = _known(tx, account.name, sighting)
    seen_at, valued = _seen_at(notice, heard_at), None
    quote = quotes.of(tx, row.attempt.id)
    if quote is not None:
        rule = _rule(account, row)
        valued = quoting.judge(quote.price, quote.good_until, seen_at, rule, price)
        if before is not None:
            valued = _as_far_as_known(tx, quote, sighting, before, valued)
        if valued is None:
            _alert_distrust(tx, row, sighting, quote.price, price)
    if before is not None:
        seen_at = before.seen_at
    arrival = Arrival(
        name=sighting.name,
        attempt=row.attempt.id,
        quantity=sighting.quantity,
        seen_at=seen_at,
        valuation=valued,
        state=state,
        confirmations=sighting.confirmations,
        needed=sighting.needed,
    )
    arrivals.insert(tx, account.name, arrival)
    return arrival


def _as_far_as_known(
    tx: Tx, quote: Quote, sighting: Sighting, before: Arrival, now: Valuation | None
) -> Valuation | None:
    """Return the valuation of money that replaces the arrival *before*."""
    if before.valuation is None:
        return None  # its worth needs a manual decision, also after the replacement
    kept = min(_kept(sighting, before), sighting.quantity.minor)
    more = sighting.quantity.minor - kept
    come = _come(tx, before)
    is_paid = before.valuation.price == quote.price and come + kept >= quote.enough
    if is_paid and come + kept + more <= quote.price.cost.minor:
        return before.valuation  # it is worth exactly the requested amount
    if more <= 0 or now is None:
        return before.valuation if more <= 0 else None
    return quoting.together(kept, before.valuation, more, now, is_paid=is_paid)


def _alert_distrust(
    tx: Tx, row: AttemptRow, sighting: Sighting, quoted: Price, now: Price | None
) -> None:
    payment = payments.by_id(tx, row.attempt.payment)
    if payment is None or now is None:
        return
    text = (
        f"{sighting.quantity} came after the quote had expired, and the price {now.rate} of "
        f"{now.source} differs too much from the quoted price {quoted.rate} to be trusted; "
        "decide what the money is worth, and assign it"
    )
    alert(tx, payment, text)


def _kept(sighting: Sighting, before: Arrival) -> int:
    """Return how much of *sighting* was seen as *before*."""
    seen = before.quantity.minor
    return seen if sighting.replaced is None else min(seen, sighting.replaced.minor)


def _come(tx: Tx, before: Arrival) -> int:
    """Return how much has come at the price of *before*, not counting *before* itself."""
    assert before.valuation is not None
    cost = before.valuation.price.cost
    counted = quotes.counted(tx, before.attempt, cost.currency)
    return sum(each.quantity for each in counted if each.cost == cost.minor)


def _known(tx: Tx, account: str, sighting: Sighting) -> Arrival | None:
    """Return the arrival of this money, or of the money that it replaces."""
    known = arrivals.find(tx, account, sighting.name)
    if known is None and sighting.replaces:
        return arrivals.find(tx, account, sighting.replaces)
    return known


def _sighting(notice: Notice) -> Sighting | None:
    """Return the sighting of *notice*; unannounced money is seen when it comes."""
    if notice.address_index is None or notice.sighting is not None:
        return notice.sighting
    came = next((each for each in notice.movements if each.kind in _BRINGS), None)
    return None if came is None else Sighting(name=came.movement_id, quantity=came.amount)


def _seen_at(notice: Notice, heard_at: datetime) -> datetime:
    return heard_at if notice.occurred_at is None else min(heard_at, notice.occurred_at)


def _state(notice: Notice) -> ArrivalState:
    if any(movement.kind in _BRINGS for movement in notice.movements):
        return ArrivalState.BOOKED
    gone = notice.movements or isinstance(notice.answer, Declined)
    return ArrivalState.GONE if gone else ArrivalState.SEEN


def _rule(account: GatewayAccount, row: AttemptRow) -> LateRule:
    rail = account.traits.rails.get(row.kind)
    return quoting.AT_QUOTE if rail is None else rail.late


def _chosen(tx: Tx, account: str, reference: str, quantity: Money, seen_at: datetime) -> str | None:
    offers = quotes.offers(tx, account, reference, quantity.currency, seen_at)
    chosen = quoting.choose(offers, quantity.minor, seen_at)
    return None if chosen is None else chosen.attempt


# --- What it is worth -------------------------------------------------------------------------


def understood(tx: Tx, row: AttemptRow, answer: Answer, arrival: Arrival | None) -> Answer:
    """Return *answer* in the payment's currency; *arrival* is the money that it is about."""
    match answer:
        case Declined(part=True):
            left = arrivals.on_their_way(tx, row.attempt.id)
            if row.attempt.state in _STANDS and (left or _is_open(row)):
                return Pending(reference=answer.reference, amount=_expected(tx, row))
            return answer
        case Pending():
            return _seen(tx, row, answer, arrival)
        case Approved() | Moved():
            return _valued(tx, row, answer, arrival)
        case _:
            return answer


def _is_open(row: AttemptRow) -> bool:
    """Return whether the payer is still asked to pay: too little was seen to hold anything."""
    return row.attempt.state is AttemptState.REQUIRES_ACTION


def _seen(tx: Tx, row: AttemptRow, answer: Pending, arrival: Arrival | None) -> Pending:
    """Return *answer* with the worth of the money on its way, beyond what has come already."""
    asked, seen = row.attempt.amount, answer.amount
    if arrival is not None:
        return replace(answer, amount=_expected(tx, row))
    if seen is None or seen.currency == asked.currency:
        return answer
    quote = quotes.of(tx, row.attempt.id)
    if quote is None or quote.price.cost.currency != seen.currency:
        return replace(answer, amount=None)
    counted = quotes.counted(tx, row.attempt.id, seen.currency)
    return replace(answer, amount=_worth(row, quote, quote.price.cost.minor, seen.minor, counted))


def _expected(tx: Tx, row: AttemptRow) -> Money:
    """Return the worth of all money seen for an attempt."""
    asked = row.attempt.amount
    seen = arrivals.on_their_way(tx, row.attempt.id)
    quote = quotes.of(tx, row.attempt.id)
    if quote is None:
        return Money(asked.currency, sum(seen.values()))
    counted = quotes.counted(tx, row.attempt.id, quote.price.cost.currency)
    total = 0
    for cost, quantity in seen.items():
        at = quote.price.cost.minor if cost is None else cost
        amount = _worth(row, quote, at, quantity, counted)
        counted.append(Counted(at, quantity, amount.minor))
        total += amount.minor
    return Money(asked.currency, total)


def _valued(
    tx: Tx, row: AttemptRow, answer: Approved | Moved, arrival: Arrival | None
) -> Approved | Moved:
    """Return *answer* with the money of a quote valued in the payment's currency."""
    asked = row.attempt.amount
    if all(movement.amount.currency == asked.currency for movement in answer.movements):
        return answer
    quote = quotes.of(tx, row.attempt.id)
    if quote is None:
        return answer
    if arrival is not None and arrival.valuation is None:
        return answer  # its worth is not known, so it waits in its own currency
    currency = quote.price.cost.currency
    counted = quotes.counted(tx, row.attempt.id, currency)
    valued = Valuation(price=quote.price)
    if arrival is not None and arrival.valuation is not None:
        valued = arrival.valuation
    converted: list[Movement] = []
    for movement in answer.movements:
        known = _as_before(tx, row, movement)
        if known is None and movement.kind.inward and movement.amount.currency == currency:
            cost = valued.price.cost.minor
            amount = _worth(row, quote, cost, movement.amount.minor, counted)
            counted.append(Counted(cost, movement.amount.minor, amount.minor))
            known = replace(movement, amount=amount, settled=movement.amount, valued=valued)
        converted.append(movement if known is None else known)
    brings = [each for each in converted if each.kind in _BRINGS]
    if isinstance(answer, Approved) and brings and not any(each.amount.minor for each in brings):
        # It is booked, but is worth nothing by itself: the payer is still asked for the amount.
        return Moved(movements=tuple(converted), reference=answer.reference)
    return replace(answer, movements=tuple(converted))


def _worth(
    row: AttemptRow, quote: Quote, cost: int, quantity: int, counted: list[Counted]
) -> Money:
    asked = row.attempt.amount
    minor = quoting.worth(
        quantity,
        cost,
        asked=asked.minor,
        quoted=quote.price.cost.minor,
        enough=quote.enough,
        counted=counted,
    )
    return Money(asked.currency, minor)


def _as_before(tx: Tx, row: AttemptRow, movement: Movement) -> Movement | None:
    """Return *movement* with the amount at which the same money was booked, if it was."""
    account = row.attempt.account
    same = quotes.booked(tx, account, movement.movement_id, movement.kind)
    if same is not None and same.quantity != movement.amount:
        return movement  # it contradicts the books
    if same is None and movement.undoes is not None:
        undone = _BRINGS if not movement.kind.inward else (MovementKind.RETURN,)
        same = quotes.booked(tx, account, movement.undoes, *undone)
    if same is None or same.amount.currency == movement.amount.currency:
        return None
    return replace(movement, amount=same.amount, settled=movement.amount, valued=same.valued)
