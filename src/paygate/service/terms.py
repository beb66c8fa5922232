"""Terms: what the host allows at an account; never more than the account's driver can do.

An account, or a currency of it, may be disabled, a currency may have a smallest and a largest
amount, and an account may accept some brands of cards only. They are about new payments and newly
stored methods: what was paid before is still captured, refunded, inquired about and received.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, cast

from paygate.domain.currency import SCALES, scale_of
from paygate.domain.kind import Kind, Operation
from paygate.domain.method import BRANDS
from paygate.domain.money import Money
from paygate.errors import InvalidSettings, UsageError
from paygate.gateway import Limits
from paygate.printing import shown, shown_value

if TYPE_CHECKING:
    from paygate.gateway import Rail, Traits

_BEGINS: Final = frozenset({Operation.CHARGE, Operation.AUTHORIZE, Operation.ENROLL})
"""What a disabled account does not do any more."""

_OF_CARDS: Final = frozenset({Kind.CARD, Kind.REDIRECT})
"""The kinds that take cards, with a token or on a page, at an account that takes cards."""

_NO_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Whether the account is enabled, and its currencies that are disabled or have limits."""

    enabled: bool = True
    disabled: frozenset[str] = frozenset()
    limits: Mapping[str, Limits] = field(default_factory=dict[str, Limits])
    brands: frozenset[str] | None = None

    def narrow(self, traits: Traits) -> Traits:
        """Return what is left of *traits* under these terms."""
        if self == Terms():
            return traits
        rails = {kind: self._narrowed(kind, rail) for kind, rail in traits.rails.items()}
        return replace(traits, rails=rails)

    def _narrowed(self, kind: Kind, rail: Rail) -> Rail:
        currencies = rail.currencies
        if self.disabled:
            currencies = frozenset(SCALES if currencies is None else currencies) - self.disabled
        limits = dict(rail.limits)
        for currency, own in self.limits.items():
            limits[currency] = _tighter(rail.limits.get(currency, _NO_LIMITS), own)
        return replace(
            rail,
            operations=rail.operations if self.enabled else rail.operations - _BEGINS,
            currencies=currencies,
            limits=limits,
            brands=self.brands if kind in _OF_CARDS and self.brands else rail.brands,
        )


def read_terms(
    name: str, traits: Traits, enabled: object, by_currency: object, brands: object = None
) -> Terms:
    """
    Read the settings ``enabled``, ``by_currency`` and ``brands`` of account *name*.

    The latter is ``{"USD": {"minimum": "5.00", "maximum": "2000.00"}, "EUR": {"enabled": False}}``.
    Raises `InvalidSettings`, also for a currency that no rail takes, and for limits of which no
    amount is left.
    """
    given: object = {} if by_currency is None else by_currency
    if type(enabled) is not bool or not isinstance(given, Mapping):
        raise InvalidSettings(
            f"of the account {name!r}, enabled must be true or false, and by_currency a table for "
            "each currency"
        )
    disabled, limits = set[str](), dict[str, Limits]()
    for currency, terms in cast("Mapping[object, object]", given).items():
        where = f"by_currency of the account {name!r}: {shown_value(currency)}"
        try:
            scale_of(cast("str", currency))
        except UsageError as error:
            raise InvalidSettings(f"{where}: {error.message}") from None
        code = cast("str", currency)
        if not any(_takes(rail, code) for rail in traits.rails.values()):
            raise InvalidSettings(f"{where} is not taken by the driver; leave it out")
        allowed, limits[code] = _read(where, code, terms)
        if not allowed:
            disabled.add(code)
        _check_left(where, code, limits[code], traits)
    bounded = {code: each for code, each in limits.items() if each != _NO_LIMITS}
    return Terms(
        enabled=enabled,
        disabled=frozenset(disabled),
        limits=bounded,
        brands=_read_brands(name, traits, brands),
    )


def _read_brands(name: str, traits: Traits, given: object) -> frozenset[str] | None:
    """Return the cards that the account accepts, of those that the driver's rail has."""
    if given is None:
        return None
    card = traits.rails.get(Kind.CARD)
    if card is None:
        raise InvalidSettings(f"brands of the account {name!r}: it takes no cards")
    known = sorted(set(BRANDS.values()) if card.brands is None else card.brands)
    brands = cast("list[object]", given) if isinstance(given, list | tuple | set) else [given]
    if not brands or not all(each in known for each in brands):
        raise InvalidSettings(
            f"brands of the account {name!r} must be a list of some of {', '.join(known)}"
        )
    return frozenset(cast("list[str]", brands))


def _read(where: str, currency: str, terms: object) -> tuple[bool, Limits]:
    """Return whether *currency* is enabled, and its limits."""
    given = cast("Any", terms)
    known = {"enabled", "minimum", "maximum"}
    if not isinstance(terms, Mapping) or not set(given) <= known:
        wrong = sorted(set(map(str, given)) - known) if isinstance(terms, Mapping) else []
        raise InvalidSettings(
            f"{where} is a table with enabled, minimum and maximum"
            + (f"; there is no setting {shown(wrong[0])}" if wrong else "")
        )
    enabled = given.get("enabled", True)
    if type(enabled) is not bool:
        raise InvalidSettings(f"{where}: enabled must be true or false")
    low, high = (_minor(where, currency, name, given.get(name)) for name in ("minimum", "maximum"))
    return enabled, Limits(minimum_minor=low, maximum_minor=high)


def _minor(where: str, currency: str, name: str, amount: object) -> int | None:
    if amount is None:
        return None
    minor = 0
    with suppress(UsageError):
        minor = Money.of(currency, cast("Any", amount)).minor
    if minor > 0:
        return minor
    # The value is not repeated: it may be a secret in the wrong place.
    raise InvalidSettings(
        f'{where}: {name} must be more than zero, in text such as "5.00", with at most '
        f"{scale_of(currency)} digits after the point"
    )


def _check_left(where: str, currency: str, own: Limits, traits: Traits) -> None:
    """Raise `InvalidSettings` if *own* leaves no amount on any rail that takes *currency*."""
    for rail in traits.rails.values():
        if not _takes(rail, currency):
            continue
        both = _tighter(rail.limits.get(currency, _NO_LIMITS), own)
        low, high = both.minimum_minor, both.maximum_minor
        if low is None or high is None or low <= high:
            return
    raise InvalidSettings(
        f"{where}: no amount is left between minimum and maximum, with the driver's own limits; "
        "to stop payments in this currency, set enabled = false"
    )


def _takes(rail: Rail, currency: str) -> bool:
    return rail.currencies is None or currency in rail.currencies


def _tighter(one: Limits, other: Limits) -> Limits:
    lows = [each for each in (one.minimum_minor, other.minimum_minor) if each is not None]
    highs = [each for each in (one.maximum_minor, other.maximum_minor) if each is not None]
    return Limits(minimum_minor=max(lows, default=None), maximum_minor=min(highs, default=None))
