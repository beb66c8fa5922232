"""Amounts as a processor counts them."""

import pytest

from paygate.driver import Amounts, BadResponse, Fields, Money, Unsupported

PENNY = Amounts(
    "Penny", {"USD": 2, "JPY": 0, "HUF": 0, "ISK": 2, "KWD": 3}, {"ISK": 100, "KWD": 10}
)


@pytest.mark.parametrize(
    ("money", "whole", "written"),
    [
        (Money("USD", 1250), 1250, "12.50"),
        (Money("JPY", 50), 50, "50"),
        (Money("HUF", 1000), 10, "10"),  # two digits with ISO 4217, none here
        (Money("ISK", 50), 5000, "50.00"),  # none with ISO 4217, two here
        (Money("KWD", 1230), 1230, "1.230"),
    ],
)
def test_an_amount_is_written_and_read_back(money: Money, whole: int, written: str) -> None:
    assert (PENNY.whole(money), PENNY.decimal(money)) == (whole, written)
    told = Fields({"whole": whole, "decimal": written}, "Penny")
    assert PENNY.read_whole(told, "whole", money.currency) == money
    assert PENNY.read_decimal(told, "decimal", money.currency) == money


@pytest.mark.parametrize("money", [Money("HUF", 1050), Money("KWD", 1234), Money("EUR", 100)])
def test_what_the_processor_cannot_charge_is_refused_and_never_rounded(money: Money) -> None:
    with pytest.raises(Unsupported, match="Penny") as refused:
        PENNY.whole(money)

    assert refused.value.facts == {"currency": money.currency}


@pytest.mark.parametrize(
    ("currency", "amount"), [("ISK", 150), ("USD", -1), ("USD", 2**63), ("EUR", 1)]
)
def test_an_amount_that_is_none_is_a_bad_response(currency: str, amount: int) -> None:
    with pytest.raises(BadResponse, match="Penny names"):
        PENNY.of_whole(currency, amount)


def test_a_currency_that_is_not_known_is_not_read() -> None:
    with pytest.raises(BadResponse, match="not known to use"):
        PENNY.read_decimal(Fields({"value": "1.00"}, "Penny"), "value", "EUR")


@pytest.mark.parametrize(
    ("text", "minor"),
    [("1,250.00", 125000), ("12,345,678.90", 1234567890), ("1,250", 125000), ("999.5", 99950)],
)
def test_a_text_may_group_its_digits(text: str, minor: int) -> None:
    told = Fields({"total": {"value": text}}, "Penny")

    assert PENNY.read_grouped(told, "total.value", "USD") == Money("USD", minor)


@pytest.mark.parametrize(
    "text", ["1,25", "1,2500", ",250", "1.250,00", "1,,250", "-1,250", "1,250."]
)
def test_what_is_grouped_otherwise_is_not_guessed(text: str) -> None:
    with pytest.raises(BadResponse):
        PENNY.read_grouped(Fields({"a": text}, "Penny"), "a", "USD")
