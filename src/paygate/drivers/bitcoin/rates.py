"""The price of a bitcoin, and the quote computed from it.

The price, which somebody else gives, decides how much money is requested. So it must be a plain
number within the bounds of the settings, and no older than they allow. If a server does not give
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
    """The price of one bitcoin, and its source."""

    value: Decimal
    source: str

    def __post_init__(self) -> None:
        if not self.value.is_finite() or not 0 < self.value < _RATE_MAX:
            raise BadResponse(f"{self.source} gives an impossible price of a bitcoin")


class PriceRefused(BadResponse):
    """No source gives an acceptable price; it is not the payer's fault."""


class RateSource(Protocol):
    """A source of the price of one bitcoin."""

    def rate(self, currency: str, at: datetime | None) -> Dialogue[Rate]:
        """Return the current price in *currency*, or raise `BadResponse`; *at* is the time now."""
        ...


@dataclass(frozen=True, slots=True)
class FixedRates:
    """The prices in the settings."""

    rates: Mapping[str, Decimal]

    def rate(self, currency: str, at: datetime | None) -> Dialogue[Rate]:
        """Return the price in the settings."""
        del at
        if currency not in self.rates:
            raise BadResponse(f"the settings have no price of a bitcoin in {currency}")
        return at_once(Rate(self.rates[currency], "settings"))


@dataclass(frozen=True, slots=True)
class CalledRates:
    """Prices that the host computes by *price*, at once and without the network."""

    price: Callable[[str], Decimal]
    name: str = "host"

    def rate(self, currency: str, at: datetime | None) -> Dialogue[Rate]:
        """Call the host."""
        del at
        price = self.price(currency)
        # A host without type checks may well return a float.
        if type(price) is not Decimal:
            raise UsageError(f"a price is a Decimal, not {type(price).__name__}")
        return at_once(Rate(price, self.name))


@dataclass(frozen=True, slots=True, repr=False)  # the query of the address may hold a key
class HttpRates:
    """Prices that a server publishes as JSON; with *time_path* it publishes their time as well."""

    url: str
    path: str = "{currency}"
    time_path: str = ""
    age_max: timedelta = timedelta(minutes=10)

    def rate(self, currency: str, at: datetime | None) -> Dialogue[Rate]:
        """Request the current price."""
        source = urlsplit(self.url).hostname or self.url
        response = yield Request(
            method="GET",
            url=self.url.replace("{currency}", currency),
            step="rate",
            headers={"Accept": "application/json"},
            repeatable=True,
        )
        if response.status != 200:
            text = f"{source} gives no price: status {response.status}"
            refused = PriceRefused if 400 <= response.status < 500 else BadResponse
            raise refused(text, status=response.status)
        found = read_json_value(response, source, exact=True)
        rate = Rate(found.decimal(self.path.replace("{currency}", currency)), source)
        if self.time_path and at is not None:
            age = at - found.instant(self.time_path.replace("{currency}", currency))
            if not -self.age_max <= age <= self.age_max:
                raise PriceRefused(
                    f"{source} gives a price of another time: {age.total_seconds():.0f} s old"
                )
        return rate


class LastRates:
    """The last price in each currency and its time; each process has its own."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[datetime, Rate]] = {}

    def note(self, currency: str, rate: Rate, at: datetime | None) -> None:
        """Remember the price at *at*, if the time is known."""
        if at is not None:
            self._last[currency] = at, rate

    def at(self, currency: str, at: datetime | None) -> tuple[Rate, timedelta] | None:
        """Return the last price and its age at *at*; None if either is unknown."""
        if at is None or currency not in self._last:
            return None
        of, rate = self._last[currency]
        return rate, at - of

    def check(self, currency: str, rate: Rate, at: datetime | None, factor_max: Decimal) -> None:
        """Raise `PriceRefused` if *rate* and the last price differ by more than *factor_max*.

        If the price really moved that far, or the last one was wrong, quotes are made again after
        a day, or after paygate restarts.
        """
        found = self.at(currency, at)
        if found is None:
            return
        last, age = found
        low, high = sorted((Fraction(last.value), Fraction(rate.value)))
        if age < _DAY and high > low * Fraction(factor_max):
            raise PriceRefused(
                f"{rate.source} gives a price of {rate.value:f} {currency}, and the last one was "
                f"{last.value:f}: too far apart to be credible (rate_factor_max)"
            )


class CheckedRates:
    """Prices within the bounds of the settings, from the first of *sources* that gives one.

    If the sources are *servers*, a price is reused for `rate_kept_s`, and for `rate_age_minutes`
    while no server gives one.
    """

    def __init__(
        self, sources: Sequence[RateSource], settings: BitcoinSettings, *, servers: bool
    ) -> None:
        self._sources, self._settings = sources, settings
        self._kept = timedelta(seconds=settings.rate_kept_s if servers else 0)
        self._age_max = timedelta(minutes=settings.rate_age_minutes if servers else 0)
        self._last = LastRates()

    def rate(self, currency: str, at: datetime | None) -> Dialogue[Rate]:
        """Return an acceptable price, or raise the reasons why no source gives one."""
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
        low = self._settings.rate_min.get(currency, Decimal(0))
        high = self._settings.rate_max.get(currency, Decimal("Infinity"))
        if not low <= rate.value <= high:
            raise PriceRefused(
                f"{rate.source} gives a price of {rate.value:f} {currency}, which is outside "
                f"{low} to {high} (rate_min, rate_max)"
            )


def rates_of(settings: BitcoinSettings, source: RateSource | None) -> CheckedRates:
    """Return the prices of *source*, or of the servers in the settings, or their fixed prices."""
    if source is not None or not settings.rate_servers:
        return CheckedRates([source or FixedRates(settings.rates)], settings, servers=False)
    age_max = timedelta(minutes=settings.rate_age_minutes)
    servers = [
        HttpRates(each.url, each.path, each.time_path, age_max) for each in settings.rate_servers
    ]
    return CheckedRates(servers, settings, servers=True)


def quote(amount: Money, rate: Rate, spread_percent: Decimal) -> Money:
    """Return the satoshis that *amount* costs, rounded up to a whole one.

    Raises `PriceRefused` if that is more than all bitcoin: the price is wrong, or nobody can pay.
    """
    price = Fraction(rate.value) * (1 - Fraction(spread_percent) / 100)
    satoshis = Fraction(amount.minor, 10 ** scale_of(amount.currency)) * COIN / price
    if satoshis > COINS_MAX:
        raise PriceRefused(f"at the price of {rate.source} {amount} is more bitcoin than there are")
    return Money("BTC", -(-satoshis.numerator // satoshis.denominator))


def enough(asked: Money, tolerance_percent: Decimal) -> Money:
    """Return the least amount that pays *asked* in full."""
    less = Fraction(asked.minor) * (1 - Fraction(tolerance_percent) / 100)
    return Money(asked.currency, max(1, -(-less.numerator // less.denominator)))
