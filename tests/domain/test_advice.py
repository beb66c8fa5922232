"""Advice of card networks: which code is which, for cards of which brand."""

from __future__ import annotations

import pytest

from paygate.domain.advice import DAYS, Advice, advice_of


@pytest.mark.parametrize(
    ("brand", "advice_code", "decline_code", "expected"),
    [
        ("mastercard", "01", "51", Advice.UPDATE),
        ("mastercard", "02", "51", Advice.AFTER_3_DAYS),
        ("maestro", "03", "05", Advice.NEVER),
        ("mastercard", "21", "05", Advice.REVOKED),
        ("mastercard", "24", "05", Advice.AFTER_1_DAY),
        ("mastercard", "30", "05", Advice.AFTER_10_DAYS),
        ("mastercard", "", "43", None),
        ("visa", "", "43", Advice.NEVER),
        ("visa", "03", "51", Advice.LATER),
        ("visa", "", "R1", Advice.REVOKED),
        ("visa", "", "n7", Advice.UPDATE),
        ("visa", "", "05", None),
        ("visa", "", "1A", None),
        ("amex", "03", "43", None),
        ("", "03", "43", None),
    ],
)
def test_each_network_has_codes_of_its_own(
    brand: str, advice_code: str, decline_code: str, expected: Advice | None
) -> None:
    assert advice_of(brand, advice_code, decline_code) is expected


def test_only_advice_to_wait_allows_another_charge_of_the_same_card() -> None:
    allowed = {each for each in Advice if each.retryable}

    assert allowed == {Advice.LATER, *DAYS}
    for each, days in DAYS.items():
        assert str(days) in each.value
