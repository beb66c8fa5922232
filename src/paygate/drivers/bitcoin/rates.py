"""What a bitcoin costs, and the quote that is made of it.

A price is somebody else's word for how much money we ask for. So it must be a plain number
within the bounds of the settings, and no older than they allow; if one server does not give
such a price, the next one is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from paygate.driver import (
    BadResponse,
    Money,
    NoResponse,
    NotSent,
    Request,
    UsageError,
    at_once,
    read_json_value,
    scale_of,
)
from paygate.drivers.bitcoin.payment_uri import COINS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from paygate.driver import Dialogue, GatewayError
    from paygate.drivers.bitcoin.settings import BitcoinSettings

COIN: Final = 10**8
_RATE_MAX: Final = Decimal(10) ** 12
_DAY: Final = timedelta(days=1)


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
        self._url, self._path, self._time_path = url, path, time_path
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
        found = read_json_value(response, source, exact=True)
        rate = Rate(found.decimal(self._path.replace("{currency}", currency)), source)
        if self._time_path and at is not None:
            age = at - found.instant(self._time_path.replace("{currency}", currency))
            if not -self._age_max <= age <= self._age_max:
                raise PriceRefused(
                    f"{source} gives a price of another time: {age.total_seconds():.0f} s old"
                )
        return rate


class LastRates:
    """The last price in each currency and when it was given; it is the process's own."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[datetime, Rate]] = {}

    def note(self, currency: str, rate: Rate, at: datetime | None) -> None:
        """Remember that *rate* was given at *at*."""
        if at is not None:
            self._last[currency] = at, rate

    def at(self, currency: str, at: datetime | None) -> tuple[Rate, timedelta] | None:
        """Return the last price and how old it is at *at*."""
        if at is None or currency not in self._last:
            return None
        of, rate = self._last[currency]
        return rate, at - of

    def check(self, currency: str, rate: Rate, at: datetime | None, factor_max: Decimal) -> None:
        """Raise `PriceRefused` if *rate* is more than *factor_max* times the last one, or less.

        It is so for a day: if a price did move so far, or the last one was wrong, quotes are made
        again after that, or when paygate is started again.
        """
        found = self.at(currency, at)
        if found is None:
            return
        last, age = found
        low, high = sorted((Fraction(last.value), Fraction(rate.value)))
        if age < _DAY and high > low * Fraction(factor_max):
            raise PriceRefused(
                f"{rate.source} gives a price of {rate.value:f} {currency}, and the last one was "
                f"{last.value:f}: too far apart to be believed (rate_factor_max)"
            )


class CheckedRates:
    """Prices within the bounds of the settings, from the first of *sources* that gives one.

    If they are *servers*, a price is used again for `rate_kept_s`; and while none of them gives a
    price, the last one for `rate_age_minutes`.
    """

    def __init__(
        self, sources: Sequence[RateSource], settings: BitcoinSettings, *, servers: bool
    ) -> None:
        self._sources = sources
        self._lowest, self._highest = settings.rate_min, settings.rate_max
        self._kept = timedelta(seconds=settings.rate_kept_s if servers else 0)
        self._age_max = timedelta(minutes=settings.rate_age_minutes if servers else 0)
        self._last = LastRates()

    def rate(self, currency: str, at: datetime | None) -> Dialogue[Rate]:
        """Return a price that we take, or raise the reason if no source gives one."""
        last = self._again(currency, at, self._kept)
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
                self._last.note(currency, rate, at)
                return rate
        last = self._again(currency, at, self._age_max)
        if last is not None:
            return last
        if len(faults) == 1:
            raise faults[0]
        raise PriceRefused("; ".join(each.message for each in faults))

    def _again(self, currency: str, at: datetime | None, age_max: timedelta) -> Rate | None:
        found = self._last.at(currency, at)
        return found[0] if found is not None and timedelta() <= found[1] < age_max else None

    def _check(self, currency: str, rate: Rate) -> None:
        low, high = self._lowest.get(currency), self._highest.get(currency)
        if (low is not None and rate.value < low) or (high is not None and rate.value > high):
            raise PriceRefused(
                f"{rate.source} gives a price of {rate.value:f} {currency}, which is not from "
                f"{low or 0} to {'any' if high is None else high} (rate_min, rate_max)"
            )


def rates_of(settings: BitcoinSettings, source: RateSource | None) -> CheckedRates:
    """Return the prices of *source*, else those of the settings' servers, else their fixed ones."""
    if source is not None or not settings.rate_servers:
        return CheckedRates([source or FixedRates(settings.rates)], settings, servers=False)
    age_max = timedelta(minutes=settings.rate_age_minutes)
    servers = [
        HttpRates(each.url, each.path, each.time_path, age_max) for each in settings.rate_servers
    ]
    return CheckedRates(servers, settings, servers=True)


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
