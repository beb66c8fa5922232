"""Lines and tax add up to the minor unit, or an error says which is wrong, and by how much."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate import InvoiceLine, InvoiceText, Money, NumberSeries, Rounding, TaxLine
from paygate.domain.invoice_lines import read_text, write_lines, write_tax
from paygate.errors import CurrencyMismatch, InvalidValue, InvoiceDoesNotAddUp


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


def line(amount: str, category: str = "") -> InvoiceLine:
    return InvoiceLine(description="Support", amount=usd(amount), tax_category=category)


def vat(base: str, amount: str, category: str = "") -> TaxLine:
    return TaxLine(
        name="VAT", rate=Decimal(20), base=usd(base), amount=usd(amount), category=category
    )


# --- What adds up ---------------------------------------------------------------------------------


def test_lines_and_taxes_of_two_categories_make_the_total() -> None:
    lines = (
        InvoiceLine.of("Hosting", "12.345", "USD", quantity=3, tax_category="S"),
        InvoiceLine.of("Books", "9.99", "USD", quantity="2", tax_category="R"),
        line("-1.00"),
    )
    tax = (TaxLine.of("VAT", "20", lines, category="S"), TaxLine.of("VAT", 7, lines, category="R"))

    text = InvoiceText(lines=lines, tax=tax)

    assert [each.amount for each in lines] == [usd("37.04"), usd("19.98"), usd("-1.00")]
    assert [each.amount for each in tax] == [usd("7.41"), usd("1.40")]
    assert (text.net, text.taxes, text.total) == (usd("56.02"), usd("8.81"), usd("64.83"))


def test_two_taxes_can_be_on_the_same_lines() -> None:
    lines = [line("100.00")]

    text = InvoiceText(
        lines=tuple(lines),
        tax=(TaxLine.of("GST", "5", lines), TaxLine.of("QST", "9.975", lines)),
    )

    assert text.total == usd("114.98")


@pytest.mark.parametrize(
    ("rounding", "price", "amount"),
    [
        (Rounding.HALF_UP, "0.125", "0.13"),
        (Rounding.HALF_UP, "-0.125", "-0.13"),
        (Rounding.HALF_EVEN, "0.125", "0.12"),
        (Rounding.HALF_EVEN, "0.135", "0.14"),
    ],
)
def test_a_half_is_rounded_by_the_rule_that_is_named(
    rounding: Rounding, price: str, amount: str
) -> None:
    made = InvoiceLine.of("Calls", price, "USD", rounding=rounding)

    assert made.amount == usd(amount)
    assert InvoiceText(lines=(made,), rounding=rounding).total == usd(amount)


@given(
    st.lists(
        st.tuples(
            st.decimals("-9999", "9999", places=3),
            st.decimals("-999", "999", places=4),
            st.sampled_from(["S", "R", ""]),
        ),
        min_size=1,
        max_size=8,
    ),
    st.decimals("0", "99", places=2),
    st.sampled_from(["USD", "JPY", "KWD"]),
    st.sampled_from(Rounding),
)
def test_what_is_computed_adds_up_exactly_and_what_is_a_unit_off_does_not(
    drawn: list[tuple[Decimal, Decimal, str]], rate: Decimal, currency: str, rounding: Rounding
) -> None:
    lines = tuple(
        InvoiceLine.of(
            "Item", price, currency, quantity=many, tax_category=category, rounding=rounding
        )
        for many, price, category in drawn
    )
    tax = (TaxLine.of("VAT", rate, lines, rounding=rounding),)

    text = InvoiceText(lines=lines, tax=tax, rounding=rounding)

    # Another arithmetic, in fractions, comes to within half a minor unit for each rounding.
    scale = 10 ** {"USD": 2, "JPY": 0, "KWD": 3}[currency]
    exact = sum((Fraction(many) * Fraction(price) * scale for many, price, _ in drawn), Fraction())
    assert abs(text.net.minor - exact) <= Fraction(len(lines), 2)
    assert abs(text.taxes.minor - text.net.minor * Fraction(rate) / 100) <= Fraction(1, 2)
    assert text.total.minor == sum(each.amount.minor for each in lines) + tax[0].amount.minor
    assert read_text(currency, write_lines(text), write_tax(text), rounding.value) == text
    text.check_total(text.total)
    with pytest.raises(InvoiceDoesNotAddUp) as refused:
        text.check_total(text.total + Money(currency, 1))
    assert refused.value.difference == Money(currency, 1)


# --- What does not --------------------------------------------------------------------------------


def test_a_line_that_is_not_its_quantity_times_its_price_says_by_how_much() -> None:
    right = line("5.00")
    wrong = InvoiceLine(
        description="Hosting",
        amount=usd("37.03"),
        quantity=Decimal(3),
        unit_price=Decimal("12.345"),
    )

    with pytest.raises(InvoiceDoesNotAddUp, match=r"^line 2 is 37.03 USD, but 3 times") as refused:
        InvoiceText(lines=(right, wrong))

    error = refused.value
    assert (error.where, error.given, error.expected) == ("line 2", usd("37.03"), usd("37.04"))
    assert error.difference == usd("-0.01")
    assert error.message.endswith("0.01 USD too little")


def test_a_tax_that_is_a_cent_too_much_is_refused() -> None:
    with pytest.raises(InvoiceDoesNotAddUp, match=r"tax 1 \(VAT\) is 20.01") as refused:
        InvoiceText(lines=(line("100.00"),), tax=(vat("100.00", "20.01"),))

    assert refused.value.difference == usd("0.01")


def test_the_base_of_a_tax_is_the_sum_of_its_lines() -> None:
    lines = (line("100.00", "S"), line("50.00", "R"))

    with pytest.raises(InvoiceDoesNotAddUp, match=r"base of tax 1 \(VAT\)") as refused:
        InvoiceText(lines=lines, tax=(vat("150.00", "30.00", "S"),))

    assert refused.value.expected == usd("100.00")


def test_a_tax_of_a_category_that_no_line_has_is_refused() -> None:
    with pytest.raises(InvalidValue, match="no line has the tax category 'S'"):
        InvoiceText(lines=(line("100.00"),), tax=(vat("0.00", "0.00", "S"),))


def test_a_tax_that_is_listed_twice_is_refused() -> None:
    with pytest.raises(InvalidValue, match="add them up"):
        InvoiceText(lines=(line("100.00"),), tax=(vat("100.00", "20.00"), vat("100.00", "20.00")))


def test_lines_in_two_currencies_are_refused() -> None:
    euros = InvoiceLine(description="Support", amount=Money.of("EUR", "1.00"))

    with pytest.raises(CurrencyMismatch, match="line 2 is in EUR"):
        InvoiceText(lines=(line("1.00"), euros))


def test_tax_without_lines_is_refused() -> None:
    with pytest.raises(InvalidValue, match="pass lines="):
        InvoiceText(tax=(vat("1.00", "0.20"),))


@pytest.mark.parametrize("wrong", [1.5, True, "1,5", "1e3", "٣", "nan", "", "1.2.3", "--1", None])
def test_a_quantity_is_an_exact_decimal(wrong: object) -> None:
    with pytest.raises(InvalidValue, match="quantity"):
        InvoiceLine.of("Hosting", "1", "USD", quantity=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [Decimal("nan"), Decimal("1e30"), Decimal("1e-30"), 1.5])
def test_a_quantity_has_a_size_that_can_be_stored(wrong: object) -> None:
    with pytest.raises(InvalidValue, match="quantity"):
        InvoiceLine(description="Hosting", amount=usd("1"), quantity=wrong)  # type: ignore[arg-type]


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(InvalidValue, match="before it begins"):
        InvoiceLine(
            description="Hosting",
            amount=usd("1"),
            period=(date(2026, 12, 1), date(2026, 11, 30)),
        )


# --- Series ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format_", "n", "number", "period"),
    [
        ("INV-{year}-{n:05}", 7, "INV-2026-00007", "2026"),
        ("INV-{year}-{n:05}", 123_456, "INV-2026-123456", "2026"),
        ("{year}{month}-{n}", 7, "202603-7", "2026-03"),
        ("R{n:04}", 7, "R0007", ""),
    ],
)
def test_a_series_writes_numbers_in_its_format(
    format_: str, n: int, number: str, period: str
) -> None:
    series = NumberSeries("sales", format_)

    assert series.number(n, date(2026, 3, 9)) == number
    assert series.period(date(2026, 3, 9)) == period


@pytest.mark.parametrize(
    "format_",
    ["INV", "{n}{n}", "{n}-{day}", "{month}-{n}", "{year}{n}", "1{n}", "{n}2", "{n", "{n:5}", ""],
)
def test_a_format_that_could_write_a_number_twice_is_refused(format_: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        NumberSeries("sales", format_)

    assert refused.value.argument == "series"


@given(st.integers(1, 10**7), st.integers(1, 10**7), st.dates(), st.dates())
def test_two_places_of_a_series_never_have_one_number(
    one: int, other: int, then: date, now: date
) -> None:
    series = NumberSeries("sales", "INV-{year}-{month}-{n:03}")
    places = {(one, series.period(then)), (other, series.period(now))}

    assert len({series.number(one, then), series.number(other, now)}) == len(places)
