"""Quotes: which quote the money at an address is for, and what that money is worth.

A quote promises, until it expires, that a number of units of another currency (such as satoshi)
pays a given amount. When money arrives, three questions follow. This module alone answers them,
from facts in the ledger:

1. *Which quote is it for?* There may be several at one address: a page was loaded again, or a
   payer has one address for all invoices. A quote is valid until it expires, whatever was
   quoted after it. So an amount that is exactly what a valid quote still requires is for that
   quote; else one that satisfies a valid quote is for that quote; else the caller's rule decides.
2. *At which price?* At the price of the quote, if the money was seen before the quote expired.
   Later money is late, and the account decides how it is treated: see `Late`. The price is
   fixed when the money is first seen, and never looked up again.
3. *What is it worth?* Its share of the whole, and the whole from `enough` on. Shares are
   added up before they are rounded, so parts add up to the last minor unit, even parts
   worth less than one. Money that has disappeared does not count. If the same money comes
   back, it is worth what it was worth before.
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
    """The value of money that arrives after its quote has expired."""

    ACCEPT = "accept"
    """The value in the quote, whatever the price has done."""
    REPRICE = "reprice"
    """The value in the quote if the price has moved little, else the value when it is seen."""
    CREDIT = "credit"
    """The value when it is seen, as credit of the customer; the invoice stays open."""


@dataclass(frozen=True, slots=True)
class LateRule:
    """The rule for late money: *late*, and by how many per cent the price may have moved.

    A price that is more than *factor_max* times that of the quote, or less than 1/*factor_max* of
    it, is not trusted.
    """

    late: Late = Late.ACCEPT
    drift_percent: Decimal = Decimal(0)
    factor_max: Decimal = Decimal(10)


AT_QUOTE: Final = LateRule()
"""All money is worth its value in the quote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What the amount of a payment costs in another currency, at *rate* from *source*."""

    cost: Money
    rate: str = ""
    source: str = ""


class Rank(IntEnum):
    """How much a payment expects its money, the most first."""

    ON_ITS_WAY = 0
    """A part of it was seen."""
    WAITING = 1
    """The payer was asked for it, and no other request has replaced it."""
    REPLACED = 2
    """Another payment has replaced it, or it has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A quote at an address: *minor* of the other currency, of which *come* was seen or arrived.

    From *enough* on it is paid. *serial* orders the quotes by creation.
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
        """Return whether it existed at *seen_at* and had not expired."""
        return self.made_at - CLOCKS_APART <= seen_at <= self.good_until

    def takes(self, quantity: int) -> bool:
        """Return whether *quantity* more pays it."""
        return self.come < self.enough <= self.come + quantity


def choose(offers: Iterable[Offer], quantity: int, seen_at: datetime) -> Offer | None:
    """Return the valid quote that *quantity*, seen then, pays; None if it pays none of them."""
    paid = [each for each in offers if each.is_good(seen_at) and each.takes(quantity)]
    exact = [each for each in paid if each.come + quantity <= each.minor]
    if exact:
        return min(exact, key=_expected)
    # The one that leaves the least over.
    return min(paid, key=lambda each: (-each.minor, *_expected(each)), default=None)


def _expected(offer: Offer) -> tuple[int, int]:
    """Return a sort key: waiting offers by age, replaced ones the newest first."""
    return offer.rank, -offer.serial if offer.rank is Rank.REPLACED else offer.serial


@dataclass(frozen=True, slots=True, kw_only=True)
class Valuation:
    """The price at which money is counted, whether it came late, and whether it is credit."""

    price: Price
    late: bool = False
    to_credit: bool = False


def needs_price(good_until: datetime | None, seen_at: datetime, rule: LateRule) -> bool:
    """Return whether money seen at that time is valued at the price of that time."""
    return is_late(good_until, seen_at) and rule.late is not Late.ACCEPT


def is_late(good_until: datetime | None, seen_at: datetime) -> bool:
    """Return whether money seen at that time came after its quote had expired."""
    return good_until is not None and seen_at > good_until


def judge(
    quoted: Price,
    good_until: datetime | None,
    seen_at: datetime,
    rule: LateRule,
    price_then: Price | None,
) -> Valuation | None:
    """
    Return the price at which money is counted; *price_then* is the price when it was seen.

    Return None if that price is not trusted: a clerk must then say what the money is worth.
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
    Return the price at which *kept*, valued as *before*, and *more*, valued as *now*, are counted.

    If money is seen again in another transaction, it may be more than it was. The additional
    part was not seen before, so that nobody keeps a price by replacing a tiny payment with a large
    one. One receipt has one price: the one at which the sum is worth as much as its two parts. If
    *kept* has already paid the quote (*is_paid*), the invoice is paid, and the rest is credit
    without a rule.
    """
    if more <= 0 or (before.price.cost, before.late) == (now.price.cost, now.late):
        return before
    old, new = before.price.cost.minor, now.price.cost.minor
    share = Fraction(kept, old) + Fraction(more, new)
    # Rounded down, because the parts must not be worth less than they were.
    cost = replace(
        now.price.cost, minor=max(1, (kept + more) * share.denominator // share.numerator)
    )
    price = replace(now.price, cost=cost, rate=_rate_at(now.price, cost))
    return Valuation(price=price, late=now.late, to_credit=now.to_credit and not is_paid)


def _rate_at(price: Price, cost: Money) -> str:
    """Return the rate for another *cost* than that of *price*; empty if *price* has no rate."""
    if price.cost == cost:
        return price.rate
    try:
        rate = Decimal(price.rate) * price.cost.minor / cost.minor
    except InvalidOperation:
        return ""
    return f"{rate:.8f}".rstrip("0").rstrip(".") if rate.is_finite() else ""


@dataclass(frozen=True, slots=True)
class Counted:
    """What arrived for one payment at one price and has not disappeared, and its value."""

    cost: int
    quantity: int
    booked: int


def worth(
    quantity: int, cost: int, *, asked: int, quoted: int, enough: int, counted: Sequence[Counted]
) -> int:
    """
    Return what *quantity* more is worth, in minor units of the *asked* amount.

    *cost* is what the whole amount costs at the price at which the money is counted, *quoted*
    what it costs in the quote. *counted* is what arrived before.
    """
    by_cost = {each.cost: each.quantity for each in counted}
    by_cost[cost] = by_cost.get(cost, 0) + quantity
    exact = sum((Fraction(total * asked, each) for each, total in by_cost.items()), Fraction(0))
    if enough <= by_cost.get(quoted, 0) <= quoted:
        # Further money first covers the part that was waived, before it counts on top.
        exact = max(exact, Fraction(asked))
    # Money that disappeared and came back was not rounded together with the rest.
    return max(0, exact.__floor__() - sum(each.booked for each in counted))
