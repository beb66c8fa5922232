"""Money is exact, of one currency, and never a float."""

import copy
import json
import pickle
from decimal import Decimal

import iso4217
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate import Money
from paygate.domain.currency import SCALES
from paygate.errors import CurrencyMismatch, InvalidAmount, InvalidCurrency

currencies = st.sampled_from(sorted(SCALES))
minors = st.integers(min_value=-(10**15), max_value=10**15)


def test_the_scales_are_those_of_iso_4217_plus_bitcoin() -> None:
    published = {
        currency.code: currency.exponent
        for currency in iso4217.Currency
        if currency.exponent is not None
    }

    assert published | {"BTC": 8} == SCALES


@given(currencies, minors)
def test_what_is_written_is_read_back(currency: str, minor: int) -> None:
    money = Money(currency, minor)

    assert Money.of(currency, money.decimal) == money
    assert Money.of(currency, str(money.decimal.__format__("f"))) == money
    assert str(money) == f"{money.decimal:f} {currency}"
    assert eval(repr(money), {"Money": Money}) == money  # noqa: S307


@given(minors, st.lists(st.integers(0, 1000), min_size=1, max_size=20).filter(any))
def test_a_split_loses_nothing_and_is_fair(minor: int, weights: list[int]) -> None:
    money = Money("USD", minor)

    parts = money.split(weights)

    assert Money.sum("USD", parts) == money
    for part, weight in zip(parts, weights, strict=True):
        exact = Decimal(minor) * weight / sum(weights)
        assert abs(part.minor - exact) < 1
        assert weight or not part


@pytest.mark.parametrize("amount", [1.5, 0.0, float("nan"), True, None, b"1", object()])
def test_only_exact_types_are_read(amount: object) -> None:
    with pytest.raises(InvalidAmount):
        Money.of("USD", amount)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "amount", ["", "one", "1,50", "1_000", "1e3", "NaN", "Infinity", "1.2.3", "٣", "$5", "9" * 40]
)
def test_text_that_is_no_plain_number_is_refused(amount: str) -> None:
    with pytest.raises(InvalidAmount):
        Money.of("USD", amount)


@pytest.mark.parametrize(
    ("currency", "amount"), [("USD", "1.005"), ("JPY", "0.5"), ("KWD", "1.2345")]
)
def test_more_digits_than_the_currency_has_are_refused(currency: str, amount: str) -> None:
    with pytest.raises(InvalidAmount, match="more digits"):
        Money.of(currency, amount)


@pytest.mark.parametrize("currency", ["usd", "", "XXX", "XAU", "DOGE", 3])
def test_an_unknown_currency_is_refused(currency: str) -> None:
    with pytest.raises(InvalidCurrency):
        Money.of(currency, "1")


def test_amounts_beyond_what_is_stored_are_refused() -> None:
    with pytest.raises(InvalidAmount):
        Money("USD", 2**63)


def test_currencies_do_not_mix() -> None:
    dollars, euros = Money.of("USD", 1), Money.of("EUR", 1)

    for operation in ("__add__", "__sub__", "__lt__", "__le__", "__gt__", "__ge__"):
        with pytest.raises(CurrencyMismatch):
            getattr(dollars, operation)(euros)
    assert dollars != euros


@pytest.mark.parametrize(
    ("money", "locale", "text"),
    [
        (Money.of("USD", "1234.5"), "en_US", "$1,234.50"),
        (Money.of("EUR", "1234.5"), "de-DE", "1.234,50\xa0€"),
        (Money.of("JPY", "1234"), "ja_JP", "￥1,234"),
        (Money.of("KWD", "1.5"), "en_US", "KWD1.500"),
        (Money.of("IQD", "3"), "en_US", "IQD3.000"),
        (Money.of("BTC", "0.001"), "en_US", "BTC0.00100000"),
    ],
)
def test_people_read_money_in_the_way_of_their_country(
    money: Money, locale: str, text: str
) -> None:
    assert money.format(locale) == text


def test_a_locale_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidAmount, match="xx_YY"):
        Money.of("USD", 1).format("xx_YY")


def test_money_copies_and_pickles() -> None:
    money = Money.of("USD", "1.25")

    assert copy.deepcopy(money) == pickle.loads(pickle.dumps(money)) == money  # noqa: S301
    with pytest.raises(TypeError):
        json.dumps(money)
