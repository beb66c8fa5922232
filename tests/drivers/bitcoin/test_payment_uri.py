"""Payment links: amounts without exponents, text without surprises."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate.drivers.bitcoin.payment_uri import COINS_MAX, write_amount, write_uri
from paygate.errors import InvalidAmount

ADDRESS = "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"


@pytest.mark.parametrize(
    ("satoshis", "text"),
    [
        (1, "0.00000001"),
        (10, "0.0000001"),
        (38_879, "0.00038879"),
        (10**8, "1"),
        (150_000_000, "1.5"),
        (5_000_000_000, "50"),
        (COINS_MAX, "21000000"),
    ],
)
def test_an_amount_is_plain_digits(satoshis: int, text: str) -> None:
    assert write_amount(satoshis) == text


@pytest.mark.parametrize("satoshis", [0, -1, COINS_MAX + 1])
def test_no_link_asks_for_what_cannot_be_paid(satoshis: int) -> None:
    with pytest.raises(InvalidAmount):
        write_uri(ADDRESS, satoshis)


@given(
    satoshis=st.integers(1, COINS_MAX),
    label=st.text(st.characters(exclude_categories=["Cs"])),
    message=st.text(st.characters(exclude_categories=["Cs"])),
)
def test_what_was_written_reads_the_same(satoshis: int, label: str, message: str) -> None:
    parts = urlsplit(write_uri(ADDRESS, satoshis, label=label, message=message))
    # Wallets read a plus sign as itself; so do we, to be sure that none stands for a space.
    facts = parse_qs(parts.query.replace("+", "%2B"), keep_blank_values=True)

    assert (parts.scheme, parts.path) == ("bitcoin", ADDRESS)
    assert Decimal(facts["amount"][0]).scaleb(8) == satoshis
    assert facts.get("label", [""]) == [label]
    assert facts.get("message", [""]) == [message]


def test_the_link_is_the_one_of_the_bip() -> None:
    uri = write_uri("175tWpb8K1S7NmH4Zx6rewF9WQrcZv245W", 2_030_000_000, label="Luke-Jr")

    assert uri == "bitcoin:175tWpb8K1S7NmH4Zx6rewF9WQrcZv245W?amount=20.3&label=Luke-Jr"
    assert write_uri(ADDRESS, 1, message="Donation for project xyz").endswith(
        "message=Donation%20for%20project%20xyz"
    )
