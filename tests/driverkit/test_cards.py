"""What processors print about cards is read, and no more digits than four."""

import pytest

from paygate.domain.card_checks import CheckResult
from paygate.driver import card_facts, check_of, expiry_of, last4_of


@pytest.mark.parametrize(
    ("masked", "last4"),
    [
        ("411111......1111", "1111"),
        ("XXXX1111", "1111"),
        ("411111........11", ""),
        ("4111111111111111", ""),
        ("", ""),
        ("x\n1234", "1234"),
    ],
)
def test_four_digits_are_read_from_a_masked_number_only(masked: str, last4: str) -> None:
    assert last4_of(masked) == last4


@pytest.mark.parametrize(
    ("month", "year", "expiry"),
    [
        ("09", "33", (9, 2033)),
        ("9", "2033", (9, 2033)),
        ("13", "33", (None, None)),
        ("00", "33", (None, None)),
        ("09", "1999", (None, None)),
        ("", "", (None, None)),
        ("0٣", "33", (None, None)),
    ],
)
def test_an_expiry_is_read_if_it_is_one(month: str, year: str, expiry: object) -> None:
    assert expiry_of(month, year) == expiry


def test_facts_have_our_brand() -> None:
    facts = card_facts("American Express", "XXXX0005", "1", "30")

    assert (facts.brand, facts.last4, facts.expires_year) == ("amex", "0005", 2030)


def test_an_unknown_letter_is_no_result() -> None:
    table = {"M": CheckResult.PASS}

    results = [check_of(table, letter).result for letter in ("M", "Q", "")]

    assert results == [CheckResult.PASS, CheckResult.UNAVAILABLE, CheckResult.UNCHECKED]
