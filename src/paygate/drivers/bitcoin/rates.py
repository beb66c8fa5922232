"""What a bitcoin costs, and the quote that is made of it.

A price is somebody else's word for how much money we ask for. So it must be a plain number
within the bounds of the settings, and no older than they allow; if one server does not give
such a price, the next one is asked.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Protocol, cast
from urllib.parse import urlsplit

from paygate.driver import (
    BadResponse,
    Money,
    NoResponse,
    NotSent,
    Request,
    UsageError,
    at_once,
    scale_of,
)
from paygate.drivers.bitcoin.payment_uri import COINS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paygate.driver import Dialogue, GatewayError

COIN: Final = 10**8
_RATE_MAX: Final = Decimal(10) ** 12
_DAY: Final = timedelta(days=1)
_DIGITS: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,20})?")


@dataclass(frozen=True, slots=True)
class Rate:
    """The price of one bitcoin, and who said so."""

    value: Decimal
    source: str

    def __post_init__(self) -> None:
        if not self.value.is_finite() or not 0 < self.value < _RATE_MAX:
            raise BadResponse(f"{self.source} gives no price of a bitcoin that can be")


class PriceRefused(BadResponse):
    """Nobody gives us a price that we take; the payer is not to blame."""


class RateSource(Protocol):
    """Says what one bitcoin costs."""

    def rate(self, currency: str, at: datetime | None) -> Dialogue[Rate]:
        """Return the price in *currency* now, which is *at* if that is known; or `BadResponse`."""
        ...


class FixedRates:
    """Prices that the settings name."""

    def __init__(self, rates: Mapping[str, Decimal]) -> None:
        self._rates = rates

    def rate(self, currency: str, at: datetime | None) -> Dialogue[Rate]:
        """Return the price in the settings."""
        del at
        if currency not in self._rates:
            raise BadResponse(f"the settings have no price of a bitcoin in {currency}")
        return at_once(Rate(self._rates[currency], "settings"))


class CalledRates:
    """Prices that the host computes; it must answer at once, without the network."""

    def __init__(self, price: Callable[[str], Decimal], name: str = "host") -> None:
        self._price = price
        self._name = name

    def rate(self, currency: str, at: datetime | None) -> Dialogue[Rate]:
        """Ask the host."""
        del at
        price = self._price(currency)
        # A host without type checks may well return a float.
        if type(price) is not Decimal:
            raise UsageError(f"a price is a Decimal, not {type(price).__name__}")
        return at_once(Rate(price, self._name))


class HttpRates:
    """Prices that somebody publishes as JSON, each with the instant it is of if *time_path* is."""

    def __init__(
        self,
        url: str,
        path: str = "{currency}",
        time_path: str = "",
        age_max: timedelta = timedelta(minutes=10),
    ) -> None:
        self._url = url
        self._path = path
        self._time_path = time_path
        self._age_max = age_max

    def rate(self, currency: str, at: datetime | None) -> Dialogue[Rate]:
        """Ask for the price now."""
        source = urlsplit(self._url).hostname or self._url
        response = yield Request(
            method="GET",
            url=self._url.replace("{currency}", currency),
            step="rate",
            headers={"Accept": "application/json"},
            repeatable=True,
        )
        if response.status != 200:
            text = f"{source} gives no price: status {response.status}"
            refused = PriceRefused if 400 <= response.status < 500 else BadResponse
            raise refused(text, status=response.status)
        found = read_json(response.body)
        rate = Rate(_number(_at(found, self._path, currency), source), source)
        if self._time_path and at is not None:
            age = at - _instant(_at(found, self._time_path, currency), source)
            if not -self._age_max <= age <= self._age_max:
                raise PriceRefused(
                    f"{source} gives a price of another time: {age.total_seconds():.0f} s old"
                )
        return rate


class CheckedRates:
    """Prices within bounds, from the first of *sources* that gives one.

    With *kept* a price is used again for so long; and while none of them gives a price, the
    last one for as long as *age_max*. What is kept is the process's own.
    """

    def __init__(
        self,
        sources: Sequence[RateSource],
        *,
        lowest: Mapping[str, Decimal],
        highest: Mapping[str, Decimal],
        kept: timedelta = timedelta(),
        age_max: timedelta = timedelta(),
    ) -> None:
        self._sources = sources
        self._lowest, self._highest = lowest, highest
        self._kept, self._age_max = kept, age_max
        self._last: dict[str, tuple[datetime, Rate]] = {}

    def rate(self, currency: str, at: datetime | None) -> Dialogue[Rate]:
        """Return a price that we take, or raise why there is none."""
        last = self._last_of(currency, at, self._kept)
        if last is not None:
            return last
        faults: list[GatewayError] = []
        for source in self._sources:
            try:
                rate = yield from source.rate(currency, at)
                self._check(currency, rate)
            except (BadResponse, NotSent, NoResponse) as fault:
                faults.append(fault)
            else:
                if at is not None:
                    self._last[currency] = at, rate
                return rate
        last = self._last_of(currency, at, self._age_max)
        if last is not None:
            return last
        if len(faults) == 1:
            raise faults[0]
        raise PriceRefused("; ".join(each.message for each in faults))

    def _last_of(self, currency: str, at: datetime | None, age: timedelta) -> Rate | None:
        if at is None or currency not in self._last:
            return None
        of, rate = self._last[currency]
        return rate if timedelta() <= at - of < age else None

    def _check(self, currency: str, rate: Rate) -> None:
        low, high = self._lowest.get(currency), self._highest.get(currency)
        if (low is not None and rate.value < low) or (high is not None and rate.value > high):
            raise PriceRefused(
                f"{rate.source} gives a price of {rate.value:f} {currency}, which is not from "
                f"{low or 0} to {'any' if high is None else high} (rate_min, rate_max)"
            )


class LastRates:
    """The prices of which quotes were made last, so that one that cannot be is noticed.

    What is remembered is the process's own, and for a day: if a price did move so far, or the
    last one was wrong, quotes are made again after that, or when paygate is started again.
    """

    def __init__(self, factor_max: Decimal) -> None:
        self._factor_max = Fraction(factor_max)
        self._last: dict[str, tuple[datetime, Rate]] = {}

    def check(self, currency: str, rate: Rate, at: datetime | None) -> None:
        """Raise `PriceRefused` if *rate* is too far from the last one."""
        if at is None or currency not in self._last:
            return
        of, last = self._last[currency]
        low, high = sorted((Fraction(last.value), Fraction(rate.value)))
        if at - of < _DAY and high > low * self._factor_max:
            raise PriceRefused(
                f"{rate.source} gives a price of {rate.value:f} {currency}, and the last one was "
                f"{last.value:f}: too far apart to be believed (rate_factor_max)"
            )

    def note(self, currency: str, rate: Rate, at: datetime | None) -> None:
        """Remember that a quote was made at *rate*."""
        if at is not None:
            self._last[currency] = at, rate


def read_json(body: bytes) -> Any:
    """Read JSON without a float in it, or raise `BadResponse`."""
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError, InvalidOperation):
        raise BadResponse(f"expected JSON, got {len(body)} other bytes") from None


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _step(found: Any, name: str) -> Any:
    if isinstance(found, list) and name.isdigit():
        entries = cast("Sequence[Any]", found)
        return entries[int(name)] if int(name) < len(entries) else None
    facts = cast("Mapping[str, Any]", found if isinstance(found, dict) else {})
    return facts.get(name)


def _at(found: Any, path: str, currency: str) -> Any:
    for name in path.replace("{currency}", currency).split("."):
        found = _step(found, name)
    return found


def _number(found: Any, source: str) -> Decimal:
    """Read a price: a number, or digits in a text. ``1_000`` and other scripts' are neither."""
    if type(found) in (int, Decimal) or (isinstance(found, str) and _DIGITS.fullmatch(found)):
        return Decimal(found)
    raise BadResponse(f"{source} gives no price where the settings say it is")


