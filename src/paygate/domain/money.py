"""Money: an amount in minor units of one currency."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Self, cast

from paygate.domain.currency import SCALES, scale_of
from paygate.errors import CurrencyMismatch, InvalidAmount
from paygate.printing import shown_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# The widest integer that SQLite and PostgreSQL store; every amount must fit.
MINOR_MAX = 2**63 - 1
"""The largest number of minor units that a ledger can store."""
# The largest amount of one invoice, payment or movement: a thousand of them still add up.
AMOUNT_MAX = MINOR_MAX // 1000


@dataclass(frozen=True, slots=True, repr=False)
class Money:
    """An amount in minor units: ``Money("USD", 1250)`` is $12.50.

    It may be negative (a balance, a difference). Adding, subtracting and
    comparing require the same currency on both sides and raise `CurrencyMismatch`
    otherwise. Floats are neither accepted nor returned.
    """

    currency: str
    minor: int

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise InvalidAmount(
                f"minor units must be an int, not {type(self.minor).__name__}; "
                "use Money.of for an amount such as 12.50"
            )
        if type(self.currency) is not str or self.currency not in SCALES:
            scale_of(self.currency)
        if not -MINOR_MAX <= self.minor <= MINOR_MAX:
            raise InvalidAmount("an amount beyond 64 bits of minor units cannot be stored")

    @classmethod
    def of(cls, currency: str, amount: Decimal | int | str) -> Self:
        """Return a decimal amount as Money: ``Money.of("USD", "12.50")``.

        Raises `InvalidAmount` for a float, for text that is not a plain decimal
        number, and for more digits than the currency has; `InvalidCurrency`
        for a code that ISO 4217 does not list.
        """
        scale = scale_of(currency)
        exact = _exact(amount)
        minor = exact.scaleb(scale)
        if minor != minor.to_integral_value():
            raise InvalidAmount(
                f"{_cut(amount)} has more digits than {currency} allows ({scale} after the point)"
            )
        return cls(currency, int(minor))

    @property
    def is_payable(self) -> bool:
        """Return whether it is small enough for one invoice or payment."""
        return abs(self.minor) <= AMOUNT_MAX

    @classmethod
    def zero(cls, currency: str) -> Self:
        """Return zero in *currency*."""
        return cls(currency, 0)

    @classmethod
    def sum(cls, currency: str, amounts: Iterable[Money]) -> Self:
        """Return the sum of *amounts*, which must all be in *currency*."""
        total = cls.zero(currency)
        for amount in amounts:
            total += amount
        return total

    @property
    def decimal(self) -> Decimal:
        """The amount in major units, exact, with the digits of its currency."""
        return Decimal(self.minor).scaleb(-SCALES[self.currency])

    def split(self, weights: Sequence[int]) -> list[Self]:
        """Split by whole, non-negative *weights* without losing a minor unit.

        Minor units that cannot be divided go one each to the largest remainders,
        the earlier one first, so the same call always returns the same parts and
        they always add up to this amount.
        """
        total = sum(weights)
        if total <= 0 or any(weight < 0 for weight in weights):
            raise InvalidAmount("weights must be whole numbers, none negative, and not all zero")
        sign, size = (1, self.minor) if self.minor >= 0 else (-1, -self.minor)
        parts = [size * weight // total for weight in weights]
        remainders = [size * weight % total for weight in weights]
        left = size - sum(parts)
        for index in sorted(range(len(parts)), key=lambda i: -remainders[i])[:left]:
            parts[index] += 1
        return [type(self)(self.currency, sign * part) for part in parts]

    def format(self, locale: str = "en_US") -> str:
        """Return the amount as text for readers of *locale* (CLDR rules): ``12,50 €``.

        Raises `InvalidAmount` for a locale that CLDR does not know.
        """
        from babel import Locale, UnknownLocaleError
        from babel.numbers import format_currency

        digits = "0" * SCALES[self.currency]
        try:
            rules = Locale.parse(locale, sep="-" if "-" in locale else "_")
        except (UnknownLocaleError, ValueError) as error:
            raise InvalidAmount(
                f"there are no rules to format money for {shown_value(locale)}"
            ) from error
        # CLDR shows fewer digits than ISO 4217 has for some currencies (none for IQD), and has
        # none for BTC: people should see every digit that we count.
        pattern = rules.currency_formats["standard"].pattern
        pattern = pattern.replace(".00", f".{digits}" if digits else "")
        return format_currency(
            self.decimal, self.currency, pattern, locale=rules, currency_digits=False
        )

    def __str__(self) -> str:
        return f"{self.decimal:f} {self.currency}"

    def __repr__(self) -> str:
        return f"Money.of({self.currency!r}, '{self.decimal:f}')"

    def __bool__(self) -> bool:
        return self.minor != 0

    def __neg__(self) -> Self:
        return type(self)(self.currency, -self.minor)

    def __abs__(self) -> Self:
        return type(self)(self.currency, abs(self.minor))

    def __add__(self, other: Money) -> Self:
        return type(self)(self.currency, self.minor + self._same(other))

    def __sub__(self, other: Money) -> Self:
        return type(self)(self.currency, self.minor - self._same(other))

    def __mul__(self, times: int) -> Self:
        if type(times) is not int:
            raise InvalidAmount("money is multiplied by whole numbers only; use split for shares")
        return type(self)(self.currency, self.minor * times)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.minor > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.minor >= self._same(other)

    def _same(self, other: Money) -> int:
        if not isinstance(cast("object", other), Money):
            raise InvalidAmount(f"{self} can be combined with Money only, not {shown_value(other)}")
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self} and {other} are in different currencies")
        return other.minor


def written(currency: str, text: str) -> Money:
    """
    Return an amount that a person wrote, in which a zero is a digit like any other.

    ``2.000`` euros may be two, or two thousand with another country's separator. Raises
    `InvalidAmount` for more digits than *currency* has, even if they are zeros.
    """
    amount = Money.of(currency, text)
    _, _, digits = text.strip().partition(".")
    scale = SCALES[currency]
    if len(digits) > scale:
        raise InvalidAmount(
            f"{shown_value(text)} has more digits after the point than {currency} ({scale}); write "
            "thousands without a separator"
        )
    return amount


def _cut(amount: Decimal | int | str) -> str:
    """Return an amount as it was given, for a message."""
    return shown_value(str(amount) if isinstance(amount, Decimal) else amount)


def _exact(amount: Any) -> Decimal:
    """Return *amount* without rounding; floats are refused because they cannot represent 0.1."""
    match amount:
        case bool() | float():
            raise InvalidAmount(
                f"an amount must be a str, int or Decimal, not {shown_value(amount)}"
            )
        case int():
            exact = Decimal(amount)
        case Decimal():
            exact = amount
        case str():
            text = amount.strip()
            # Decimal also reads "1_000", "1e3" and other scripts' digits; in a file, text like that
            # is more likely a mistake than a number.
            if not text.isascii() or "_" in text or "e" in text.lower():
                raise InvalidAmount(f"{shown_value(amount)} is not a plain decimal number")
            try:
                exact = Decimal(text)
            except InvalidOperation:
                raise InvalidAmount(
                    f"{shown_value(amount)} is not a plain decimal number"
                ) from None
        case _:
            raise InvalidAmount(
                f"an amount must be a str, int or Decimal, not {type(amount).__name__}"
            )
    if not exact.is_finite() or len(exact.as_tuple().digits) > 28 or exact.adjusted() > 19:
        raise InvalidAmount(f"{_cut(amount)} is not an amount that can be stored")
    return exact
