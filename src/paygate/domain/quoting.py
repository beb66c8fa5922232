"""Quotes: which one the money at an address is for, and what that money is worth.

A quote promises, until it expires, that so many units of another currency (satoshi, say)
pay so much. Three questions follow when money comes, and this module alone answers them,
from facts that stand in the ledger:

1. *Which quote is it for?* Several may stand at one place: a page was loaded again, or a
   payer has one address for all invoices. A quote is good until it expires, whatever was
   quoted after it. So an amount that is exactly what a good quote still asks for is for that
   quote; else one that a good quote is satisfied with; else the caller's rule decides.
2. *At which price?* At the quote's, if the money was seen before the quote expired. What
   comes later is late, and the account says what becomes of it: see `Late`. The price is
   settled when the money is first seen, and never looked up again.
3. *What is it worth?* Its share of the whole, and the whole from `enough` on. Shares are
   added up before they are rounded, so parts add up to the last minor unit, and so do parts
   that are worth less than one. Money that is gone does not count. The same money that comes
   back is worth what it was worth before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import IntEnum, StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from paygate.domain.money import Money

CLOCKS_APART: Final = timedelta(hours=2)
"""How far the time of a block may be off: nodes accept that much (Bitcoin's validation rules)."""


class Late(StrEnum):
    """What money is worth that comes after its quote has expired."""

    ACCEPT = "accept"
    """What the quote says, whatever the price has done."""
    REPRICE = "reprice"
    """What the quote says if the price has moved little, else what it is worth when it is seen."""
    CREDIT = "credit"
    """What it is worth when it is seen, as credit of the customer; the invoice stays open."""


@dataclass(frozen=True, slots=True)
class LateRule:
    """What becomes of late money: *late*, and how many per cent the price may have moved.

    A price that is more than *factor_max* times that of the quote, or less than its share, is
    not believed.
    """

    late: Late = Late.ACCEPT
    drift_percent: Decimal = Decimal(0)
    factor_max: Decimal = Decimal(10)


AT_QUOTE: Final = LateRule()
"""Whatever comes is worth what the quote says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What the amount of a payment costs in another currency, at *rate* of *source*."""

    cost: Money
    rate: str = ""
    source: str = ""


class Rank(IntEnum):
    """How much a payment expects its money, the most first."""

    ON_ITS_WAY = 0
    """A part of it was seen."""
    WAITING = 1
    """The payer was asked for it, and nothing else is asked for in its place."""
    REPLACED = 2
    """Another payment was asked for in its place, or it has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A quote at an address: *minor* of the other currency, of which *come* was seen or has come.

    From *enough* on it is paid. *serial* orders the quotes by when they were made.
    """

    attempt: str
    serial: int
    minor: int
    enough: int
    come: int
    made_at: datetime
    good_until: datetime
    rank: Rank

    def is_good(self, seen_at: datetime) -> bool:
        """Return whether it had been made by *seen_at*, and had not expired."""
        return self.made_at - CLOCKS_APART <= seen_at <= self.good_until

    def takes(self, quantity: int) -> bool:
        """Return whether *quantity* more pays it."""
        return self.come < self.enough <= self.come + quantity


def choose(offers: Iterable[Offer], quantity: int, seen_at: datetime) -> Offer | None:
    """Return the good quote that *quantity*, seen then, pays; None if it pays none of them."""
    paid = [each for each in offers if each.is_good(seen_at) and each.takes(quantity)]
    exact = [each for each in paid if each.come + quantity <= each.minor]
    if exact:
        return min(exact, key=_expected)
    # The one of which the least is left over.
    return min(paid, key=lambda each: (-each.minor, *_expected(each)), default=None)


def _expected(offer: Offer) -> tuple[int, int]:
    """Order offers: what waits by age, what was replaced the newest first."""
    return offer.rank, -offer.serial if offer.rank is Rank.REPLACED else offer.serial


@dataclass(frozen=True, slots=True, kw_only=True)
class Valuation:
    """At which price money is counted, whether it came late, and whether it becomes credit."""

    price: Price
    late: bool = False
    to_credit: bool = False


def needs_price(good_until: datetime | None, seen_at: datetime, rule: LateRule) -> bool:
    """Return whether money that was seen then is valued by the price of that time."""
    return is_late(good_until, seen_at) and rule.late is not Late.ACCEPT


def is_late(good_until: datetime | None, seen_at: datetime) -> bool:
    """Return whether money that was seen then came after its quote had expired."""
    return good_until is not None and seen_at > good_until


def judge(
    quoted: Price,
    good_until: datetime | None,
    seen_at: datetime,
    rule: LateRule,
    price_then: Price | None,
) -> Valuation | None:
    """
    Return at which price money is counted; *price_then* is that of when it was seen.

    None if that price is not believed: then a person says what the money is worth.
    """
    if not is_late(good_until, seen_at):
        return Valuation(price=quoted)
    if rule.late is Late.ACCEPT or price_then is None:
        return Valuation(price=quoted, late=True)
    low, high = sorted((quoted.cost.minor, price_then.cost.minor))
    if high > low * rule.factor_max:
        return None
    if rule.late is Late.CREDIT:
        return Valuation(price=price_then, late=True, to_credit=True)
    moved = abs(price_then.cost.minor - quoted.cost.minor)
    little = moved * 100 <= rule.drift_percent * quoted.cost.minor
    return Valuation(price=quoted if little else price_then, late=True)


def together(
    kept: int, before: Valuation, more: int, now: Valuation, *, is_paid: bool
) -> Valuation:
    """
    Return at which price *kept*, valued as *before*, and *more*, valued as *now*, are counted.

    Money that is seen again in another transaction may be more than it was. What is more was
    not seen before, so that nobody keeps a price by a tiny payment that a large one replaces.
    One receipt has one price: the one at which the sum is worth as much as its two parts. If
    *kept* has paid the quote already (*is_paid*), the invoice is paid, and the rest is credit
    without a rule.
    """
    if more <= 0 or (before.price.cost, before.late) == (now.price.cost, now.late):
        return before
    old, new = before.price.cost.minor, now.price.cost.minor
    share = Fraction(kept, old) + Fraction(more, new)
    # Rounded down, for the parts are not to be worth less than they were.
    cost = replace(
        now.price.cost, minor=max(1, (kept + more) * share.denominator // share.numerator)
    )
    price = replace(now.price, cost=cost, rate=_rate_at(now.price, cost))
    return Valuation(price=price, late=now.late, to_credit=now.to_credit and not is_paid)


def _rate_at(price: Price, cost: Money) -> str:
    """Return the rate that goes with another *cost* than that of *price*, "" if it has none."""
    if price.cost == cost:
        return price.rate
    try:
        rate = Decimal(price.rate) * price.cost.minor / cost.minor
    except InvalidOperation:
        return ""
    return f"{rate:.8f}".rstrip("0").rstrip(".") if rate.is_finite() else ""


@dataclass(frozen=True, slots=True)
class Counted:
    """What has come of one payment at one price and is not gone: how much, and as how much."""

    cost: int
    quantity: int
    booked: int


def worth(
    quantity: int, cost: int, *, asked: int, quoted: int, enough: int, counted: Sequence[Counted]
) -> int:
    """
    Return what *quantity* more is worth, in minor units of what was *asked*.

    *cost* is what all that was asked for costs at the price at which it is counted, *quoted*
    what it costs in the quote. *counted* is what came before.
    """
    by_cost = {each.cost: each.quantity for each in counted}
    by_cost[cost] = by_cost.get(cost, 0) + quantity
    exact = sum((Fraction(total * asked, each) for each, total in by_cost.items()), Fraction(0))
    if enough <= by_cost.get(quoted, 0) <= quoted:
        # What else comes makes up for what was let off before it counts on top.
        exact = max(exact, Fraction(asked))
    # What went and came back was not rounded along with the rest.
    return max(0, exact.__floor__() - sum(each.booked for each in counted))