def _instant(found: Any, source: str) -> datetime:
    """Read when a price is of: seconds since 1970, or ISO 8601 with a zone."""
    try:
        if type(found) in (int, Decimal) or (isinstance(found, str) and _DIGITS.fullmatch(found)):
            return datetime.fromtimestamp(int(Decimal(found)), UTC)
        at = datetime.fromisoformat(found) if isinstance(found, str) else None
    except (ValueError, OverflowError, OSError):
        at = None
    if at is None or at.utcoffset() is None:
        raise BadResponse(f"{source} does not say of when its price is where the settings say it")
    return at


def quote(amount: Money, rate: Rate, spread_percent: Decimal) -> Money:
    """Return the satoshis that *amount* costs, rounded up to a whole one.

    Raises `PriceRefused` if that is more than there can be: the price is wrong, or nobody pays.
    """
    price = Fraction(rate.value) * (1 - Fraction(spread_percent) / 100)
    satoshis = Fraction(amount.minor, 10 ** scale_of(amount.currency)) * COIN / price
    if satoshis > COINS_MAX:
        raise PriceRefused(f"at the price of {rate.source} {amount} is more bitcoin than there are")
    return Money("BTC", -(-satoshis.numerator // satoshis.denominator))


def enough(asked: Money, tolerance_percent: Decimal) -> Money:
    """Return from how much on *asked* counts as paid in full."""
    less = Fraction(asked.minor) * (1 - Fraction(tolerance_percent) / 100)
    return Money(asked.currency, max(1, -(-less.numerator // less.denominator)))
