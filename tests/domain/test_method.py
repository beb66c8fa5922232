"""Stored methods: how their brands are spelled, and what of them is shown."""

import pytest

from paygate.domain.kind import Kind
from paygate.domain.method import BRANDS, StoredMethod, brand_of
from paygate.domain.secret import RawBankAccount, RawCard, Secret

HOLDER = "Odile Marchetti"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("Visa", "visa"),
        ("MasterCard", "mastercard"),
        ("AmericanExpress", "amex"),
        ("american_express", "amex"),
        ("DinersClub", "diners"),
        ("JCB", "jcb"),
        ("China UnionPay", "unionpay"),
        ("Switch", "switch"),
    ],
)
def test_a_brand_has_one_spelling(theirs: str, ours: str) -> None:
    assert brand_of(theirs) == ours


@pytest.mark.parametrize("name", ["", "Elo", "cartes_bancaires", "Brand 7"])
def test_a_brand_that_is_not_known_keeps_its_name(name: str) -> None:
    assert brand_of(name) == name


def test_our_spellings_are_their_own() -> None:
    assert {brand_of(ours) for ours in BRANDS.values()} == set(BRANDS.values())


@pytest.mark.parametrize(
    "method",
    [
        RawCard("4242424242424242", 8, 2031, holder=HOLDER),
        RawBankAccount("122000661", "1234567", holder=HOLDER),
        StoredMethod(token=Secret("tok"), kind=Kind.CARD, holder=HOLDER),
    ],
)
def test_the_holder_of_a_card_or_account_is_not_shown(method: object) -> None:
    assert HOLDER not in repr(method)
