"""Money, as the type checkers see it. Nothing here runs."""

from decimal import Decimal
from typing import assert_type

from paygate.domain.money import Money

price = Money.of("USD", "30.00")
assert_type(price, Money)
assert_type(price + price, Money)
assert_type(price.split([1, 2]), list[Money])
assert_type(price.decimal, Decimal)

Money.of("USD", 30.0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
price + 1  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue,reportUnusedExpression]
