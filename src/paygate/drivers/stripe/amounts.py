"""Amounts as Stripe counts them, and as we do."""

from __future__ import annotations

from paygate.driver import MINOR_MAX, SCALES, BadResponse, Money, Unsupported
from paygate.drivers.stripe import codes


def to_stripe(money: Money) -> int:
    """Count *money* as Stripe does, or raise `Unsupported`."""
    digits = codes.DIGITS.get(money.currency)
    if digits is None:
        raise Unsupported(
            f"the Stripe driver does not charge {money.currency}; see its currencies in traits",
            currency=money.currency,
        )
    shift = digits - SCALES[money.currency]
    amount = money.minor * 10**shift if shift >= 0 else _divided(money, 10**-shift)
    step = codes.STEPS.get(money.currency, 1)
    if amount % step:
        raise _too_fine(money)
    return amount


def from_stripe(currency: str, amount: int) -> Money:
    """Read Stripe's *amount*, or raise `BadResponse` for one that our money cannot be."""
    shift = SCALES[currency] - codes.DIGITS[currency]
    minor, rest = (amount * 10**shift, 0) if shift >= 0 else divmod(amount, 10**-shift)
    if rest or not 0 <= minor <= MINOR_MAX:
        raise BadResponse(f"Stripe names an amount that is none in {currency}")
    return Money(currency, minor)


def _divided(money: Money, by: int) -> int:
    amount, rest = divmod(money.minor, by)
    if rest:
        raise _too_fine(money)
    return amount


def _too_fine(money: Money) -> Unsupported:
    return Unsupported(
        f"Stripe does not charge {money}: it takes fewer digits of {money.currency}; "
        "round the amount first",
        currency=money.currency,
    )
