"""Amounts that payers type are read by the page's language, or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate import Money
from paygate.domain.money import AMOUNT_MAX
from paygate.web.amounts import amount_as_typed, read_amount
from paygate.web.languages import LANGUAGES, language


@pytest.mark.parametrize(
    ("code", "typed", "minor"),
    [
        ("en", "12.50", 1250),
        ("en", "12.5", 1250),
        ("en", " 12 ", 1200),
        ("en", "$12.50", 1250),
        ("en", "12.50 USD", 1250),
        ("en", "1,234.50", 123450),
        ("en", "1,234,567", 123456700),
        ("en", "0.01", 1),
        ("es", "12,50", 1250),
        ("es", "12,50 US$", 1250),
        ("de", "12,50", 1250),
        ("de", "12,50 $", 1250),
        ("de", "1.234,50", 123450),
        ("fr", "12,50", 1250),
        ("fr", "1 234,50", 123450),
        ("fr", "1\u202f234", 123400),
        ("ar", "12.50", 1250),
        ("ar", "\u0661\u0662\u066b\u0665\u0660", 1250),
        ("ar", "\u200f1,234.50", 123450),
    ],
)
def test_an_amount_is_read_by_the_rules_of_the_language(code: str, typed: str, minor: int) -> None:
    assert read_amount(typed, "USD", language(code)) == Money("USD", minor)


@pytest.mark.parametrize(
    ("code", "typed"),
    [
        ("en", ""),
        ("en", "ten"),
        ("en", "12,50"),
        ("en", "1,234"),
        ("en", "1,23"),
        ("en", "1,23,456.00"),
        ("en", "12.505"),
        ("en", "12.500"),
        ("en", "12."),
        ("en", ".50"),
        ("en", "-12.50"),
        ("en", "0"),
        ("en", "0.00"),
        ("en", "1e3"),
        ("en", "0x10"),
        ("en", "12.50.00"),
        ("en", "12 50"),
        ("en", "12.50 EUR"),
        ("en", "9" * 18),
        ("en", "1" * 41),
        ("en", "½"),
        ("en", "²"),
        ("en", "12\x00.50"),
        ("de", "12.50"),
        ("de", "1.234"),
        ("de", "1,234"),
        ("de", "1.234.56"),
        ("fr", "12.50"),
        ("ar", "12,50"),
    ],
)
def test_what_is_not_clearly_one_amount_is_refused(code: str, typed: str) -> None:
    assert read_amount(typed, "USD", language(code)) is None


@pytest.mark.parametrize(
    ("currency", "typed", "minor"),
    [
        ("JPY", "1250", 1250),
        ("JPY", "1,250", 1250),
        ("JPY", "12.50", None),
        ("KWD", "1.250", 1250),
        ("KWD", "1,250", None),
    ],
)
def test_a_currency_decides_how_many_digits_there_are(
    currency: str, typed: str, minor: int | None
) -> None:
    expected = None if minor is None else Money(currency, minor)

    assert read_amount(typed, currency, language("en")) == expected


@given(
    minor=st.integers(1, AMOUNT_MAX),
    currency=st.sampled_from(["USD", "EUR", "JPY", "KWD"]),
    code=st.sampled_from(sorted(LANGUAGES)),
)
def test_what_the_pages_write_can_be_typed(minor: int, currency: str, code: str) -> None:
    amount, reader = Money(currency, minor), language(code)

    assert read_amount(amount_as_typed(amount, reader), currency, reader) == amount


@given(
    minor=st.integers(1, AMOUNT_MAX),
    code=st.sampled_from(sorted(LANGUAGES)),
)
def test_an_amount_can_be_copied_from_the_page(minor: int, code: str) -> None:
    amount, reader = Money("USD", minor), language(code)

    assert read_amount(reader.value(amount), "USD", reader) == amount


@given(st.text(max_size=50), st.sampled_from(sorted(LANGUAGES)))
def test_whatever_is_typed_is_an_amount_or_refused(typed: str, code: str) -> None:
    found = read_amount(typed, "USD", language(code))

    assert found is None or 0 < found.minor <= AMOUNT_MAX
