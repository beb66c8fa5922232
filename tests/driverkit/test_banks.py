"""Bank accounts of payers."""

import pytest

from paygate.driver import InvalidValue, routing_number


@pytest.mark.parametrize("digits", ["121000248", "011000015"])
def test_a_routing_number_is_proved_by_its_last_digit(digits: str) -> None:
    assert routing_number(digits) == digits


@pytest.mark.parametrize(
    "digits", ["", "000000000", "121000249", "12100024", "1210002480", "\uff1121000248"]
)
def test_a_number_with_a_wrong_digit_is_no_routing_number(digits: str) -> None:
    with pytest.raises(InvalidValue, match="check digit"):
        routing_number(digits)
