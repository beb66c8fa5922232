"""What a bitcoin costs, and the quote that is made of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Protocol, cast
from urllib.parse import urlsplit

from paygate.driver import BadReply, Money, Request, UsageError, at_once, scale_of
from paygate.drivers.bitcoin.payment_uri import COINS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paygate.driver import Dialogue

COIN: Final = 10**8
_RATE_MAX: Final = Decimal(10) ** 12


@dataclass(frozen=True, slots=True)
class Rate:
    """The price of one bitcoin, and who said so."""

    value: Decimal
    source: str

    def __post_init__(self) -> None:
        if not self.value.is_finite() or not 0 < self.value < _RATE_MAX:
            raise BadReply(f"{self.source} gives no price of a bitcoin that can be")


class PriceRefused(BadReply):
    """Who publishes prices does not give us one; the payer is not to blame."""


class RateSource(Protocol):
    """Tells what one bitcoin costs."""

    def rate(self, currency: str) -> Dialogue[Rate]:
        """Tell the price in *currency*, or raise `BadReply`."""
        ...


class FixedRates:
    """Prices that the settings name."""

    def __init__(self, rates: Mapping[str, Decimal]) -> None:
        self._rates = rates

    def rate(self, currency: str) -> Dialogue[Rate]:
        """Tell the price in the settings."""
        if currency not in self._rates:
            raise BadReply(f"the settings have no price of a bitcoin in {currency}")
        return at_once(Rate(self._rates[currency], "settings"))


class CalledRates:
    """Prices that the host computes; it must answer at once, without the network."""

    def __init__(self, price: Callable[[str], Decimal], name: str = "host") -> None:
        self._price = price
        self._name = name

    def rate(self, currency: str) -> Dialogue[Rate]:
        """Ask the host."""
        price = self._price(currency)
        # A host without type checks may well return a float.
        if type(price) is not Decimal:
            raise UsageError(f"a price is a Decimal, not {type(price).__name__}")
        return at_once(Rate(price, self._name))


class HttpRates:
    """Prices that somebody publishes as JSON."""

    def __init__(self, url: str, path: str = "{currency}") -> None:
        self._url = url
        self._path = path

    def rate(self, currency: str) -> Dialogue[Rate]:
        """Ask for the price now."""
        source = urlsplit(self._url).hostname or self._url
        response = yield Request(
            method="GET",
            url=self._url.replace("{currency}", currency),
            step="rate",
            headers={"Accept": "application/json"},
            repeatable=True,
        )
        if 400 <= response.status < 500:
            raise PriceRefused(
                f"{source} gives no price: status {response.status}", status=response.status
            )
        if response.status != 200:
            raise BadReply(f"{source} gives no price: status {response.status}")
        told = read_json(response.body)
        for name in self._path.replace("{currency}", currency).split("."):
            told = _step(told, name)
        return Rate(_number(told, source), source)


def read_json(body: bytes) -> Any:
    """Read JSON without a float in it, or raise `BadReply`."""
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError, InvalidOperation):
        raise BadReply(f"expected JSON, got {len(body)} other bytes") from None


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _step(told: Any, name: str) -> Any:
    if isinstance(told, list) and name.isdigit():
        entries = cast("Sequence[Any]", told)
        return entries[int(name)] if int(name) < len(entries) else None
    facts = cast("Mapping[str, Any]", told if isinstance(told, dict) else {})
    return facts.get(name)


def _number(told: Any, source: str) -> Decimal:
    if isinstance(told, str | int | Decimal) and not isinstance(told, bool):
        try:
            return Decimal(told)
        except InvalidOperation:
            pass
    raise BadReply(f"{source} gives no price where the settings say it is")


def quote(amount: Money, rate: Rate, spread_percent: Decimal) -> Money:
    """Reckon the satoshis that *amount* costs, rounded up to a whole one."""
    price = Fraction(rate.value) * (1 - Fraction(spread_percent) / 100)
    satoshis = Fraction(amount.minor, 10 ** scale_of(amount.currency)) * COIN / price
    return Money("BTC", min(-(-satoshis.numerator // satoshis.denominator), COINS_MAX + 1))


def enough(asked: Money, tolerance_percent: Decimal) -> Money:
    """Reckon from how much on *asked* counts as paid in full."""
    less = Fraction(asked.minor) * (1 - Fraction(tolerance_percent) / 100)
    return Money(asked.currency, max(1, -(-less.numerator // less.denominator)))
